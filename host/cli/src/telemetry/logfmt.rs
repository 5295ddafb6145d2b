//! A log line in logfmt: `time=… level=… msg=… key=value …`. In a terminal the names are dimmed and the level has a colour.

use preamp_base::logfmt::Value;
use std::fmt::{self, Debug, Write as _};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Writes log lines in logfmt.
pub(super) struct Logfmt;

impl<S, N> FormatEvent<S, N> for Logfmt
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut to: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let (level, is_coloured) = (*event.metadata().level(), to.has_ansi_escapes());
        let mut fields = Fields { message: String::new(), rest: String::new(), is_coloured };
        event.record(&mut fields);
        let now = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        write!(to, "{}{now} ", Name("time", is_coloured))?;
        match is_coloured {
            true => write!(to, "{}\x1b[{}m{level}\x1b[0m ", Name("level", true), colour(level))?,
            false => write!(to, "level={level} ")?,
        }
        write!(to, "{}{}", Name("msg", is_coloured), Value(&fields.message))?;
        writeln!(to, "{}", fields.rest)
    }
}

/// The name of a field with its sign, and whether it is dimmed.
struct Name(&'static str, bool);

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name(name, true) => write!(f, "\x1b[2m{name}=\x1b[0m"),
            Name(name, false) => write!(f, "{name}="),
        }
    }
}

/// The number that a terminal knows a colour by.
fn colour(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG => 34,
        Level::TRACE => 35,
    }
}

/// The fields of an event, as far as they are written.
struct Fields {
    message: String,
    rest: String,
    is_coloured: bool,
}

impl Fields {
    fn add(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
            return;
        }
        // Nothing fails that is written to a text.
        let _written = write!(self.rest, " {}{}", Name(field.name(), self.is_coloured), Value(value));
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.add(field, &format!("{value:?}"));
    }
}
