//! What becomes of requests on their way.

use super::lock;
use super::world::World;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// How long a sender waits for an answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    Arrives,
    IsLost,
    AnswerIsLost,
    BreaksOffAfterwards,
    /// It comes when nobody waits for its answer any more.
    IsLate,
    /// The connection is refused, so that nothing arrives.
    IsRefused,
    Unavailable,
    RateExceeded,
}

/// What becomes of the next request, and how long it is on its way.
pub(super) fn fate(world: &World) -> (Fate, Duration) {
    let mut random = lock(&world.random);
    let trip = Duration::from_micros(random.u64(200..40_000));
    if world.is_calm.load(Ordering::Relaxed) || random.u32(..100) >= world.faults_percent {
        return (Fate::Arrives, trip);
    }
    let fates = [
        Fate::IsLost,
        Fate::AnswerIsLost,
        Fate::BreaksOffAfterwards,
        Fate::IsLate,
        Fate::IsRefused,
        Fate::Unavailable,
        Fate::RateExceeded,
    ];
    (fates[random.usize(..fates.len())], trip)
}
