//! Where something stands in a configuration.

/// A position in one of the texts that a configuration is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the texts, in their order, from 0.
    pub(super) source: usize,
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
}

impl Place {
    /// That of what stands in none of the texts.
    pub(super) const NOWHERE: Place = Place::start_of(usize::MAX);

    /// Where a text begins.
    pub(super) const fn start_of(source: usize) -> Place {
        Place { source, line: 1, column: 1 }
    }
}
