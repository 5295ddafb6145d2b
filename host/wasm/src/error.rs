//! What can go wrong between the host and the component, apart from what the contract says.

use preamp_contract::Problem;
use std::path::PathBuf;

/// Why the component could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The program was built without the component.
    #[error("this program was built without its component: run `./build.sh component`, then build it again")]
    Missing,
    /// There is not enough address space for the instances.
    #[error(
        "cannot reserve address space for the component's instances: {0}; is it limited? `ulimit -v` should say \
         `unlimited`"
    )]
    AddressSpace(String),
    /// The bytes cannot be compiled.
    #[error("the component cannot be compiled: {0}")]
    Compile(String),
    /// The file cannot be read, or is no component.
    #[error("{}: cannot be loaded as a component: {error}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system or wasmtime says.
        error: String,
    },
}

/// Why an exporter could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The configuration is wrong; all that is wrong with it.
    #[error("{}", list(.0))]
    Configuration(Vec<Problem>),
    /// The component is not of this contract, or did not come up.
    #[error("the component cannot be started: {0}")]
    Component(String),
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<_> =
        problems.iter().map(|problem| format!("{} {}", problem.path, problem.message)).collect();
    lines.join("; ")
}

/// Why a call did not come back with an answer of the contract.
///
/// The instance is gone; the next call gets a fresh one. The same arguments would fail again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The instance needed more memory than it may have.
    #[error(
        "the component needs more than the {} MiB of memory it may use for one payload: send fewer data points in one \
         request, or give the process more memory",
        .limit_bytes >> 20
    )]
    OutOfMemory {
        /// The most linear memory an instance may have, in bytes.
        limit_bytes: usize,
    },
    /// What the call returns is larger than it may be.
    #[error(
        "what comes out of the payload is larger than the {} MiB that it may be: send fewer data points in one \
         request, or give the process more memory",
        .limit_bytes >> 20
    )]
    ResultTooLarge {
        /// The most that a call may return, in bytes.
        limit_bytes: usize,
    },
    /// The component stopped for a reason of its own, which is a defect in it.
    #[error("the component failed: {0}")]
    Trapped(String),
    /// No instance could be made.
    #[error("the component cannot be started: {0}")]
    Unavailable(String),
}
