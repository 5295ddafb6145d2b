//! Fuller requests from waiting batches.

use preamp_contract::Batch;
use std::borrow::Borrow;
use std::collections::VecDeque;

/// One request to be, and how much of the queue it completes.
#[derive(Debug)]
pub(crate) struct MergedRequest<B> {
    pub batch: B,
    /// How many batches of the queue can be acknowledged once this one is settled.
    pub acks: usize,
}

/// Takes neighbours from the front, no more than `most`, that come to no more than so many bytes before compression;
/// at least one batch.
pub(crate) fn next_group<B: Borrow<Batch>>(
    waiting: &mut VecDeque<B>,
    most: usize,
    size_limit: u64,
) -> Vec<B> {
    let mut bytes = 0u64;
    let fits = |batch: &&B| {
        let is_first = bytes == 0;
        bytes = bytes.saturating_add(Borrow::<Batch>::borrow(*batch).uncompressed_size.max(1).into());
        is_first || bytes <= size_limit
    };
    let count = waiting.iter().take(most.max(1)).take_while(fits).count();
    waiting.drain(..count).collect()
}

/// Each batch in a request of its own.
pub(crate) fn unmerged<B>(batches: Vec<B>) -> VecDeque<MergedRequest<B>> {
    batches.into_iter().map(|batch| MergedRequest { batch, acks: 1 }).collect()
}

/// Tells which waiting batches each merged one stands for; `None` if the merged ones say something else.
/// Batches are merged whole and in order, so running sums say it; where they do not meet, the next request
/// stands for both.
pub(crate) fn assign_acks<B: Borrow<Batch>>(
    group: &[B],
    merged: Vec<B>,
) -> Option<VecDeque<MergedRequest<B>>> {
    if Counts::of(group) != Counts::of(&merged) {
        return None;
    }
    let mut requests = VecDeque::with_capacity(merged.len());
    let mut rest = group.iter().map(Borrow::borrow).peekable();
    let (mut taken, mut sent) = (Counts::default(), Counts::default());
    let mut covered = 0;
    let last = merged.len().checked_sub(1)?;
    for (number, batch) in merged.into_iter().enumerate() {
        sent.add(batch.borrow());
        while let Some(next) = rest.next_if(|_| number == last || taken.series < sent.series) {
            taken.add(next);
            covered += 1;
        }
        let acks = if taken == sent { std::mem::take(&mut covered) } else { 0 };
        requests.push_back(MergedRequest { batch, acks });
    }
    Some(requests)
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    points: u64,
    series: u64,
    samples: u64,
}

impl Counts {
    fn of<B: Borrow<Batch>>(batches: &[B]) -> Counts {
        let mut counts = Counts::default();
        batches.iter().for_each(|batch| counts.add(batch.borrow()));
        counts
    }

    fn add(&mut self, batch: &Batch) {
        self.points += u64::from(batch.points);
        self.series += u64::from(batch.series);
        self.samples += u64::from(batch.samples);
    }
}
