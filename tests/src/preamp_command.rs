//! The program `preamp` as an operator meets it: what it says, where, and with which exit status.

use crate::children::{built, program};
use std::ffi::OsStr;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What the program said before it ended.
#[derive(Debug)]
pub struct Said {
    /// Its exit status.
    pub status: Option<i32>,
    /// Standard output, as it is.
    pub bytes: Vec<u8>,
    /// Standard error.
    pub stderr: String,
}

impl Said {
    /// Standard output as text.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The program with arguments.
///
/// # Errors
/// When it was not built.
pub fn preamp<A: AsRef<OsStr>>(arguments: &[A]) -> anyhow::Result<Command> {
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.args(arguments);
    Ok(command)
}

/// Runs the program to its end.
///
/// # Errors
/// When it cannot be run.
pub fn say<A: AsRef<OsStr>>(arguments: &[A]) -> anyhow::Result<Said> {
    said_with(arguments, &[])
}

/// Runs the program to its end, with these bytes on standard input.
///
/// # Errors
/// When it cannot be run.
pub fn said_with<A: AsRef<OsStr>>(arguments: &[A], input: &[u8]) -> anyhow::Result<Said> {
    let mut command = preamp(arguments)?;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A program that has seen enough need not read on.
        scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    })?;
    Ok(Said { status: output.status.code(), bytes: output.stdout, stderr: String::from_utf8(output.stderr)? })
}
