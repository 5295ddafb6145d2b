use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{SigningKeys, derive, utc_date};
use crate::credentials::{Credentials, CredentialsError, CredentialsSource, Fetch, Secret};

/// 2026-01-15T23:59:30Z, the instant of the golden vector.
const GOLDEN_NOW: u64 = 1_768_521_570 * 1_000_000_000;
const GOLDEN_KEY: &str = "ba26c1617434821fb537702bb495416742188c2fd344066b3790ce84b17c881b";
const SECOND: u64 = 1_000_000_000;

/// The key pair of the public SigV4 test suite.
fn suite_credentials(expires: Option<u64>) -> Credentials {
    Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned()),
        session_token: Some(Secret::new("TOKENEXAMPLE".to_owned())),
        expires,
    }
}

/// Counts fetches, names each access key by its number, and fails from a given fetch on.
struct Counting {
    fetches: Arc<AtomicU64>,
    expires: Option<u64>,
    fails_from: u64,
}

impl CredentialsSource for Counting {
    fn fetch(&self) -> Fetch<'_> {
        let number = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
        let given = if number >= self.fails_from {
            Err(CredentialsError { problem: "source is down".to_owned(), remedy: "wait".to_owned() })
        } else {
            Ok(Credentials { access_key_id: format!("AKID{number}"), ..suite_credentials(self.expires) })
        };
        Box::pin(std::future::ready(given))
    }
}

fn counting(expires: Option<u64>, fails_from: u64) -> (SigningKeys, Arc<AtomicU64>) {
    let fetches = Arc::new(AtomicU64::new(0));
    let source = Counting { fetches: Arc::clone(&fetches), expires, fails_from };
    (SigningKeys::new(Box::new(source), "eu-west-1".to_owned(), "aps".to_owned()), fetches)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_golden_key_is_derived() {
    let secret = suite_credentials(None).secret_access_key;
    let key = derive(&secret, &utc_date(GOLDEN_NOW), "eu-west-1", "aps");
    assert_eq!(hex(key.as_slice()), GOLDEN_KEY);
}

#[tokio::test]
async fn a_key_is_derived_anew_at_midnight_from_the_same_credentials() {
    let (keys, fetches) = counting(None, u64::MAX);
    let before = keys.key(GOLDEN_NOW + 29 * SECOND).await.expect("a key");
    let same = keys.key(GOLDEN_NOW).await.expect("a key");
    let after = keys.key(GOLDEN_NOW + 30 * SECOND).await.expect("a key");
    assert!(Arc::ptr_eq(&before, &same), "derived twice for one day");
    assert_eq!((before.key.date(), after.key.date()), ("20260115", "20260116"));
    assert_ne!(before.key, after.key);
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn many_refusals_of_one_key_cause_one_fetch() {
    let (keys, fetches) = counting(None, u64::MAX);
    let refused = keys.key(GOLDEN_NOW).await.expect("a key").generation;
    for _ in 0..8 {
        keys.refresh(refused).await.expect("the source works");
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
    assert_eq!(keys.key(GOLDEN_NOW).await.expect("a key").key.access_key_id(), "AKID2");
}

#[tokio::test]
async fn credentials_near_their_end_are_renewed_and_kept_if_that_fails() {
    let end = GOLDEN_NOW + 600 * SECOND;
    let (keys, fetches) = counting(Some(end), 2);
    keys.key(GOLDEN_NOW).await.expect("a key");
    assert_eq!(fetches.load(Ordering::Relaxed), 1, "ten minutes left: no renewal yet");

    let late = end - 200 * SECOND;
    assert_eq!(keys.key(late).await.expect("the old key holds").key.access_key_id(), "AKID1");
    assert_eq!(fetches.load(Ordering::Relaxed), 2, "less than five minutes left: renewal is tried");
    keys.key(late + SECOND).await.expect("the old key holds");
    assert_eq!(fetches.load(Ordering::Relaxed), 2, "a failed renewal is not repeated at once");
    keys.key(late + 31 * SECOND).await.expect("the old key holds");
    assert_eq!(fetches.load(Ordering::Relaxed), 3, "but after a pause");

    let error = keys.key(end).await.expect_err("credentials have ended");
    assert_eq!(error.problem, "source is down");
}

#[tokio::test]
async fn a_failed_refresh_keeps_the_old_credentials() {
    let (keys, _) = counting(None, 2);
    let key = keys.key(GOLDEN_NOW).await.expect("a key");
    keys.refresh(key.generation).await.expect_err("the source is down");
    assert_eq!(keys.key(GOLDEN_NOW).await.expect("the old key").key.access_key_id(), "AKID1");
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let (keys, _) = counting(None, u64::MAX);
    let key = keys.key(GOLDEN_NOW).await.expect("a key");
    let shown = format!("{key:?} {keys:?}");
    assert!(!shown.contains("wJalr") && !shown.contains("TOKENEXAMPLE"), "{shown}");
    let derived = derive(&suite_credentials(None).secret_access_key, key.key.date(), "eu-west-1", "aps");
    assert!(!shown.contains(&format!("{:?}", derived.as_slice())), "{shown}");
}
