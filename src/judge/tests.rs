mod dialects;
mod v2;

use super::*;
use preamp_contract::Header;

/// 2026-01-15T23:59:30Z.
const NOW: Instant = 1_768_521_570_000_000_000;
const AMP: &str = r#"{"endpoint":"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
    "sigv4":{"region":"eu-west-1","service":"aps"}}"#;
const PROMETHEUS: &str = r#"{"endpoint":"http://localhost:9090/api/v1/write"}"#;

fn answered(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Response {
    let field =
        |(name, value): &(&str, &str)| Header { name: (*name).to_owned(), value: (*value).to_owned() };
    Response { status, headers: headers.iter().map(field).collect(), body: body.to_vec() }
}

/// Two samples in the protocol that every receiver takes.
const SENT: Sent = Sent { protocol: Protocol::RemoteWriteV1, samples: 2, histograms: 0 };

fn verdict(config: &str, response: &Response) -> Verdict {
    judge(&Config::read(config).unwrap(), &SENT, response, 1, NOW)
}

fn amp(status: u16, body: &str) -> Verdict {
    verdict(AMP, &answered(status, &[], body.as_bytes()))
}

fn prometheus(status: u16, body: &str) -> Verdict {
    verdict(PROMETHEUS, &answered(status, &[], body.as_bytes()))
}

/// The name of a verdict and its reason, checked to be one of the contract's and to be explained.
fn summary(verdict: Verdict) -> String {
    const REASONS: &str = "out-of-order duplicate-sample too-old series-limit label-limit invalid too-large \
                           forbidden unauthenticated signature not-found unsupported-protocol redirect \
                           unexpected-status partial-write conflict account unconfirmed";
    let (name, explanation) = match verdict {
        Verdict::Delivered => return "delivered".to_owned(),
        Verdict::Unconfirmed(explanation) => ("unconfirmed", explanation),
        Verdict::Retry(_) => return "retry".to_owned(),
        Verdict::FixClock(offset) => return format!("fix-clock {offset}"),
        Verdict::RefreshCredentials(explanation) => ("refresh", explanation),
        Verdict::Halve(Halving { why, explanation }) => {
            assert_eq!(why == HalveCause::TooLarge, explanation.reason == "too-large", "{explanation:?}");
            (if why == HalveCause::Unknown { "find-out" } else { "halve" }, explanation)
        }
        Verdict::Downgrade(explanation) => ("downgrade", explanation),
        Verdict::PartlyRejected(explanation) => ("partly-rejected", explanation),
        Verdict::Rejected(explanation) => ("rejected", explanation),
        Verdict::Stop(explanation) => ("stop", explanation),
    };
    assert!(REASONS.split(' ').any(|reason| reason == explanation.reason), "{explanation:?}");
    assert!(explanation.remedy.len() > 20, "{explanation:?}");
    assert!(explanation.detail.chars().count() <= 256, "{explanation:?}");
    format!("{name} {}", explanation.reason)
}

fn retry(verdict: Verdict) -> Retry {
    match verdict {
        Verdict::Retry(retry) => retry,
        other => panic!("{other:?}"),
    }
}

fn detail(verdict: Verdict) -> String {
    match verdict {
        Verdict::RefreshCredentials(e) | Verdict::PartlyRejected(e) | Verdict::Stop(e) => e.detail,
        Verdict::Halve(halving) => halving.explanation.detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_status_has_its_verdict_at_both_receivers() {
    for (statuses, at_amp, at_prometheus) in [
        (0..=0, "retry", "retry"),
        (1..=199, "retry", "retry"),
        (200..=299, "delivered", "delivered"),
        (300..=399, "stop redirect", "stop redirect"),
        (400..=400, "find-out invalid", "find-out invalid"),
        (401..=401, "refresh unauthenticated", "stop unauthenticated"),
        (402..=402, "stop account", "stop account"),
        (403..=403, "refresh forbidden", "stop forbidden"),
        (404..=405, "stop not-found", "stop not-found"),
        (406..=406, "stop unsupported-protocol", "stop unsupported-protocol"),
        (407..=407, "stop unauthenticated", "stop unauthenticated"),
        (408..=408, "retry", "retry"),
        (409..=409, "find-out invalid", "find-out invalid"),
        (410..=410, "stop not-found", "stop not-found"),
        (411..=412, "stop unexpected-status", "stop unexpected-status"),
        (413..=413, "halve too-large", "halve too-large"),
        (414..=414, "stop unexpected-status", "stop unexpected-status"),
        (415..=415, "stop unsupported-protocol", "stop unsupported-protocol"),
        (416..=421, "stop unexpected-status", "stop unexpected-status"),
        (422..=422, "find-out invalid", "find-out invalid"),
        (423..=424, "stop unexpected-status", "stop unexpected-status"),
        (425..=425, "retry", "retry"),
        (426..=428, "stop unexpected-status", "stop unexpected-status"),
        (429..=429, "retry", "retry"),
        (430..=498, "stop unexpected-status", "stop unexpected-status"),
        (499..=700, "retry", "retry"),
        (u16::MAX..=u16::MAX, "retry", "retry"),
    ] {
        for status in statuses {
            assert_eq!(summary(amp(status, "")), at_amp, "{status}");
            assert_eq!(summary(prometheus(status, "")), at_prometheus, "{status}");
        }
    }
}

#[test]
fn a_bad_request_is_classed_by_its_text() {
    for (body, reason) in [
        ("out of order sample. timestamp=2026-01-15T23:00:00Z, series={__name__=\"a\"}", "out-of-order"),
        (
            "duplicate sample for timestamp 1; overrides not allowed: existing 1, new value 2",
            "duplicate-sample",
        ),
        ("sample with repeated timestamp but different value", "duplicate-sample"),
        ("another sample with the same timestamp, but a different value, was ingested", "duplicate-sample"),
        ("new-value-for-timestamp", "duplicate-sample"),
        ("timestamp too old: 5 metric: \"up\"", "too-old"),
        ("out of bounds", "too-old"),
        ("series limit of 10 exceeded", "series-limit"),
        ("per_labelset_series_limit", "series-limit"),
        ("series exceeds limit", "series-limit"),
        ("series has too many labels (actual: 71, limit: 70)", "label-limit"),
        ("label value too long: metric \"a\", label value: \"b\"", "label-limit"),
        ("label_value_too_long", "label-limit"),
        ("timestamp too new: 9 metric: \"up\"", "invalid"),
        ("sample invalid label: \"a-b\"", "invalid"),
        ("label name \"a\" is not unique: invalid sample", "invalid"),
        // What stands first counts, whatever the labels say.
        ("duplicate sample for timestamp. series={error=\"out of order sample\"}", "duplicate-sample"),
        (r#"{"message":"Out Of Order Sample"}"#, "out-of-order"),
        (r#"{"Message":"too old sample"}"#, "too-old"),
        (r#"{"status":"error","error":"series limit reached"}"#, "series-limit"),
    ] {
        for status in [400, 422] {
            // A limit may be reached for some series, or for everything.
            let halve = if reason == "series-limit" { "find-out" } else { "halve" };
            let at_amp = if status == 400 { "partly-rejected" } else { halve };
            assert_eq!(summary(amp(status, body)), format!("{at_amp} {reason}"), "{body}");
            assert_eq!(summary(prometheus(status, body)), format!("{halve} {reason}"), "{body}");
        }
    }
    for body in ["something never seen before", ""] {
        assert_eq!(summary(amp(400, body)), "find-out invalid", "{body}");
        assert_eq!(summary(prometheus(400, body)), "find-out invalid", "{body}");
    }
}

#[test]
fn different_causes_of_one_reason_have_different_remedies() {
    let remedy = |body: &str| match amp(400, body) {
        Verdict::PartlyRejected(explanation) => explanation.remedy,
        other => panic!("{other:?}"),
    };
    assert!(remedy("timestamp too new").contains("clock"));
    assert!(remedy("invalid label").contains("fault of this exporter"));
    assert!(remedy("series limit").contains("L-5A151448"));
}

#[test]
fn a_body_that_could_not_be_read_is_rejected_whole() {
    for body in ["snappy: corrupt input", "proto: WriteRequest: wiretype end group", "unexpected EOF"] {
        assert_eq!(summary(amp(400, body)), "rejected invalid", "{body}");
        assert_eq!(summary(prometheus(400, body)), "rejected invalid", "{body}");
    }
}

#[test]
fn an_old_prometheus_refuses_samples_with_500() {
    assert_eq!(summary(prometheus(500, "too old sample")), "halve too-old");
    assert_eq!(summary(prometheus(500, "label name \"a\" is not unique: invalid sample")), "halve invalid");
    for body in ["", "context deadline exceeded", "unexpected EOF", "series limit"] {
        assert_eq!(summary(prometheus(500, body)), "retry", "{body}");
    }
    assert_eq!(summary(prometheus(503, "too old sample")), "retry");
    assert_eq!(summary(amp(500, "too old sample")), "retry");
}

#[test]
fn refusals_of_the_sender_are_told_apart() {
    for (error_type, message, expected) in [
        (
            "ExpiredTokenException",
            "The security token included in the request is expired",
            "refresh unauthenticated",
        ),
        ("", "The security token included in the request is expired", "refresh unauthenticated"),
        ("UnrecognizedClientException", "The security token … is invalid.", "refresh unauthenticated"),
        ("InvalidClientTokenId", "", "refresh unauthenticated"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "refresh signature"),
        ("InvalidSignatureException", "", "refresh signature"),
        ("", "Credential should be scoped to a valid region", "stop signature"),
        ("MissingAuthenticationTokenException", "Missing Authentication Token", "stop unauthenticated"),
        ("", "Missing Authentication Token", "stop unauthenticated"),
        ("IncompleteSignature", "Authorization header requires 'Signature'", "stop signature"),
        (
            "AccessDeniedException",
            "User: arn is not authorized to perform: aps:RemoteWrite",
            "stop forbidden",
        ),
        ("", "User: arn is not authorized to perform: aps:RemoteWrite on resource: arn", "stop forbidden"),
        ("AccessDenied", "", "stop forbidden"),
        ("InvalidSignatureException", "Signature expired: A is now earlier than B", "retry"),
        ("RequestTimeTooSkewed", "", "retry"),
        ("", "Signature not yet current", "retry"),
    ] {
        let body = format!(r#"{{"message":"{message}"}}"#);
        for status in [401, 403] {
            let headers = [("x-amzn-errortype", error_type)];
            let judged = verdict(AMP, &answered(status, &headers, body.as_bytes()));
            assert_eq!(summary(judged), expected, "{status} {error_type} {message}");
        }
    }
}

#[test]
fn the_error_type_is_found_in_all_its_forms() {
    for (header, body, said) in [
        (
            "ExpiredTokenException:http://internal.amazon.com/coral/",
            r#"{"message":"m"}"#,
            "ExpiredTokenException: m",
        ),
        ("", r#"{"__type":"com.amazon#ExpiredTokenException","message":"m"}"#, "ExpiredTokenException: m"),
        ("", r#"{"code":"ExpiredTokenException","Message":"m"}"#, "ExpiredTokenException: m"),
        ("", "<Code>ExpiredToken</Code>", "<Code>ExpiredToken</Code>"),
    ] {
        let headers: &[_] = if header.is_empty() { &[] } else { &[("X-Amzn-ErrorType", header)] };
        let judged = verdict(AMP, &answered(403, headers, body.as_bytes()));
        assert_eq!(detail(judged.clone()), said);
        assert_eq!(summary(judged), "refresh unauthenticated", "{header} {body}");
    }
}

#[test]
fn an_error_type_tells_a_refusal_of_the_sender_from_one_of_samples() {
    let typed = |error_type| verdict(AMP, &answered(400, &[("x-amzn-errortype", error_type)], b"{}"));
    assert_eq!(summary(typed("ExpiredTokenException")), "refresh unauthenticated");
    assert_eq!(summary(typed("ThrottlingException")), "retry");
    assert_eq!(summary(typed("ValidationException")), "find-out invalid");
    // A label may hold any text.
    assert_eq!(
        summary(amp(400, "user=1: err: bad series {a=\"ExpiredToken Throttling\"}")),
        "partly-rejected invalid"
    );
}

#[test]
fn a_receiver_that_wants_credentials_stops_an_unsigned_exporter() {
    for body in ["", "ExpiredToken", "SignatureDoesNotMatch", "AccessDenied", "Signature expired"] {
        let response = answered(403, &[("date", "Thu, 15 Jan 2026 22:00:00 GMT")], body.as_bytes());
        match verdict(PROMETHEUS, &response) {
            Verdict::Stop(explanation) => assert!(explanation.remedy.contains("sigv4"), "{explanation:?}"),
            other => panic!("{body}: {other:?}"),
        }
    }
}

#[test]
fn a_wrong_clock_is_told_from_the_date_field_when_the_signature_is_doubted() {
    let at =
        |body: &str, date: &str| summary(verdict(AMP, &answered(403, &[("Date", date)], body.as_bytes())));
    // NOW is 23:59:30.
    const AHEAD: &str = "Fri, 16 Jan 2026 00:09:30 GMT";
    const BEHIND: &str = "Thu, 15 Jan 2026 23:54:30 GMT";
    for body in [
        "SignatureDoesNotMatch",
        "InvalidSignatureException",
        "Signature expired: 20260115T235930Z is now earlier than 20260116T000430Z (20260116T000930Z - 5 min.)",
        "Signature not yet current",
        "RequestTimeTooSkewed",
        "AccessDeniedException",
        "AuthFailure",
    ] {
        assert_eq!(at(body, AHEAD), "fix-clock 600000", "{body}");
        assert_eq!(at(body, BEHIND), "fix-clock -300000", "{body}");
    }
    assert_eq!(at("SignatureDoesNotMatch", "Fri, 16 Jan 2026 00:03:30 GMT"), "fix-clock 240000");
    assert_eq!(at("SignatureDoesNotMatch", "Fri, 16 Jan 2026 00:03:29 GMT"), "refresh signature");
    assert_eq!(at("SignatureDoesNotMatch", "Thu, 15 Jan 2026 23:55:31 GMT"), "refresh signature");
    assert_eq!(at("SignatureDoesNotMatch", "yesterday"), "refresh signature");
    // These are about something else, whatever the clock says.
    assert_eq!(at("ExpiredToken", AHEAD), "refresh unauthenticated");
    assert_eq!(at("not authorized to perform: aps:RemoteWrite", AHEAD), "stop forbidden");
    assert_eq!(at("", AHEAD), "refresh forbidden");
}

#[test]
fn pauses_grow_up_to_the_longest() {
    let config = Config::read(
        r#"{"endpoint":"http://h/","retry_on_failure":
            {"initial_interval_ms":100,"multiplier":1.5,"max_interval_ms":1000}}"#,
    )
    .unwrap();
    let after = |attempt| retry(judge(&config, &SENT, &answered(503, &[], b""), attempt, NOW)).after;
    let pauses: Vec<u64> = [0, 1, 2, 3, 4, 6, 7, 1000, u32::MAX].map(after).to_vec();
    assert_eq!(pauses, [100, 100, 150, 225, 337, 759, 1000, 1000, 1000]);
    let steady = r#"{"endpoint":"http://h/","retry_on_failure":{"multiplier":1}}"#;
    let judged = judge(&Config::read(steady).unwrap(), &SENT, &answered(503, &[], b""), u32::MAX, NOW);
    assert_eq!(retry(judged).after, 100);
}

#[test]
fn retry_after_is_the_least_pause() {
    const DAY_MS: u64 = 86_400_000;
    for (value, after) in [
        ("7", 7_000),
        (" 7 ", 7_000),
        ("0", 100),
        ("86401", DAY_MS),
        ("18446744073709551615", DAY_MS),
        ("99999999999999999999999999", DAY_MS),
        ("Fri, 16 Jan 2026 00:00:00 GMT", 30_000),
        ("Friday, 16-Jan-26 00:00:00 GMT", 30_000),
        ("Fri Jan 16 00:00:00 2026", 30_000),
        ("Thu, 15 Jan 2026 23:59:00 GMT", 100),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 100),
        ("Fri, 31 Dec 9999 23:59:59 GMT", DAY_MS),
        ("Fri, 99 Foo 2026 00:00:00 GMT", 100),
        ("-5", 100),
        ("1.5", 100),
        ("soon", 100),
        ("½", 100),
        ("", 100),
    ] {
        for status in [408, 425, 429, 500, 503] {
            let judged = verdict(AMP, &answered(status, &[("Retry-After", value)], b""));
            assert_eq!(retry(judged).after, after, "{status} {value:?}");
        }
    }
}

#[test]
fn throttling_says_which_limit() {
    let throttled = |body: &str| retry(amp(429, body));
    let rate = throttled("ingestion rate limit (1666666) exceeded while adding 2000 samples and 0 metadata");
    assert_eq!(rate.after, 100);
    assert!(rate.reason.contains("L-F4BCE0BA") && rate.reason.contains("2000 samples"), "{rate:?}");
    let requests = throttled(r#"{"message":"Rate exceeded"}"#);
    assert_eq!(requests.after, 100);
    assert!(requests.reason.contains("L-4340E931") && !requests.reason.contains('{'), "{requests:?}");
}

/// What a receiver says of samples that it has already.
#[test]
fn refusals_that_mean_stored_already_say_so() {
    let says = |text: &str| match prometheus(400, text) {
        Verdict::Halve(halving) => halving.explanation.stored_if_repeated,
        Verdict::Rejected(explanation) => explanation.stored_if_repeated,
        other => panic!("{other:?}"),
    };
    for text in ["out of order sample", "duplicate sample for timestamp", "sample too old", "out of bounds"] {
        assert!(says(text), "{text}");
    }
    for text in ["label value too long", "too far in the future", "snappy: corrupt input", "no"] {
        assert!(!says(text), "{text}");
    }
    match amp(400, "out of order sample") {
        Verdict::PartlyRejected(explanation) => assert!(explanation.stored_if_repeated),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_limit_of_series_holds_nothing_up_that_is_stored() {
    let limit = "per-user series limit of 50000000 exceeded";
    match amp(429, limit) {
        Verdict::PartlyRejected(Explanation { reason, remedy, .. }) if reason == "series-limit" => {
            assert!(remedy.contains("L-5A151448"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
    // Thanos takes nothing of a tenant that is above its limit.
    assert_eq!(retry(prometheus(429, "tenant is above active series limit")).after, 300_000);
    let asked = answered(429, &[("retry-after", "3600")], b"tenant is above active series limit");
    assert_eq!(retry(verdict(PROMETHEUS, &asked)).after, 3_600_000);
}

#[test]
fn a_retry_says_why() {
    assert_eq!(retry(amp(0, "connection refused")).reason, "no answer: connection refused");
    assert_eq!(retry(amp(503, "")).reason, "status 503");
    assert_eq!(retry(amp(502, "<h1>Bad\r\nGateway</h1>")).reason, "status 502: <h1>Bad Gateway</h1>");
}

#[test]
fn a_redirect_says_where_to_but_not_with_which_query() {
    let response = answered(307, &[("location", "https://b/write?token=hush")], b"moved");
    assert_eq!(detail(verdict(AMP, &response)), "to https://b/write");
    assert_eq!(detail(verdict(AMP, &answered(301, &[], b"moved"))), "moved");
}

#[test]
fn a_detail_is_one_short_line() {
    assert_eq!(detail(amp(400, " a\r\n\tb\u{0}\u{1b}[31m\u{85}c ")), "a b [31m c");
    assert_eq!(detail(amp(400, &"é".repeat(256))), "é".repeat(256));
    assert_eq!(detail(amp(400, &"é".repeat(257))), "é".repeat(255) + "…");
    assert_eq!(detail(verdict(AMP, &answered(400, &[], b"\xff\xfea\xc3"))), "\u{fffd}\u{fffd}a\u{fffd}");
    let long = "x".repeat(5_000_000) + " out of order";
    assert_eq!(summary(amp(400, &long)), "find-out invalid");
}

#[test]
fn a_detail_never_quotes_the_signed_request() {
    let quoted = r#"{"message":"The request signature we calculated does not match. The Canonical String for this request should have been 'POST\n/\n\nhost:h\nx-amz-security-token:hush"}"#;
    let shown = detail(amp(403, quoted));
    assert_eq!(shown, "The request signature we calculated does not match.…");
    for body in ["got X-Amz-Security-Token: hush", "Authorization=AWS4-HMAC-SHA256 Credential=hush"] {
        assert!(!detail(amp(403, body)).contains("hush"), "{body}");
    }
}

#[test]
fn no_answer_whatever_its_form_makes_it_panic() {
    let values =
        ["", "\u{0}", "é:#", ":", "#", "Thu, 01 Jan 0000 00:00:00 GMT", "99999999999999999999", "\u{1F4A9}"];
    let bodies: [&[u8]; 7] =
        [b"", b"\xff", b"{", b"{\"message\":1}", b"[[[[", b"{\"message\":\"\\ud800\"}", "…é".as_bytes()];
    let deep = [b'['].repeat(2000);
    for config in [AMP, PROMETHEUS].map(|json| Config::read(json).unwrap()) {
        for status in [0, 100, 200, 307, 400, 401, 403, 404, 413, 418, 429, 500, 503, u16::MAX] {
            for (index, body) in bodies.iter().copied().chain([deep.as_slice()]).enumerate() {
                let value = values[index % values.len()];
                let names = ["retry-after", "date", "x-amzn-errortype", "location"];
                let headers = names.map(|name| (name, value));
                for now in [0, NOW, u64::MAX] {
                    judge(&config, &SENT, &answered(status, &headers, body), u32::MAX, now);
                }
            }
        }
    }
}
