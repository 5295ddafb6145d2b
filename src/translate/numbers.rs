//! Numbers as label values: the bounds of histograms (`le`) and the quantiles of summaries.

use std::io::Write;

/// The bounds of the latest histogram, or the quantiles of the latest summary, as texts: points of one
/// metric share them.
#[derive(Default)]
pub(super) struct NumberTexts {
    numbers: Vec<u64>,
    texts: Vec<u8>,
    ends: Vec<usize>,
    /// Whether a number stands there twice, and which ones are not the first of their kind.
    has_repeats: bool,
    repeats: Vec<bool>,
    keeps_repeats: bool,
}

impl NumberTexts {
    /// Numbers that stand there twice are written as often, or once.
    pub fn new(keeps_repeats: bool) -> NumberTexts {
        NumberTexts { keeps_repeats, ..NumberTexts::default() }
    }

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
        self.find_repeats();
    }

    fn find_repeats(&mut self) {
        self.has_repeats = false;
        if self.keeps_repeats || self.numbers.is_sorted_by(|a, b| f64::from_bits(*a) < f64::from_bits(*b)) {
            return;
        }
        self.repeats.clear();
        self.repeats.resize(self.numbers.len(), false);
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_by(|a, b| self.text(*a).cmp(self.text(*b)));
        for pair in order.windows(2) {
            // Infinity is a bucket of its own, which stands there once in any case.
            if self.text(pair[0]) == self.text(pair[1]) && self.text(pair[0]) != INFINITE {
                self.repeats[pair[1]] = true;
                self.has_repeats = true;
            }
        }
    }

    fn text(&self, index: usize) -> &[u8] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.texts[start..self.ends[index]]
    }

    /// The places of a number that stands there twice, the first such.
    pub fn repeated(&self) -> Option<(usize, usize)> {
        let second = self.has_repeats.then(|| self.repeats.iter().position(|repeat| *repeat))??;
        let first = (0..second).find(|index| self.text(*index) == self.text(second))?;
        Some((first, second))
    }

    /// Whether this number stands there a second time, and is left out.
    #[inline]
    pub fn is_repeat(&self, index: usize) -> bool {
        self.has_repeats && self.repeats[index]
    }

    /// The texts that are written, of the first so many.
    pub fn written(&self, count: usize) -> impl Iterator<Item = &[u8]> {
        let all = self.iter().take(count).enumerate();
        all.filter(|(index, _)| !self.is_repeat(*index)).map(|(_, text)| text)
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
    fn numbers_that_stand_there_twice() {
        let repeats = |numbers: &[f64], keeps_repeats| {
            let mut texts = NumberTexts::new(keeps_repeats);
            texts.set(&[0.5f64.to_bits(), 0.5f64.to_bits()]);
            texts.set(&numbers.iter().map(|number| number.to_bits()).collect::<Vec<_>>());
            let written = texts.written(usize::MAX).count();
            (texts.repeated(), written)
        };
        assert_eq!(repeats(&[1.0, 5.0, 5.0, 5.0, 7.0], false), (Some((1, 2)), 3));
        assert_eq!(repeats(&[5.0, 1.0, 5.0], false), (Some((0, 2)), 2));
        assert_eq!(repeats(&[f64::NAN, -f64::NAN], false), (Some((0, 1)), 1));
        // These are other labels.
        assert_eq!(repeats(&[-0.0, 0.0], false), (None, 2));
        assert_eq!(repeats(&[f64::INFINITY, f64::INFINITY], false), (None, 2));
        assert_eq!(repeats(&[1.0, 5.0, 5.0], true), (None, 3));
        assert_eq!(repeats(&[1.0, 2.0], false), (None, 2));
    }

    #[test]
    fn numbers_as_texts() {
        let numbers = [1.0, 1e6, 1e-5, 0.25, f64::INFINITY, 1e21];
        let mut texts = NumberTexts::default();
        texts.set(&numbers.map(f64::to_bits));
        let shown: Vec<_> = texts.iter().map(|text| std::str::from_utf8(text).unwrap()).collect();
        assert_eq!(shown, ["1", "1000000", "0.00001", "0.25", "+Inf", "1000000000000000000000"]);
    }
}
