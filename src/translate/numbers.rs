//! Numbers as label values: the bounds of histograms (`le`) and the quantiles of summaries.

use std::io::Write;

/// The bounds of the latest histogram, or the quantiles of the latest summary, as texts: points of one
/// metric share them.
#[derive(Default)]
pub(super) struct NumberTexts {
    numbers: Vec<u64>,
    texts: Vec<u8>,
    ends: Vec<usize>,
}

impl NumberTexts {
    /// Takes the numbers of a point, the bits of doubles.
    pub fn set(&mut self, numbers: &[u64]) {
        if self.numbers == numbers {
            return;
        }
        self.numbers.clear();
        self.numbers.extend_from_slice(numbers);
        self.texts.clear();
        self.ends.clear();
        for bits in numbers {
            push_number(f64::from_bits(*bits), &mut self.texts);
            self.ends.push(self.texts.len());
        }
    }

    /// How long the texts are together.
    pub fn bytes(&self) -> usize {
        self.texts.len()
    }

    /// The texts, in order.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.texts[start..*end])
    }
}

/// The shortest text without an exponent that reads back as the same number.
fn push_number(number: f64, out: &mut Vec<u8>) {
    match number {
        f64::INFINITY => out.extend_from_slice(INFINITE),
        f64::NEG_INFINITY => out.extend_from_slice(b"-Inf"),
        _ => {
            let _infallible = write!(out, "{number}");
        }
    }
}

/// Infinity as the value of a label.
pub(super) const INFINITE: &[u8] = b"+Inf";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_as_texts() {
        let numbers = [1.0, 1e6, 1e-5, 0.25, f64::INFINITY, 1e21];
        let mut texts = NumberTexts::default();
        texts.set(&numbers.map(f64::to_bits));
        let shown: Vec<_> = texts.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
        assert_eq!(shown, ["1", "1000000", "0.00001", "0.25", "+Inf", "1000000000000000000000"]);
    }
}
