//! What receivers answer, in their own words, and what becomes of the points.

use serde_json::json;

use super::Case;
use super::recorder::{Answer, JSON, PROTOBUF, Recorder, front, http_date, lost, stored, text};
use super::senders::gzip;
use crate::payloads::{power, requests};

/// A minute in milliseconds.
const MINUTE_MS: u64 = 60_000;

/// A payload of JSON: one point.
const POWER_IN_JSON: &[u8] = br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"power","gauge":
    {"dataPoints":[{"asInt":"1","timeUnixNano":"1768521590000000000"}]}}]}]}]}"#;

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [success(), series(), later(), size(), nowhere(), order()].into_iter().flatten().collect()
}

/// A payload of one gauge with so many series.
fn phases(series: usize) -> Vec<u8> {
    let time = (crate::payloads::RECENT_NS / 1_000_000) as i64;
    power((0..series).map(|number| (number.to_string(), time)))
}

fn success() -> Vec<Case> {
    vec![
        Case::new("200 with a text, and 204", json!({}), |recorder| {
            recorder.deliver(&phases(2), &[text(200, "ok")])?.is(200, 2, 0, 0)?;
            recorder.deliver(&phases(3), &[text(204, "")])?.is(200, 3, 0, 0)
        }),
        Case::new("200 with a page for people", json!({}), |recorder| {
            let page = text(200, "<!DOCTYPE html><title>Log in</title>").with("content-type", "text/html");
            recorder.deliver(&phases(2), &[page])?.is(200, 2, 0, 0)
        }),
    ]
}

/// AMP has stored the others.
fn refused_in_part(recorder: &mut Recorder, status: u16, said: &str, reason: &str) -> anyhow::Result<()> {
    let outcome = recorder.deliver(&phases(3), &[text(status, said)])?;
    outcome.is(200, 0, 3, 0)?;
    outcome.because_of(reason)
}

/// Series that are refused by a receiver that stores the valid part, and by one that stores nothing.
fn series() -> Vec<Case> {
    vec![
        Case::new("400 in part: a sample out of order", json!({}), |recorder| {
            refused_in_part(
                recorder,
                400,
                r#"user=1: err: out of order sample. timestamp=2026-01-15T23:59:50Z, series={__name__="power", phase="1"}"#,
                "out-of-order",
            )
        }),
        Case::new("400 in part: another value at that time", json!({}), |recorder| {
            refused_in_part(
                recorder,
                400,
                r#"user=1: err: duplicate sample for timestamp. timestamp=2026-01-15T23:59:50Z, series={__name__="power", phase="1"}"#,
                "duplicate-sample",
            )
        }),
        Case::new("400 in part: too old", json!({}), |recorder| {
            refused_in_part(
                recorder,
                400,
                r#"user=1: err: out of bounds. timestamp=2026-01-15T20:59:50Z, series={__name__="power", phase="1"}"#,
                "too-old",
            )
        }),
        Case::new("400 in part: too many labels", json!({}), |recorder| {
            refused_in_part(
                recorder,
                400,
                r#"user=1: series has too many labels (actual: 41, limit: 40) series: 'power{phase="1"}'"#,
                "label-limit",
            )
        }),
        Case::new("400 in part, for a JSON sender: a label that is too long", json!({}), |recorder| {
            recorder.pass(POWER_IN_JSON, JSON, "");
            let outcome =
                recorder.bring_to_its_end(&[text(400, "label value too long for metric: power")])?;
            outcome.is(200, 0, 1, 0)?;
            outcome.because_of("label-limit")
        }),
        Case::new("429 in part: no room for a new series", json!({}), |recorder| {
            refused_in_part(
                recorder,
                429,
                "user=1: per-user series limit of 500000 exceeded, please contact administrator to raise it",
                "series-limit",
            )
        }),
        Case::new(
            "400 for one series of four, and nothing stored",
            json!({"profile": "prometheus"}),
            |recorder| {
                let bad = || text(400, r#"invalid label value: power{phase="2"}"#);
                // The first half is stored, so the second one is halved without being sent.
                let outcome = recorder.deliver(&phases(4), &[bad(), stored(), bad(), stored()])?;
                outcome.is(200, 3, 1, 0)?;
                outcome.because_of("invalid")
            },
        ),
        Case::new("400 for the request as a whole", json!({}), |recorder| {
            let outcome = recorder.deliver(&phases(2), &[text(400, "snappy: corrupt input")])?;
            outcome.is(200, 0, 2, 0)?;
            outcome.because_of("invalid")
        }),
        Case::new("400 of AWS' front, which means 429", json!({}), |recorder| {
            let throttled = front(400, "ThrottlingException:http://internal.amazon.com/", "Rate exceeded");
            recorder.deliver(&phases(2), &[throttled, stored()])?.is(200, 2, 0, 0)
        }),
    ]
}

/// One answer that holds the payload up, and then success.
fn held_up(recorder: &mut Recorder, answer: Answer) -> anyhow::Result<()> {
    recorder.deliver(&phases(2), &[answer, stored()])?.is(200, 2, 0, 0)
}

/// One answer that holds the payload up for longer than a socket waits.
fn given_up(recorder: &mut Recorder, answer: Answer) -> anyhow::Result<()> {
    let outcome = recorder.deliver(&phases(2), &[answer])?;
    outcome.says("Send it again")?;
    outcome.is(503, 0, 0, 2)
}

fn later() -> Vec<Case> {
    vec![
        Case::new("429 with Retry-After in seconds", json!({}), |recorder| {
            let said = "ingestion rate limit (1666666) exceeded while adding 2 samples and 0 metadata";
            held_up(recorder, text(429, said).with("retry-after", "2"))
        }),
        Case::new("429 with Retry-After as a date", json!({}), |recorder| {
            let date = http_date(recorder.now + 3_020);
            held_up(recorder, text(429, "").with("retry-after", &date))
        }),
        Case::new("429 without Retry-After, five times, with ever longer pauses", json!({}), |recorder| {
            let mut answers = vec![front(429, "ThrottlingException", "Rate exceeded"); 5];
            answers.push(stored());
            recorder.deliver(&phases(2), &answers)?.is(200, 2, 0, 0)
        }),
        Case::new(
            "429 for too many series, of a receiver that stores nothing",
            json!({"profile": "thanos"}),
            |recorder| given_up(recorder, text(429, "tenant is above the active series limit")),
        ),
        Case::new("503 once", json!({}), |recorder| held_up(recorder, text(503, ""))),
        Case::new("503 with Retry-After, given up", json!({}), |recorder| {
            given_up(recorder, text(503, "").with("retry-after", "7"))
        }),
        Case::new("503 with a Retry-After of days, given up, and then sent again", json!({}), |recorder| {
            given_up(recorder, text(503, "come back next week").with("retry-after", "604800"))?;
            recorder.now += MINUTE_MS;
            recorder.deliver(&phases(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("503 for a JSON sender, given up", json!({}), |recorder| {
            recorder.pass(POWER_IN_JSON, JSON, "");
            recorder.bring_to_its_end(&[text(503, "")])?.is(503, 0, 0, 1)
        }),
        Case::new("500, 502, 504 and 408, one after the other", json!({}), |recorder| {
            let answers = [text(500, "oops"), text(502, "<html>"), text(504, ""), text(408, ""), stored()];
            recorder.deliver(&phases(2), &answers)?.is(200, 2, 0, 0)
        }),
        Case::new(
            "pauses as the configuration wants them",
            json!({"retry_on_failure": {"initial_interval_ms": 1_000, "multiplier": 3, "max_interval_ms": 5_000}}),
            |recorder| {
                let mut answers = vec![text(503, ""); 3];
                answers.push(stored());
                recorder.deliver(&phases(2), &answers)?.is(200, 2, 0, 0)
            },
        ),
        Case::new("no answer, and then one", json!({}), |recorder| {
            held_up(recorder, lost("connection refused"))
        }),
        Case::new("no answer at all, given up after three pauses", json!({}), |recorder| {
            recorder.deliver(&phases(2), &vec![lost("no route to host"); 4])?.is(503, 0, 0, 2)
        }),
        Case::new(
            "an answer that is lost, and a refusal of the repeat, which shows that it was stored",
            json!({}),
            |recorder| {
                let repeated = text(400, "user=1: err: out of order sample. timestamp=2026-01-15T23:59:50Z");
                recorder.deliver(&phases(2), &[lost("connection reset by peer"), repeated])?.is(200, 2, 0, 0)
            },
        ),
        Case::new("given up between two batches", json!({"max_batch_size_bytes": 1_500}), |recorder| {
            let outcome = recorder.deliver(&requests(14), &[stored(), text(503, "")])?;
            anyhow::ensure!(
                outcome.delivered > 0 && outcome.delivered + outcome.unsettled == 14,
                "{outcome:?}"
            );
            Ok(())
        }),
    ]
}

fn size() -> Vec<Case> {
    vec![
        Case::new(
            "413, which halves the request, and the next one of that size at once",
            json!({}),
            |recorder| {
                // Bodies of more than 16 KiB, below which nothing is learnt.
                let payload = gzip(&phases(900))?;
                recorder.pass(&payload, PROTOBUF, "gzip");
                let mut answers = vec![stored(); 4];
                answers[0] = text(413, "Request Entity Too Large");
                recorder.bring_to_its_end(&answers)?.is(200, 900, 0, 0)?;
                recorder.pass(&payload, PROTOBUF, "gzip");
                recorder.bring_to_its_end(&vec![stored(); 3])?.is(200, 900, 0, 0)
            },
        ),
        Case::new("413 for a single series", json!({}), |recorder| {
            let outcome = recorder.deliver(&phases(1), &[text(413, "")])?;
            outcome.is(200, 0, 1, 0)?;
            outcome.because_of("too-large")
        }),
        Case::new("400 for the size", json!({}), |recorder| {
            let said = text(400, "received message larger than max (2 vs. 1)");
            recorder.deliver(&phases(2), &[said, stored(), stored()])?.is(200, 2, 0, 0)
        }),
    ]
}

/// Whatever is sent, this address does not take it.
fn stopped(recorder: &mut Recorder, answer: Answer, reason: &str) -> anyhow::Result<()> {
    let outcome = recorder.deliver(&phases(2), &[answer])?;
    outcome.is(503, 0, 0, 2)?;
    outcome.because_of(reason)
}

fn nowhere() -> Vec<Case> {
    vec![
        Case::new("404: the path is wrong", json!({}), |recorder| {
            stopped(recorder, front(404, "ResourceNotFoundException", "Workspace not found"), "not-found")
        }),
        Case::new("405: no receiver", json!({}), |recorder| {
            stopped(recorder, text(405, "Method Not Allowed"), "not-found")
        }),
        Case::new("301: a redirect, which is not followed", json!({}), |recorder| {
            let moved = text(301, "").with("location", "https://elsewhere.example/write?token=secret");
            stopped(recorder, moved, "redirect")
        }),
        Case::new("402: the account", json!({}), |recorder| {
            stopped(recorder, text(402, "no plan"), "account")
        }),
        Case::new("415: no remote write", json!({}), |recorder| {
            stopped(recorder, text(415, ""), "unsupported-protocol")
        }),
        Case::new("418: nobody knows", json!({}), |recorder| {
            stopped(recorder, text(418, "teapot"), "unexpected-status")
        }),
        Case::new("400 with a page for people", json!({}), |recorder| {
            stopped(recorder, text(400, "<html><body>Bad request</body></html>"), "not-found")
        }),
    ]
}

/// Calls in an order that a socket does not make on purpose.
fn order() -> Vec<Case> {
    vec![
        Case::new("asked again before the answer: that request is lost", json!({}), |recorder| {
            recorder.pass(&phases(2), PROTOBUF, "");
            recorder.begin_sending()?;
            recorder.next()?;
            recorder.bring_to_its_end(&[])?.is(503, 0, 0, 2)
        }),
        Case::new("a passage that is dropped on its way, and the next one", json!({}), |recorder| {
            recorder.pass(&phases(2), PROTOBUF, "");
            recorder.begin_sending()?;
            recorder.deliver(&phases(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("given up before anything was done, and asked again", json!({}), |recorder| {
            recorder.pass(&phases(2), PROTOBUF, "");
            recorder.give_up()?.is(503, 0, 0, 2)?;
            recorder.bring_to_its_end(&[])?.is(503, 0, 0, 2)
        }),
        Case::new("an answer that nobody asked for", json!({}), |recorder| {
            recorder.pass(&phases(2), PROTOBUF, "");
            recorder.answer(&text(404, ""))?;
            recorder.bring_to_its_end(&[stored()])?.is(200, 2, 0, 0)
        }),
    ]
}
