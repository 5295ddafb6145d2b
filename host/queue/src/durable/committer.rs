//! The one that writes. What is asked of it while it waits for the disk becomes safe together, the next time (group
//! commit).

use super::log::{Change, Location, Log};
use super::quarantine::{Kept, Position, Quarantine};
use super::{Shared, Stored};
use crate::backlog::{Entry, Size};
use crate::{AppendError, PointOutcome, Settlement, StorageError, Ticket};
use preamp_base::clock::now_ms;
use preamp_contract::Batch;
use std::collections::VecDeque;
use std::io;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;
use tokio::sync::oneshot;

/// What is written at once, at most: enough to make the time the disk takes for it matter little.
const GROUP_BYTES: u64 = 8 << 20;
const GROUP_REQUESTS: usize = 1024;

/// What is asked of it.
pub(super) enum Request {
    Append(Append),
    Settle {
        partition: u32,
        count: usize,
        settlement: Settlement,
        reply: oneshot::Sender<Result<(), StorageError>>,
    },
    /// Keeps only these batches in the quarantine, and counts the points of the others.
    Release {
        rest: Vec<Kept>,
        points: u64,
        reply: oneshot::Sender<Result<(), StorageError>>,
    },
    Shutdown {
        possibly_delivered: bool,
        reply: oneshot::Sender<Result<(), StorageError>>,
    },
}

impl Request {
    fn bytes(&self) -> u64 {
        match self {
            Request::Append(append) => append.size.bytes,
            Request::Settle { .. } | Request::Release { .. } | Request::Shutdown { .. } => 0,
        }
    }
}

/// Does what is asked.
pub(super) struct Committer {
    pub log: Log,
    pub quarantine: Quarantine,
    pub shared: Arc<Shared>,
}

/// Takes the requests that are written together next.
pub(super) fn next_group(requests: &mut VecDeque<Request>) -> Vec<Request> {
    let mut bytes = 0;
    let mut is_within = |request: &Request| {
        let was_within = bytes < GROUP_BYTES;
        bytes += request.bytes();
        was_within
    };
    let count = requests.iter().take(GROUP_REQUESTS).take_while(|request| is_within(request)).count();
    requests.drain(..count).collect()
}

impl Committer {
    /// Does all of this together. Breaks at a shutdown.
    pub fn commit(&mut self, group: Vec<Request>) -> ControlFlow<Ended> {
        let Committer { log, quarantine, shared } = self;
        let mut end = None;
        let mut appends = Vec::new();
        let mut settles = Vec::new();
        for request in group {
            match request {
                Request::Append(append) => appends.push(append),
                Request::Settle { partition, count, settlement, reply } => {
                    settles.extend(Settle::new(shared, partition, count, settlement, reply));
                }
                Request::Release { rest, points, reply } => {
                    let released =
                        quarantine.keep_only(&rest).and_then(|()| log.released_from_quarantine(points));
                    let _nobody_waits = reply.send(released.map_err(|error| shared.failed(&error)));
                }
                Request::Shutdown { possibly_delivered, reply } => end = Some((possibly_delivered, reply)),
            }
        }
        let accepted_at = now_ms();
        settles.iter_mut().for_each(|settle| settle.quarantine(quarantine, shared, accepted_at));
        commit(log, shared, appends, settles, accepted_at);
        let Some((possibly_delivered, reply)) = end else { return ControlFlow::Continue(()) };
        let result = match possibly_delivered || shared.is_possibly_delivered() {
            true => Ok(()),
            false => log.close().map_err(|error| shared.failed(&error)),
        };
        ControlFlow::Break(Ended { result, reply })
    }
}

/// The result of a shutdown. It is told after the committer is dropped, which holds the lock of the folder: the next
/// process, or the next queue of this one, may open it then.
pub(super) struct Ended {
    result: Result<(), StorageError>,
    reply: oneshot::Sender<Result<(), StorageError>>,
}

impl Ended {
    pub fn tell(self) {
        let _nobody_waits = self.reply.send(self.result);
    }
}

/// A payload to be written.
pub(super) struct Append {
    pub batches: Vec<Arc<Batch>>,
    pub size: Size,
    pub ticket: Option<Ticket>,
    pub reply: oneshot::Sender<Result<(), AppendError>>,
}

struct Settle {
    layout: u32,
    partition: u32,
    count: usize,
    waiting_from: u64,
    settlement: Settlement,
    reply: oneshot::Sender<Result<(), StorageError>>,
}

impl Settle {
    /// `None` if nothing waits, and there is nothing to do.
    fn new(
        shared: &Shared,
        partition: u32,
        count: usize,
        settlement: Settlement,
        reply: oneshot::Sender<Result<(), StorageError>>,
    ) -> Option<Settle> {
        let last =
            shared.backlog().nth(partition, count.checked_sub(1)?).map(|stored| stored.location.clone());
        match last {
            Some(last) => Some(Settle {
                layout: last.layout,
                partition,
                count,
                waiting_from: last.sequence + 1,
                settlement,
                reply,
            }),
            None => {
                let _nobody_waits = reply.send(Ok(()));
                None
            }
        }
    }

    /// Writes the batches of the settlement to the quarantine, before they are settled. If that fails, it is logged, and
    /// they count as rejected.
    fn quarantine(&mut self, quarantine: &mut Quarantine, shared: &Shared, at: i64) {
        if self.settlement.quarantined.is_empty() {
            return;
        }
        let place =
            Position { layout: self.layout, partition: self.partition, waiting_from: self.waiting_from };
        if let Err(error) = quarantine.keep(&self.settlement.quarantined, at, place) {
            if let Some(suppressed) = shared.log_limiter.allow("quarantine", 1) {
                let directory = &shared.place;
                tracing::error!(directory, %error, suppressed, "rejected points could not be kept in quarantine");
            }
            self.settlement.keep_nothing();
        }
    }

    fn change(&self) -> Change<'_> {
        Change::Settle {
            layout: self.layout,
            partition: self.partition,
            waiting_from: self.waiting_from,
            settlement: &self.settlement,
        }
    }
}

/// Makes all changes, or only the settlements if there is no room for more.
fn commit(log: &mut Log, shared: &Shared, appends: Vec<Append>, settles: Vec<Settle>, accepted_at: i64) {
    if appends.is_empty() && settles.is_empty() {
        return;
    }
    let settling = settles.iter().map(Settle::change);
    let appending = appends.iter().map(|append| Change::Append { batches: &append.batches, accepted_at });
    let changes: Vec<_> = settling.chain(appending).collect();
    match log.commit(&changes) {
        Ok(locations) => {
            settled(log, shared, settles);
            appended(shared, appends, locations);
        }
        Err(error) => {
            refuse(shared, appends, &error);
            let changes: Vec<_> = settles.iter().map(Settle::change).collect();
            // In another segment, since the one that failed is left alone.
            match if changes.is_empty() { Ok(Vec::new()) } else { log.commit(&changes) } {
                Ok(_) => settled(log, shared, settles),
                Err(error) => {
                    for settle in settles {
                        let _nobody_waits = settle.reply.send(Err(shared.failed(&error)));
                    }
                }
            }
        }
    }
    note_disk(log, shared);
    shared.freed.notify_waiters();
}

/// Tells others what the files take of the disk.
fn note_disk(log: &Log, shared: &Shared) {
    shared.on_disk.store(log.bytes_on_disk(), Ordering::Relaxed);
    shared.damaged_file_bytes.store(log.damaged_file_bytes(), Ordering::Relaxed);
}

fn appended(shared: &Shared, appends: Vec<Append>, locations: Vec<Location>) {
    let since = Instant::now();
    let mut locations = locations.into_iter();
    for append in appends {
        let mut backlog = shared.backlog();
        let payload = backlog.begin_payload(append.ticket);
        for batch in append.batches {
            let Some(location) = locations.next() else { break };
            let (partition, size) = (batch.partition, Size::of(&batch));
            let cached = shared.cache(batch);
            let item = Stored { location, cached };
            backlog.publish(partition, Entry { item, size, payload: payload.clone(), since });
            shared.changes.tell(partition);
        }
        drop(backlog);
        let _nobody_waits = append.reply.send(Ok(()));
    }
}

fn refuse(shared: &Shared, appends: Vec<Append>, error: &io::Error) {
    if appends.is_empty() {
        return;
    }
    let points = appends.iter().map(|append| append.size.points).sum();
    let refusal = shared.refusals.not_written(&*shared.disk, error, appends.len() as u64, points);
    for append in appends {
        shared.backlog().release(append.size);
        let _nobody_waits = append.reply.send(Err(refusal.clone()));
    }
}

fn settled(log: &mut Log, shared: &Shared, settles: Vec<Settle>) {
    for settle in settles {
        let mut segments = Vec::new();
        let has_new_layout =
            shared.backlog().remove(settle.partition, settle.count, &settle.settlement, |stored| {
                shared.uncache(&stored);
                segments.push(stored.location.segment.number);
            });
        shared.in_flight.settled(settle.partition, settle.waiting_from);
        if settle.settlement.outcomes.iter().any(|(outcome, _)| *outcome == PointOutcome::Damaged) {
            log.damaged.extend(&segments);
        }
        for of_one in segments.chunk_by(|one, other| one == other) {
            log.released(of_one[0], of_one.len() as u64);
        }
        if has_new_layout {
            log.forget_layouts_before(shared.backlog().first_layout());
            shared.changes.tell_all();
        }
        note_disk(log, shared);
        let _nobody_waits = settle.reply.send(Ok(()));
    }
}
