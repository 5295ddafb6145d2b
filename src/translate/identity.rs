//! What tells series apart, as a number: the same labels give the same identity, in any order, on
//! any machine and in any version. Batches in queues rely on it, so it must never change.

/// Odd constants with well-spread bits (from the golden ratio and from pi).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const FINISHER: u64 = 0xd130_8a2e_0370_7345;

/// The hash of a text, and whether the text is pure ASCII: both come from one look at its words.
///
/// 64-bit multiplications only: wider ones are library calls in WebAssembly.
#[inline]
pub fn hash(text: &[u8]) -> (u64, bool) {
    let mut state = text.len() as u64;
    let mut seen = 0u64;
    let (words, _) = text.as_chunks::<8>();
    for word in words {
        let word = u64::from_le_bytes(*word);
        seen |= word;
        state = step(state, word);
    }
    if !text.len().is_multiple_of(8) {
        let word = last_word(text);
        seen |= word;
        state = step(state, word);
    }
    (state, seen & 0x8080_8080_8080_8080 == 0)
}

#[inline]
fn step(state: u64, word: u64) -> u64 {
    (state.rotate_left(23) ^ word).wrapping_mul(MULTIPLIER)
}

/// The last eight bytes, or all of a shorter text.
#[inline]
pub fn last_word(text: &[u8]) -> u64 {
    if let Some(word) = text.last_chunk::<8>() {
        return u64::from_le_bytes(*word);
    }
    if let (Some(first), Some(last)) = (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        return u64::from(u32::from_le_bytes(*first)) | (u64::from(u32::from_le_bytes(*last)) << 32);
    }
    text.iter().rev().fold(0, |word, b| (word << 8) | u64::from(*b))
}

/// Whether two texts are the same. They are short as a rule: words are compared in place of a call to
/// the memory comparison of the platform, which WebAssembly has to bring along.
#[inline]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    let mut words = a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0);
    a.len() == b.len()
        && words.all(|(a, b)| u64::from_le_bytes(*a) == u64::from_le_bytes(*b))
        && last_word(a) == last_word(b)
}

/// The part that one label has in the identity of a series; parts are added up.
#[inline]
pub fn label(name: u64, value: u64) -> u64 {
    let mixed = (name ^ value.rotate_left(32)).wrapping_mul(MULTIPLIER);
    (mixed ^ (mixed >> 29)).wrapping_mul(FINISHER)
}

/// The partition of an identity: all partitions get an equal share of the identities.
#[inline]
pub fn partition(identity: u64, partitions: u32) -> u32 {
    (((identity >> 32) * u64::from(partitions)) >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_and_every_byte_counts() {
        let text: Vec<u8> = (0..40).collect();
        for length in 0..text.len() {
            let (reference, ascii) = hash(&text[..length]);
            assert!(ascii);
            for place in 0..length {
                let mut other = text[..length].to_vec();
                other[place] |= 0x80;
                let (hash, ascii) = hash(&other);
                assert_ne!(hash, reference, "length {length}, byte {place}");
                assert!(!ascii, "length {length}, byte {place}");
            }
        }
    }

    #[test]
    fn partitions_get_equal_shares() {
        let mut shares = [0u32; 7];
        for number in 0..70_000u32 {
            let (value, _) = hash(number.to_string().as_bytes());
            let identity = label(hash(b"id").0, value);
            shares[partition(identity, 7) as usize] += 1;
        }
        assert!(shares.iter().all(|share| (9_000..11_000).contains(share)), "{shares:?}");
    }

    /// The layout of queues depends on these numbers: a change here strands what is queued.
    #[test]
    fn identities_never_change() {
        let identity = label(hash(b"host.name").0, hash(b"web-1").0);
        assert_eq!(identity, 0xd19542a3ff56621a);
        assert_eq!(partition(identity, 16), 13);
    }
}
