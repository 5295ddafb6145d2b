//! How far a command is, on standard error.

use super::words::Counted;
use preamp_base::printable::Line;
use std::fmt::{self, Display};
use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Goes to the start of the line and clears it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// How progress is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Not at all.
    Off,
    /// In one line that is written over and over.
    Terminal,
    /// A line now and then, and one at the end.
    Log,
}

impl Mode {
    fn interval(self) -> Duration {
        Duration::from_millis(if self == Mode::Terminal { 200 } else { 2000 })
    }
}

/// Bytes and payloads read so far.
pub(super) struct Progress {
    mode: Mode,
    bytes: Arc<AtomicU64>,
    bytes_in_all: Option<u64>,
    payloads: u64,
    due: Instant,
}

impl Progress {
    /// Shown on a terminal, unless what the command says goes to one as well; and anywhere if `wanted`.
    pub(super) fn new(wanted: bool, bytes_in_all: Option<u64>) -> Progress {
        let mode = match stderr().is_terminal() {
            true if wanted || !stdout().is_terminal() => Mode::Terminal,
            false if wanted => Mode::Log,
            _ => Mode::Off,
        };
        Progress {
            mode,
            bytes: Arc::default(),
            bytes_in_all,
            payloads: 0,
            due: Instant::now() + mode.interval(),
        }
    }

    /// Where the bytes are counted that were read.
    pub(super) fn bytes(&self) -> &Arc<AtomicU64> {
        &self.bytes
    }

    /// One payload more was read.
    pub(super) fn step(&mut self) {
        self.payloads += 1;
        if self.mode != Mode::Off && Instant::now() >= self.due {
            self.due = Instant::now() + self.mode.interval();
            match self.mode {
                Mode::Terminal => write(format_args!("{CLEAR_LINE}{self}")),
                _ => write(format_args!("{self}\n")),
            }
        }
    }

    /// Writes a line of another kind.
    pub(super) fn say(&self, line: impl Display) {
        let clear = if self.mode == Mode::Terminal { CLEAR_LINE } else { "" };
        write(format_args!("{clear}{}\n", Line(line)));
    }

    /// Ends the display.
    pub(super) fn finish(&self) {
        match self.mode {
            Mode::Off => {}
            Mode::Terminal => write(format_args!("{CLEAR_LINE}")),
            Mode::Log => write(format_args!("{self}\n")),
        }
    }
}

impl Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let read = self.bytes.load(Ordering::Relaxed);
        write!(f, "{}, {}", Counted(self.payloads, "payload"), Mebibytes(read))?;
        match self.bytes_in_all {
            Some(all @ 1..) => write!(f, " of {} ({} %)", Mebibytes(all), read.saturating_mul(100) / all),
            _ => Ok(()),
        }
    }
}

struct Mebibytes(u64);

impl Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} MiB", self.0 as f64 / f64::from(1 << 20))
    }
}

/// Nobody is left to tell if standard error is gone.
fn write(text: impl Display) {
    let _written = write!(stderr().lock(), "{text}");
}
