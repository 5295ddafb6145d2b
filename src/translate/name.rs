//! Metric names: from an OTLP name, unit and type to what Prometheus calls the metric.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", metric metadata; unit
//! tables as the Collector's exporter has them.)

use super::identity;
use super::slots::{Slot, Slots};
use super::unit::{Unit, cleaned};
use crate::config::{NameStyle, Translation};
use crate::otlp::metric::Kind;

/// What a name depends on besides the metric itself, and the names made before: metrics come again with
/// each payload.
pub struct Namer {
    namespace: Vec<u8>,
    style: NameStyle,
    known: Slots<Named>,
    known_units: Slots<NamedUnit>,
}

/// A metric, and its Prometheus name.
#[derive(Default)]
struct Named {
    name: Vec<u8>,
    unit: Vec<u8>,
    suffix: TypeSuffix,
    /// Empty if there is no metric here yet.
    result: Vec<u8>,
}

/// A unit in UCUM, and in Prometheus' words.
#[derive(Default)]
struct NamedUnit {
    unit: Vec<u8>,
    words: Vec<u8>,
}

impl Named {
    fn is_for(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix) -> bool {
        !self.result.is_empty() && self.name == name && self.unit == unit && self.suffix == suffix
    }
}

/// Why a metric has no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Nothing is left of it.
    Empty,
    /// It is not valid UTF-8.
    NotUtf8,
}

/// The suffix that the type of a metric calls for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TypeSuffix {
    /// `_total`: monotonic sums.
    Total,
    /// `_ratio` where the unit is exactly `1`: gauges.
    RatioIfUnitIsOne,
    /// None.
    #[default]
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

    fn word(self, unit: &[u8]) -> &'static [u8] {
        match self {
            TypeSuffix::Total => b"total",
            TypeSuffix::RatioIfUnitIsOne if unit == b"1" => b"ratio",
            _ => b"",
        }
    }
}

impl Namer {
    /// Takes what it needs from the configuration.
    pub fn new(translation: &Translation) -> Namer {
        Namer {
            namespace: translation.namespace.clone().into_bytes(),
            style: translation.names,
            known: Slots::default(),
            known_units: Slots::default(),
        }
    }

    /// Writes the Prometheus name of a metric into `out`.
    ///
    /// # Errors
    ///
    /// None is left: the name is empty or, if it must be escaped, has no letter, digit or colon.
    pub fn write(
        &mut self,
        name: &[u8],
        unit: &[u8],
        suffix: TypeSuffix,
        out: &mut Vec<u8>,
    ) -> Result<(), NameError> {
        out.clear();
        let (hash, _) = identity::hash(name);
        let slot = Slot::of(identity::label(hash, suffix as u64), name.len() + unit.len());
        let known = self.known.at(slot);
        if known.is_for(name, unit, suffix) {
            out.extend_from_slice(&known.result);
            return Ok(());
        }
        self.make(name, unit, suffix, out)?;
        *self.known.at_mut(slot) =
            Named { name: name.into(), unit: unit.into(), suffix, result: out.clone() };
        Ok(())
    }

    fn make(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix, out: &mut Vec<u8>) -> Result<(), NameError> {
        if !self.style.escape {
            self.write_unescaped(name, unit, suffix, out);
            return match std::str::from_utf8(out) {
                Ok("") => Err(NameError::Empty),
                Ok(_) => Ok(()),
                Err(_) => Err(NameError::NotUtf8),
            };
        }
        if self.style.suffixes {
            self.write_with_suffixes(name, unit, suffix, out);
        } else {
            self.write_escaped(name, out);
        }
        let is_name = !out.iter().all(|b| *b == b'_') || (out.as_slice() == name && !out.is_empty());
        if is_name { Ok(()) } else { Err(NameError::Empty) }
    }

    /// Writes the unit of a metric in Prometheus' words, as metadata has it.
    pub fn write_unit(&mut self, unit: &[u8], out: &mut Vec<u8>) {
        let (hash, _) = identity::hash(unit);
        let known = self.known_units.at_mut(Slot::of(identity::label(hash, 0), unit.len()));
        if known.unit != unit {
            known.unit = unit.into();
            Unit::read(unit).write(self.style.escape, &mut known.words);
        }
        out.clear();
        out.extend_from_slice(&known.words);
    }

    /// The name with the namespace in front, as `target_info` has it.
    pub fn write_unchanged(&self, name: &[u8], out: &mut Vec<u8>) {
        out.clear();
        push_token(&self.namespace, out);
        push_token(name, out);
    }

    fn write_with_suffixes(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix, out: &mut Vec<u8>) {
        let type_word = suffix.word(unit);
        let tokens = || name.split(|b| !is_metric_byte(*b)).filter(|token| !token.is_empty());
        let unit = Unit::read(unit);
        let mut main = cleaned(unit.main());
        let mut per = cleaned(&unit.per());
        if per.as_slice() == b"per_" {
            per.clear();
        } else if per.last() == Some(&b'_') {
            per.pop();
        }
        // Looked for before its last underscore goes, as the Collector's exporter does.
        if tokens().any(|token| token == main) {
            main.clear();
        } else if !per.is_empty() && main.last() == Some(&b'_') {
            main.pop();
        }
        push_token(&self.namespace, out);
        for token in tokens().chain([main.as_slice(), per.as_slice()]) {
            if token != type_word {
                push_token(token, out);
            }
        }
        push_token(type_word, out);
        escape_first_digit(out);
    }

    /// Names keep their characters. A word that the name ends with already is moved to its place among
    /// the suffixes, along with whatever one byte stands before it.
    fn write_unescaped(&self, name: &[u8], unit: &[u8], suffix: TypeSuffix, out: &mut Vec<u8>) {
        if !self.namespace.is_empty() {
            out.extend_from_slice(&self.namespace);
            out.push(b'_');
        }
        out.extend_from_slice(name);
        if !self.style.suffixes {
            return;
        }
        let (type_word, unit) = (suffix.word(unit), Unit::read(unit));
        let per = unit.per();
        for word in [type_word, &per] {
            if !word.is_empty() && out.ends_with(word) && out.len() > word.len() + 1 {
                out.truncate(out.len() - word.len() - 1);
            }
        }
        let main = if out.ends_with(unit.main()) { b"" } else { unit.main() };
        for word in [main, &per, type_word] {
            if !word.is_empty() {
                out.push(b'_');
                out.extend_from_slice(word);
            }
        }
    }

    fn write_escaped(&self, name: &[u8], out: &mut Vec<u8>) {
        if self.namespace.is_empty() {
            push_escaped(name, out);
            escape_first_digit(out);
        } else {
            push_escaped(&self.namespace, out);
            out.push(b'_');
            push_escaped(name, out);
        }
    }
}

pub(super) fn is_metric_byte(b: u8) -> bool {
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

fn escape_first_digit(out: &mut Vec<u8>) {
    if out.first().is_some_and(u8::is_ascii_digit) {
        out.insert(0, b'_');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        namespace: &str,
        (escape, suffixes): (bool, bool),
        name: &str,
        unit: &str,
        suffix: TypeSuffix,
    ) -> Option<String> {
        let style = NameStyle { escape, suffixes };
        let mut namer = Namer {
            namespace: namespace.into(),
            style,
            known: Slots::default(),
            known_units: Slots::default(),
        };
        let mut out = Vec::new();
        let valid = namer.write(name.as_bytes(), unit.as_bytes(), suffix, &mut out).is_ok();
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
            ("foo.x", "foo!/s", Plain, "foo_x_foo_per_second"),
            ("x", "\u{2003}m", Plain, "x_meters"),
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
            assert_eq!(
                named("", (true, true), name, unit, suffix).as_deref(),
                Some(expected),
                "{name} {unit:?}"
            );
        }
        assert_eq!(named("", (true, true), "日本", "", Gauge), None);
        assert_eq!(named("", (true, true), "", "", Gauge), None);
        assert_eq!(named("my.app", (true, true), "x", "s", Gauge).as_deref(), Some("my.app_x_seconds"));
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
            ("日本", "1x", Some("_1x")),
        ] {
            assert_eq!(
                named(namespace, (true, false), name, "s", TypeSuffix::Total).as_deref(),
                expected,
                "{name}"
            );
        }
    }

    #[test]
    fn names_that_keep_their_characters() {
        use TypeSuffix::{RatioIfUnitIsOne as Gauge, Total};
        for (suffixes, name, unit, suffix, expected) in [
            (true, "subtotal", "", Total, Some("su_total")),
            (true, "kilometers", "m", Gauge, Some("kilometers")),
            (true, "foo.seconds", "s", Total, Some("foo.seconds_total")),
            (true, "req.per_second", "1/s", Total, Some("req_per_second_total")),
            (true, "x.ratio", "1", Gauge, Some("x_ratio")),
            (true, "日本", "s", Gauge, Some("日本_seconds")),
            (true, "é", "", Gauge, Some("é")),
            (true, "日total", "", Total, None),
            (false, "日本.x", "s", Total, Some("日本.x")),
            (false, "", "s", Total, None),
        ] {
            assert_eq!(named("", (false, suffixes), name, unit, suffix).as_deref(), expected, "{name}");
        }
        assert_eq!(named("a.b", (false, false), "c", "s", Total).as_deref(), Some("a.b_c"));
    }
}
