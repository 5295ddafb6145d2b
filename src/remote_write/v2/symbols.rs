//! The symbol table of a remote-write 2.0 request: each text stands in it once, and everything else
//! refers to it by number.

use crate::remote_write::buffer::Buffer;
use crate::translate::identity;
use std::collections::BTreeMap;

/// `Request.symbols`, length-delimited.
const SYMBOLS: u8 = 4 << 3 | 2;

/// The size of a first table, a power of two.
const SLOTS_MIN: usize = 256;

/// So many slots are looked at in one search. Texts whose hashes are spread by chance hardly ever need
/// as many; texts that were made to hash alike would need one for each of them.
const PROBES_MAX: usize = 64;

/// A symbol table that only grows, and is emptied for the next request.
///
/// The symbols are kept as they are sent. They are found by their hash in an open-addressing table;
/// a slot of another generation is free, so that emptying costs nothing.
pub struct Symbols {
    encoded: Buffer,
    entries: Vec<Entry>,
    slots: Vec<Slot>,
    /// The symbols that found no slot near enough, in the order of their texts, which nobody can make
    /// alike.
    crowded: BTreeMap<Box<[u8]>, u32>,
    /// What a hash is shifted by to give a slot: its upper bits are the well-mixed ones.
    shift: u32,
    generation: u32,
}

/// Where the text of a symbol stands among the encoded ones.
struct Entry {
    hash: u64,
    start: u32,
    length: u32,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    generation: u32,
    reference: u32,
}

impl Default for Symbols {
    fn default() -> Symbols {
        let mut symbols = Symbols {
            encoded: Buffer::default(),
            entries: Vec::new(),
            slots: Vec::new(),
            crowded: BTreeMap::new(),
            shift: 0,
            generation: 0,
        };
        symbols.clear();
        symbols
    }
}

impl Symbols {
    /// Empties the table for the next request. References given before mean nothing in it.
    pub fn clear(&mut self) {
        self.encoded.clear();
        self.entries.clear();
        self.crowded.clear();
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.slots.fill(Slot::default());
            self.generation = 1;
        }
        // The first symbol is the empty text, so that 0 means "none".
        self.push(b"", 0);
    }

    /// Empties the table, and leaves the symbols in `before`, encoded.
    pub fn restart(&mut self, before: &mut Buffer) {
        std::mem::swap(&mut self.encoded, before);
        self.clear();
    }

    /// Tells the requests of this table apart: references of one generation are valid in it only.
    #[inline]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// The symbols as fields of a request.
    pub fn as_slice(&self) -> &[u8] {
        self.encoded.as_slice()
    }

    /// Their size in bytes.
    #[inline]
    pub fn size(&self) -> usize {
        self.encoded.len()
    }

    /// The text of a symbol; empty if there is none of this number.
    #[inline]
    pub fn text(&self, reference: u32) -> &[u8] {
        match self.entries.get(reference as usize) {
            Some(entry) => self.text_of(entry),
            None => b"",
        }
    }

    #[inline]
    fn text_of(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        self.encoded.as_slice().get(start..start + entry.length as usize).unwrap_or_default()
    }

    /// The number of a text, which becomes a symbol if it is none yet.
    #[inline]
    pub fn reference(&mut self, text: &[u8]) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let (hash, _) = identity::hash(text);
        let mask = self.slots.len().wrapping_sub(1);
        let mut place = self.first_place(hash);
        let end = place.wrapping_add(PROBES_MAX) & mask;
        while let Some(slot) = self.slots.get(place) {
            if slot.generation != self.generation {
                break;
            }
            let entry = &self.entries[slot.reference as usize];
            if entry.hash == hash && identity::same(self.text_of(entry), text) {
                return slot.reference;
            }
            place = (place + 1) & mask;
            if place == end {
                return self.crowded_reference(text, hash);
            }
        }
        self.insert(text, hash, Some(place))
    }

    /// The number of a text for which all slots near its own are taken by others.
    #[cold]
    fn crowded_reference(&mut self, text: &[u8], hash: u64) -> u32 {
        match self.crowded.get(text) {
            Some(reference) => *reference,
            None => self.insert(text, hash, None),
        }
    }

    #[inline]
    fn first_place(&self, hash: u64) -> usize {
        (hash >> self.shift) as usize
    }

    fn insert(&mut self, text: &[u8], hash: u64, place: Option<usize>) -> u32 {
        let reference = self.push(text, hash);
        // At most half of the slots are taken, so that a search ends soon.
        if 2 * self.entries.len() > self.slots.len() {
            self.grow();
        } else if let Some(place) = place {
            self.slots[place] = Slot { generation: self.generation, reference };
        } else {
            self.crowded.insert(text.into(), reference);
        }
        reference
    }

    fn push(&mut self, text: &[u8], hash: u64) -> u32 {
        let out = &mut self.encoded;
        out.reserve(text.len() + 11);
        out.push(SYMBOLS);
        out.push_varint(text.len() as u64);
        let start = out.len() as u32;
        out.push_slice(text);
        self.entries.push(Entry { hash, start, length: text.len() as u32 });
        self.entries.len() as u32 - 1
    }

    #[cold]
    fn grow(&mut self) {
        let count = (2 * self.slots.len()).max(SLOTS_MIN);
        self.slots.clear();
        self.slots.resize(count, Slot::default());
        self.shift = 64 - count.trailing_zeros();
        self.crowded.clear();
        for (reference, entry) in (0..).zip(&self.entries).skip(1) {
            let first = (entry.hash >> self.shift) as usize;
            let mut near = (first..first + PROBES_MAX).map(|place| place & (count - 1));
            match near.find(|place| self.slots[*place].generation != self.generation) {
                Some(place) => self.slots[place] = Slot { generation: self.generation, reference },
                None => drop(self.crowded.insert(self.text_of(entry).into(), reference)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(count: u32) -> impl Iterator<Item = String> {
        // Lengths on both sides of those whose length takes a second byte.
        (0..count).map(|n| format!("{n}{}", "x".repeat(n as usize % 150)))
    }

    #[test]
    fn each_text_is_a_symbol_once() {
        let mut symbols = Symbols::default();
        for (n, text) in (1..).zip(texts(3000)) {
            assert_eq!(symbols.reference(text.as_bytes()), n, "{text}");
        }
        for (n, text) in (1..).zip(texts(3000)) {
            assert_eq!(symbols.reference(text.as_bytes()), n, "{text}");
            assert_eq!(symbols.text(n), text.as_bytes());
        }
        assert_eq!(symbols.reference(b""), 0);
        assert_eq!((symbols.text(0), symbols.text(3001)), (&b""[..], &b""[..]));
    }

    /// Texts of one hash: the second word undoes what the first one did.
    fn colliding(count: u64) -> impl Iterator<Item = [u8; 16]> {
        (0..count).map(|first| {
            let state = (16u64.rotate_left(23) ^ first).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mut text = [0; 16];
            text[..8].copy_from_slice(&first.to_le_bytes());
            text[8..].copy_from_slice(&state.rotate_left(23).to_le_bytes());
            text
        })
    }

    #[test]
    fn texts_of_one_hash_are_symbols_once() {
        let mut symbols = Symbols::default();
        assert!(colliding(3000).all(|text| identity::hash(&text).0 == 0));
        for _ in 0..2 {
            for (n, text) in (1..).zip(colliding(3000)) {
                assert_eq!(symbols.reference(&text), n);
                assert_eq!(symbols.text(n), text);
            }
        }
        assert!(symbols.crowded.len() > 2500, "{}", symbols.crowded.len());
        // Others are found among them, before and behind.
        assert_eq!((symbols.reference(b"other"), symbols.reference(b"other")), (3001, 3001));
        symbols.clear();
        for (n, text) in (1..).zip(colliding(300).collect::<Vec<_>>().iter().rev()) {
            assert_eq!(symbols.reference(text), n);
        }
    }

    #[test]
    fn an_emptied_table_knows_nothing_of_before() {
        let mut symbols = Symbols::default();
        for text in texts(500) {
            symbols.reference(text.as_bytes());
        }
        let generation = symbols.generation();
        symbols.clear();
        assert_ne!(symbols.generation(), generation);
        assert_eq!(symbols.as_slice(), [SYMBOLS, 0]);
        for (n, text) in (1..).zip(texts(500).collect::<Vec<_>>().iter().rev()) {
            assert_eq!(symbols.reference(text.as_bytes()), n);
        }
    }

    #[test]
    fn a_table_can_be_emptied_for_ever() {
        let mut symbols = Symbols::default();
        symbols.reference(b"a");
        symbols.generation = u32::MAX;
        symbols.reference(b"b");
        symbols.clear();
        symbols.reference(b"c");
        assert_eq!((symbols.reference(b"b"), symbols.reference(b"a")), (2, 3));
    }

    #[test]
    fn symbols_are_fields_of_a_request() {
        let mut symbols = Symbols::default();
        symbols.reference(b"ab");
        symbols.reference(b"ab");
        symbols.reference(b"c");
        assert_eq!(symbols.as_slice(), b"\x22\x00\x22\x02ab\x22\x01c");
        assert_eq!(symbols.size(), symbols.as_slice().len());
    }
}
