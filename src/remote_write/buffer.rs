//! An output buffer made for many short pieces.

use crate::otlp::wire::zigzag;

/// The longest piece that is copied by words instead of by a call to the platform's copy routine,
/// which costs more than the copy itself in WebAssembly.
const SHORT: usize = 128;

/// A growing run of bytes.
///
/// The memory behind the end is kept initialised, so that appending is a bounds check and stores,
/// with no length to update in between.
#[derive(Default)]
pub struct Buffer {
    memory: Vec<u8>,
    length: usize,
}

impl Buffer {
    /// What was written.
    pub fn as_slice(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    /// How many bytes were written.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Drops the first `count` bytes.
    pub fn drop_front(&mut self, count: usize) {
        let count = count.min(self.length);
        self.memory.copy_within(count..self.length, 0);
        self.length -= count;
    }

    /// Room for `count` bytes behind the end. Every writer below needs to be covered by it.
    #[inline]
    pub fn reserve(&mut self, count: usize) {
        let needed = self.length + count + SHORT;
        if needed > self.memory.len() {
            self.grow(needed);
        }
    }

    #[cold]
    fn grow(&mut self, needed: usize) {
        self.memory.resize(needed.max(2 * self.memory.len()).max(4096), 0);
    }

    /// Appends one byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        self.memory[self.length] = byte;
        self.length += 1;
    }

    /// Appends a base-128 number.
    #[inline]
    pub fn push_varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.push(number as u8);
    }

    /// Appends numbers as `sint64` of packed fields.
    #[inline]
    pub fn push_zigzags(&mut self, numbers: &[i64]) {
        let (fours, rest) = numbers.as_chunks::<4>();
        for four in fours {
            let four = four.map(zigzag);
            // Which numbers take one byte and which two is hard to foretell, so that no branch depends on it.
            match self.memory[self.length..].first_chunk_mut::<8>() {
                Some(place) if four[0] | four[1] | four[2] | four[3] < 0x4000 => {
                    let (mut word, mut bits) = (0, 0);
                    for number in four {
                        let is_longer = u64::from(number >= 0x80);
                        word |= (number & 0x7f | (is_longer << 7) | (number >> 7 << 8)) << bits;
                        bits += 8 + 8 * is_longer;
                    }
                    *place = word.to_le_bytes();
                    self.length += bits as usize / 8;
                }
                _ => four.into_iter().for_each(|number| self.push_varint(number)),
            }
        }
        rest.iter().for_each(|number| self.push_varint(zigzag(*number)));
    }

    /// Appends a length-delimited field whose content `write` appends, which must leave room for 11
    /// bytes. Moving the content behind its length costs less than working the length out beforehand.
    #[inline]
    pub fn push_field(&mut self, tag: u8, write: impl FnOnce(&mut Buffer)) {
        self.push_array([tag, 0]);
        let start = self.length;
        write(self);
        let end = self.length;
        let size = end - start;
        let moved_by = varint_size(size as u64) - 1;
        if moved_by > 0 {
            self.memory.copy_within(start..end, start + moved_by);
        }
        self.length = start - 1;
        self.push_varint(size as u64);
        self.length = end + moved_by;
    }

    /// Overwrites the byte that stands `back` bytes before the end.
    #[inline]
    pub fn patch(&mut self, back: usize, byte: u8) {
        self.memory[self.length - back] = byte;
    }

    /// Appends a few bytes at once.
    #[inline]
    pub fn push_array<const N: usize>(&mut self, bytes: [u8; N]) {
        self.memory[self.length..self.length + N].copy_from_slice(&bytes);
        self.length += N;
    }

    /// Appends bytes.
    #[inline]
    pub fn push_slice(&mut self, piece: &[u8]) {
        let count = piece.len();
        let target = &mut self.memory[self.length..];
        if count <= SHORT {
            copy_short(piece, &mut target[..SHORT]);
        } else {
            target[..count].copy_from_slice(piece);
        }
        self.length += count;
    }

    /// Appends a copy of bytes written before.
    #[inline]
    pub fn push_copy(&mut self, start: usize, count: usize) {
        if count == 0 {
            return;
        }
        self.memory.copy_within(start..start + count, self.length);
        self.length += count;
    }
}

/// How many bytes a base-128 number takes: (bits + 6) / 7 without the division.
#[inline]
pub fn varint_size(number: u64) -> usize {
    let bits = 63 - (number | 1).leading_zeros() as usize;
    (bits * 9 + 73) / 64
}

/// Copies up to [`SHORT`] bytes as blocks of a fixed size that may overlap.
#[inline]
fn copy_short(piece: &[u8], target: &mut [u8]) {
    let _copied = copy_ends::<64>(piece, target)
        || copy_ends::<32>(piece, target)
        || copy_ends::<16>(piece, target)
        || copy_ends::<8>(piece, target)
        || copy_ends::<4>(piece, target)
        || copy_bytes(piece, target);
}

/// Copies the first and the last `N` bytes of a piece of `N` to `2 * N` bytes.
#[inline]
fn copy_ends<const N: usize>(piece: &[u8], target: &mut [u8]) -> bool {
    let (Some(first), Some(last)) = (piece.first_chunk::<N>(), piece.last_chunk::<N>()) else {
        return false;
    };
    target[..N].copy_from_slice(first);
    target[piece.len() - N..piece.len()].copy_from_slice(last);
    true
}

#[inline]
fn copy_bytes(piece: &[u8], target: &mut [u8]) -> bool {
    for (to, from) in target.iter_mut().zip(piece) {
        *to = *from;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_varints() {
        for shift in 0..64 {
            for number in [(1u64 << shift) - 1, 1 << shift, (1 << shift) + 1] {
                let mut out = Buffer::default();
                out.reserve(10);
                out.push_varint(number);
                assert_eq!(varint_size(number), out.len(), "{number}");
            }
        }
    }

    #[test]
    fn zigzags_of_every_size_side_by_side() {
        let mut numbers = Vec::new();
        for number in [0, 1, -1, 63, 64, -64, -65, 8191, 8192, -8192, -8193, i64::MAX, i64::MIN, 5] {
            for _ in 0..numbers.len() % 3 + 1 {
                numbers.push(number);
            }
        }
        let (mut together, mut alone) = (Buffer::default(), Buffer::default());
        for start in 0..numbers.len() {
            for buffer in [&mut together, &mut alone] {
                buffer.reserve(10 * numbers.len());
            }
            together.push_zigzags(&numbers[start..]);
            numbers[start..].iter().for_each(|number| alone.push_varint(zigzag(*number)));
            assert_eq!(together.as_slice(), alone.as_slice(), "{start}");
        }
    }

    #[test]
    fn pieces_of_every_length_arrive_whole() {
        let text: Vec<u8> = (1..=200).collect();
        let mut buffer = Buffer::default();
        let mut expected = Vec::new();
        for length in 0..=text.len() {
            buffer.reserve(length);
            buffer.push_slice(&text[..length]);
            expected.extend_from_slice(&text[..length]);
            assert_eq!(buffer.as_slice(), expected);
        }
        buffer.reserve(25);
        buffer.push_copy(10, 7);
        expected.extend_from_within(10..17);
        buffer.push_varint(300);
        buffer.push_array(1u64.to_le_bytes());
        expected.extend_from_slice(&[0xac, 2, 1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(buffer.as_slice(), expected);
        buffer.drop_front(50);
        assert_eq!(buffer.as_slice(), &expected[50..]);
    }
}
