//! What the payload at hand has changed, so that it can be undone: a payload that turns out to be
//! unreadable half-way must leave no trace.

use super::codec::{Bytes, read_series, write_series};
use super::hash::SeriesId;
use super::series::Series;
use super::table::Table;

#[derive(Debug, Default)]
pub(super) struct Journal {
    changes: Vec<Change>,
    /// Series as they were, one after the other. Written, not cloned: that needs no memory of its own
    /// for each.
    before: Vec<u8>,
    /// The time that series are written with, in milliseconds since the epoch.
    now: u64,
}

#[derive(Debug)]
enum Change {
    /// The series was not there.
    Added(SeriesId),
    /// The series was what lies from here on in `before`.
    Changed(usize),
}

impl Journal {
    /// Forgets what the payload before changed.
    pub fn clear(&mut self, now: u64) {
        self.changes.clear();
        self.before.clear();
        self.now = now;
    }

    pub fn added(&mut self, id: SeriesId) {
        self.changes.push(Change::Added(id));
    }

    /// Notes a series that is about to be changed or removed.
    pub fn changes(&mut self, series: &Series) {
        self.changes.push(Change::Changed(self.before.len()));
        write_series(series, self.now, &mut self.before);
    }

    /// Brings all series back to what they were.
    pub fn undo(&mut self, table: &mut Table) {
        while let Some(change) = self.changes.pop() {
            match change {
                Change::Added(id) => {
                    table.remove(id);
                }
                Change::Changed(at) => {
                    let mut bytes = Bytes(self.before.get(at..).unwrap_or_default());
                    if let Some(series) = read_series(&mut bytes, self.now) {
                        table.remove(series.id);
                        table.insert(series);
                    }
                }
            }
        }
        self.before.clear();
    }
}
