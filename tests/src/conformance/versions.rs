//! Remote write 2.0, and receivers that do not take it.

use anyhow::ensure;
use serde_json::{Value, json};

use super::recorder::{Answer, Recorder, stored, text};
use super::{Call, Case, Expected};
use crate::payloads::{distributions, gauge, integer_point, latencies, metrics, requests, text as attribute};

/// A receiver that speaks 2.0, with more options of the component.
fn options(more: &Value) -> Value {
    let second = json!({"protobuf_message": "io.prometheus.write.v2.Request", "profile": "prometheus"});
    super::with(second, more.clone())
}

/// An answer of 2.0, which counts what was stored.
fn written(status: u16, body: &str, samples: u32, histograms: u32) -> Answer {
    text(status, body)
        .with("x-prometheus-remote-write-samples-written", &samples.to_string())
        .with("x-prometheus-remote-write-histograms-written", &histograms.to_string())
        .with("x-prometheus-remote-write-exemplars-written", "0")
}

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [taken(), refused()].into_iter().flatten().collect()
}

fn taken() -> Vec<Case> {
    let untranslated = options(&json!({"translation_strategy": "NoTranslation"}));
    vec![
        Case::unsigned("2.0", options(&json!({})), |recorder| {
            recorder.deliver(&requests(3), &[written(204, "", 3, 0)])?.is(200, 3, 0, 0)
        }),
        Case::unsigned(
            "2.0, signed",
            options(&json!({"sigv4": {"region": "eu-west-1", "service": "aps"}})),
            |recorder| recorder.deliver(&latencies(1), &[written(204, "", 14, 0)])?.is(200, 1, 0, 0),
        ),
        Case::unsigned("2.0 with native histograms", options(&json!({})), |recorder| {
            recorder.deliver(&distributions(2), &[written(204, "", 0, 2)])?.is(200, 2, 0, 0)
        }),
        Case::unsigned("2.0 with names as they are", untranslated, |recorder| {
            let point = integer_point(vec![attribute("stadt.größe", "Köln")], 1);
            let payload = metrics(vec![gauge("température.air", "Cel", vec![point])]);
            recorder.deliver(&payload, &[written(204, "", 1, 0)])?.is(200, 1, 0, 0)
        }),
        Case::unsigned("2.0, of which a sample is missing", options(&json!({})), |recorder| {
            let outcome = recorder.deliver(&requests(3), &[written(204, "", 2, 0)])?;
            outcome.is(200, 0, 3, 0)?;
            outcome.because_of("partial-write")
        }),
        Case::unsigned("2.0, 400 in part", options(&json!({})), |recorder| {
            let outcome = recorder.deliver(&requests(3), &[written(400, "out of order sample", 2, 0)])?;
            outcome.is(200, 0, 3, 0)?;
            outcome.because_of("out-of-order")
        }),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        Case::unsigned("2.0 refused with 415", options(&json!({})), |recorder| {
            downgraded(recorder, &text(415, ""))
        }),
        Case::unsigned("2.0 refused with 406", options(&json!({})), |recorder| {
            downgraded(recorder, &text(406, ""))
        }),
        Case::unsigned("2.0 refused with 400", options(&json!({})), |recorder| {
            downgraded(recorder, &text(400, "unsupported content type: io.prometheus.write.v2.Request"))
        }),
        Case::unsigned("2.0 taken for an empty request of 1.0", options(&json!({})), |recorder| {
            downgraded(recorder, &stored())
        }),
    ]
}

/// The refused request again in 1.0, and the next one in 1.0 at once.
fn downgraded(recorder: &mut Recorder, refusal: &Answer) -> anyhow::Result<()> {
    recorder.deliver(&requests(3), &[refusal.clone(), text(204, "")])?.is(200, 3, 0, 0)?;
    recorder.deliver(&requests(2), &[text(204, "")])?.is(200, 2, 0, 0)?;
    let version = |call: &Call| match call {
        Call::Next { expect: Expected::Send(sent), .. } => {
            let is_version = |name: &str| name == "x-prometheus-remote-write-version";
            sent.headers.iter().find(|(name, _)| is_version(name)).map(|(_, value)| value.clone())
        }
        _ => None,
    };
    let versions: Vec<_> = recorder.calls().iter().filter_map(version).collect();
    ensure!(versions == ["2.0.0", "0.1.0", "0.1.0"], "{versions:?}");
    Ok(())
}
