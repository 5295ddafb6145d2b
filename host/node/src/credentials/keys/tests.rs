use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;

use super::{IssuedKey, SigningKeys, derive};
use crate::credentials::{Credentials, CredentialsError, CredentialsSource, Fetch, Fixed, Secret};

/// 2026-01-15T23:59:30Z.
const NOW: u64 = 1_768_521_570 * SECOND;
const SECOND: u64 = 1_000_000_000;

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
        Box::pin(async {
            // A source answers over a network: others ask for a key meanwhile.
            tokio::task::yield_now().await;
            let number = self.fetches.fetch_add(1, Ordering::Relaxed) + 1;
            if number >= self.fails_from {
                Err(CredentialsError { problem: "source is down".to_owned(), remedy: "wait".to_owned() })
            } else {
                Ok(Credentials { access_key_id: format!("AKID{number}"), ..suite_credentials(self.expires) })
            }
        })
    }
}

fn keys_of(source: impl CredentialsSource + 'static) -> SigningKeys {
    SigningKeys::new(Box::new(source), "eu-west-1".to_owned(), "aps".to_owned())
}

fn counting(expires: Option<u64>, fails_from: u64) -> (SigningKeys, Arc<AtomicU64>) {
    let fetches = Arc::new(AtomicU64::new(0));
    let source = Counting { fetches: Arc::clone(&fetches), expires, fails_from };
    (keys_of(source), fetches)
}

async fn id_at(keys: &SigningKeys, now: u64) -> String {
    keys.key(now).await.expect("a key").key.access_key_id.clone()
}

/// What eight partitions are given that ask at the same time.
async fn asked_at_once(keys: &SigningKeys) -> Vec<Result<Arc<IssuedKey>, CredentialsError>> {
    let ask = |_| {
        let keys = keys.clone();
        async move { keys.key(NOW).await }
    };
    (0..8).map(ask).collect::<JoinSet<_>>().join_all().await
}

/// Lets what runs in the background come to its end.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_key_is_derived_anew_at_midnight_from_the_same_credentials() {
    let (keys, fetches) = counting(None, u64::MAX);
    let before = keys.key(NOW + 29 * SECOND).await.expect("a key");
    let same = keys.key(NOW).await.expect("a key");
    let after = keys.key(NOW + 30 * SECOND).await.expect("a key");
    assert!(Arc::ptr_eq(&before, &same), "derived twice for one day");
    assert_eq!((&*before.key.date, &*after.key.date), ("20260115", "20260116"));
    assert_ne!(before.key, after.key);
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn many_refusals_of_one_key_cause_one_fetch() {
    let (keys, fetches) = counting(None, u64::MAX);
    let refused = keys.key(NOW).await.expect("a key").generation;
    for _ in 0..8 {
        keys.refused(refused, NOW);
    }
    for answer in asked_at_once(&keys).await {
        assert_eq!(answer.expect("a key").key.access_key_id, "AKID2");
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn one_failure_of_the_source_is_told_to_all_who_wait() {
    let (keys, fetches) = counting(None, 1);
    for answer in asked_at_once(&keys).await {
        assert_eq!(answer.expect_err("the source is down").problem, "source is down");
    }
    assert_eq!(fetches.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn credentials_near_their_end_are_renewed_meanwhile_and_kept_if_that_fails() {
    let end = NOW + 3600 * SECOND;
    let (keys, fetches) = counting(Some(end), 2);
    keys.key(NOW).await.expect("a key");
    keys.key(end - 601 * SECOND).await.expect("a key");
    settle().await;
    assert_eq!(fetches.load(Ordering::Relaxed), 1, "more than ten minutes left: no renewal yet");

    let late = end - 299 * SECOND;
    assert_eq!(id_at(&keys, late).await, "AKID1", "the old key serves while the source is asked");
    settle().await;
    assert_eq!(fetches.load(Ordering::Relaxed), 2, "less than five minutes left: renewal is tried");
    keys.key(late + SECOND).await.expect("the old key holds");
    settle().await;
    assert_eq!(fetches.load(Ordering::Relaxed), 2, "a failed renewal is not repeated at once");
    keys.key(late + 31 * SECOND).await.expect("the old key holds");
    settle().await;
    assert_eq!(fetches.load(Ordering::Relaxed), 3, "but after a pause");

    let error = keys.key(end).await.expect_err("credentials have ended");
    assert_eq!(error.problem, "source is down");
}

#[tokio::test]
async fn renewed_credentials_are_used_at_once() {
    let end = NOW + 3600 * SECOND;
    let (keys, _) = counting(Some(end), u64::MAX);
    keys.key(NOW).await.expect("a key");
    assert_eq!(id_at(&keys, end - 299 * SECOND).await, "AKID1");
    settle().await;
    assert_eq!(id_at(&keys, end - 299 * SECOND).await, "AKID2");
}

#[tokio::test]
async fn credentials_of_a_short_life_are_renewed_after_half_of_it() {
    let (keys, fetches) = counting(Some(NOW + 100 * SECOND), u64::MAX);
    keys.key(NOW).await.expect("a key");
    for (second, expected) in [(49, 1), (50, 2)] {
        keys.key(NOW + second * SECOND).await.expect("a key");
        settle().await;
        assert_eq!(fetches.load(Ordering::Relaxed), expected, "after {second} s");
    }
}

#[tokio::test]
async fn credentials_past_their_end_are_not_used() {
    let (keys, _) = counting(Some(NOW), u64::MAX);
    let error = keys.key(NOW).await.expect_err("they have ended");
    assert!(error.problem.contains("AKID1 are past their end"), "{error}");
}

#[tokio::test]
async fn refused_credentials_are_tried_again_after_growing_pauses_unless_there_are_others() {
    let source = Arc::new(Fixed::new(suite_credentials(None)));
    let keys = keys_of(Arc::clone(&source));
    let mut now = NOW;
    for pause in [0, 1, 2, 4, 8, 16, 32, 60, 60] {
        let generation = keys.key(now).await.expect("a key").generation;
        keys.refused(generation, now);
        if pause > 0 {
            let error = keys.key(now + pause * SECOND - 1).await.expect_err("they were refused");
            assert!(error.problem.contains("refused the AWS credentials of AKIDEXAMPLE"), "{error}");
        }
        now += pause * SECOND;
    }
    let generation = keys.key(now).await.expect("a key").generation;
    keys.refused(generation, now);
    source.exchange(Credentials { access_key_id: "AKIDOTHER".to_owned(), ..suite_credentials(None) });
    assert_eq!(id_at(&keys, now).await, "AKIDOTHER");
}

#[tokio::test]
async fn a_source_that_does_not_answer_is_given_up() {
    struct Silent;
    impl CredentialsSource for Silent {
        fn fetch(&self) -> Fetch<'_> {
            Box::pin(std::future::pending())
        }
    }
    let (region, service) = ("eu-west-1".to_owned(), "aps".to_owned());
    let keys = SigningKeys::waiting(Duration::from_millis(20), Box::new(Silent), region, service);
    let error = keys.key(NOW).await.expect_err("nothing came");
    assert_eq!(error.problem, "no AWS credentials within 20 ms");
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let (keys, _) = counting(None, u64::MAX);
    let key = keys.key(NOW).await.expect("a key");
    let shown = format!("{key:?} {keys:?}");
    assert!(!shown.contains("wJalr") && !shown.contains("TOKENEXAMPLE"), "{shown}");
    let derived = derive(&suite_credentials(None).secret_access_key, &key.key.date, "eu-west-1", "aps");
    assert!(!shown.contains(&format!("{:?}", derived.as_slice())), "{shown}");
}
