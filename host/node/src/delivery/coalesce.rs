//! Fuller requests from waiting batches.

use std::sync::Arc;

use super::Shared;
use preamp_contract::Batch;

/// One request to be, and how much of the queue is done with it.
#[derive(Clone, Debug)]
pub(super) struct Parcel {
    pub(super) batch: Arc<Batch>,
    /// How many batches can be acknowledged once this is delivered.
    pub(super) covers: usize,
}

impl Shared {
    /// Joins waiting batches of one partition, which are in order, into as few requests as the
    /// component finds possible and the receiver takes. What cannot be joined is sent as it is.
    pub(super) async fn coalesce(&self, waiting: Vec<Arc<Batch>>) -> Vec<Parcel> {
        let mut parcels = Vec::new();
        for group in groups(waiting, self.largest.bytes()) {
            parcels.extend(self.join(group).await);
        }
        parcels
    }

    async fn join(&self, waiting: Vec<Arc<Batch>>) -> Vec<Parcel> {
        if waiting.len() < 2 {
            return apart(waiting);
        }
        let copies = self.copies(&waiting).await;
        let problem = match self.parts.exporters.merge(copies).await {
            Ok(Ok(merged)) if same_counts(&waiting, &merged) => return together(&waiting, merged),
            Ok(Ok(_)) => "the component merged batches into others of different counts".to_owned(),
            Ok(Err(error)) => format!("{error:?}"),
            Err(error) => error.to_string(),
        };
        if let Some(suppressed) = self.log_limiter.allow("merge", 1) {
            tracing::error!(problem, suppressed, "cannot merge batches; each is sent alone");
        }
        apart(waiting)
    }

    /// Copies of batches that can be sent. They are downgraded before they are merged: the other way
    /// round they would be too large and be cut again.
    async fn copies(&self, waiting: &[Arc<Batch>]) -> Vec<Batch> {
        let mut copies = Vec::with_capacity(waiting.len());
        for batch in waiting {
            let downgraded = match self.fallback.concerns(batch) {
                true => self.downgrade(batch).await,
                false => None,
            };
            match downgraded {
                Some(parts) => copies.extend(parts.iter().map(|part| Batch::clone(part))),
                None => copies.push(Batch::clone(batch)),
            }
        }
        copies
    }
}

/// Neighbours that come to no more than so many bytes before compression, each at least one.
fn groups(waiting: Vec<Arc<Batch>>, largest: u64) -> Vec<Vec<Arc<Batch>>> {
    let mut groups: Vec<Vec<Arc<Batch>>> = Vec::new();
    let mut bytes = 0u64;
    for batch in waiting {
        let own = u64::from(batch.uncompressed_size);
        bytes = bytes.saturating_add(own);
        match groups.last_mut() {
            Some(group) if bytes <= largest => group.push(batch),
            _ => {
                bytes = own;
                groups.push(vec![batch]);
            }
        }
    }
    groups
}

/// Each batch in a request of its own.
pub(super) fn apart(waiting: Vec<Arc<Batch>>) -> Vec<Parcel> {
    waiting.into_iter().map(|batch| Parcel { batch, covers: 1 }).collect()
}

/// Tells which waiting batches each merged one stands for. Batches are merged whole and in order, so
/// the running sums say it; where they do not meet, the next parcel covers both.
fn together(waiting: &[Arc<Batch>], merged: Vec<Batch>) -> Vec<Parcel> {
    let mut parcels = Vec::with_capacity(merged.len());
    let mut rest = waiting.iter().peekable();
    let (mut taken, mut sent) = (Counts::default(), Counts::default());
    let mut covers = 0;
    let last = merged.len().saturating_sub(1);
    for (number, batch) in merged.into_iter().enumerate() {
        sent.add(&batch);
        while let Some(next) = rest.next_if(|_| number == last || taken.series < sent.series) {
            taken.add(next);
            covers += 1;
        }
        let covered = if taken == sent { std::mem::take(&mut covers) } else { 0 };
        parcels.push(Parcel { batch: Arc::new(batch), covers: covered });
    }
    parcels
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    points: u64,
    series: u64,
    samples: u64,
}

impl Counts {
    fn add(&mut self, batch: &Batch) {
        self.points += u64::from(batch.points);
        self.series += u64::from(batch.series);
        self.samples += u64::from(batch.samples);
    }
}

fn same_counts(waiting: &[Arc<Batch>], merged: &[Batch]) -> bool {
    let (mut before, mut after) = (Counts::default(), Counts::default());
    waiting.iter().for_each(|batch| before.add(batch));
    merged.iter().for_each(|batch| after.add(batch));
    before == after
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{groups, same_counts, together};
    use preamp_contract::{Batch, Protocol};

    fn batch(points: u32, series: u32) -> Batch {
        Batch {
            body: Vec::new(),
            digest: Some([0; 32]),
            partition: 0,
            points,
            series,
            samples: series,
            histograms: 0,
            exemplars: 0,
            first: 0,
            last: 0,
            uncompressed_size: 0,
            protocol: Protocol::RemoteWriteV1,
        }
    }

    fn covered(waiting: &[(u32, u32)], merged: &[(u32, u32)]) -> Vec<usize> {
        let waiting: Vec<_> =
            waiting.iter().map(|(points, series)| Arc::new(batch(*points, *series))).collect();
        let merged = merged.iter().map(|(points, series)| batch(*points, *series)).collect();
        together(&waiting, merged).iter().map(|parcel| parcel.covers).collect()
    }

    #[test]
    fn groups_are_as_large_as_the_receiver_takes() {
        let sized = |uncompressed_size| Arc::new(Batch { uncompressed_size, ..batch(1, 1) });
        let sizes = |largest| {
            let waiting = [40, 30, 30, 200, 10].map(sized).to_vec();
            let size = |batch: &Arc<Batch>| batch.uncompressed_size;
            let groups = groups(waiting, largest).into_iter();
            groups.map(|group| group.iter().map(size).collect::<Vec<_>>()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(u64::MAX), [vec![40, 30, 30, 200, 10]]);
        assert_eq!(sizes(100), [vec![40, 30, 30], vec![200], vec![10]]);
        assert_eq!(sizes(1), [[40], [30], [30], [200], [10]]);
    }

    #[test]
    fn parcels_cover_the_batches_they_were_merged_from() {
        let waiting = [(1, 2), (3, 4), (5, 5), (0, 3)];
        assert_eq!(covered(&waiting, &[(9, 14)]), [4]);
        assert_eq!(covered(&waiting, &[(4, 6), (5, 8)]), [2, 2]);
        assert_eq!(covered(&waiting, &[(1, 2), (8, 9), (0, 3)]), [1, 2, 1]);
    }

    #[test]
    fn what_is_cut_elsewhere_is_covered_by_the_parcel_that_completes_it() {
        assert_eq!(covered(&[(2, 4), (2, 4)], &[(1, 2), (3, 6)]), [0, 2]);
    }

    #[test]
    fn batches_without_series_are_covered_too() {
        assert_eq!(covered(&[(1, 1), (0, 0), (1, 1), (0, 0)], &[(1, 1), (1, 1)]), [1, 3]);
        assert_eq!(covered(&[(0, 0), (0, 0)], &[(0, 0)]), [2]);
    }

    #[test]
    fn a_merge_that_loses_a_point_is_noticed() {
        let waiting = [Arc::new(batch(2, 2)), Arc::new(batch(1, 1))];
        assert!(same_counts(&waiting, &[batch(3, 3)]));
        assert!(!same_counts(&waiting, &[batch(2, 3)]));
    }
}
