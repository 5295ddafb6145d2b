//! What goes on whether a process runs or not: time, the receiver, and what the senders know.

use super::receiver::{Dialect, Receiver};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// When simulations begin: 2026-11-01 12:00 UTC.
const BEGIN: Duration = Duration::from_secs(1_793_534_400);

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// In the middle of an operation of its disk.
    Killed,
    /// The same, and what was not synchronized is lost in part.
    PowerCut,
    /// It is told to, and has so much time for what waits.
    Stopped { within: Duration },
}

/// What a seed decides on.
#[derive(Clone, Debug)]
pub struct Plan {
    pub partitions: Vec<u32>,
    pub dialect: Dialect,
    pub senders: usize,
    pub series: usize,
    pub has_bad: bool,
    pub payloads: u32,
    /// After how many operations of the disk each process ends, and how.
    pub ends: Vec<(u64, End)>,
    /// Of how many operations of the disk one fails, if any do.
    pub disk_fails: Option<u64>,
    pub faults_percent: u32,
    pub has_size_limit: bool,
    /// By how much the local clock jumps, back and forth.
    pub clock_jump_ms: i64,
    /// How many payloads may wait if the oldest are given up where there are more.
    pub drops_oldest_of: Option<u64>,
}

impl Plan {
    /// What this seed decides.
    #[must_use]
    pub fn of(random: &mut fastrand::Rng) -> Self {
        let end = |random: &mut fastrand::Rng| {
            (random.u64(3..250), if random.bool() { End::PowerCut } else { End::Killed })
        };
        let ends = (0..random.usize(0..4)).map(|_| end(random)).collect();
        let mut plan = Plan {
            partitions: (0..5).map(|_| [1, 2, 5][random.usize(..3)]).collect(),
            dialect: if random.bool() { Dialect::RollsBack } else { Dialect::StoresTheRest },
            senders: random.usize(1..4),
            series: random.usize(1..9),
            has_bad: random.u32(..3) == 0,
            payloads: random.u32(3..20),
            ends,
            disk_fails: (random.u32(..3) == 0).then(|| random.u64(10..80)),
            faults_percent: [0, 10, 40][random.usize(..3)],
            has_size_limit: random.u32(..4) == 0,
            clock_jump_ms: [0, 0, 7_200_000, -7_200_000, 5 * 365 * 86_400_000][random.usize(..5)],
            drops_oldest_of: (random.u32(..4) == 0).then(|| random.u64(1..6)),
        };
        for (_, end) in &mut plan.ends {
            if random.u32(..3) == 0 {
                *end = End::Stopped { within: Duration::from_millis(random.u64(..1000)) };
            }
        }
        plan.dialect = match (plan.dialect, random.u32(..4)) {
            (Dialect::RollsBack, 0) => Dialect::Unintelligible,
            (Dialect::StoresTheRest, 0) => Dialect::ShowsItself,
            (Dialect::StoresTheRest, 1) => Dialect::Conflicts,
            (dialect, _) => dialect,
        };
        if plan.dialect == Dialect::Unintelligible {
            // What is refused without a reason is held until something is taken, so each request has to have both.
            plan.partitions.fill(1);
            plan.has_bad &= plan.series > 1;
        }
        plan
    }
}

/// The world of one simulation.
pub struct World {
    begin: Instant,
    pub random: Mutex<fastrand::Rng>,
    pub receiver: Mutex<Receiver>,
    pub is_calm: AtomicBool,
    pub faults_percent: u32,
    /// How far the local clock is off.
    pub clock_off_ms: AtomicI64,
    pub acknowledged: Mutex<BTreeMap<usize, Vec<(i64, i64)>>>,
    pub sent: Mutex<BTreeMap<usize, Vec<(i64, i64)>>>,
}

impl World {
    /// A world in which this plan can come to pass.
    #[must_use]
    pub fn new(seed: u64, plan: &Plan) -> Self {
        let bad = plan.has_bad.then(|| "phase=\"0\"".to_owned());
        let mut receiver = Receiver::new(plan.dialect, bad);
        if plan.has_size_limit {
            receiver.largest = 400;
        }
        World {
            begin: Instant::now(),
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            receiver: Mutex::new(receiver),
            is_calm: AtomicBool::new(false),
            faults_percent: plan.faults_percent,
            clock_off_ms: AtomicI64::new(0),
            acknowledged: Mutex::default(),
            sent: Mutex::default(),
        }
    }

    /// How long the world has been there, where time is that of the runtime.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.begin.elapsed()
    }

    /// The true time at some age of the world, in milliseconds since 1970.
    #[must_use]
    pub fn ms_at(&self, age: Duration) -> i64 {
        (BEGIN + age).as_millis() as i64
    }

    /// What the local clock says then, in nanoseconds since 1970.
    #[must_use]
    pub fn local_nanos_at(&self, age: Duration) -> u64 {
        let off = self.clock_off_ms.load(Ordering::Relaxed) * 1_000_000;
        ((BEGIN + age).as_nanos() as u64).saturating_add_signed(off)
    }

    /// The true time then as the header of an answer.
    #[must_use]
    pub fn http_date_at(&self, age: Duration) -> String {
        let now: SystemTime = UNIX_EPOCH + BEGIN + age;
        let now = time::OffsetDateTime::from(now);
        let form = time::macros::format_description!(
            "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
        );
        now.format(form).unwrap_or_default()
    }
}
