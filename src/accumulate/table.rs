//! The series by id: a dense list, and an index of open addressing into it.

use super::hash::SeriesId;
use super::series::Series;

#[derive(Debug, Default)]
pub(super) struct Table {
    series: Vec<Series>,
    /// The places of series in the list, each plus one; 0 is free. Its length is a power of two.
    index: Vec<u32>,
}

impl Table {
    pub fn len(&self) -> usize {
        self.series.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Series> {
        self.series.iter()
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut Series> {
        self.series.get_mut(place)
    }

    /// The place of a series, good until the next insertion or removal.
    #[inline]
    pub fn find(&self, id: SeriesId) -> Option<usize> {
        if self.index.is_empty() {
            return None;
        }
        let mut slot = self.home(id);
        loop {
            let place = self.index[slot].checked_sub(1)? as usize;
            if self.series[place].id == id {
                return Some(place);
            }
            slot = self.after(slot);
        }
    }

    /// Whether one more series makes the table grow.
    pub fn is_full(&self) -> bool {
        self.series.len() >= self.index.len() / 4 * 3
    }

    /// Adds a series, which must not be there yet, and returns its place.
    pub fn insert(&mut self, series: Series) -> usize {
        if self.is_full() {
            let slots = (self.index.len() * 2).max(16);
            self.series.push(series);
            self.rebuild(slots);
        } else {
            let slot = self.free_slot(series.id);
            self.series.push(series);
            self.index[slot] = self.series.len() as u32;
        }
        self.series.len() - 1
    }

    pub fn remove(&mut self, id: SeriesId) -> Option<Series> {
        let place = self.find(id)?;
        let last = self.series.len() - 1;
        self.close(self.slot_of(place));
        if place != last {
            // The last series takes the place that gets free.
            let slot = self.slot_of(last);
            self.index[slot] = place as u32 + 1;
        }
        Some(self.series.swap_remove(place))
    }

    /// Keeps only the series asked for.
    pub fn retain(&mut self, keep: impl FnMut(&Series) -> bool) {
        let before = self.series.len();
        self.series.retain(keep);
        if self.series.len() != before {
            self.rebuild(self.index.len());
        }
    }

    /// Any slot will do to begin with; the second hash is the better spread.
    fn home(&self, id: SeriesId) -> usize {
        id.second as usize & (self.index.len() - 1)
    }

    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.index.len() - 1)
    }

    fn free_slot(&self, id: SeriesId) -> usize {
        let mut slot = self.home(id);
        while self.index[slot] != 0 {
            slot = self.after(slot);
        }
        slot
    }

    /// The slot that points to a place.
    fn slot_of(&self, place: usize) -> usize {
        let mut slot = self.home(self.series[place].id);
        while self.index[slot] != place as u32 + 1 {
            slot = self.after(slot);
        }
        slot
    }

    /// Frees a slot, and moves up those behind it that are not at home, so that none is lost behind
    /// the gap.
    fn close(&mut self, mut gap: usize) {
        let mask = self.index.len() - 1;
        let mut slot = self.after(gap);
        while let Some(place) = self.index[slot].checked_sub(1) {
            let home = self.home(self.series[place as usize].id);
            if (slot.wrapping_sub(home) & mask) >= (slot.wrapping_sub(gap) & mask) {
                self.index[gap] = self.index[slot];
                gap = slot;
            }
            slot = self.after(slot);
        }
        self.index[gap] = 0;
    }

    fn rebuild(&mut self, slots: usize) {
        self.index.clear();
        self.index.resize(slots, 0);
        for place in 0..self.series.len() {
            let slot = self.free_slot(self.series[place].id);
            self.index[slot] = place as u32 + 1;
        }
    }
}
