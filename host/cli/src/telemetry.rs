//! Logs of the process.

mod log_thread;
mod logfmt;

use log_thread::LogLine;
pub(crate) use log_thread::finish;
use logfmt::Logfmt;
use preamp_base::printable::Printable;
use preamp_config::{LogFormat, Telemetry};
use std::io::{self, IsTerminal as _};
use std::panic::PanicHookInfo;
use tracing_subscriber::EnvFilter;

/// Sends log lines of this process to standard error, as configured. The parts it is built from
/// are heard from level `warn` on only.
///
/// Each record is one line of logfmt or JSON, and nothing in it steers a terminal, whatever was said by whom. Nobody waits until it is
/// written: [`finish`] does, at the end of the process.
///
/// # Errors
///
/// When logging was set up before.
pub fn start(settings: &Telemetry) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    log_thread::start(settings.log_format)?;
    std::panic::set_hook(Box::new(log_panic));
    let level = settings.log_level;
    // What the SDK of AWS warns of comes back as an error, which is told with its meaning.
    let filter = format!("warn,aws_config=error,preamp={level},preamp_host={level}");
    let lines = tracing_subscriber::fmt().with_env_filter(EnvFilter::try_new(filter)?);
    match settings.log_format {
        LogFormat::Console => lines
            .with_writer(LogLine::default)
            .with_ansi(io::stderr().is_terminal())
            .event_format(Logfmt)
            .try_init(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_writer(|| Printable::json(LogLine::default())).try_init()
        }
    }
}

/// Logs where a thread panicked, and why.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(tracing::field::display);
    let problem = panic.payload_as_str();
    tracing::error!(place, problem, "a thread of this program panicked: please report it");
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

    /// What is written of the records that a task makes.
    fn logfmt(has_colours: bool, task: impl FnOnce()) -> String {
        let written = Written::default();
        let lines = tracing_subscriber::fmt().with_writer(written.clone()).with_ansi(has_colours);
        tracing::subscriber::with_default(lines.event_format(Logfmt).finish(), task);
        written.text()
    }

    #[test]
    fn records_for_people_are_one_line_of_logfmt_that_steers_nothing() {
        let text = logfmt(false, log);
        let line = text.strip_suffix('\n').unwrap();
        assert!(line.chars().all(is_printable), "{line:?}");
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("time=20") && time.ends_with('Z'), "{time}");
        let foreign = r#""a\u202eb\u001b[31m\nINFO forged""#;
        let debugged = r#""\"a\\u{202e}b\\u{1b}[31m\\nINFO forged\"""#;
        let expected = format!(
            "level=WARN msg={foreign} problem={foreign} shown={foreign} debugged={debugged} error={foreign}"
        );
        assert_eq!(rest, expected);
    }

    #[test]
    fn plain_values_stand_without_quotes() {
        let text = logfmt(false, || {
            tracing::info!(reason = "too-old", points = 3_u64, is_held = false, left = ?Some(1), "ready");
        });
        let expected = " level=INFO msg=ready reason=too-old points=3 is_held=false left=Some(1)\n";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_terminal_gets_colours_and_the_same_words() {
        let text = logfmt(true, || tracing::error!(points = 1, "a b"));
        assert!(text.contains("\x1b[31mERROR\x1b[0m"), "{text:?}");
        let codes = ["\x1b[2m", "\x1b[0m", "\x1b[31m"];
        let plain = codes.iter().fold(text, |text, code| text.replace(code, ""));
        assert!(plain.ends_with(" level=ERROR msg=\"a b\" points=1\n"), "{plain:?}");
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
