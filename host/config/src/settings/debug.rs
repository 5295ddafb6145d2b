//! Exporters that show what comes in.

use super::Processors;
use std::path::PathBuf;

/// An exporter of type `debug` or `logging` in a pipeline.
#[derive(Clone, Debug, PartialEq)]
pub struct DebugExporter {
    /// The component id in the file.
    pub id: String,
    /// How much of a payload is shown.
    pub verbosity: Verbosity,
    /// Which payloads are shown.
    pub sampling: Sampling,
    /// Where they are shown.
    pub output: Output,
    /// What is done with payloads before that: the processors of its pipeline.
    pub processors: Processors,
}

/// How much of a payload is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// How much is in it.
    Basic,
    /// Beside that, a line for each point.
    Normal,
    /// Beside that, everything.
    Detailed,
}

/// Which payloads are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// So many are shown in each second.
    pub initial: u64,
    /// After those, one of so many; 0 shows no more of them.
    pub thereafter: u64,
}

/// Where payloads are shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// In the log of the process.
    Log,
    /// Nowhere: the log of the process tells nothing of level `info`.
    Nowhere,
    /// On standard output.
    Stdout,
    /// On standard error.
    Stderr,
    /// At the end of a file.
    File(PathBuf),
}
