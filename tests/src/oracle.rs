//! The oracles: the Collector's own translator tells what becomes of a payload. It is a Go program
//! (`tests/oracle`); where there is no Go, a recording of its answers takes its place.

mod live;
mod recording;

pub use live::LiveOracle;
pub use recording::{RecordedOracle, Recorder, Recording};

use anyhow::Context as _;
use serde_json::Value;

use crate::canonical::Canonical;

/// A question: what becomes of this payload with these options of a Preamp configuration?
#[derive(Clone, Debug)]
pub struct Question {
    /// An encoded `ExportMetricsServiceRequest`.
    pub payload: Vec<u8>,
    /// The configuration, of which the oracle reads what shapes its output.
    pub options: Value,
}

/// Tells what the Collector makes of a payload.
pub trait Oracle {
    /// Asks many questions at once, which keeps both sides busy.
    ///
    /// # Errors
    /// When the oracle ends, or has no answer.
    fn ask_all(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Canonical>>;

    /// Asks one question.
    ///
    /// # Errors
    /// When the oracle ends, or has no answer.
    fn ask(&mut self, question: &Question) -> anyhow::Result<Canonical> {
        let mut answers = self.ask_all(std::slice::from_ref(question))?;
        answers.pop().context("the oracle gave no answer")
    }
}
