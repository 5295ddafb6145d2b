//! Which payloads are shown: the first few of each second, and of those after them one of so many.

use preamp_config::Sampling;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// Decides for each payload.
pub(super) struct Sampler {
    sampling: Sampling,
    state: Mutex<Second>,
}

/// The second that goes on.
struct Second {
    began: Instant,
    payloads: u64,
}

impl Sampler {
    pub(super) fn new(sampling: Sampling) -> Self {
        Sampler { sampling, state: Mutex::new(Second { began: Instant::now(), payloads: 0 }) }
    }

    /// Whether the next payload is shown.
    pub(super) fn takes(&self) -> bool {
        self.takes_at(Instant::now())
    }

    fn takes_at(&self, now: Instant) -> bool {
        let Sampling { initial, thereafter } = self.sampling;
        // Nothing panics while it is held.
        let mut second = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(second.began) >= SECOND {
            *second = Second { began: now, payloads: 0 };
        }
        second.payloads += 1;
        match second.payloads.checked_sub(initial) {
            None | Some(0) => true,
            Some(later) => thereafter > 0 && later % thereafter == 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_each_second_are_taken_and_then_one_of_so_many() {
        let taken = |initial, thereafter| {
            let sampler = Sampler::new(Sampling { initial, thereafter });
            let start = Instant::now();
            let count = |at| (0..20).filter(|_| sampler.takes_at(at)).count();
            [count(start), count(start + SECOND)]
        };
        assert_eq!(taken(2, 1), [20, 20]);
        assert_eq!(taken(2, 500), [2, 2]);
        assert_eq!(taken(2, 6), [5, 5]);
        assert_eq!(taken(3, 0), [3, 3]);
        assert_eq!(taken(0, 0), [0, 0]);
    }
}
