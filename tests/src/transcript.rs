//! What an exporter makes of a payload, as JSON that says the same for every form of the exporter:
//! the library, the component in wasmtime, and the component in Node.js (`jco/run.mjs`).

use anyhow::anyhow;
use preamp_core::types::Encoding;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::component::{Instance, contract, trap};
use crate::payloads::NOW_NS;

/// SHA-256 as hexadecimal digits.
#[must_use]
pub fn sha256(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

/// A digest that may be missing, as hexadecimal digits.
trait Digits {
    fn digits(&self) -> String;
}

impl Digits for Option<[u8; 32]> {
    fn digits(&self) -> String {
        self.map(hex::encode).unwrap_or_default()
    }
}

impl Digits for Vec<u8> {
    fn digits(&self) -> String {
        hex::encode(self)
    }
}

/// The library and the bindings have types of the same shape, so one text describes both.
macro_rules! descriptions {
    ($module:ident, $types:path) => {
        mod $module {
            use super::{Digits as _, Value, json, sha256};
            use $types as types;

            pub fn batch(batch: &types::Batch) -> Value {
                json!({
                    "body": sha256(&batch.body),
                    "digest": batch.digest.digits(),
                    "partition": batch.partition,
                    "points": batch.points,
                    "series": batch.series,
                    "samples": batch.samples,
                    "first": batch.first,
                    "last": batch.last,
                    "uncompressed_size": batch.uncompressed_size,
                })
            }

            pub fn batches<'a>(all: impl IntoIterator<Item = &'a types::Batch>) -> Value {
                all.into_iter().map(batch).collect()
            }

            pub fn rejection(rejection: &types::Rejection) -> Value {
                json!({
                    "reason": rejection.reason,
                    "points": rejection.points,
                    "example": rejection.example,
                    "remedy": rejection.remedy,
                    "becauseOfTime": rejection.because_of_time,
                })
            }

            pub fn refusal(refusal: types::Refusal) -> Value {
                let (tag, val) = match refusal {
                    types::Refusal::Malformed(what) => ("malformed", json!(what)),
                    types::Refusal::WrongSignal(signal) => ("wrong-signal", json!(signal)),
                    types::Refusal::TooLarge(limit) => ("too-large", json!(limit)),
                    types::Refusal::ExpandsTooFar(what) => ("expands-too-far", json!(what)),
                };
                json!({ "error": { "tag": tag, "val": val } })
            }

            pub fn halves(halves: Result<(types::Batch, types::Batch), types::BatchError>) -> Value {
                match halves {
                    Ok((first, second)) => batches([&first, &second]),
                    Err(types::BatchError::SingleSeries) => json!({ "tag": "single-series", "val": null }),
                    Err(error) => json!(format!("{error:?}")),
                }
            }
        }
    };
}

descriptions!(library, preamp_core::types);
descriptions!(component, crate::component::contract);

/// What the library makes of a payload.
///
/// # Errors
///
/// When a batch of its own making cannot be worked on.
pub fn of_library(exporter: &mut preamp_core::Exporter, payload: &[u8]) -> anyhow::Result<Value> {
    let acceptance = match exporter.accept(payload, Encoding::Protobuf, NOW_NS) {
        Ok(acceptance) => acceptance,
        Err(refusal) => return Ok(library::refusal(refusal)),
    };
    let failed = |error| anyhow!("{error:?}");
    let batches = &acceptance.batches;
    let first_partition = batches.iter().filter(|batch| batch.partition == batches[0].partition);
    let merged = exporter.merge(first_partition.cloned().collect()).map_err(failed)?;
    let first = match batches.first() {
        None => Value::Null,
        Some(first) => {
            let pruned = exporter.prune(first.clone(), first.last).map_err(failed)?;
            json!({
                "halves": library::halves(exporter.halve(first)),
                "kept": pruned.kept.as_ref().map(library::batch),
                "expired": pruned.expired.as_ref().map(library::batch),
                "explained": sha256(exporter.explain(first).map_err(failed)?.as_bytes()),
            })
        }
    };
    Ok(json!({
        "accepted_points": acceptance.accepted_points,
        "rejections": acceptance.rejections.iter().map(library::rejection).collect::<Value>(),
        "batches": library::batches(batches),
        "merged": library::batches(&merged),
        "first": first,
    }))
}

/// What the component makes of a payload in wasmtime.
///
/// # Errors
///
/// When it traps, or a batch of its own making cannot be worked on.
pub fn of_component(instance: &mut Instance, payload: &[u8]) -> anyhow::Result<Value> {
    let acceptance = match instance.accept(payload, NOW_NS)? {
        Ok(acceptance) => acceptance,
        Err(refusal) => return Ok(component::refusal(refusal)),
    };
    let failed = |error: contract::BatchError| anyhow!("{error:?}");
    let (guest, mut store, exporter) = instance.parts();
    let guest = guest.exporter();
    let batches = &acceptance.batches;
    let first_partition: Vec<_> =
        batches.iter().filter(|batch| batch.partition == batches[0].partition).cloned().collect();
    let merged = guest.call_merge(&mut store, exporter, &first_partition).map_err(trap)?.map_err(failed)?;
    let first = match batches.first() {
        None => Value::Null,
        Some(first) => {
            let pruned = guest.call_prune(&mut store, exporter, first, first.last).map_err(trap)?;
            let pruned = pruned.map_err(failed)?;
            let explained = guest.call_explain(&mut store, exporter, first).map_err(trap)?;
            json!({
                "halves": component::halves(guest.call_halve(&mut store, exporter, first).map_err(trap)?),
                "kept": pruned.kept.as_ref().map(component::batch),
                "expired": pruned.expired.as_ref().map(component::batch),
                "explained": sha256(explained.map_err(failed)?.as_bytes()),
            })
        }
    };
    Ok(json!({
        "accepted_points": acceptance.accepted_points,
        "rejections": acceptance.rejections.iter().map(component::rejection).collect::<Value>(),
        "batches": component::batches(batches),
        "merged": component::batches(&merged),
        "first": first,
    }))
}
