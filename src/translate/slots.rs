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
pub struct Slots<T> {
    slots: Vec<T>,
    latest: Slot,
}

impl<T: Default> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { slots: (0..=SLOTS).map(|_| T::default()).collect(), latest: Slot::default() }
    }
}

impl<T> Slots<T> {
    /// What is in a slot.
    #[inline]
    pub fn at(&self, slot: Slot) -> &T {
        &self.slots[slot.0]
    }

    /// The same, to be changed.
    #[inline]
    pub fn at_mut(&mut self, slot: Slot) -> &mut T {
        &mut self.slots[slot.0]
    }

    /// What is in all slots.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter()
    }

    /// Finds what `is_for` holds for, and makes it the latest: the latest is looked at first, then what
    /// is in the slot, which `set` changes into it if need be.
    #[inline]
    pub fn find(
        &mut self,
        is_for: impl Fn(&T) -> bool,
        slot: impl FnOnce() -> Slot,
        set: impl FnOnce(&mut T),
    ) {
        if is_for(self.latest()) {
            return;
        }
        self.latest = slot();
        if !is_for(self.latest()) {
            set(self.latest_mut());
        }
    }

    /// What was found last.
    #[inline]
    pub fn latest(&self) -> &T {
        self.at(self.latest)
    }

    /// The same, to be changed.
    #[inline]
    pub fn latest_mut(&mut self) -> &mut T {
        self.at_mut(self.latest)
    }

    /// Whether what was found last is large.
    #[inline]
    pub fn is_latest_large(&self) -> bool {
        self.latest == Slot::SHARED
    }
}
