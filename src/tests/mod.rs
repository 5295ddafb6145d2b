//! The exporter from payload to request, on messages built by the official OTLP types.

mod batches;
mod deltas;
mod duplicates;
mod expansion;
mod histograms;
mod options;
pub(crate) mod payload;
mod refusals;
mod translation;
mod v2;
mod values;
