//! Tables of a fixed size for what comes again and again: what was worked out for it stays until
//! something else falls on its slot. A search is one look, and nothing has to be thrown away.

/// How many slots a table has, besides the shared one.
const SLOTS: usize = 256;

/// What is larger than this gets no slot of its own, so that a table stays small whatever comes.
const LARGE_BYTES: usize = 4096;

/// A place in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slot(usize);

impl Slot {
    /// The slot that all large things share.
    pub const SHARED: Slot = Slot(SLOTS);

    /// The slot for a hash whose upper bits are well mixed, and for a thing of this size.
    #[inline]
    pub fn of(hash: u64, bytes: usize) -> Slot {
        match bytes {
            0..=LARGE_BYTES => Slot((hash >> (u64::BITS - SLOTS.trailing_zeros())) as usize),
            _ => Slot::SHARED,
        }
    }
}

/// A table. A slot holds the default until something else is put there.
pub struct Slots<T>(Vec<T>);

impl<T: Default> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots((0..=SLOTS).map(|_| T::default()).collect())
    }
}

impl<T> Slots<T> {
    /// What is in a slot.
    #[inline]
    pub fn at(&self, slot: Slot) -> &T {
        &self.0[slot.0]
    }

    /// The same, to be changed.
    #[inline]
    pub fn at_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.0[slot.0]
    }

    /// What is in all slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}
