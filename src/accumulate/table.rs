//! The series by id: a dense list, and an index of open addressing into it.

use super::hash::SeriesId;
use super::series::Series;
use std::collections::BTreeMap;

/// So many slots are looked at in one search. By chance hardly any series is further from its own slot;
/// ids that were made to fall on one slot would be, all of them.
const PROBES_MAX: usize = 128;

#[derive(Debug, Default)]
pub(super) struct Table {
    series: Vec<Series>,
    /// The places of series in the list, each plus one; 0 is free. Its length is a power of two.
    index: Vec<u32>,
    /// The places of series that found no slot near enough.
    crowded: BTreeMap<SeriesId, u32>,
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
        for _ in 0..PROBES_MAX {
            let Some(place) = self.index[slot].checked_sub(1) else { break };
            if self.series[place as usize].id == id {
                return Some(place as usize);
            }
            slot = self.after(slot);
        }
        self.crowded.get(&id).map(|place| *place as usize)
    }

    /// Whether one more series makes the table grow.
    pub fn is_full(&self) -> bool {
        self.series.len() >= self.index.len() / 4 * 3
    }

    /// Adds a series, which must not be there yet, and returns its place.
    pub fn insert(&mut self, series: Series) -> usize {
        let place = self.series.len();
        if self.is_full() {
            let slots = (self.index.len() * 2).max(16);
            self.series.push(series);
            self.rebuild(slots);
        } else {
            self.series.push(series);
            self.link(place);
        }
        place
    }

    pub fn remove(&mut self, id: SeriesId) -> Option<Series> {
        let place = self.find(id)?;
        match self.slot_of(place) {
            Some(slot) => self.close(slot),
            None => drop(self.crowded.remove(&id)),
        }
        let last = self.series.len() - 1;
        if place != last {
            // The last series takes the place that gets free.
            match self.slot_of(last) {
                Some(slot) => self.index[slot] = place as u32 + 1,
                None => drop(self.crowded.insert(self.series[last].id, place as u32)),
            }
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

    /// Makes the index point to a place.
    fn link(&mut self, place: usize) {
        let id = self.series[place].id;
        match self.near(id).find(|slot| self.index[*slot] == 0) {
            Some(slot) => self.index[slot] = place as u32 + 1,
            None => drop(self.crowded.insert(id, place as u32)),
        }
    }

    /// The slot that points to a place; none if it is a crowded one.
    fn slot_of(&self, place: usize) -> Option<usize> {
        self.near(self.series[place].id).find(|slot| self.index[*slot] == place as u32 + 1)
    }

    /// The slots that a series may have.
    fn near(&self, id: SeriesId) -> impl Iterator<Item = usize> + use<> {
        let (home, mask) = (self.home(id), self.index.len() - 1);
        (home..home + PROBES_MAX).map(move |slot| slot & mask)
    }

    /// Frees a slot, and moves up those behind it that are not at home, so that none is lost behind
    /// the gap. None is moved further than a search looks.
    fn close(&mut self, mut gap: usize) {
        let mask = self.index.len() - 1;
        let mut slot = self.after(gap);
        while let Some(place) = self.index[slot].checked_sub(1) {
            let from_gap = slot.wrapping_sub(gap) & mask;
            if from_gap >= PROBES_MAX {
                break;
            }
            let home = self.home(self.series[place as usize].id);
            if (slot.wrapping_sub(home) & mask) >= from_gap {
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
        self.crowded.clear();
        (0..self.series.len()).for_each(|place| self.link(place));
    }
}

#[cfg(test)]
mod tests {
    use super::{PROBES_MAX, Series, SeriesId, Table};

    /// Series that fall on few slots are found, and only they are, whatever was removed between.
    #[test]
    fn crowds_are_as_good_as_others() {
        let id = |number: u64| SeriesId { first: number, second: number % 3 };
        let mut table = Table::default();
        let count = 20 * PROBES_MAX as u64;
        for number in 0..count {
            table.insert(Series::unknown(id(number)));
        }
        assert!(table.crowded.len() > 17 * PROBES_MAX, "{}", table.crowded.len());
        for number in (0..count).filter(|number| number % 7 != 0) {
            assert_eq!(table.remove(id(number)).map(|series| series.id), Some(id(number)));
            assert_eq!(table.remove(id(number)), None);
        }
        let found = |table: &Table, number| table.find(id(number)).map(|place| table.series[place].id);
        for number in 0..count {
            assert_eq!(found(&table, number), (number % 7 == 0).then(|| id(number)), "{number}");
        }
        for number in (0..count).rev().filter(|number| number % 7 != 0) {
            table.insert(Series::unknown(id(number)));
        }
        table.retain(|series| series.id.first % 2 == 0);
        for number in 0..count {
            assert_eq!(found(&table, number), (number % 2 == 0).then(|| id(number)), "{number}");
        }
    }
}
