//! Texts that hash alike. Neither hash of the exporter has a key, and both can be turned around, so
//! that they are found as fast as they are written.

/// The constants of `src/translate/identity.rs` and `src/accumulate/hash.rs`.
const IDENTITY: u64 = 0x9e37_79b9_7f4a_7c15;
const SERIES: u64 = 0x6a09_e667_f3bc_c909;
const SERIES_SEED: u64 = 0xbb67_ae85_84ca_a73b;

/// Different ASCII texts of 16 bytes with one 64-bit `identity::hash`.
pub fn colliding_texts() -> impl Iterator<Item = [u8; 16]> {
    let state = |first: u64| (16u64.rotate_left(23) ^ first).wrapping_mul(IDENTITY).rotate_left(23);
    pairs(state)
}

/// Different ASCII texts of 16 bytes that are the value of the last label of series whose second hash is
/// the same. The series have this name, and no label but this one.
pub fn colliding_values(name: &[u8], label: &[u8]) -> impl Iterator<Item = [u8; 16]> {
    let before = text(text(SERIES_SEED, name), label);
    pairs(move |first| word(before, first))
}

/// Pairs of ASCII words, the second of which undoes what the first one did to the state of a hash.
fn pairs(state: impl Fn(u64) -> u64) -> impl Iterator<Item = [u8; 16]> {
    const ASCII: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    // Any target will do; with this one the words are printable more often than not.
    const TARGET: u64 = 0x4142_4344_4546_4748;
    (0u64..).filter_map(move |number| {
        let first = spread(number);
        let second = state(first) ^ TARGET;
        let mut pair = [0; 16];
        pair[..8].copy_from_slice(&first.to_le_bytes());
        pair[8..].copy_from_slice(&second.to_le_bytes());
        (second & !ASCII == 0).then_some(pair)
    })
}

/// A number as eight letters, the lowest first: all bits of what a word is multiplied to depend on that.
fn spread(number: u64) -> u64 {
    (0..8).rev().fold(0, |word, place| word << 8 | (u64::from(b'a') + (number >> (4 * place) & 15)))
}

fn word(state: u64, word: u64) -> u64 {
    let mixed = (state ^ word).wrapping_mul(SERIES);
    (mixed ^ (mixed >> 32)).rotate_left(19)
}

fn text(state: u64, text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let state = words.iter().fold(state, |state, chunk| word(state, u64::from_le_bytes(*chunk)));
    let last = rest.iter().rev().fold(0, |last, byte| last << 8 | u64::from(*byte));
    word(word(state, last), text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::{colliding_texts, colliding_values, text};
    use preamp_core::accumulate::SeriesId;
    use preamp_core::translate::identity::hash;

    #[test]
    fn texts_collide() {
        let texts: Vec<_> = colliding_texts().take(1000).collect();
        assert!(texts.iter().all(|one| hash(one) == hash(&texts[0]) && one.is_ascii()));
        assert!(texts.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn series_collide() {
        let id = |value: &[u8]| SeriesId::new(0, b"d_total", [(&b"k"[..], value)].into_iter());
        let values: Vec<_> = colliding_values(b"d_total", b"k").take(100).collect();
        assert!(values.iter().all(|value| id(value) == id(&values[0])));
        assert_ne!(text(1, b"a"), text(1, b"b"));
    }
}
