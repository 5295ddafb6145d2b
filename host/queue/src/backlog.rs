//! The order of what waits, and the limits of it: what all queues of one process have in common.

use super::ticket::{Payload, Ticket};
use super::{AppendError, Limit, PartitionStatistics, Settlement, Statistics, Window};
use preamp_contract::{Batch, PossiblyDelivered};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// What batches count for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    pub batches: u64,
    pub bytes: u64,
    pub points: u64,
    pub samples: u64,
}

impl Size {
    pub fn of(batch: &Batch) -> Self {
        Size {
            batches: 1,
            bytes: batch.body.len() as u64,
            points: batch.points.into(),
            samples: batch.samples.into(),
        }
    }

    fn plus(self, other: Self) -> Self {
        Size {
            batches: self.batches + other.batches,
            bytes: self.bytes + other.bytes,
            points: self.points + other.points,
            samples: self.samples + other.samples,
        }
    }
}

/// A batch that waits; `T` is how its queue finds it.
#[derive(Debug)]
pub(super) struct Entry<T> {
    pub item: T,
    pub size: Size,
    pub payload: Arc<Payload>,
    pub since: Instant,
}

/// One payload in so many is evicted at once, so that there is room for some time.
const EVICTION_FRACTION: u64 = 32;

/// What the queue knows of a batch takes about so much memory, in bytes, beside the body.
pub(super) const ENTRY_BYTES: u64 = 256;

/// The entries that a partition keeps memory for when hardly any wait.
const SPARE_ENTRIES: usize = 256;

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub payloads: u64,
    pub points: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// Bytes of memory: what the queue knows of each batch, and the bodies if they are in memory.
    pub memory: u64,
    /// Whether the bodies are in memory.
    pub holds_bodies: bool,
}

impl Limits {
    fn memory_of(&self, batches: u64, bytes: u64) -> u64 {
        let bodies = if self.holds_bodies { bytes } else { 0 };
        batches.saturating_mul(ENTRY_BYTES).saturating_add(bodies)
    }
}

/// The batches that wait, by partition.
///
/// Batches of a layout with another number of partitions come before all others, since a series may have been in
/// another partition there: no partition of a layout is read before the earlier layouts are empty.
#[derive(Debug)]
pub(super) struct Backlog<T> {
    limits: Limits,
    /// The earliest layout first; at least one, which new batches are for.
    layouts: VecDeque<Layout<T>>,
    payloads: u64,
    batches: u64,
    points: u64,
    bytes: u64,
    /// Points that were removed.
    acknowledged: u64,
    /// How many payloads there have been.
    begun: u64,
    /// Payloads up to this number are evicted.
    evicted_through: u64,
    is_closed: bool,
}

#[derive(Debug)]
struct Layout<T> {
    number: u32,
    partitions: Vec<Partition<T>>,
}

#[derive(Debug)]
struct Partition<T> {
    waiting: VecDeque<Entry<T>>,
    size: Size,
    possibly_delivered: PossiblyDelivered,
}

/// What a reader of a partition finds.
#[derive(Debug)]
pub(super) enum First<'a, T> {
    /// These wait first, and the receiver may have some of them.
    Waiting(Vec<&'a Entry<T>>, PossiblyDelivered),
    /// These wait first, and are evicted.
    Evicted(Vec<&'a Entry<T>>),
    /// Nothing to read at the moment.
    Nothing,
    /// Nothing, and nothing will come any more.
    End,
}

impl<T> Backlog<T> {
    /// An empty one with layouts of these numbers and as many partitions, the earliest first.
    pub fn new(limits: Limits, layouts: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let layout = |(number, partitions)| Layout {
            number,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
        };
        let layouts = layouts.into_iter().map(layout).collect();
        Backlog {
            limits,
            layouts,
            payloads: 0,
            batches: 0,
            points: 0,
            bytes: 0,
            acknowledged: 0,
            begun: 0,
            evicted_through: 0,
            is_closed: false,
        }
    }

    /// How many partitions new batches are shared out to.
    pub fn partitions(&self) -> u32 {
        self.layouts.back().map_or(0, |layout| layout.partitions.len() as u32)
    }

    /// How many partitions there are to read.
    pub fn readers(&self) -> u32 {
        self.layouts.iter().map(|layout| layout.partitions.len() as u32).max().unwrap_or_default()
    }

    /// The number of the earliest layout, which is the one that is read.
    pub fn first_layout(&self) -> u32 {
        self.layouts.front().map_or(0, |layout| layout.number)
    }

    /// Whether anything waits, or is being appended.
    pub fn has_waiting(&self) -> bool {
        self.payloads > 0
    }

    /// The next payload, which those who follow it can be told of.
    pub fn begin_payload(&mut self, ticket: Option<Ticket>) -> Arc<Payload> {
        self.begun += 1;
        Payload::new(self.begun, ticket)
    }

    /// Takes the room for a payload, which has to be published or released.
    pub fn reserve(&mut self, payload: &[Batch]) -> Result<Size, AppendError> {
        let size = self.check(payload)?;
        self.take(size);
        Ok(size)
    }

    /// Takes so much room, which there is.
    pub fn take(&mut self, size: Size) {
        self.payloads += 1;
        self.batches += size.batches;
        self.points += size.points;
        self.bytes += size.bytes;
    }

    /// Gives the room of a payload back.
    pub fn release(&mut self, size: Size) {
        self.payloads -= 1;
        self.batches -= size.batches;
        self.points -= size.points;
        self.bytes -= size.bytes;
    }

    /// Whether there is room for a payload, which needs so much.
    pub fn check(&self, payload: &[Batch]) -> Result<Size, AppendError> {
        if self.is_closed {
            return Err(AppendError::Closed);
        }
        let partitions = self.partitions();
        if let Some(stray) = payload.iter().find(|batch| batch.partition >= partitions) {
            return Err(AppendError::UnknownPartition { partition: stray.partition, partitions });
        }
        let size = payload.iter().map(Size::of).fold(Size::default(), Size::plus);
        if size.bytes > self.limits.bytes {
            return Err(AppendError::TooLarge { needed: size.bytes, allowed: self.limits.bytes });
        }
        // A payload of more points than may wait is taken when nothing does, or it never would be.
        let points = if self.payloads == 0 { 0 } else { size.points };
        let memory = self.limits.memory_of(self.batches, self.bytes);
        // As with points: what is too much for an empty queue is bounded by what a call of the component returns.
        let more = if self.payloads == 0 { 0 } else { self.limits.memory_of(size.batches, size.bytes) };
        let limits = [
            (Limit::Payloads, self.payloads, 1, self.limits.payloads),
            (Limit::Points, self.points, points, self.limits.points),
            (Limit::Bytes, self.bytes, size.bytes, self.limits.bytes),
            (Limit::Memory, memory, more, self.limits.memory),
        ];
        for (limit, waiting, needed, allowed) in limits {
            if waiting.saturating_add(needed) > allowed {
                return Err(AppendError::Full { limit, waiting, needed, allowed });
            }
        }
        Ok(size)
    }

    /// Adds a batch for which there was room, to the newest layout.
    pub fn publish(&mut self, partition: u32, entry: Entry<T>) {
        let layout = self.layouts.back_mut();
        if let Some(partition) = layout.and_then(|layout| layout.partitions.get_mut(partition as usize)) {
            partition.push(entry);
        }
    }

    /// Adds a batch that an earlier process left, which may be the first one of its payload. There is always room
    /// for it.
    pub fn restore(&mut self, layout: u32, partition: u32, entry: Entry<T>, begins_payload: bool) {
        let layout = self.layouts.iter_mut().find(|known| known.number == layout);
        if let Some(partition) = layout.and_then(|layout| layout.partitions.get_mut(partition as usize)) {
            self.payloads += u64::from(begins_payload);
            self.batches += entry.size.batches;
            self.points += entry.size.points;
            self.bytes += entry.size.bytes;
            partition.push(entry);
        }
    }

    /// What waits first in a partition.
    pub fn first(&self, partition: u32, window: Window) -> First<'_, T> {
        let number = partition as usize;
        match self.readable(partition) {
            Some(own) if !own.waiting.is_empty() => match self.evicted(partition) {
                0 => {
                    let first = own.first(window);
                    let possibly_delivered = own.possibly_delivered.among(first.len());
                    First::Waiting(first, possibly_delivered)
                }
                batches => First::Evicted(own.first(Window { batches, ..window })),
            },
            _ if self.is_closed && self.is_empty(number) => First::End,
            _ => First::Nothing,
        }
    }

    /// Evicts the oldest payloads: a small part of all, or one, unless some that were evicted wait still.
    pub fn evict_oldest(&mut self) {
        if (0..self.readers()).all(|partition| self.evicted(partition) == 0) {
            let last = self.last_of_oldest(1 + self.payloads / EVICTION_FRACTION);
            self.evicted_through = last.max(self.evicted_through);
        }
    }

    /// The number of the last of as many payloads, the oldest that wait.
    fn last_of_oldest(&self, payloads: u64) -> u64 {
        let partitions = self.layouts.iter().flat_map(|layout| &layout.partitions);
        let mut waiting: Vec<_> = partitions.map(|partition| partition.waiting.iter()).collect();
        let mut firsts = BinaryHeap::new();
        let mut turn = Vec::from_iter(0..waiting.len());
        let (mut found, mut last) = (0, 0);
        loop {
            for place in turn.drain(..) {
                firsts.extend(waiting[place].next().map(|entry| Reverse((entry.payload.number, place))));
            }
            let Some(Reverse((number, place))) = firsts.pop() else { return last };
            if number != last {
                found += 1;
                if found > payloads {
                    return last;
                }
            }
            last = number;
            turn.push(place);
        }
    }

    /// How many of the first batches of a partition are evicted.
    pub fn evicted(&self, partition: u32) -> usize {
        let Some(own) = self.readable(partition) else { return 0 };
        own.waiting.iter().take_while(|entry| entry.payload.number <= self.evicted_through).count()
    }

    /// Whether as many points wait in a partition, or no more will come.
    pub fn has_points(&self, partition: u32, points: u64) -> bool {
        self.is_closed || self.readable(partition).is_some_and(|own| own.size.points >= points)
    }

    /// Notes that some of what waits first in a partition is sent, or `None` that nothing was.
    pub fn note_sent(&mut self, partition: u32, sent: Option<PossiblyDelivered>) {
        let layout = self.layouts.front_mut();
        if let Some(own) = layout.and_then(|layout| layout.partitions.get_mut(partition as usize)) {
            let sent = sent.map(|sent| own.possibly_delivered.and(sent.among(own.waiting.len())));
            own.possibly_delivered = sent.unwrap_or_default();
        }
    }

    /// What the receiver may have of a partition.
    pub fn possibly_delivered(&self, partition: u32) -> PossiblyDelivered {
        self.readable(partition).map(|own| own.possibly_delivered).unwrap_or_default()
    }

    /// How many of the batches that wait first in a partition are so.
    pub fn count_first(&self, partition: u32, is_so: impl Fn(&T) -> bool) -> usize {
        let waiting = self.readable(partition).into_iter().flat_map(|own| &own.waiting);
        waiting.take_while(|entry| is_so(&entry.item)).count()
    }

    /// The batch in place `index` of those that wait in a partition.
    pub fn nth(&self, partition: u32, index: usize) -> Option<&T> {
        self.readable(partition)?.waiting.get(index).map(|entry| &entry.item)
    }

    fn readable(&self, partition: u32) -> Option<&Partition<T>> {
        self.layouts.front()?.partitions.get(partition as usize)
    }

    fn is_empty(&self, partition: usize) -> bool {
        let own = self.layouts.iter().filter_map(|layout| layout.partitions.get(partition));
        own.into_iter().all(|own| own.waiting.is_empty())
    }

    /// Removes the first batches of a partition. Whether a layout was emptied by it, so that every partition may
    /// have something to read.
    pub fn remove(
        &mut self,
        partition: u32,
        count: usize,
        settlement: &Settlement,
        mut removed: impl FnMut(T),
    ) -> bool {
        let layout = self.layouts.front_mut();
        let Some(own) = layout.and_then(|layout| layout.partitions.get_mut(partition as usize)) else {
            return false;
        };
        for _ in 0..count {
            let Some(Entry { item, size, payload, .. }) = own.pop() else { break };
            self.batches -= size.batches;
            self.points -= size.points;
            self.bytes -= size.bytes;
            self.acknowledged += size.points;
            payload.settled(settlement);
            self.payloads -= u64::from(Arc::into_inner(payload).is_some());
            removed(item);
        }
        own.possibly_delivered = own.possibly_delivered.behind(count);
        self.leave_empty_layouts()
    }

    /// Goes on to the first layout in which something waits. Whether that is another one.
    pub fn leave_empty_layouts(&mut self) -> bool {
        let is_empty = |layout: &Layout<T>| layout.partitions.iter().all(|own| own.waiting.is_empty());
        let before = self.layouts.len();
        while self.layouts.len() > 1 && self.layouts.front().is_some_and(is_empty) {
            self.layouts.pop_front();
        }
        self.layouts.len() != before
    }

    /// Takes no more payloads.
    pub fn close(&mut self) {
        self.is_closed = true;
    }

    pub fn statistics(&self) -> Statistics {
        let mut partitions = vec![PartitionStatistics::default(); self.readers() as usize];
        for layout in &self.layouts {
            for (sum, partition) in partitions.iter_mut().zip(&layout.partitions) {
                *sum = sum.plus(partition.statistics());
            }
        }
        let has_memory_limit = self.limits.memory != u64::MAX;
        Statistics {
            payloads: self.payloads,
            max_payloads: self.limits.payloads,
            max_bytes: self.limits.bytes,
            memory: if has_memory_limit { self.limits.memory_of(self.batches, self.bytes) } else { 0 },
            max_memory: if has_memory_limit { self.limits.memory } else { 0 },
            damaged_points: 0,
            damaged_file_bytes: 0,
            handed_over_points: 0,
            taken_over_points: 0,
            acknowledged_points: self.acknowledged,
            partitions,
        }
    }
}

impl<T> Default for Partition<T> {
    fn default() -> Self {
        Partition {
            waiting: VecDeque::new(),
            size: Size::default(),
            possibly_delivered: PossiblyDelivered::default(),
        }
    }
}

impl<T> Partition<T> {
    fn push(&mut self, entry: Entry<T>) {
        self.size = self.size.plus(entry.size);
        self.waiting.push_back(entry);
    }

    fn pop(&mut self) -> Option<Entry<T>> {
        let entry = self.waiting.pop_front()?;
        self.size.batches -= entry.size.batches;
        self.size.bytes -= entry.size.bytes;
        self.size.points -= entry.size.points;
        self.size.samples -= entry.size.samples;
        // The backlog of an outage would keep its memory for the life of the process.
        let spare = SPARE_ENTRIES.max(self.waiting.len() * 2);
        if self.waiting.capacity() > spare * 2 {
            self.waiting.shrink_to(spare);
        }
        Some(entry)
    }

    fn first(&self, window: Window) -> Vec<&Entry<T>> {
        let count = window.count(self.waiting.iter().map(|entry| entry.size.bytes));
        self.waiting.iter().take(count).collect()
    }

    fn statistics(&self) -> PartitionStatistics {
        PartitionStatistics {
            batches: self.size.batches,
            bytes: self.size.bytes,
            points: self.size.points,
            samples: self.size.samples,
            oldest: self.waiting.front().map(|entry| entry.since.elapsed()),
        }
    }
}
