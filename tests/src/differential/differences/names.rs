//! Differences of metric names, all in the strategies that keep all characters.

use super::Difference;
use crate::canonical::Canonical;
use crate::differential::Case;

/// A metric of which no name is left is refused in all strategies.
pub struct Empty;

impl Difference for Empty {
    fn heading(&self) -> &'static str {
        "Metrics without a name are refused in every strategy"
    }

    fn apply(&self, case: &Case, answer: &mut Canonical, _further: Vec<Canonical>) -> anyhow::Result<usize> {
        // No metric made here is called like this otherwise.
        let empty = |name: &str| matches!(name, "" | "_sum" | "_count" | "_bucket");
        Ok(if case.options.allows_utf8() { take_out(answer, empty) } else { 0 })
    }
}

/// A name of which cutting a suffix leaves half a character is refused.
pub struct HalfACharacter;

impl Difference for HalfACharacter {
    fn heading(&self) -> &'static str {
        "A name that ends in half a character is refused"
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, _further: Vec<Canonical>) -> anyhow::Result<usize> {
        // The oracle shows what is not UTF-8 as this character, which no name has by itself.
        Ok(take_out(answer, |name| name.contains(char::REPLACEMENT_CHARACTER)))
    }
}

fn take_out(answer: &mut Canonical, is_refused: impl Fn(&str) -> bool) -> usize {
    let before = answer.series.len();
    answer.series.retain(|series| !series.label("__name__").is_some_and(&is_refused));
    before - answer.series.len()
}
