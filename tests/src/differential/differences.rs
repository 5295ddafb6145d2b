//! Where Preamp knowingly differs from the Collector's translator. Each difference is the code that
//! foretells it, and a heading of `docs/differences.md`, which gives the reason.
//!
//! A difference is foretold in one of two ways: the oracle is fed with a payload that means the same
//! to Preamp (`feed`), or its answer is changed (`apply`), for which further questions may be asked
//! (`ask`). Nothing is ever passed over: what is foretold must come.

mod exemplars;
mod exponential;
mod histogram;
mod labels;
mod metadata;
mod names;
mod points;
mod target_info;

use super::Case;
use crate::canonical::Canonical;

/// One difference.
pub trait Difference: Sync {
    /// Its heading in `docs/differences.md`.
    fn heading(&self) -> &'static str;

    /// Changes what the oracle is asked about. Returns how often it had to.
    fn feed(&self, _case: &mut Case) -> usize {
        0
    }

    /// Further questions that the oracle must answer to foretell this case. Its answers are changed by
    /// the differences before this one.
    fn ask(&self, _case: &Case) -> Vec<Case> {
        Vec::new()
    }

    /// Changes what the oracle said, given its answers to the further questions. Returns how often it
    /// had to.
    fn apply(
        &self,
        _case: &Case,
        _answer: &mut Canonical,
        _further: Vec<Canonical>,
    ) -> anyhow::Result<usize> {
        Ok(0)
    }
}

/// All differences that show in what is written, in the order in which they are foretold.
pub const ALL: &[&dyn Difference] = &[
    &points::WithoutValue,
    &points::WithoutTime,
    &histogram::InfiniteBound,
    &histogram::TooMany,
    &labels::EmptyScopeAttribute,
    &labels::EmptyBytes,
    &exponential::Downscale,
    &exemplars::WithoutValue,
    &names::Empty,
    &names::HalfACharacter,
    &target_info::EmptyAttributes,
    &labels::Reserved,
    &exemplars::Labels,
    &exemplars::OfBuckets,
    &metadata::Once,
    &histogram::NegativeZero,
    &metadata::OfEach,
];
