//! The judge is judged first: does the AMP stand-in take what is right and refuse what is wrong?

mod upstream;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amp_stand_in::{Fault, KeptHistogram, KeptMetadata, Options, Script, Signer, StandIn, WORKSPACE_PATH};
use preamp_tests::loopback::{Reply, exchange};
use preamp_tests::remote_write::{
    Histogram, Metadata, Span, TimeSeries, compressed, describe, labelled, message, post, series, write,
};

/// 2026-01-15T23:59:30Z, the time of the golden vector.
const GOLDEN_SECONDS: u64 = 1_768_521_570;
const NOW_MS: i64 = GOLDEN_SECONDS as i64 * 1000;
const SIGNED_HEADERS: &str =
    "content-encoding;content-type;host;x-amz-date;x-amz-security-token;x-prometheus-remote-write-version";

fn signer() -> Signer {
    Signer {
        session_token: Some("TOKENEXAMPLE".to_owned()),
        ..Signer::of_amp("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "eu-west-1")
    }
}

async fn start(options: Options, seconds: u64) -> StandIn {
    let clock = Arc::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    StandIn::start(Options { clock, ..options }).await.expect("a port on loopback")
}

async fn unsigned() -> StandIn {
    start(Options::unsigned(), GOLDEN_SECONDS).await
}

/// The request of the golden vector. Three implementations agree on its signature: botocore, the crate aws-sigv4,
/// and an HMAC chain by hand.
#[derive(Clone)]
struct Golden {
    host: String,
    date: String,
    token: String,
    scope: String,
    signature: String,
    signed_headers: String,
    path: String,
    body: Vec<u8>,
}

impl Golden {
    fn new() -> Self {
        Self {
            host: "aps-workspaces.eu-west-1.amazonaws.com".to_owned(),
            date: "20260115T235930Z".to_owned(),
            token: "TOKENEXAMPLE".to_owned(),
            scope: "AKIDEXAMPLE/20260115/eu-west-1/aps/aws4_request".to_owned(),
            signature: "6e1b0def29c08939631fbb67473f6d6ce0c0b3c8ba484d83246d097e3aa5895f".to_owned(),
            signed_headers: SIGNED_HEADERS.to_owned(),
            path: WORKSPACE_PATH.to_owned(),
            body: b"preamp".to_vec(),
        }
    }

    fn changed(change: impl FnOnce(&mut Self)) -> Self {
        let mut golden = Self::new();
        change(&mut golden);
        golden
    }

    fn send(&self, stand_in: &StandIn) -> Reply {
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}, SignedHeaders={}, Signature={}",
            self.scope, self.signed_headers, self.signature
        );
        let headers = [
            ("host", self.host.as_str()),
            ("content-encoding", "snappy"),
            ("content-type", "application/x-protobuf"),
            ("x-amz-date", &self.date),
            ("x-amz-security-token", &self.token),
            ("x-prometheus-remote-write-version", "0.1.0"),
            ("user-agent", "preamp-tests"),
            ("authorization", &authorization),
        ];
        exchange(stand_in.address(), "POST", &self.path, &headers, &self.body).expect("an answer")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_golden_vector_is_verified_at_its_time() {
    // Four minutes of skew either way are within AWS' tolerance; so is a midnight between.
    for seconds in [GOLDEN_SECONDS, GOLDEN_SECONDS - 240, GOLDEN_SECONDS + 240] {
        let stand_in = start(Options::signed(signer()), seconds).await;
        let reply = Golden::new().send(&stand_in);
        // The body is no remote-write message: past the signature, that is what is refused.
        assert_eq!((reply.status, stand_in.report().verified), (400, 1), "{reply:?}");
        assert!(reply.body.starts_with("cannot read the request"), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_the_golden_vector_is_refused() {
    let cases: Vec<(&str, &str, Golden)> = vec![
        ("body", "InvalidSignature", Golden::changed(|it| it.body[3] ^= 1)),
        ("signature", "InvalidSignature", Golden::changed(|it| it.signature.replace_range(63.., "e"))),
        ("host", "InvalidSignature", Golden::changed(|it| it.host.push('x'))),
        ("path", "MissingAuthenticationToken", Golden::changed(|it| it.path.push('x'))),
        ("token", "UnrecognizedClient", Golden::changed(|it| it.token.push('x'))),
        ("key id", "UnrecognizedClient", Golden::changed(|it| it.scope.replace_range(..1, "B"))),
        ("date", "InvalidSignature", Golden::changed(|it| it.date = "20260115T235931Z".to_owned())),
        ("region", "InvalidSignature", Golden::changed(|it| it.scope = it.scope.replace("west", "east"))),
        ("service", "InvalidSignature", Golden::changed(|it| it.scope = it.scope.replace("aps", "aos"))),
        ("scope date", "InvalidSignature", Golden::changed(|it| it.scope = it.scope.replace("0115", "0116"))),
    ];
    for (what, class, golden) in cases {
        let stand_in = start(Options::signed(signer()), GOLDEN_SECONDS).await;
        let reply = golden.send(&stand_in);
        assert_eq!((reply.status, stand_in.report().verified), (403, 0), "{what}: {reply:?}");
        assert!(reply.headers["x-amzn-errortype"].starts_with(class), "{what}: {reply:?}");
        assert!(reply.body.starts_with(r#"{"message":""#), "{what}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_and_amz_headers_must_be_signed() {
    let stand_in = start(Options::signed(signer()), GOLDEN_SECONDS).await;
    for name in ["host", "x-amz-date", "x-amz-security-token"] {
        let signed_headers = SIGNED_HEADERS.replace(&format!("{name};"), "");
        let reply = Golden::changed(|golden| golden.signed_headers = signed_headers).send(&stand_in);
        assert_eq!(reply.status, 403, "{name}: {reply:?}");
        assert!(reply.body.to_lowercase().contains(name), "{reply:?}");
        assert!(reply.body.contains("must be a 'SignedHeader'"), "{reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_off_by_more_than_five_minutes_is_refused_with_the_servers_date() {
    let late = start(Options::signed(signer()), GOLDEN_SECONDS + 301).await;
    let reply = Golden::new().send(&late);
    assert!(reply.body.contains("Signature expired"), "{reply:?}");
    assert_eq!(reply.headers["date"], "Fri, 16 Jan 2026 00:04:31 GMT");

    let early = start(Options::signed(signer()), GOLDEN_SECONDS - 301).await;
    assert!(Golden::new().send(&early).body.contains("Signature not yet current"));

    let skewed =
        Options { faults: Script::steps([Some(Fault::ClockSkew(-600))]), ..Options::signed(signer()) };
    let skewed = start(skewed, GOLDEN_SECONDS).await;
    let reply = Golden::new().send(&skewed);
    assert_eq!((reply.status, reply.headers["date"].as_str()), (403, "Thu, 15 Jan 2026 23:49:30 GMT"));
    assert_eq!(Golden::new().send(&skewed).status, 400, "the skew lasts one request");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_request_is_refused() {
    let stand_in = start(Options::signed(signer()), GOLDEN_SECONDS).await;
    let reply = write(&stand_in, &[series("m", &[(NOW_MS, 1.0)])]).expect("an answer");
    assert_eq!(reply.status, 403);
    assert_eq!(reply.headers["x-amzn-errortype"], "MissingAuthenticationTokenException");
    assert!(stand_in.series().is_empty());
}

fn status(stand_in: &StandIn, series: &[TimeSeries]) -> (u16, String) {
    let reply = write(stand_in, series).expect("an answer");
    (reply.status, reply.body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_can_be_read_back() {
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    let stand_in = unsigned().await;
    let reply = write(&stand_in, &[series("m", &[(NOW_MS, 1.5), (NOW_MS + 1, stale)])]).expect("an answer");
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert_eq!(reply.headers["x-amzn-requestid"], "00000000-0000-4000-8000-000000000001");
    let kept = stand_in.series();
    let labels = vec![("__name__".to_owned(), "m".to_owned()), ("job".to_owned(), "test".to_owned())];
    let kept: Vec<(i64, u64)> = kept[&labels].iter().map(|it| (it.timestamp, it.value.to_bits())).collect();
    assert_eq!(kept, [(NOW_MS, 1.5_f64.to_bits()), (NOW_MS + 1, stale.to_bits())]);
    assert_eq!((stand_in.report().samples_stored, stand_in.report().series), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn order_is_kept_within_the_window() {
    let stand_in = unsigned().await;
    assert_eq!(status(&stand_in, &[series("m", &[(NOW_MS, 1.0)])]).0, 200);
    assert_eq!(status(&stand_in, &[series("m", &[(NOW_MS - 60_000, 2.0)])]).0, 200, "60 s are in the window");
    let (code, text) = status(&stand_in, &[series("m", &[(NOW_MS - 60_001, 3.0)])]);
    assert_eq!(code, 400);
    assert_eq!(
        text,
        "user=111122223333_ws-b226cc2a-a446-46a9-933a-ac50479a5568: err: out of order sample. \
         timestamp=2026-01-15T23:58:29.999Z, series={__name__=\"m\", job=\"test\"}"
    );
    assert_eq!(stand_in.report().samples_refused["sample-out-of-order"], 1);

    let mut strict = Options::unsigned();
    strict.limits.out_of_order_window = Duration::ZERO;
    let strict = start(strict, GOLDEN_SECONDS).await;
    assert_eq!(status(&strict, &[series("m", &[(NOW_MS, 1.0)])]).0, 200);
    assert_eq!(status(&strict, &[series("m", &[(NOW_MS - 1, 1.0)])]).0, 400);
    assert_eq!(
        status(&strict, &[series("other", &[(NOW_MS - 1, 1.0)])]).0,
        200,
        "order is a matter of one series"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_silent_and_a_contradiction_is_not() {
    let stand_in = unsigned().await;
    let sample = |value| [series("m", &[(NOW_MS, value)])];
    assert_eq!(status(&stand_in, &sample(1.0)).0, 200);
    assert_eq!(status(&stand_in, &sample(1.0)).0, 200);
    let (code, text) = status(&stand_in, &sample(2.0));
    assert_eq!(code, 400);
    assert!(text.contains("duplicate sample for timestamp"), "{text}");
    let report = stand_in.report();
    assert_eq!((report.samples_stored, report.samples_repeated, report.refused()), (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_valid_part_of_a_batch_is_stored_and_the_first_error_answered() {
    let stand_in = unsigned().await;
    let hour_ago = NOW_MS - 3_600_000;
    let batch = [
        series("first", &[(NOW_MS, 1.0)]),
        series("ancient", &[(hour_ago - 1, 1.0)]),
        labelled(&[("__name__", "unsorted"), ("z", "1"), ("a", "1")], &[(NOW_MS, 1.0)]),
        series("just_in_time", &[(hour_ago, 1.0)]),
    ];
    let (code, text) = status(&stand_in, &batch);
    assert_eq!(code, 400);
    assert!(text.contains("greater_than_max_sample_age") && text.contains("ancient"), "{text}");
    let names: Vec<String> = stand_in.series().into_keys().map(|labels| labels[0].1.clone()).collect();
    assert_eq!(names, ["first", "just_in_time"]);
    assert_eq!((stand_in.report().samples_stored, stand_in.report().refused()), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn label_sets_must_be_legal() {
    let stand_in = unsigned().await;
    let too_many: Vec<String> = (0..150).map(|index| format!("l{index:03}")).collect();
    let too_many: Vec<(&str, &str)> =
        [("__name__", "m")].into_iter().chain(too_many.iter().map(|name| (name.as_str(), "v"))).collect();
    for (reason, labels) in [
        ("missing_metric_name", &[("job", "test")][..]),
        ("missing_metric_name", &[("__name__", "a.b")]),
        ("label_invalid", &[("__name__", "m"), ("a-b", "1")]),
        ("label_invalid", &[("__name__", "m"), ("a", "")]),
        ("duplicate_label_names", &[("__name__", "m"), ("a", "1"), ("a", "1")]),
        ("labels_not_sorted", &[("__name__", "m"), ("b", "1"), ("a", "1")]),
        ("max_label_names_per_series", &too_many),
    ] {
        let before = stand_in.report().samples_refused.get(reason).copied().unwrap_or_default();
        assert_eq!(status(&stand_in, &[labelled(labels, &[(NOW_MS, 1.0)])]).0, 400, "{reason}: {labels:?}");
        assert_eq!(stand_in.report().samples_refused.get(reason), Some(&(before + 1)), "{labels:?}");
    }
    assert!(stand_in.series().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_a_million_bytes_is_too_large_before_and_after_compression() {
    let stand_in = unsigned().await;
    // One label value of n bytes in a message with a fixed rest: choose n for the exact size.
    let sized = |uncompressed: usize| {
        let padded =
            |padding: usize| [labelled(&[("__name__", "m"), ("p", &"x".repeat(padding))], &[(NOW_MS, 1.0)])];
        padded(uncompressed - (message(&padded(900_000)).len() - 900_000))
    };
    assert_eq!(message(&sized(999_999)).len(), 999_999);
    assert_eq!(status(&stand_in, &sized(999_999)).0, 200);
    assert_eq!(status(&stand_in, &sized(1_000_000)).0, 413);
    let noise: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1_000_000).collect();
    assert_eq!(post(&stand_in, "application/x-protobuf", &noise).expect("an answer").status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_protocols_are_refused() {
    let body = compressed(&message(&[series("m", &[(NOW_MS, 1.0)])]));
    let version_2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
    let older = Options { version_2_status: http::StatusCode::BAD_REQUEST, ..Options::unsigned() };
    for (options, media_type, status) in [
        (Options::unsigned(), version_2, 415),
        (older, version_2, 400),
        (Options::unsigned(), "text/plain", 400),
    ] {
        let stand_in = start(options, GOLDEN_SECONDS).await;
        let reply = post(&stand_in, media_type, &body).expect("an answer");
        assert_eq!(reply.status, status, "{media_type}: {reply:?}");
        assert!(reply.body.contains("only remote write 1.0"), "{reply:?}");
        assert!(stand_in.series().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_are_ignored_and_counted() {
    let stand_in = unsigned().await;
    assert_eq!(status(&stand_in, &[series("m", &[(NOW_MS, 1.0)]).with_exemplar()]).0, 200);
    assert_eq!((stand_in.report().samples_stored, stand_in.report().exemplars_ignored), (1, 1));
}

/// Four measurements in bucket 1, three in 2, four in 6 and two at zero.
fn native() -> Histogram {
    Histogram {
        count: 13,
        sum: 21.5,
        schema: 8,
        zero_threshold: 1e-128,
        zero_count: 2,
        positive_spans: vec![Span { offset: 1, length: 2 }, Span { offset: 3, length: 1 }],
        positive_deltas: vec![4, -1, 1],
        timestamp: NOW_MS,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn native_histograms_are_kept_in_order() {
    let stand_in = unsigned().await;
    let with = |histogram: &Histogram| status(&stand_in, &[series("h", &[]).with_histogram(histogram)]);
    assert_eq!(with(&native()).0, 200);
    let kept = KeptHistogram {
        timestamp: NOW_MS,
        count: 13,
        sum: 21.5,
        schema: 8,
        zero_threshold: 1e-128,
        zero_count: 2,
        positive: vec![(1, 4), (2, 3), (6, 4)],
        negative: Vec::new(),
    };
    assert_eq!(stand_in.histograms().into_values().collect::<Vec<_>>(), [[kept]]);

    assert_eq!(with(&native()).0, 200, "a repeat is silent");
    let (code, text) = with(&Histogram { sum: 22.0, ..native() });
    assert_eq!((code, text.contains("duplicate sample for timestamp")), (400, true), "{text}");
    let (code, text) = with(&Histogram { timestamp: NOW_MS - 60_001, ..native() });
    assert_eq!((code, text.contains("out of order sample")), (400, true), "{text}");
    let (code, text) = with(&Histogram { timestamp: NOW_MS - 3_600_001, ..native() });
    assert_eq!((code, text.contains("greater_than_max_sample_age")), (400, true), "{text}");
    let report = stand_in.report();
    assert_eq!(
        (report.samples_stored, report.samples_repeated, report.refused(), report.series),
        (1, 1, 3, 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn native_histograms_must_be_such_as_amp_takes() {
    let stand_in = unsigned().await;
    let stale = f64::from_bits(0x7ff0_0000_0000_0002);
    for good in [
        Histogram { schema: -4, ..native() },
        Histogram { count: 0, sum: stale, timestamp: NOW_MS + 1, ..Histogram::default() },
        Histogram { count: 14, sum: f64::NAN, timestamp: NOW_MS + 2, ..native() },
    ] {
        let (code, text) = status(&stand_in, &[series("good", &[]).with_histogram(&good)]);
        assert_eq!(code, 200, "{good:?}: {text}");
    }
    let (schema, invalid) = ("native_histogram_invalid_schema", "native_histogram_invalid");
    let overlapping = vec![Span { offset: 1, length: 2 }, Span { offset: -1, length: 1 }];
    for (reason, bad) in [
        (schema, Histogram { schema: 9, ..native() }),
        (schema, Histogram { schema: -5, ..native() }),
        (schema, Histogram { schema: -53, ..native() }),
        (invalid, Histogram { count: 12, ..native() }),
        (invalid, Histogram { count: 14, ..native() }),
        (invalid, Histogram { positive_spans: overlapping, ..native() }),
        (invalid, Histogram { positive_deltas: vec![4, -5, 14], ..native() }),
        (invalid, Histogram { positive_deltas: vec![4, -1], ..native() }),
        (invalid, Histogram { positive_deltas: vec![4, -1, 1, 0], ..native() }),
    ] {
        let before = stand_in.report().samples_refused.get(reason).copied().unwrap_or_default();
        let (code, text) = status(&stand_in, &[series("bad", &[]).with_histogram(&bad)]);
        assert_eq!((code, text.contains("native histogram")), (400, true), "{bad:?}: {text}");
        assert_eq!(stand_in.report().samples_refused.get(reason), Some(&(before + 1)), "{bad:?}");
    }
    assert_eq!(stand_in.histograms().len(), 1, "only the good ones are kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_kept_up_to_the_quota() {
    let mut options = Options::unsigned();
    options.limits.metadata = 1;
    let stand_in = start(options, GOLDEN_SECONDS).await;
    let of = |name: &str, help: &str| Metadata {
        kind: 1,
        name: name.to_owned(),
        help: help.to_owned(),
        unit: "seconds".to_owned(),
    };
    for metadata in [of("a", "old"), of("a", "new"), of("b", "too much")] {
        assert_eq!(describe(&stand_in, &[metadata]).map(|reply| reply.status), Some(200));
    }
    let kept = KeptMetadata { kind: 1, help: "new".to_owned(), unit: "seconds".to_owned() };
    assert_eq!(stand_in.metadata().into_iter().collect::<Vec<_>>(), [("a".to_owned(), kept)]);
    assert_eq!(stand_in.report().metadata, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_come_in_the_order_of_the_script() {
    let steps = [
        Some(Fault::IngestionRate(7)),
        None,
        Some(Fault::RateExceeded),
        Some(Fault::Unavailable),
        Some(Fault::TooLarge),
        Some(Fault::ExpiredToken),
        Some(Fault::CutBeforeBody),
        Some(Fault::CutAfterBody),
        Some(Fault::Hang(Duration::from_millis(10))),
        Some(Fault::LoseAnswer),
    ];
    let stand_in =
        start(Options { faults: Script::steps(steps), ..Options::unsigned() }, GOLDEN_SECONDS).await;
    let replies: Vec<Option<Reply>> = (0..11_u32)
        .map(|index| write(&stand_in, &[series("m", &[(NOW_MS + i64::from(index), f64::from(index))])]))
        .collect();
    let codes: Vec<u16> = replies.iter().map(|reply| reply.as_ref().map_or(0, |it| it.status)).collect();
    assert_eq!(codes, [429, 200, 429, 503, 413, 403, 0, 0, 0, 0, 200]);
    assert_eq!(replies[0].as_ref().map(|reply| reply.headers["retry-after"].as_str()), Some("7"));
    assert_eq!(replies[2].as_ref().map(|reply| reply.body.as_str()), Some(r#"{"message":"Rate exceeded"}"#));
    let kept: Vec<f64> = stand_in.series().into_values().flatten().map(|sample| sample.value).collect();
    assert_eq!(kept, [1.0, 9.0, 10.0], "only the lost answer was stored before it went wrong");
    assert_eq!(stand_in.report().requests, 11);
    assert_eq!(stand_in.report().faults.values().sum::<u64>(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cycle_of_faults_meets_every_nth_request() {
    let every = std::num::NonZeroU64::new(3).expect("not zero");
    let faults = Script::every(every, [Fault::Unavailable, Fault::TooLarge]);
    let stand_in = start(Options { faults, ..Options::unsigned() }, GOLDEN_SECONDS).await;
    let codes: Vec<u16> =
        (0..9).map(|index| status(&stand_in, &[series("m", &[(NOW_MS + index, 1.0)])]).0).collect();
    assert_eq!(codes, [200, 200, 503, 200, 200, 413, 200, 200, 503]);
}
