//! Logs of the process.

mod log_thread;

use log_thread::LogLine;
pub(crate) use log_thread::finish;
use preamp_base::printable::{Line, Printable};
use preamp_config::{LogFormat, Telemetry};
use std::fmt;
use std::io::{self, IsTerminal as _};
use tracing::field::Field;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

/// Sends log lines of this process to standard error, as configured. The parts it is built from
/// are heard from level `warn` on only.
///
/// Each record is one line, and nothing in it steers a terminal, whatever was said by whom. Nobody waits until it is
/// written: [`finish`] does, at the end of the process.
///
/// # Errors
///
/// When logging was set up before.
pub fn start(settings: &Telemetry) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    log_thread::start()?;
    let level = settings.log_level;
    // What the SDK of AWS warns of comes back as an error, which is told with its meaning.
    let filter = format!("warn,aws_config=error,preamp={level},preamp_host={level}");
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter)?);
    match settings.log_format {
        LogFormat::Console => lines
            .with_writer(LogLine::default)
            .with_ansi(io::stderr().is_terminal())
            .with_target(false)
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .try_init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_writer(|| Printable::json(LogLine::default())).try_init()
        }
    }
}

/// Writes a field for people.
fn write_field(to: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    let value = Line(format_args!("{value:?}"));
    match field.name() {
        "message" => write!(to, "{value}"),
        name if to.has_ansi_escapes() => write!(to, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}"),
        name => write!(to, "{name}={value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use preamp_base::printable::is_printable;
    use std::sync::{Arc, Mutex};
    use tracing_subscriber::fmt::MakeWriter;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Written {
        type Writer = Written;

        fn make_writer(&self) -> Written {
            self.clone()
        }
    }

    impl Written {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    /// Logs something harmful in every way that there is.
    fn log() {
        let foreign = "a\u{202e}b\x1b[31m\nINFO forged";
        let error = std::io::Error::other(foreign);
        tracing::warn!(problem = foreign, shown = %foreign, debugged = ?foreign, %error, "{foreign}");
    }

    #[test]
    fn records_for_people_are_one_line_that_steers_nothing() {
        let written = Written::default();
        let lines = tracing_subscriber::fmt().with_writer(written.clone()).with_ansi(false);
        let lines = lines.fmt_fields(debug_fn(write_field).delimited(" ")).finish();
        tracing::subscriber::with_default(lines, log);
        let text = written.text();
        let line = text.strip_suffix('\n').unwrap();
        assert!(line.chars().all(is_printable), "{line:?}");
        assert!(line.contains("a\\u{202e}b\\u{1b}[31m\\nINFO forged problem=\"a\\u{202e}b"), "{line}");
        assert!(line.contains(" shown=a\\u{202e}b\\u{1b}[31m\\nINFO forged debugged="), "{line}");
    }

    #[test]
    fn records_for_programs_are_one_line_of_json() {
        let written = Written::default();
        let to = written.clone();
        let lines = tracing_subscriber::fmt().json().flatten_event(true);
        let lines = lines.with_writer(move || Printable::json(to.clone())).finish();
        tracing::subscriber::with_default(lines, log);
        let text = written.text();
        let line = text.strip_suffix('\n').unwrap();
        assert!(line.chars().all(is_printable), "{line:?}");
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(record["shown"], "a\u{202e}b\u{1b}[31m\nINFO forged");
    }
}
