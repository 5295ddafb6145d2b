//! Units: from UCUM codes to the words that Prometheus uses.
//! (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", metric metadata; the
//! tables as the Collector's exporter has them.)

use super::name::is_metric_byte;

/// The two halves of a UCUM unit, `main/per`.
pub(super) struct Unit<'a> {
    main: &'a [u8],
    per: &'a [u8],
}

impl<'a> Unit<'a> {
    /// Takes a unit apart.
    pub fn read(unit: &'a [u8]) -> Unit<'a> {
        let (main, per) = match unit.iter().position(|b| *b == b'/') {
            Some(slash) => (&unit[..slash], &unit[slash + 1..]),
            None => (unit, &b""[..]),
        };
        Unit { main: without_annotation(main), per: without_annotation(per) }
    }

    /// The word for the main half.
    pub fn main(&self) -> &[u8] {
        main_word(self.main).unwrap_or(self.main)
    }

    /// The word for the other half, with `per_` in front; empty if there is none.
    pub fn per(&self) -> Vec<u8> {
        if self.per.is_empty() {
            return Vec::new();
        }
        [b"per_", per_word(self.per).unwrap_or(self.per)].concat()
    }

    /// Writes the unit as metadata has it. `escape` leaves only characters of classic metric names.
    pub fn write(&self, escape: bool, out: &mut Vec<u8>) {
        out.clear();
        let (main, per) = (self.main(), self.per());
        let (main, per) = if escape { (cleaned(main), cleaned(&per)) } else { (main.to_vec(), per) };
        out.extend_from_slice(&main);
        if !main.is_empty() && !per.is_empty() {
            out.push(b'_');
        }
        out.extend_from_slice(&per);
        if out.first() == Some(&b'_') {
            out.remove(0);
        }
        if out.last() == Some(&b'_') {
            out.pop();
        }
    }
}

/// A half without blanks around it; nothing if it is an annotation such as `{request}`.
fn without_annotation(half: &[u8]) -> &[u8] {
    let half = std::str::from_utf8(half).map_or(half, |half| half.trim().as_bytes());
    if half.iter().any(|b| matches!(b, b'{' | b'}')) { b"" } else { half }
}

/// A text with bad characters as underscores, runs of them as one, and none in front.
pub(super) fn cleaned(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    for &b in text {
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

    #[test]
    fn units_as_metadata_has_them() {
        for (unit, escaped, unescaped) in [
            ("s", "seconds", "seconds"),
            ("By/s", "bytes_per_second", "bytes_per_second"),
            ("1", "", ""),
            ("{req}/min", "per_min", "per_min"),
            ("foo!/x y", "foo__per_x_y", "foo!_per_x y"),
            ("", "", ""),
        ] {
            let mut out = Vec::new();
            Unit::read(unit.as_bytes()).write(true, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), escaped, "{unit}");
            Unit::read(unit.as_bytes()).write(false, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), unescaped, "{unit}");
        }
    }
}
