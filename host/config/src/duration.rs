//! Durations in the notation of Go (package `time`, `ParseDuration`), which Collector files use.

use std::time::Duration;

/// Nanoseconds in each unit. The micro sign and the Greek letter both stand for micro.
const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

const MALFORMED: &str = "is not a duration; write numbers with units, such as 1h30m, 30s or 250ms";
const TOO_LONG: &str = "is longer than the 292 years that fit";

/// Reads a duration such as `1h30m`, `250ms` or `1.5s`; `0` needs no unit.
///
/// # Errors
///
/// What is wrong, as the rest of a sentence that begins with the name of the key.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let nanoseconds = total(unsigned)?;
    if text.starts_with('-') && nanoseconds > 0 {
        return Err("must not be negative".to_owned());
    }
    Ok(Duration::from_nanos(nanoseconds))
}

fn total(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Err(MALFORMED.to_owned());
    }
    let mut rest = text;
    let mut sum = 0_u64;
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        if unit.is_empty() {
            return Err(format!("lacks a unit; write {text}s for seconds or {text}ms for milliseconds"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("has {unit:?} where a unit is expected: ns, us, ms, s, m or h"));
        };
        // Go counts nanoseconds in 63 bits.
        sum = sum
            .checked_add(scaled(number, *scale)?)
            .filter(|sum| i64::try_from(*sum).is_ok())
            .ok_or(TOO_LONG)?;
        rest = after;
    }
    Ok(sum)
}

/// A decimal number times a scale, cut to a whole number.
fn scaled(number: &str, scale: u64) -> Result<u64, &'static str> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(MALFORMED);
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| TOO_LONG)? };
    // An hour has fewer than 10^13 nanoseconds: further digits cannot count.
    let digits = fraction.bytes().take(18).map(|digit| u128::from(digit - b'0'));
    let (numerator, denominator) =
        digits.fold((0, 1), |(numerator, denominator), digit| (numerator * 10 + digit, denominator * 10));
    let part = u64::try_from(numerator * u128::from(scale) / denominator).map_err(|_| TOO_LONG)?;
    whole.checked_mul(scale).and_then(|whole| whole.checked_add(part)).ok_or(TOO_LONG)
}

/// Whole milliseconds; what is shorter than one counts as one.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

/// A duration as a person writes it, in whole units: `1h30m`, `50ms`.
pub(super) fn shown(duration: Duration) -> String {
    const SHOWN: [&str; 6] = ["h", "m", "s", "ms", "us", "ns"];
    let mut rest = duration.as_nanos();
    let mut text = String::new();
    for unit in SHOWN {
        let scale = UNITS.iter().find(|(name, _)| *name == unit).map_or(1, |(_, scale)| u128::from(*scale));
        if rest >= scale {
            text.push_str(&format!("{}{unit}", rest / scale));
            rest %= scale;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_notation_of_go() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("0s", 0),
            ("-0s", 0),
            ("1ns", 1),
            ("2us", 2_000),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("250ms", 250_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("+5m", 300_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1h0.25s", 3_600_250_000_000),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_nanos(nanoseconds)), "{text}");
        }
    }

    #[test]
    fn shows_what_it_reads() {
        for text in ["0s", "50ms", "1m", "2m", "59m", "1h30m", "1h1m1s1ms1us1ns", "12h"] {
            assert_eq!(shown(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, words) in [
            ("", "is not a duration"),
            ("s", "is not a duration"),
            (".s", "is not a duration"),
            ("1.2.3s", "is not a duration"),
            ("5", "write 5s for seconds"),
            ("1h30", "lacks a unit"),
            ("5 s", "a unit is expected"),
            ("5d", "a unit is expected"),
            ("1sec", "a unit is expected"),
            ("-1s", "negative"),
            ("99999999999999999999s", "292 years"),
            ("9223372036s9223372036s", "292 years"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(words), "{text:?}: {message}");
        }
    }
}
