//! What senders send and receivers do, for any socket.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use amp_stand_in::{Fault, Options, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::payloads;
use preamp_tests::sockets::{Payload, Socket};
use serde_json::{Value, json};

pub const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// The region that is signed for.
pub const REGION: &str = "eu-central-1";

/// The environment of a socket.
pub const CREDENTIALS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)];

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// What meets the first request of a payload, and costs no point.
pub const FAULTS: [Fault; 8] = [
    Fault::IngestionRate(1),
    Fault::RateExceeded,
    Fault::Unavailable,
    Fault::TooLarge,
    Fault::ExpiredToken,
    Fault::CutBeforeBody,
    Fault::CutAfterBody,
    Fault::LoseAnswer,
];

/// A receiver that wants signatures of [`CREDENTIALS`].
pub fn options() -> Options {
    Options::signed(Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Protobuf and JSON, packed in every way; points that nobody takes; what is no payload.
    Senders,
    /// Each fault once, and a receiver that is away for longer than a socket waits.
    Faults,
    /// A receiver whose clock is an hour ahead.
    ClockAhead,
    /// A receiver whose clock is an hour behind.
    ClockBehind,
    /// A receiver that takes no remote write 2.0.
    Downgrade,
}

impl Scenario {
    /// All there are.
    pub const ALL: [Scenario; 5] =
        [Self::Senders, Self::Faults, Self::ClockAhead, Self::ClockBehind, Self::Downgrade];

    /// The receiver.
    pub fn receiver(self) -> Options {
        let hour = Duration::from_secs(3_600);
        match self {
            Self::ClockAhead => Options { clock: Arc::new(move || SystemTime::now() + hour), ..options() },
            Self::ClockBehind => Options { clock: Arc::new(move || SystemTime::now() - hour), ..options() },
            Self::Senders | Self::Faults | Self::Downgrade => options(),
        }
    }

    /// Options of the component, which have the same names in a file.
    pub fn options(self) -> Value {
        match self {
            Self::Downgrade => json!({"protobuf_message": "io.prometheus.write.v2.Request"}),
            _ => json!({}),
        }
    }

    /// Has it happen.
    pub fn play(self, socket: &mut impl Socket, stand_in: &StandIn) -> anyhow::Result<()> {
        match self {
            Self::Senders => senders(socket, stand_in),
            Self::Faults => faults(socket, stand_in),
            Self::ClockAhead => clock(socket, stand_in, 3_600),
            Self::ClockBehind => clock(socket, stand_in, -3_600),
            Self::Downgrade => downgrade(socket, stand_in),
        }
    }
}

/// A payload as a sender packs it.
pub fn packed(with: &str, payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    Ok(match with {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(payload)?;
            encoder.finish()?
        }
        "zstd" => zstd::encode_all(payload, 3)?,
        _ => payload.to_vec(),
    })
}

/// A payload that must be taken whole.
pub fn deliver(socket: &mut impl Socket, body: &[u8]) -> anyhow::Result<()> {
    let answer = socket.deliver(Payload::protobuf(body))?;
    ensure!(answer.status == 200 && answer.rejected()? == 0, "{}: {}", answer.status, answer.text());
    Ok(())
}

/// The values that the receiver has.
pub fn stored(stand_in: &StandIn) -> Vec<f64> {
    stand_in.series().values().flatten().map(|sample| sample.value).collect()
}

fn senders(socket: &mut impl Socket, stand_in: &StandIn) -> anyhow::Result<()> {
    let encodings = ["", "gzip", "zstd"];
    for (content_encoding, value) in encodings.into_iter().zip(1..) {
        let time = payloads::now_ms();
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"power","unit":"W","gauge":{{"dataPoints":
                [{{"asDouble":{value},"timeUnixNano":"{time}000000"}}]}}}}]}}]}}]}}"#
        );
        let bodies = [(PROTOBUF, payloads::of_sender(value, 3, time, 1)), (JSON, json.into_bytes())];
        for (content_type, body) in bodies {
            let body = &packed(content_encoding, &body)?;
            let answer = socket.deliver(Payload { body, content_type, content_encoding })?;
            let expected = if content_type == JSON { "{}" } else { "" };
            let is_taken = answer.status == 200 && (answer.text() == expected || answer.rejected()? == 0);
            ensure!(is_taken, "{content_type} {content_encoding}: {answer:?}");
        }
    }
    ensure!(stored(stand_in).len() == 4 * encodings.len(), "{:?}", stand_in.series());

    let now = payloads::now_ms();
    let old = payloads::power([("good".to_owned(), now), ("old".to_owned(), now - 7_200_000)]);
    let answer = socket.deliver(Payload::protobuf(&old))?;
    ensure!(answer.status == 200 && answer.rejected()? == 1, "{answer:?}");

    for (content_encoding, body) in
        [("", &b"\xff\xff\xff"[..]), ("gzip", b"no gzip"), ("zstd", b"no zstd"), ("br", b"")]
    {
        let answer = socket.deliver(Payload { body, content_type: PROTOBUF, content_encoding })?;
        ensure!(answer.status == 400 && !answer.retry_after, "{content_encoding}: {answer:?}");
    }
    let answer = socket.deliver(Payload { body: b"", content_type: "text/plain", content_encoding: "" })?;
    ensure!(answer.status == 415, "{answer:?}");
    let report = stand_in.report();
    ensure!(report.unverified == 0 && report.verified == report.requests, "{report:?}");
    Ok(())
}

fn faults(socket: &mut impl Socket, stand_in: &StandIn) -> anyhow::Result<()> {
    for (fault, value) in FAULTS.into_iter().zip(1..) {
        stand_in.inject(fault);
        let payload = payloads::of_now(2, value);
        if fault == Fault::ExpiredToken && !socket.signs_with_keys() {
            let answer = socket.deliver(Payload::protobuf(&payload))?;
            ensure!(answer.status == 503 && answer.retry_after, "{answer:?}");
        }
        deliver(socket, &payload).context(fault.name())?;
        ensure!(stored(stand_in).len() as i64 == 2 * value, "{}", fault.name());
    }
    // Longer than a socket waits: the sender is asked to send it again, and does.
    for _ in 0..12 {
        stand_in.inject(Fault::Unavailable);
    }
    let payload = payloads::of_now(2, 100);
    let answer = socket.deliver(Payload::protobuf(&payload))?;
    ensure!(answer.status == 503 && answer.retry_after, "{answer:?}");
    ensure!(answer.text().contains("Send it again"), "{answer:?}");
    while socket.deliver(Payload::protobuf(&payload))?.status == 503 {}
    let report = stand_in.report();
    ensure!(stored(stand_in).len() == 2 * (FAULTS.len() + 1), "{:?}", stored(stand_in));
    ensure!(report.faults.len() == FAULTS.len(), "{report:?}");
    Ok(())
}

fn clock(socket: &mut impl Socket, stand_in: &StandIn, ahead: i64) -> anyhow::Result<()> {
    for value in [1, 2] {
        let time = payloads::now_ms() + ahead * 1_000;
        deliver(socket, &payloads::of_sender(1, 1, time, value))?;
    }
    ensure!(stored(stand_in) == [1.0, 2.0], "{:?}", stored(stand_in));
    Ok(())
}

fn downgrade(socket: &mut impl Socket, stand_in: &StandIn) -> anyhow::Result<()> {
    for value in [1, 2] {
        deliver(socket, &payloads::of_now(1, value))?;
    }
    ensure!(stored(stand_in) == [1.0, 2.0], "{:?}", stored(stand_in));
    ensure!(stand_in.report().answers.contains_key(&415), "{:?}", stand_in.report());
    Ok(())
}
