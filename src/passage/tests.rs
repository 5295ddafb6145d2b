//! A passage against a receiver that answers by a script, with keys derived as a host derives them.

use super::{KeyRequest, Outcome, Passage, Route, Step};
use crate::Exporter;
use crate::sigv4::derive_key;
use crate::tests::payload::{self, NOW, gauge, point, text};
use flate2::Compression;
use flate2::write::GzEncoder;
use preamp_contract::{Header, Instant, Request, Response, SigningKey};
use std::io::Write as _;
use zeroize::Zeroizing;

const PROTOBUF: &str = "application/x-protobuf";
const SIGNED: &str = r#"{"endpoint":"https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
    "sigv4":{"region":"eu-west-1","service":"aps"},"partitions":1}"#;

/// What the receiver answers, one after the other: a status, a body, and header fields.
type Answer = (u16, &'static str, Vec<(&'static str, String)>);

fn answer(status: u16, body: &'static str) -> Answer {
    (status, body, Vec::new())
}

/// A host that does what a passage wants, and keeps a record of it.
struct Host {
    exporter: Exporter,
    route: Route,
    now: Instant,
    answers: Vec<Answer>,
    /// Series, samples and the time signed for of each request.
    sent: Vec<(Request, u32)>,
    keys: Vec<KeyRequest>,
    waited: Vec<u64>,
    /// How many pauses it has the patience for.
    patience: usize,
    secret: &'static str,
}

impl Host {
    fn new(configuration: &str, mut answers: Vec<Answer>) -> Self {
        answers.reverse();
        Host {
            exporter: Exporter::open(configuration).unwrap(),
            route: Route::default(),
            now: NOW,
            answers,
            sent: Vec::new(),
            keys: Vec::new(),
            waited: Vec::new(),
            patience: 5,
            secret: "secret",
        }
    }

    fn pass(&mut self, payload: &[u8]) -> Outcome {
        let passage = Passage::begin(&mut self.exporter, &self.route, payload, PROTOBUF, "", self.now);
        self.bring_to_its_end(passage)
    }

    fn bring_to_its_end(&mut self, mut passage: Passage) -> Outcome {
        for _ in 0..100 {
            match passage.next(&mut self.exporter, &mut self.route, self.now) {
                Step::Done(outcome) => return outcome,
                Step::Wait(_) if self.waited.len() == self.patience => return passage.give_up(),
                Step::Wait(pause) => {
                    self.waited.push(pause);
                    self.now += pause * 1_000_000;
                }
                Step::Key(wanted) => {
                    let key = self.key(&wanted);
                    self.keys.push(wanted);
                    passage.give_key(&mut self.route, key, self.now);
                }
                Step::Send { request, batch } => {
                    self.sent.push((request, batch.map_or(0, |batch| batch.series)));
                    let (status, text, headers) = self.answers.pop().expect("one more request than answers");
                    let field = |(name, value): (&str, String)| Header { name: name.to_owned(), value };
                    let headers = headers.into_iter().map(field).collect();
                    let response = Response { status, headers, body: text.into() };
                    passage.answered(&mut self.exporter, &mut self.route, &response, self.now);
                }
            }
        }
        panic!("the passage does not end");
    }

    fn key(&self, KeyRequest { date, region, service, .. }: &KeyRequest) -> Option<SigningKey> {
        (!self.secret.is_empty()).then(|| SigningKey {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            session_token: None,
            derived_key: Zeroizing::new(derive_key(self.secret, date, region, service).to_vec()),
            date: date.clone(),
            region: region.clone(),
            service: service.clone(),
        })
    }

    fn header(&self, request: usize, name: &str) -> &str {
        let (request, _) = &self.sent[request];
        &request.headers.iter().find(|header| header.name == name).unwrap().value
    }
}

fn payload(metrics: Vec<payload::Metric>) -> Vec<u8> {
    payload::encode(vec![payload::resource(&[], metrics)])
}

/// Four points of different series.
fn four() -> Vec<u8> {
    let points = ["a", "b", "c", "d"].map(|value| point(1.0, &[text("k", value)])).to_vec();
    payload(vec![gauge("g", points)])
}

fn told(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.body).into_owned()
}

#[test]
fn a_payload_that_the_receiver_takes_is_answered_with_success() {
    let mut host = Host::new(SIGNED, vec![answer(200, ""), answer(204, "")]);
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered, &*outcome.body), (200, 4, &b""[..]));
    assert_eq!(outcome.headers.len(), 1);
    assert_eq!(outcome.headers[0].value, PROTOBUF);
    let [KeyRequest { date, region, service, is_refused }] = &host.keys[..] else {
        panic!("{:?}", host.keys)
    };
    assert_eq!((&**date, &**region, &**service, *is_refused), ("20260115", "eu-west-1", "aps", false));
    assert!(host.header(0, "authorization").contains("/20260115/eu-west-1/aps/"));
    // The next payload needs no other key.
    host.pass(&four());
    assert_eq!((host.keys.len(), host.sent.len()), (1, 2));
}

#[test]
fn packed_payloads_are_unpacked_and_wrong_heads_are_refused() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(&four()).unwrap();
    let gzip = gzip.finish().unwrap();
    let zstd = zstd::encode_all(&*four(), 3).unwrap();
    let json = br#"{"resourceMetrics":[]}"#;
    for (body, content_type, content_encoding, status, points) in [
        (&gzip[..], "application/x-protobuf; a=b", "gzip", 200, 4),
        (&zstd, PROTOBUF, "zstd", 200, 4),
        (json, "Application/JSON", "", 200, 0),
        (b"{", "application/json", "identity", 400, 0),
        (&gzip, PROTOBUF, "br", 400, 0),
        (&gzip, PROTOBUF, "zstd", 400, 0),
        (&gzip, PROTOBUF, "", 400, 0),
        (&gzip, "text/plain", "", 415, 0),
    ] {
        let mut host = Host::new(SIGNED, vec![answer(200, "")]);
        let passage =
            Passage::begin(&mut host.exporter, &host.route, body, content_type, content_encoding, NOW);
        let outcome = host.bring_to_its_end(passage);
        assert_eq!(
            (outcome.status, outcome.delivered),
            (status, points),
            "{content_type} {content_encoding}"
        );
        assert_eq!(host.sent.len(), usize::from(points > 0));
        // What is refused is explained to an operator, too, and what is not, is not.
        assert_eq!(outcome.explanations.is_empty(), status == 200, "{:?}", outcome.explanations);
    }
}

#[test]
fn a_receiver_that_is_down_is_waited_for_or_given_up() {
    let later = |status| (status, "", vec![("retry-after", "7".to_owned())]);
    let mut host = Host::new(SIGNED, vec![later(503), answer(0, "no route"), answer(200, "")]);
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered, host.waited.len()), (200, 4, 2));
    assert!((7_000..=10_500).contains(&host.waited[0]), "{:?}", host.waited);

    let mut host = Host { patience: 0, ..Host::new(SIGNED, vec![later(503)]) };
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered, outcome.unsettled), (503, 0, 4));
    let retry_after: u64 = outcome.headers[1].value.parse().unwrap();
    assert!(outcome.headers[1].name == "retry-after" && (7..=10).contains(&retry_after), "{retry_after}");
    assert!(told(&outcome).contains("Send it again"), "{}", told(&outcome));
    assert_eq!(outcome.explanations[0].reason, "unavailable");
}

#[test]
fn points_that_nobody_takes_are_explained() {
    let mut host = Host::new(SIGNED, vec![answer(200, "")]);
    let old = payload::point_at(payload::TIME - 7_200_000, 1.0, &[]);
    let outcome = host.pass(&payload(vec![gauge("old", vec![old]), gauge("new", vec![point(1.0, &[])])]));
    assert_eq!((outcome.status, outcome.delivered, outcome.rejected), (200, 1, 1));
    let [explanation] = &outcome.explanations[..] else { panic!("{:?}", outcome.explanations) };
    assert_eq!(explanation.reason, "too-old");
    assert!(explanation.detail.starts_with("1 points, the first: metric \"old\""), "{explanation:?}");
}

#[test]
fn what_is_too_large_is_halved_and_what_is_bad_is_left_out() {
    let host = |answers| Host::new(SIGNED, answers);
    let mut large = host(vec![answer(413, ""), answer(200, ""), answer(200, "")]);
    let outcome = large.pass(&four());
    assert_eq!((outcome.status, outcome.delivered), (200, 4));
    assert_eq!(large.sent.iter().map(|(_, series)| *series).collect::<Vec<_>>(), [4, 2, 2]);

    let bad = "user=1: err: label value too long for metric";
    let mut rolls_back = Host::new(
        &SIGNED.replace(r#""partitions":1"#, r#""partitions":1,"profile":"thanos""#),
        vec![answer(400, bad); 40],
    );
    let outcome = rolls_back.pass(&four());
    assert_eq!((outcome.status, outcome.delivered + outcome.rejected + outcome.partly_rejected), (200, 4));
    assert!(told(&outcome).contains("label value too long"), "{}", told(&outcome));
    assert!(!outcome.explanations.is_empty());
}

#[test]
fn refused_credentials_are_fetched_anew() {
    let expired = "The security token included in the request is expired";
    let mut host = Host::new(SIGNED, vec![answer(403, expired), answer(200, "")]);
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered), (200, 4));
    assert_eq!(host.keys.iter().map(|key| key.is_refused).collect::<Vec<_>>(), [false, true]);

    let mut host = Host { secret: "", patience: 3, ..Host::new(SIGNED, vec![]) };
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.unsettled, host.sent.len()), (503, 4, 0));
    // At once, and then after ever longer pauses.
    assert_eq!((host.keys.len(), &host.waited[..]), (5, &[1_000, 2_000, 4_000][..]));
}

#[test]
fn a_clock_that_is_off_is_corrected_across_midnight() {
    // 31 minutes after `NOW`, which is 30 seconds before midnight.
    let date = ("date", "Fri, 16 Jan 2026 00:30:30 GMT".to_owned());
    let expired = "Signature expired: 20260115T235930Z is now earlier than 20260116T002530Z";
    let mut host = Host::new(SIGNED, vec![(403, expired, vec![date]), answer(200, "")]);
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered), (200, 4));
    assert_eq!(host.keys.iter().map(|key| &*key.date).collect::<Vec<_>>(), ["20260115", "20260116"]);
    assert_eq!(host.header(1, "x-amz-date"), "20260116T003030Z");
    assert!(host.waited.is_empty());
}

#[test]
fn a_payload_of_another_time_is_taken_by_the_time_of_the_receiver() {
    // By a clock that is two hours fast, the points are too old for AMP.
    let date = || ("date", "Thu, 15 Jan 2026 23:59:30 GMT".to_owned());
    let two_hours = 7_200 * 1_000_000_000;
    let expired = "Signature not yet current: A is still later than B";
    let answers = vec![(405, "", vec![date()]), (403, expired, vec![date()]), (200, "", vec![date()])];
    let mut host = Host { now: NOW + two_hours, ..Host::new(SIGNED, answers) };
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, outcome.delivered), (200, 4), "{}", told(&outcome));
    assert_eq!(
        (&*host.sent[0].0.method, host.sent[0].1, host.header(2, "x-amz-date")),
        ("GET", 0, "20260115T235930Z")
    );

    // Who does not answer does not say what time it is.
    let mut host = Host { now: NOW + two_hours, ..Host::new(SIGNED, vec![answer(0, "no route")]) };
    let outcome = host.pass(&four());
    assert_eq!((outcome.status, host.sent.len()), (503, 1));
    assert!(told(&outcome).contains("clock of this machine"), "{}", told(&outcome));
}

#[test]
fn a_receiver_without_remote_write_2_gets_1() {
    let second = SIGNED.replace(
        r#""partitions":1"#,
        r#""partitions":1,"profile":"prometheus","protobuf_message":"io.prometheus.write.v2.Request""#,
    );
    let mut host = Host::new(&second, vec![answer(415, ""), answer(204, ""), answer(204, "")]);
    for requests in [2, 3] {
        let outcome = host.pass(&four());
        assert_eq!((outcome.status, outcome.delivered, host.sent.len()), (200, 4, requests));
    }
    let versions = (0..3).map(|request| host.header(request, "x-prometheus-remote-write-version"));
    assert_eq!(versions.collect::<Vec<_>>(), ["2.0.0", "0.1.0", "0.1.0"]);
}

#[test]
fn points_that_are_not_taken_are_told_with_the_success() {
    let mut host = Host::new(SIGNED, vec![answer(200, "")]);
    let payload = payload(vec![
        gauge("g", vec![point(1.0, &[])]),
        gauge("", vec![point(1.0, &[]), point(2.0, &[text("k", "v")])]),
    ]);
    let outcome = host.pass(&payload);
    assert_eq!((outcome.status, outcome.delivered, outcome.rejected), (200, 1, 2));
    assert!(told(&outcome).contains("invalid-name: 2 points"), "{}", told(&outcome));
}

#[test]
fn a_host_that_asks_again_before_it_answers_has_lost_the_request() {
    let mut host = Host::new(SIGNED, vec![]);
    let mut passage = Passage::begin(&mut host.exporter, &host.route, &four(), PROTOBUF, "", NOW);
    let Step::Key(wanted) = passage.next(&mut host.exporter, &mut host.route, NOW) else {
        panic!("no key wanted")
    };
    assert_eq!(passage.next(&mut host.exporter, &mut host.route, NOW), Step::Key(wanted.clone()));
    let key = host.key(&wanted);
    passage.give_key(&mut host.route, key, NOW);
    assert!(matches!(passage.next(&mut host.exporter, &mut host.route, NOW), Step::Send { .. }));
    assert!(matches!(passage.next(&mut host.exporter, &mut host.route, NOW), Step::Wait(_)));
    assert_eq!(passage.give_up().unsettled, 4);
    assert!(matches!(passage.next(&mut host.exporter, &mut host.route, NOW), Step::Done(_)));
}
