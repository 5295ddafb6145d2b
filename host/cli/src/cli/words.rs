//! Words that several commands say.

use std::fmt;

/// A number of things.
pub(super) struct Counted(pub u64, pub &'static str);

impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counted(number, noun) = self;
        match (number, noun.strip_suffix('y')) {
            (1, _) => write!(f, "1 {noun}"),
            (_, Some(stem)) => write!(f, "{number} {stem}ies"),
            _ if noun.ends_with("ch") => write!(f, "{number} {noun}es"),
            _ if noun.ends_with('s') => write!(f, "{number} {noun}"),
            _ => write!(f, "{number} {noun}s"),
        }
    }
}
