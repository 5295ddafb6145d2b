//! The page in the format that is asked for, with the names that the Collector gives its own metrics.
//!
//! The library writes OpenMetrics, where counters end in `_total`. The newest Collector leaves type suffixes and units out
//! of its names unless its reader is told to add them (`service.telemetry.metrics.readers`, `without_type_suffix` and
//! `without_units`; Collector 0.165, `service/telemetry/otelconftelemetry`), so names that begin with `otelcol_` do the
//! same here. OpenMetrics has no counter without a suffix: there such a family is of type `unknown`.

use preamp_config::MetricNames;
use std::fmt::Write as _;

/// What the names of the Collector's metrics begin with.
const COLLECTOR: &str = "otelcol_";

/// The unit in the name of a family, where it is not there anyway.
const UNITS: [(&str, &str); 2] =
    [("otelcol_process_uptime", "seconds"), ("otelcol_process_memory_rss", "bytes")];

/// A format of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// The text format of Prometheus, version 0.0.4.
    Text,
}

impl Format {
    /// The media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// The format that the fields `Accept` of a request ask for (RFC 9110, section 12.5.1). Who takes anything gets the
    /// text format, as everybody does who takes nothing of this; who says nothing gets OpenMetrics.
    pub fn accepted<'v>(fields: impl IntoIterator<Item = &'v str>) -> Self {
        let mut best: Option<(Self, Weight)> = None;
        let mut is_said = false;
        for range in fields.into_iter().flat_map(|field| field.split(',')) {
            is_said = true;
            let Some((format, weight)) = offered(range) else { continue };
            if weight.quality > 0 && best.is_none_or(|(_, other)| weight > other) {
                best = Some((format, weight));
            }
        }
        match best {
            Some((format, _)) => format,
            None if is_said => Self::Text,
            None => Self::OpenMetrics,
        }
    }
}

/// How much a media type is wanted: by its quality in thousandths, then by how exactly it is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Weight {
    quality: u32,
    exactness: u8,
}

/// The format that a media range stands for, if it is one of those.
fn offered(range: &str) -> Option<(Format, Weight)> {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next()?.to_ascii_lowercase();
    let (mut quality, mut version) = (1000, None);
    for parameter in parts {
        let Some((key, value)) = parameter.split_once('=') else { continue };
        let value = value.trim().trim_matches('"');
        match key.trim().to_ascii_lowercase().as_str() {
            "q" => {
                let weight = value.parse::<f64>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
                quality = (weight * 1000.0) as u32;
            }
            "version" => version = Some(value),
            _ => {}
        }
    }
    let (format, own_version, exactness) = match name.as_str() {
        "application/openmetrics-text" => (Format::OpenMetrics, "1.0.0", 2),
        "application/*" => (Format::OpenMetrics, "", 1),
        "text/plain" => (Format::Text, "0.0.4", 2),
        "text/*" => (Format::Text, "", 1),
        "*/*" => (Format::Text, "", 0),
        _ => return None,
    };
    let is_ours = version.is_none_or(|version| version == own_version);
    is_ours.then_some((format, Weight { quality, exactness }))
}

/// A family of the page that is being read.
#[derive(Default)]
struct Family<'p> {
    /// As the library writes it, and as it is called.
    own: &'p str,
    name: String,
    is_counter: bool,
    help: Option<&'p str>,
}

/// Writes a page of OpenMetrics in another format and with other names.
pub(super) fn rewritten(page: &str, format: Format, names: MetricNames) -> String {
    let mut written = String::with_capacity(page.len());
    let mut family = Family::default();
    for line in page.lines() {
        match comment(line) {
            Some(("HELP", own, help)) => {
                family = Family { own, name: called(own, names), is_counter: false, help: Some(help) };
            }
            Some(("TYPE", own, kind)) => {
                if own != family.own {
                    family = Family { own, name: called(own, names), ..Family::default() };
                }
                family.is_counter = kind == "counter";
                describe(&mut written, &family, kind, format, names);
            }
            Some(("EOF", ..)) if format == Format::OpenMetrics => written.push_str("# EOF\n"),
            // The library writes no unit, and the text format has none.
            Some(_) => {}
            None => sample(&mut written, &family, line, names),
        }
    }
    written
}

/// The parts of a comment: what it says, of which family, and the rest.
pub(super) fn comment(line: &str) -> Option<(&str, &str, &str)> {
    let mut parts = line.strip_prefix("# ")?.splitn(3, ' ');
    Some((parts.next()?, parts.next().unwrap_or_default(), parts.next().unwrap_or_default()))
}

/// What a family is called, without the suffix of a counter.
fn called(own: &str, names: MetricNames) -> String {
    let unit = UNITS.iter().find(|(name, _)| *name == own).filter(|_| names.have_units);
    match unit {
        Some((_, unit)) => format!("{own}_{unit}"),
        None => own.to_owned(),
    }
}

/// Whether counters of a family end in `_total`.
fn has_suffix(family: &Family, names: MetricNames) -> bool {
    family.is_counter && (names.have_type_suffix || !family.own.starts_with(COLLECTOR))
}

fn describe(to: &mut String, family: &Family, kind: &str, format: Format, names: MetricNames) {
    let has_suffix = has_suffix(family, names);
    let (suffix, kind) = match format {
        Format::OpenMetrics if family.is_counter && !has_suffix => ("", "unknown"),
        Format::OpenMetrics => ("", kind),
        Format::Text if has_suffix => ("_total", kind),
        Format::Text if kind == "unknown" => ("", "untyped"),
        Format::Text => ("", kind),
    };
    let name = &family.name;
    // Nothing fails that is written to a text.
    let _written = match family.help {
        Some(help) => writeln!(to, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}"),
        None => writeln!(to, "# TYPE {name}{suffix} {kind}"),
    };
}

fn sample(to: &mut String, family: &Family, line: &str, names: MetricNames) {
    let Some(rest) = line.strip_prefix(family.own) else {
        to.push_str(line);
        to.push('\n');
        return;
    };
    let rest = match rest.strip_prefix("_total") {
        Some(rest) if family.is_counter && !has_suffix(family, names) => rest,
        _ => rest,
    };
    to.push_str(&family.name);
    to.push_str(rest);
    to.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP otelcol_exporter_sent_metric_points Points.\n\
                        # TYPE otelcol_exporter_sent_metric_points counter\n\
                        otelcol_exporter_sent_metric_points_total{exporter=\"a\"} 7\n\
                        # HELP otelcol_process_uptime Seconds.\n\
                        # TYPE otelcol_process_uptime counter\n\
                        otelcol_process_uptime_total 1.5\n\
                        # HELP preamp_points Ledger.\n\
                        # TYPE preamp_points counter\n\
                        preamp_points_total{state=\"accepted\",reason=\"\"} 9\n\
                        # HELP d Time.\n\
                        # TYPE d histogram\n\
                        d_sum 1.0\nd_count 2\nd_bucket{le=\"+Inf\"} 2\n\
                        # EOF\n";

    #[test]
    fn names_are_the_collectors_in_both_formats() {
        let text = rewritten(PAGE, Format::Text, MetricNames::default());
        assert!(text.starts_with(
            "# HELP otelcol_exporter_sent_metric_points Points.\n# TYPE otelcol_exporter_sent_metric_points counter\n\
             otelcol_exporter_sent_metric_points{exporter=\"a\"} 7\n"
        ));
        assert!(text.contains("\notelcol_process_uptime 1.5\n"), "{text}");
        assert!(text.contains("# TYPE preamp_points_total counter\npreamp_points_total{"), "{text}");
        assert!(text.ends_with("d_bucket{le=\"+Inf\"} 2\n"), "{text}");
        let open = rewritten(PAGE, Format::OpenMetrics, MetricNames::default());
        assert!(
            open.contains("# TYPE otelcol_process_uptime unknown\notelcol_process_uptime 1.5\n"),
            "{open}"
        );
        assert!(open.contains("# TYPE preamp_points counter\npreamp_points_total{"), "{open}");
        assert!(open.ends_with("# EOF\n"));
    }

    #[test]
    fn suffixes_and_units_are_added_if_the_file_asks_for_them() {
        let names = MetricNames { have_type_suffix: true, have_units: true };
        let text = rewritten(PAGE, Format::Text, names);
        assert!(text.contains("# TYPE otelcol_process_uptime_seconds_total counter\n"), "{text}");
        assert!(text.contains("\notelcol_process_uptime_seconds_total 1.5\n"), "{text}");
        assert_eq!(
            rewritten(PAGE, Format::OpenMetrics, MetricNames { have_units: false, ..names }),
            PAGE,
            "it is what the library writes"
        );
    }

    #[test]
    fn the_format_is_the_one_that_is_wanted_most() {
        let accepted = |field: &str| Format::accepted([field]);
        // What Prometheus 3 sends.
        let prometheus = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
                          application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;q=0.4,\
                          text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        assert_eq!(accepted(prometheus), Format::OpenMetrics);
        for text in [
            "*/*",
            "text/plain",
            "text/html",
            "",
            "application/openmetrics-text;q=0.1, text/plain;q=0.9",
            "application/openmetrics-text;q=0, */*",
            "application/openmetrics-text;version=2.0.0,text/plain;q=0.1",
            "TEXT/*, application/openmetrics-text;q=0.5",
        ] {
            assert_eq!(accepted(text), Format::Text, "{text}");
        }
        for open in [
            "application/openmetrics-text",
            "application/openmetrics-text, text/*",
            "application/*, */*;q=0.9",
        ] {
            assert_eq!(accepted(open), Format::OpenMetrics, "{open}");
        }
        assert_eq!(Format::accepted([]), Format::OpenMetrics);
        assert_eq!(
            Format::accepted(["text/plain;q=0.5", "application/openmetrics-text"]),
            Format::OpenMetrics
        );
    }
}
