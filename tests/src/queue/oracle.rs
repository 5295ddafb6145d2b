//! What a queue must hold, kept by redb.

use anyhow::{Context, Result};
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use std::collections::BTreeMap;

const WAITING: TableDefinition<(u32, u64), u64> = TableDefinition::new("waiting");
const NEXT: TableDefinition<u32, u64> = TableDefinition::new("next");

/// The numbers of the batches that wait, by partition and in order.
pub type Waiting = BTreeMap<u32, Vec<u64>>;

/// A queue of numbers in a store that is known to be right.
pub struct Oracle(Database);

impl Oracle {
    /// An empty one.
    ///
    /// # Errors
    /// What redb says.
    pub fn new() -> Result<Self> {
        let store = Database::builder().create_with_backend(InMemoryBackend::new())?;
        let writing = store.begin_write()?;
        writing.open_table(WAITING)?;
        writing.open_table(NEXT)?;
        writing.commit()?;
        Ok(Oracle(store))
    }

    /// Appends batches, each a partition and a number, all or none.
    ///
    /// # Errors
    /// What redb says.
    pub fn append(&self, batches: &[(u32, u64)]) -> Result<()> {
        let writing = self.0.begin_write()?;
        {
            let mut waiting = writing.open_table(WAITING)?;
            let mut next = writing.open_table(NEXT)?;
            for (partition, number) in batches {
                let place = next.get(partition)?.map_or(0, |place| place.value());
                next.insert(partition, place + 1)?;
                waiting.insert((*partition, place), number)?;
            }
        }
        Ok(writing.commit()?)
    }

    /// Removes the first batches of a partition.
    ///
    /// # Errors
    /// What redb says, or that there are not as many.
    pub fn acknowledge(&self, partition: u32, count: usize) -> Result<()> {
        let writing = self.0.begin_write()?;
        {
            let mut waiting = writing.open_table(WAITING)?;
            for _ in 0..count {
                let first = waiting.range((partition, 0)..=(partition, u64::MAX))?.next().transpose()?;
                let place = first.context("more is acknowledged than waits")?.0.value();
                waiting.remove(place)?;
            }
        }
        Ok(writing.commit()?)
    }

    /// What waits.
    ///
    /// # Errors
    /// What redb says.
    pub fn waiting(&self) -> Result<Waiting> {
        let mut all = Waiting::new();
        for entry in self.0.begin_read()?.open_table(WAITING)?.iter()? {
            let (place, number) = entry?;
            all.entry(place.value().0).or_default().push(number.value());
        }
        Ok(all)
    }
}
