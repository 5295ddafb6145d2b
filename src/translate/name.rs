//! Metric names: from an OTLP name, unit and type to what Prometheus calls the metric.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", metric metadata; unit
//! tables as the Collector's exporter has them.)

use crate::config::Config;
use crate::otlp::metric::Kind;

/// What a name depends on besides the metric itself.
#[derive(Clone, Debug)]
pub struct Namer {
    namespace: Vec<u8>,
    add_suffixes: bool,
}

/// The suffix that the type of a metric calls for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeSuffix {
    /// `_total`: monotonic sums.
    Total,
    /// `_ratio` where the unit is exactly `1`: gauges.
    RatioIfUnitIsOne,
    /// None.
    None,
}

impl TypeSuffix {
    /// The suffix for a type.
    pub fn of(kind: Kind, is_monotonic: bool) -> TypeSuffix {
        match kind {
            Kind::Sum if is_monotonic => TypeSuffix::Total,
            Kind::Gauge => TypeSuffix::RatioIfUnitIsOne,
            _ => TypeSuffix::None,
        }
    }
}

impl Namer {
    /// Takes what it needs from the configuration.
    pub fn new(config: &Config) -> Namer {
        Namer { namespace: config.namespace.clone().into_bytes(), add_suffixes: config.add_metric_suffixes }
    }

    /// Writes the Prometheus name of a metric into `out`. False if none is left: the name has no
    /// letter, digit or colon.
    pub fn write(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix, out: &mut Vec<u8>) -> bool {
        out.clear();
        if self.add_suffixes {
            self.write_with_suffixes(name, unit, suffix, out);
        } else {
            self.write_escaped(name, out);
        }
        !out.iter().all(|b| *b == b'_') || (out.as_slice() == name && !out.is_empty())
    }

    /// The name with the namespace in front, as `target_info` has it.
    pub fn write_unchanged(&self, name: &[u8], out: &mut Vec<u8>) {
        out.clear();
        push_token(&self.namespace, out);
        push_token(name, out);
    }

    fn write_with_suffixes(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix, out: &mut Vec<u8>) {
        let type_word: &[u8] = match suffix {
            TypeSuffix::Total => b"total",
            TypeSuffix::RatioIfUnitIsOne if unit == b"1" => b"ratio",
            _ => b"",
        };
        let tokens = || name.split(|b| !is_metric_byte(*b)).filter(|token| !token.is_empty());
        let unit = Unit::read(unit);
        let mut main = unit.main();
        let per = unit.per();
        if !per.is_empty() && main.last() == Some(&b'_') {
            main.pop();
        }
        if tokens().any(|token| token == main) {
            main.clear();
        }
        push_token(&self.namespace, out);
        for token in tokens().chain([main.as_slice(), per.as_slice()]) {
            if token != type_word {
                push_token(token, out);
            }
        }
        push_token(type_word, out);
        escape_first_digit(out, 0);
    }

    fn write_escaped(&self, name: &[u8], out: &mut Vec<u8>) {
        push_escaped(&self.namespace, out);
        if out.is_empty() {
            push_escaped(name, out);
            escape_first_digit(out, 0);
        } else {
            out.push(b'_');
            push_escaped(name, out);
        }
    }
}

fn is_metric_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b':'
}

fn push_token(token: &[u8], out: &mut Vec<u8>) {
    if token.is_empty() {
        return;
    }
    if !out.is_empty() {
        out.push(b'_');
    }
    out.extend_from_slice(token);
}

/// Appends a name with runs of bad characters as one underscore, and none of those at either end.
/// Underscores of the name itself stay.
fn push_escaped(name: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut gap = false;
    for &b in name {
        if !is_metric_byte(b) && b != b'_' {
            gap = true;
            continue;
        }
        if gap && out.len() > start {
            out.push(b'_');
        }
        gap = false;
        out.push(b);
    }
}

fn escape_first_digit(out: &mut Vec<u8>, at: usize) {
    if out.get(at).is_some_and(u8::is_ascii_digit) {
        out.insert(at, b'_');
    }
}

/// The two halves of a UCUM unit, `main/per`.
struct Unit<'a> {
    main: &'a [u8],
    per: &'a [u8],
}

impl<'a> Unit<'a> {
    fn read(unit: &'a [u8]) -> Unit<'a> {
        let (main, per) = match unit.iter().position(|b| *b == b'/') {
            Some(slash) => (&unit[..slash], &unit[slash + 1..]),
            None => (unit, &b""[..]),
        };
        Unit { main: without_annotation(main), per: without_annotation(per) }
    }

    fn main(&self) -> Vec<u8> {
        cleaned(main_word(self.main).unwrap_or(self.main), b"")
    }

    fn per(&self) -> Vec<u8> {
        if self.per.is_empty() {
            return Vec::new();
        }
        let mut per = cleaned(per_word(self.per).unwrap_or(self.per), b"per_");
        if per.as_slice() == b"per_" {
            per.clear();
        } else if per.last() == Some(&b'_') {
            per.pop();
        }
        per
    }
}

/// A half without blanks around it; nothing if it is an annotation such as `{request}`.
fn without_annotation(half: &[u8]) -> &[u8] {
    let half = half.trim_ascii();
    if half.iter().any(|b| matches!(b, b'{' | b'}')) { b"" } else { half }
}

/// The unit with bad characters as underscores, runs of them as one, and none in front.
fn cleaned(unit: &[u8], prefix: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(prefix.len() + unit.len());
    for &b in prefix.iter().chain(unit) {
        let b = if is_metric_byte(b) { b } else { b'_' };
        if b != b'_' || out.last().is_some_and(|last| *last != b'_') {
            out.push(b);
        }
    }
    out
}

fn main_word(unit: &[u8]) -> Option<&'static [u8]> {
    Some(match unit {
        b"d" => b"days",
        b"h" => b"hours",
        b"min" => b"minutes",
        b"s" => b"seconds",
        b"ms" => b"milliseconds",
        b"us" => b"microseconds",
        b"ns" => b"nanoseconds",
        b"By" => b"bytes",
        b"KiBy" => b"kibibytes",
        b"MiBy" => b"mebibytes",
        b"GiBy" => b"gibibytes",
        b"TiBy" => b"tibibytes",
        b"KBy" => b"kilobytes",
        b"MBy" => b"megabytes",
        b"GBy" => b"gigabytes",
        b"TBy" => b"terabytes",
        b"m" => b"meters",
        b"V" => b"volts",
        b"A" => b"amperes",
        b"J" => b"joules",
        b"W" => b"watts",
        b"g" => b"grams",
        b"Cel" => b"celsius",
        b"Hz" => b"hertz",
        b"1" => b"",
        b"%" => b"percent",
        _ => return None,
    })
}

fn per_word(unit: &[u8]) -> Option<&'static [u8]> {
    Some(match unit {
        b"s" => b"second",
        b"m" => b"minute",
        b"h" => b"hour",
        b"d" => b"day",
        b"w" => b"week",
        b"mo" => b"month",
        b"y" => b"year",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        namespace: &str,
        add_suffixes: bool,
        name: &str,
        unit: &str,
        suffix: TypeSuffix,
    ) -> Option<String> {
        let namer = Namer { namespace: namespace.into(), add_suffixes };
        let mut out = Vec::new();
        let valid = namer.write(name.as_bytes(), unit.as_bytes(), suffix, &mut out);
        valid.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn names_with_suffixes() {
        use TypeSuffix::{None as Plain, RatioIfUnitIsOne as Gauge, Total};
        for (name, unit, suffix, expected) in [
            ("requests_per_second", "1/s", Total, "requests_per_second_per_second_total"),
            ("a.total.b", "", Total, "a_b_total"),
            ("total", "", Total, "total"),
            ("x", "foo!", Total, "x_foo__total"),
            ("x", "foo!/s", Total, "x_foo_per_second_total"),
            ("x", "{req}/s", Gauge, "x_per_second"),
            ("x", "s/{thing}", Gauge, "x_seconds"),
            ("x", "/s", Gauge, "x_per_second"),
            ("x", " s ", Gauge, "x_seconds"),
            ("x", "By/min", Plain, "x_bytes_per_min"),
            ("x", "1", Gauge, "x_ratio"),
            ("x", " 1", Gauge, "x"),
            ("x", "1", Plain, "x"),
            ("x.ratio.y", "1", Gauge, "x_y_ratio"),
            ("disk.bytes.io", "By", Total, "disk_bytes_io_total"),
            ("日本", "s", Gauge, "seconds"),
            ("日本", "", Total, "total"),
            ("__x__y", "", Gauge, "x_y"),
            ("x:y", "", Gauge, "x:y"),
            ("123x", "", Gauge, "_123x"),
        ] {
            assert_eq!(named("", true, name, unit, suffix).as_deref(), Some(expected), "{name} {unit:?}");
        }
        assert_eq!(named("", true, "日本", "", Gauge), None);
        assert_eq!(named("", true, "", "", Gauge), None);
        assert_eq!(named("my.app", true, "x", "s", Gauge).as_deref(), Some("my.app_x_seconds"));
    }

    #[test]
    fn names_without_suffixes() {
        for (namespace, name, expected) in [
            ("", "a__b.c", Some("a__b_c")),
            ("", ".a.", Some("a")),
            ("", "1x", Some("_1x")),
            ("", "___", Some("___")),
            ("", "_.", None),
            ("", "日本", None),
            ("my.app", "x", Some("my_app_x")),
        ] {
            assert_eq!(named(namespace, false, name, "s", TypeSuffix::Total).as_deref(), expected, "{name}");
        }
    }
}
