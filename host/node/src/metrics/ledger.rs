//! The ledger: where every accepted point is.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use preamp_queue::{PointOutcome, Queue};

/// Where every point is that was accepted, in OTLP data points.
///
/// accepted + recovered = delivered + partly rejected + rejected + expired + quarantined + damaged + handed over + queued
///
/// All but the last three are counted here when it happens. Those are asked of the queue, so the equation compares two
/// independent counts.
pub struct Ledger {
    queue: Arc<dyn Queue>,
    /// What the queue had counted as acknowledged before, but for what it had lost.
    acknowledged_before: u64,
    accounts: Mutex<Accounts>,
}

#[derive(Clone, Debug, Default)]
struct Accounts {
    accepted: u64,
    recovered: u64,
    delivered: u64,
    partly_rejected: u64,
    rejected: BTreeMap<String, u64>,
    expired: BTreeMap<String, u64>,
    quarantined: BTreeMap<String, u64>,
    /// Points whose outcome is known. Until their batch is acknowledged the queue counts them as waiting: for long if
    /// it was halved, and its second half is not done.
    settled: u64,
}

/// The ledger at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Points that were queued by this process.
    pub accepted: u64,
    /// Points that a durable queue still held when this process started, or that were taken from one that is shared.
    pub recovered: u64,
    /// See [`PointOutcome::Delivered`].
    pub delivered: u64,
    /// See [`PointOutcome::PartlyRejected`].
    pub partly_rejected: u64,
    /// See [`PointOutcome::Rejected`]: points by reason.
    pub rejected: BTreeMap<String, u64>,
    /// See [`PointOutcome::Expired`]: points by reason.
    pub expired: BTreeMap<String, u64>,
    /// See [`PointOutcome::Quarantined`]: points by reason.
    pub quarantined: BTreeMap<String, u64>,
    /// See [`PointOutcome::Damaged`].
    pub damaged: u64,
    /// Points that were put where another process may take them.
    pub handed_over: u64,
    /// Points whose outcome is open: waiting, or being sent.
    pub queued: u64,
}

impl Snapshot {
    /// Points whose outcome is known.
    #[must_use]
    pub fn settled(&self) -> u64 {
        let by_reason = self.rejected.values().chain(self.expired.values()).chain(self.quarantined.values());
        let by_reason = by_reason.sum::<u64>();
        self.delivered + self.partly_rejected + by_reason + self.damaged
    }

    /// Whether every point is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.accepted + self.recovered == self.settled() + self.handed_over + self.queued
    }
}

impl Ledger {
    /// A ledger of what goes through `queue`. What it holds already counts as recovered.
    #[must_use]
    pub fn new(queue: Arc<dyn Queue>) -> Self {
        let statistics = queue.statistics();
        let accounts = Accounts { recovered: statistics.total().points, ..Accounts::default() };
        Self {
            queue,
            acknowledged_before: statistics.acknowledged_points.saturating_sub(statistics.damaged_points),
            accounts: Mutex::new(accounts),
        }
    }

    /// Points were appended to the queue.
    pub fn accepted(&self, points: u64) {
        self.accounts().accepted += points;
    }

    /// The delivery of points ended. Their batch is still in the queue.
    pub fn settled(&self, outcome: &PointOutcome, points: u64) {
        let mut accounts = self.accounts();
        let account = match outcome {
            PointOutcome::Delivered => &mut accounts.delivered,
            PointOutcome::PartlyRejected => &mut accounts.partly_rejected,
            PointOutcome::Rejected(reason) => accounts.rejected.entry(reason.clone()).or_default(),
            PointOutcome::Expired(reason) => accounts.expired.entry(reason.clone()).or_default(),
            PointOutcome::Quarantined(reason) => accounts.quarantined.entry(reason.clone()).or_default(),
            // The queue counts it, where it is found.
            PointOutcome::Damaged => return,
        };
        *account += points;
        accounts.settled += points;
    }

    /// The outcome of points is known, and yet their batch is delivered again, by this process or another one, which
    /// counts them too.
    pub fn repeated(&self, points: u64) {
        let mut accounts = self.accounts();
        accounts.recovered += points;
        accounts.settled = accounts.settled.saturating_sub(points);
    }

    /// The ledger as it is now. A payload that is being appended at this moment may be missing from one of the sides.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let accounts = self.accounts();
        let statistics = self.queue.statistics();
        let settled = accounts.settled + statistics.damaged_points;
        let acknowledged = statistics.acknowledged_points.saturating_sub(self.acknowledged_before);
        Snapshot {
            accepted: accounts.accepted,
            recovered: accounts.recovered + statistics.taken_over_points,
            delivered: accounts.delivered,
            partly_rejected: accounts.partly_rejected,
            rejected: accounts.rejected.clone(),
            expired: accounts.expired.clone(),
            quarantined: accounts.quarantined.clone(),
            damaged: statistics.damaged_points,
            handed_over: statistics.handed_over_points,
            queued: statistics.total().points.saturating_sub(settled.saturating_sub(acknowledged)),
        }
    }

    /// Whether every point is accounted for at this moment.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.snapshot().balances()
    }

    fn accounts(&self) -> MutexGuard<'_, Accounts> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.snapshot().fmt(f)
    }
}

impl Collector for Ledger {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let now = self.snapshot();
        let plain = [
            ("accepted", now.accepted),
            ("recovered", now.recovered),
            ("delivered", now.delivered),
            ("partly_rejected", now.partly_rejected),
            ("damaged", now.damaged),
            ("handed_over", now.handed_over),
        ];
        let rejected = now.rejected.iter().map(|(reason, points)| ("rejected", reason.as_str(), *points));
        let expired = now.expired.iter().map(|(reason, points)| ("expired", reason.as_str(), *points));
        let quarantined =
            now.quarantined.iter().map(|(reason, points)| ("quarantined", reason.as_str(), *points));
        let plain = plain.into_iter().map(|(state, points)| (state, "", points));
        let states = plain.chain(rejected).chain(expired).chain(quarantined);
        let mut family = encoder.encode_descriptor(
            "preamp_points",
            "The ledger, in OTLP points: accepted + recovered = delivered + partly_rejected + rejected + expired \
             + quarantined + damaged + handed_over + preamp_points_queued",
            None,
            MetricType::Counter,
        )?;
        for (state, reason, points) in states {
            let labels = [("state", state), ("reason", reason)];
            ConstCounter::new(points).encode(family.encode_family(&labels)?)?;
        }
        let queued = ConstGauge::new(now.queued);
        let help = "Points of the ledger that are waiting or being sent";
        queued.encode(encoder.encode_descriptor("preamp_points_queued", help, None, MetricType::Gauge)?)
    }
}
