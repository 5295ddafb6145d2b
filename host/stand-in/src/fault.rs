//! What goes wrong on purpose, and at which request. Scripts are deterministic.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::time::Duration;

/// One thing that goes wrong with one request. Unless said otherwise the request is read and its signature
/// verified first, and nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// 429 with Cortex' ingestion-rate text and a Retry-After of this many seconds.
    IngestionRate(u64),
    /// 429 with the JSON of AMP's front, "Rate exceeded", without Retry-After.
    RateExceeded,
    /// 503 with an empty body.
    Unavailable,
    /// 413, whatever the size.
    TooLarge,
    /// 403 of class `ExpiredToken`.
    ExpiredToken,
    /// The connection is closed before the body is read.
    CutBeforeBody,
    /// The connection is closed after the body was read.
    CutAfterBody,
    /// The samples **are** stored, but the connection is closed instead of an answer.
    LoseAnswer,
    /// No answer for this long, then the connection is closed.
    Hang(Duration),
    /// The request is judged, and the Date header written, with a clock that is off by so many seconds.
    ClockSkew(i64),
}

impl Fault {
    /// A stable name for reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::IngestionRate(_) => "429 ingestion rate",
            Self::RateExceeded => "429 rate exceeded",
            Self::Unavailable => "503",
            Self::TooLarge => "413",
            Self::ExpiredToken => "403 expired token",
            Self::CutBeforeBody => "cut before the body",
            Self::CutAfterBody => "cut after the body",
            Self::LoseAnswer => "answer lost",
            Self::Hang(_) => "hang",
            Self::ClockSkew(_) => "clock skew",
        }
    }
}

/// Which request meets which fault.
#[derive(Clone, Debug, Default)]
pub struct Script {
    next: VecDeque<Option<Fault>>,
    cycle: Option<Cycle>,
}

#[derive(Clone, Debug)]
struct Cycle {
    every: NonZeroU64,
    requests: u64,
    faults: VecDeque<Fault>,
}

impl Script {
    /// The first request meets the first step, the second the second, and later ones nothing. `None` lets a
    /// request pass.
    pub fn steps(steps: impl IntoIterator<Item = Option<Fault>>) -> Self {
        Self { next: steps.into_iter().collect(), cycle: None }
    }

    /// Every n-th request meets the next of the faults, in turn, for ever.
    pub fn every(every: NonZeroU64, faults: impl IntoIterator<Item = Fault>) -> Self {
        let faults = faults.into_iter().collect();
        Self { next: VecDeque::new(), cycle: Some(Cycle { every, requests: 0, faults }) }
    }

    /// Lets the next request without a step of its own meet this fault.
    pub fn push(&mut self, fault: Fault) {
        self.next.push_back(Some(fault));
    }

    /// What the request that comes now meets.
    pub(crate) fn advance(&mut self) -> Option<Fault> {
        if let Some(step) = self.next.pop_front() {
            return step;
        }
        let cycle = self.cycle.as_mut()?;
        cycle.requests += 1;
        if cycle.requests % cycle.every != 0 {
            return None;
        }
        cycle.faults.rotate_left(usize::from(cycle.faults.len() > 1));
        cycle.faults.back().copied()
    }
}
