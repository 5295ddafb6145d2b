//! A second hash beside the one that partitions rest on, independent of it.
//!
//! Snapshots hold its results, so it must never change.

/// Odd constants with well-spread bits (from the square roots of 2 and 3).
const MULTIPLIER: u64 = 0x6a09_e667_f3bc_c909;
const SEED: u64 = 0xbb67_ae85_84ca_a73b;

/// A hash in the making, of words in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hash(u64);

impl Hash {
    pub fn new() -> Hash {
        Hash(SEED)
    }

    /// Takes the next word. 64-bit multiplications only: wider ones are library calls in WebAssembly.
    #[inline]
    pub fn word(self, word: u64) -> Hash {
        let mixed = (self.0 ^ word).wrapping_mul(MULTIPLIER);
        Hash((mixed ^ (mixed >> 32)).rotate_left(19))
    }

    /// Takes a text and its length, so that the borders between texts count.
    #[inline]
    pub fn text(self, text: &[u8]) -> Hash {
        let (words, rest) = text.as_chunks::<8>();
        let hash = words.iter().fold(self, |hash, word| hash.word(u64::from_le_bytes(*word)));
        let last = rest.iter().rev().fold(0, |word, byte| (word << 8) | u64::from(*byte));
        hash.word(last).word(text.len() as u64)
    }

    /// Takes a list of words and its length.
    #[inline]
    pub fn words(self, words: &[u64]) -> Hash {
        words.iter().fold(self, |hash, word| hash.word(*word)).word(words.len() as u64)
    }

    #[inline]
    pub fn finish(self) -> u64 {
        self.word(0).0
    }
}

/// What tells the accumulated series apart: two hashes that share no arithmetic. Series are not
/// compared by their labels, so a collision would add two of them up in silence; with 128 bits that
/// does not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesId {
    pub(super) first: u64,
    pub(super) second: u64,
}

impl SeriesId {
    /// The id of a metric with labels.
    ///
    /// `identity` is any other hash of the same (here, the one that partitions rest on). The labels
    /// come sorted by name, each with its value.
    #[inline]
    pub fn new<'l>(
        identity: u64,
        name: &[u8],
        labels: impl Iterator<Item = (&'l [u8], &'l [u8])>,
    ) -> SeriesId {
        let hash = Hash::new().text(name);
        let hash = labels.fold(hash, |hash, (name, value)| hash.text(name).text(value));
        SeriesId { first: identity, second: hash.finish() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str, labels: &[(&str, &str)]) -> SeriesId {
        SeriesId::new(7, name.as_bytes(), labels.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())))
    }

    #[test]
    fn every_border_and_every_byte_counts() {
        let ids = [
            id("", &[]),
            id("a", &[]),
            id("a\0", &[]),
            id("", &[("a", "")]),
            id("", &[("", "a")]),
            id("a", &[("b", "c")]),
            id("a", &[("bc", "")]),
            id("ab", &[("c", "")]),
            id("abcdefgh", &[]),
            id("abcdefgh\0", &[]),
        ];
        for (place, one) in ids.iter().enumerate() {
            assert!(ids[place + 1..].iter().all(|other| other.second != one.second), "{place}");
        }
    }

    /// Snapshots hold these numbers: a change here makes every series of them a stranger.
    #[test]
    fn ids_never_change() {
        let id = id("http_requests_total", &[("job", "shop"), ("method", "GET")]);
        assert_eq!(id, SeriesId { first: 7, second: 5_422_274_946_779_767_539 });
    }
}
