//! Where records go.

use super::record::Record;
use preamp_config::{LogFormat, Output};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Writes records, one after the other. It waits for whoever reads them.
pub(super) struct Writer {
    to: To,
    is_json: bool,
    /// Whether it was told that nothing can be written.
    has_failed: bool,
}

enum To {
    Stdout,
    Stderr,
    File(File),
    Nowhere,
}

impl Writer {
    /// Only what goes to the log of the process has its format.
    pub(super) fn new(output: &Output, format: LogFormat) -> Self {
        let to = match output {
            Output::Log | Output::Stderr => To::Stderr,
            Output::Stdout => To::Stdout,
            Output::Nowhere => To::Nowhere,
            Output::File(path) => open(path),
        };
        Writer { to, is_json: *output == Output::Log && format == LogFormat::Json, has_failed: false }
    }

    pub(super) fn write(&mut self, record: &Record) {
        let text = if self.is_json { record.json() } else { record.console() };
        let written = match &mut self.to {
            To::Stdout => whole(&mut io::stdout().lock(), &text),
            To::Stderr => whole(&mut io::stderr().lock(), &text),
            To::File(file) => whole(file, &text),
            To::Nowhere => Ok(()),
        };
        if let Err(error) = written
            && !std::mem::replace(&mut self.has_failed, true)
        {
            tracing::warn!(%error, "what comes in cannot be shown");
        }
    }
}

fn whole(to: &mut impl io::Write, text: &str) -> io::Result<()> {
    to.write_all(text.as_bytes())?;
    to.flush()
}

fn open(path: &Path) -> To {
    // What comes in holds the values of labels, so a new file is for this user alone. It may be a link, as /dev/stdout is.
    match File::options().append(true).create(true).mode(0o600).open(path) {
        Ok(file) => To::File(file),
        Err(error) => {
            tracing::error!(path = %path.display(), %error, "what comes in cannot be shown there");
            To::Nowhere
        }
    }
}
