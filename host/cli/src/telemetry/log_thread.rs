//! The thread that writes log lines. Nobody else waits for standard error: whoever reads it may stop reading, and a
//! process that logs to a full pipe would stand still with it.

use preamp_base::logfmt::Value;
use preamp_config::LogFormat;
use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

/// The most lines that wait to be written. More are counted, and that is told.
const WAITING_MAX: usize = 1024;

/// How long the end of the process waits for lines that are not written yet.
const PATIENCE: Duration = Duration::from_secs(1);

static LINES: OnceLock<SyncSender<Message>> = OnceLock::new();
static DROPPED: AtomicU64 = AtomicU64::new(0);

enum Message {
    Line(Vec<u8>),
    /// Asks to be told when all lines before are written.
    Mark(SyncSender<()>),
}

/// Starts the thread.
///
/// # Errors
///
/// When the system gives none.
pub(super) fn start(format: LogFormat) -> io::Result<()> {
    let (to, from) = sync_channel(WAITING_MAX);
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread.spawn(move || write_all(&from, format, io::stderr))?;
    // Of a second one nobody hears.
    let _first = LINES.set(to);
    Ok(())
}

/// Waits until what was logged is written, for a moment at most.
pub(crate) fn finish() {
    let Some(lines) = LINES.get() else { return };
    let (mark, marked) = sync_channel(1);
    // Where there is no room even for this, nobody reads.
    if lines.try_send(Message::Mark(mark)).is_ok() {
        let _written = marked.recv_timeout(PATIENCE);
    }
}

/// One line of the log, which is handed over when it is complete.
#[derive(Debug, Default)]
pub(super) struct LogLine(Vec<u8>);

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let Some(lines) = LINES.get().filter(|_| !self.0.is_empty()) else { return };
        if let Err(TrySendError::Full(_)) = lines.try_send(Message::Line(std::mem::take(&mut self.0))) {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The line that stands where others are missing.
fn missing(lines: u64, format: LogFormat) -> String {
    const MESSAGE: &str = "lines of the log are missing here: it is read too slowly";
    match format {
        LogFormat::Console => format!("level=WARN msg={} lines={lines}", Value(MESSAGE)),
        LogFormat::Json => {
            serde_json::json!({"level": "WARN", "message": MESSAGE, "lines": lines}).to_string()
        }
    }
}

fn write_all<W: Write>(from: &Receiver<Message>, format: LogFormat, mut to: impl FnMut() -> W) {
    while let Ok(message) = from.recv() {
        match message {
            Message::Line(line) => {
                // Nobody is left to tell if standard error is gone.
                let _written = to().write_all(&line);
            }
            Message::Mark(mark) => {
                let _heard = mark.send(());
            }
        }
        let dropped = DROPPED.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let _written = writeln!(to(), "{}", missing(dropped, format));
        }
    }
}
