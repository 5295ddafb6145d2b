//! What goes in and out of the machine.

use crate::Arrival;
use preamp_contract::{Explanation, PossiblyDelivered, Verdict};

/// How failed attempts are repeated. All durations are milliseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Whether a batch is sent again after a temporary failure. If not, it is rejected.
    pub retries: bool,
    /// Up to this part of a pause, from 0 to 1, is added to it at random, so that partitions and processes
    /// that failed together do not come back together.
    pub jitter: f64,
    /// How long a batch is tried. Time on hold does not count, since the receiver is not asked then.
    /// `None` tries for ever.
    pub max_elapsed: Option<u64>,
    /// The greatest age of a sample that is worth sending: `limits().max_age_sent` of the exporter.
    pub max_age_sent: Option<u64>,
    /// The first pause for lack of credentials; each one after it is twice as long.
    pub key_pause: u64,
    /// The longest pause for lack of credentials.
    pub key_pause_max: u64,
    /// The pause when the receiver says that the configuration is wrong: long enough not to be a nuisance,
    /// short enough to notice that it was set right on the other side.
    pub stop_pause: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            retries: true,
            jitter: 0.5,
            max_elapsed: None,
            max_age_sent: None,
            key_pause: 1_000,
            key_pause_max: 60_000,
            stop_pause: 60_000,
        }
    }
}

/// The time, as a driver knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Milliseconds on a clock that never goes back, since whatever moment.
    pub now: u64,
    /// The time of the receiver, in milliseconds since the Unix epoch; `None` until it has answered. The
    /// age of samples goes by it, and no change of the local clock moves it.
    pub receiver_now: Option<i64>,
}

/// What the driver has to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<B> {
    /// Join these batches (`merge` of the exporter), then call `merged`.
    Merge(Vec<B>),
    /// Write this batch as remote write 1.0 (`downgrade`), then call `downgraded`.
    Downgrade(B),
    /// Cut this batch in two (`halve`), then call `halved`.
    Halve(B),
    /// Take what is older than `oldest` out of this batch (`prune`), then call `pruned`.
    Prune {
        /// The batch.
        batch: B,
        /// The oldest sample that the receiver takes, in milliseconds since the Unix epoch.
        oldest: i64,
    },
    /// Sign and send this batch, have the answer judged, then call `answered`, or `unsigned`.
    Send {
        /// The batch.
        batch: B,
        /// The number of the attempt, from 1 on: `judge` wants it.
        attempt: u32,
        /// What the receiver may have of the partition once it is sent. It has to be known to whoever delivers the
        /// partition after a crash.
        sent: PossiblyDelivered,
    },
    /// Nothing to do until then, or until an [`Interrupt`].
    Wait {
        /// The end of the pause, on the clock of [`Moment::now`].
        until: u64,
        /// Whether something must change before it makes sense to go on: credentials, the configuration.
        is_held: bool,
    },
    /// Fetch newer credentials than those of the last request.
    RefreshKey {
        /// Whether the receiver refused a signature that bears its own time, so that the secret is suspect.
        despite_clock: bool,
    },
    /// Add this many milliseconds to the local clock when signing.
    CorrectClock {
        /// The offset.
        offset_ms: i64,
    },
    /// The receiver takes only remote write 1.0. Said once for each [`Receiver`](crate::Receiver).
    FellBack(Explanation),
    /// The receiver takes nothing, for no reason that is known: what waits is held. Said each time it is.
    HeldForUnknown(Explanation),
    /// Count what became of a batch or a part of one.
    Settle {
        /// The batch.
        batch: B,
        /// What became of it.
        outcome: BatchOutcome,
    },
    /// All that was settled since the last time completes so many batches of the queue: record it there,
    /// before the next request is sent.
    Acknowledge {
        /// How many, from the front.
        batches: usize,
    },
    /// The end. A later poll says the same.
    Done(End),
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BatchOutcome {
    /// The receiver has it.
    Delivered,
    /// The receiver refuses it because it has it already, from an attempt whose answer did not come.
    PresumedDelivered(Explanation),
    /// The receiver has the valid part of it.
    PartlyRejected(Explanation),
    /// The receiver will never take it: quarantine it.
    Refused(Explanation),
    /// It cannot be written in a protocol that the receiver takes: quarantine it.
    Unwritable,
    /// It failed once, and the policy does not retry.
    RetryDisabled,
    /// It was tried for as long as the policy allows.
    MaxElapsedTime,
    /// Its samples are older than the receiver takes.
    TooOld,
    /// It made room for newer ones.
    Evicted,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What the exporter says; `None` if it could not judge.
    pub verdict: Option<Verdict>,
    /// Whether the request may have arrived.
    pub arrival: Arrival,
    /// What was added to the local clock when the request was signed, in milliseconds.
    pub signed_offset_ms: i64,
}

/// Why a request could not be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsigned {
    /// There are no credentials now.
    NoKey,
    /// The exporter could not sign with them.
    Failed,
}

/// Something that happens beside the delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interrupt {
    /// Another delivery is to go on with the same queue: what is begun comes to its end, nothing more is
    /// begun.
    HandOver,
    /// The process is stopping: nothing is held any more. What is held gets one more try.
    Close,
    /// The oldest batches of the partition make room for others.
    Evict,
    /// The partition is another process' to deliver.
    Lost,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All batches were acknowledged.
    Delivered,
    /// What was not acknowledged is left to another delivery.
    Left {
        /// Why.
        why: Interrupt,
        /// Whether the receiver may have some of it.
        possibly_delivered: bool,
    },
}
