use super::*;
use sha2::{Digest, Sha256};

/// 2026-01-15T23:59:30Z.
const BEFORE_MIDNIGHT: Instant = 1_768_521_570_000_000_000;
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const AMP: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/\
                   ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write";

fn config(more: &str) -> Config {
    let sigv4 = r#""sigv4":{"region":"eu-west-1","service":"aps"}"#;
    Config::read(&format!(r#"{{"endpoint":"{AMP}",{sigv4}{more}}}"#)).unwrap()
}

fn key() -> SigningKey {
    SigningKey {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        session_token: Some("TOKENEXAMPLE".to_owned().into()),
        derived_key: derive_key(SECRET, "20260115", "eu-west-1", "aps").to_vec().into(),
        date: "20260115".to_owned(),
        region: "eu-west-1".to_owned(),
        service: "aps".to_owned(),
    }
}

fn digest() -> [u8; 32] {
    Sha256::digest(b"preamp").into()
}

fn sign_with(config: &Config, key: Option<&SigningKey>) -> Result<Request, SignError> {
    sign(config, &digest(), Protocol::RemoteWriteV1, BEFORE_MIDNIGHT, key)
}

fn value<'a>(request: &'a Request, name: &str) -> Option<&'a str> {
    request.headers.iter().find(|header| header.name == name).map(|header| header.value.as_str())
}

/// The vector that botocore, aws-sigv4 and a plain HMAC chain agreed on, step by step.
#[test]
fn the_golden_vector() {
    assert_eq!(hex::encode(digest()), "4dafeecd55c11f4a7df7d236fd405481aa98a35467557461272676b7d5bc5ba9");
    assert_eq!(
        hex::encode(key().derived_key.as_slice()),
        "ba26c1617434821fb537702bb495416742188c2fd344066b3790ce84b17c881b"
    );
    let path = AMP.strip_prefix("https://aps-workspaces.eu-west-1.amazonaws.com").unwrap();
    let signature = Signature::new(
        &Signable {
            method: "POST",
            path,
            query: "",
            headers: &[
                ("host", "aps-workspaces.eu-west-1.amazonaws.com"),
                ("content-type", "application/x-protobuf"),
                ("content-encoding", "snappy"),
                ("x-prometheus-remote-write-version", "0.1.0"),
                ("x-amz-date", "20260115T235930Z"),
                ("x-amz-security-token", "TOKENEXAMPLE"),
            ],
            payload_sha256: &digest(),
        },
        PathRules::default(),
        &key(),
        &Timestamp::new(BEFORE_MIDNIGHT),
    );
    assert_eq!(
        hex::encode(Sha256::digest(signature.canonical_request)),
        "2c89765edd5c4eb487c3f7032513328a06355ec6333b6c0738fb303c281a982c"
    );
    assert_eq!(signature.hex, "6e1b0def29c08939631fbb67473f6d6ce0c0b3c8ba484d83246d097e3aa5895f");
}

#[test]
fn a_request_head_is_complete_and_signed() {
    let request = sign_with(&config(""), Some(&key())).unwrap();
    assert_eq!((&*request.method, request.url.as_str()), ("POST", AMP));
    let headers: Vec<_> = request.headers.iter().map(|h| (h.name.as_str(), h.value.as_str())).collect();
    assert_eq!(
        headers,
        [
            ("host", "aps-workspaces.eu-west-1.amazonaws.com"),
            ("content-type", "application/x-protobuf"),
            ("content-encoding", "snappy"),
            ("user-agent", concat!("preamp/", env!("CARGO_PKG_VERSION"))),
            ("x-prometheus-remote-write-version", "0.1.0"),
            ("x-amz-date", "20260115T235930Z"),
            ("x-amz-security-token", "TOKENEXAMPLE"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260115/eu-west-1/aps/aws4_request, \
                 SignedHeaders=content-encoding;content-type;host;x-amz-date;x-amz-security-token;\
                 x-prometheus-remote-write-version, \
                 Signature=6e1b0def29c08939631fbb67473f6d6ce0c0b3c8ba484d83246d097e3aa5895f"
            ),
        ]
    );
}

#[test]
fn the_protocol_decides_content_type_and_version() {
    let request =
        sign(&config(""), &digest(), Protocol::RemoteWriteV2, BEFORE_MIDNIGHT, Some(&key())).unwrap();
    assert_eq!(
        value(&request, "content-type"),
        Some("application/x-protobuf;proto=io.prometheus.write.v2.Request")
    );
    assert_eq!(value(&request, "x-prometheus-remote-write-version"), Some("2.0.0"));
}

#[test]
fn without_a_token_none_is_sent_or_signed() {
    for token in [None, Some(String::new())] {
        let request =
            sign_with(&config(""), Some(&SigningKey { session_token: token.map(Into::into), ..key() }))
                .unwrap();
        assert_eq!(value(&request, "x-amz-security-token"), None);
        let authorization = value(&request, "authorization").unwrap();
        assert!(!authorization.contains("security-token"), "{authorization}");
    }
}

#[test]
fn configured_headers_are_sent_and_signed_unless_they_may_change_on_the_way() {
    let config = config(r#","headers":{"X-Tenant":"a","traceparent":"00-1-2-01","Via":"p"}"#);
    let request = sign_with(&config, Some(&key())).unwrap();
    for name in ["x-tenant", "traceparent", "via"] {
        assert!(value(&request, name).is_some(), "{name}");
    }
    let authorization = value(&request, "authorization").unwrap();
    assert!(authorization.contains(";x-tenant, "), "{authorization}");
    assert!(!authorization.contains("traceparent") && !authorization.contains("via"), "{authorization}");
}

#[test]
fn a_configuration_that_does_not_sign_ignores_the_key() {
    let config = Config::read(r#"{"endpoint":"http://localhost:9090/api/v1/write"}"#).unwrap();
    let unsigned = sign_with(&config, None).unwrap();
    assert_eq!(value(&unsigned, "host"), Some("localhost:9090"));
    assert!(unsigned.headers.iter().all(|h| !h.name.starts_with("x-amz-") && h.name != "authorization"));
    let useless = SigningKey { derived_key: vec![].into(), date: "never".to_owned(), ..key() };
    assert_eq!(sign_with(&config, Some(&useless)).unwrap(), unsigned);
}

#[test]
fn a_key_ends_at_midnight_utc() {
    const MIDNIGHT: Instant = 1_768_521_600_000_000_000;
    let at = |now| sign(&config(""), &digest(), Protocol::RemoteWriteV1, now, Some(&key()));
    assert!(at(MIDNIGHT - 1).is_ok());
    assert_eq!(at(MIDNIGHT), Err(SignError::WrongDate("20260116".to_owned())));
    let first = MIDNIGHT - 86_400_000_000_000;
    assert!(at(first).is_ok());
    assert_eq!(at(first - 1), Err(SignError::WrongDate("20260114".to_owned())));
}

#[test]
fn a_key_of_another_scope_is_refused_with_the_scope_needed() {
    let expected = Err(SignError::WrongScope("eu-west-1/aps".to_owned()));
    let region = SigningKey { region: "us-east-1".to_owned(), ..key() };
    assert_eq!(sign_with(&config(""), Some(&region)), expected);
    let service = SigningKey { service: "es".to_owned(), ..key() };
    assert_eq!(sign_with(&config(""), Some(&service)), expected);
}

#[test]
fn no_key_is_told_from_a_wrong_one() {
    assert_eq!(sign_with(&config(""), None), Err(SignError::KeyRequired));
}

#[test]
fn invalid_arguments_are_named_but_never_shown() {
    let invalid = |result: Result<Request, SignError>, word: &str| match result {
        Err(SignError::Invalid(message)) => {
            assert!(message.contains(word), "{message}");
            assert!(!message.contains("hush"), "{message}");
        }
        other => panic!("{word}: {other:?}"),
    };
    for length in [0, 31, 33] {
        let digest = vec![0; length];
        let result = sign(&config(""), &digest, Protocol::RemoteWriteV1, BEFORE_MIDNIGHT, Some(&key()));
        invalid(result, "digest");
    }
    let signed = |key: SigningKey| sign_with(&config(""), Some(&key));
    invalid(signed(SigningKey { derived_key: vec![0; 31].into(), ..key() }), "derived key");
    for id in ["", "A/B", "A\nB", "Ä", "A,B"] {
        invalid(signed(SigningKey { access_key_id: id.to_owned(), ..key() }), "access key id");
    }
    for token in ["hush\r\nx: y", "hush\u{e9}", "\0hush"] {
        let key = SigningKey { session_token: Some(token.to_owned().into()), ..key() };
        invalid(signed(key), "x-amz-security-token");
    }
    invalid(sign_with(&config(r#","user_agent":"hush\n""#), Some(&key())), "user-agent");
}

#[test]
fn debug_shows_no_secret() {
    let key = SigningKey { derived_key: vec![0xab; 32].into(), ..key() };
    let shown = format!("{key:?} {:?}", sign_with(&config(""), None));
    for secret in ["TOKENEXAMPLE", "171", "ab, ab", "abab"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
