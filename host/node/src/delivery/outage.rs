//! When delivery does not work, and when it works again.

use super::Shared;
use crate::words::Span;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Delivery works again once nothing has failed for so long after the first success: a receiver that answers now and
/// then is not back.
const SETTLED: Duration = Duration::from_secs(3);

/// The least time between two lines.
const INTERVAL: Duration = Duration::from_secs(60);

/// Whether delivery works, by the answers to all partitions.
#[derive(Debug, Default)]
pub(super) struct Outage {
    state: Mutex<State>,
    is_on: AtomicBool,
    worked: Notify,
}

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    /// What went wrong last.
    because: String,
    /// The first success since then.
    worked: Option<Worked>,
}

/// A success, and how many points waited then.
#[derive(Clone, Copy, Debug)]
struct Worked {
    at: Instant,
    waiting: u64,
}

impl Outage {
    /// Notes that something could not be delivered now, and why.
    pub fn fails(&self, because: &str) {
        let mut state = self.state();
        state.began.get_or_insert_with(Instant::now);
        state.worked = None;
        because.clone_into(&mut state.because);
        self.is_on.store(true, Ordering::Relaxed);
    }

    /// Notes that something was delivered; `waiting` gives the points that wait.
    pub fn works(&self, waiting: impl FnOnce() -> u64) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state();
        if state.began.is_some() && state.worked.is_none() {
            state.worked = Some(Worked { at: Instant::now(), waiting: waiting() });
            self.worked.notify_one();
        }
    }

    /// Why delivery does not work now, if it does not.
    pub fn because(&self) -> Option<String> {
        let state = self.state();
        (state.began.is_some() && state.worked.is_none()).then(|| state.because.clone())
    }

    fn worked(&self) -> Option<Worked> {
        self.state().worked
    }

    /// Ends the outage, if delivery works still.
    fn end(&self) -> Option<(Instant, Worked, String)> {
        let mut state = self.state();
        let worked = state.worked.take()?;
        self.is_on.store(false, Ordering::Relaxed);
        Some((state.began.take()?, worked, std::mem::take(&mut state.because)))
    }

    /// Nothing panics half-way through a change of it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    /// Tells each time that delivery works again.
    pub(super) async fn tell_of_recoveries(self: Arc<Self>) {
        let mut told: Option<Instant> = None;
        loop {
            self.outage.worked.notified().await;
            while let Some(worked) = self.outage.worked() {
                let settled = worked.at + SETTLED;
                tokio::time::sleep_until(told.map_or(settled, |told| settled.max(told + INTERVAL))).await;
                // What failed since then began it anew.
                if self.outage.worked().is_some_and(|now| now.at == worked.at)
                    && let Some((began, worked, because)) = self.outage.end()
                {
                    self.tell_of_recovery(began, worked, &because);
                    told = Some(Instant::now());
                }
            }
        }
    }

    fn tell_of_recovery(&self, began: Instant, worked: Worked, because: &str) {
        let waiting = self.context.queue.statistics().total();
        let drain = drain_time(worked.waiting, waiting.points, worked.at.elapsed());
        tracing::info!(
            after = %Span(worked.at.duration_since(began)),
            because,
            waiting_points = waiting.points,
            waiting_bytes = waiting.bytes,
            drain,
            "delivery works again"
        );
    }
}

/// How long it takes until nothing waits, in words: so many points waited at first, and so many do `after` that.
fn drain_time(before: u64, now: u64, after: Duration) -> String {
    let drained = before.saturating_sub(now);
    if now == 0 {
        "done".to_owned()
    } else if drained == 0 {
        "not to be foreseen: as much comes in as goes out".to_owned()
    } else {
        let millis = u128::from(now) * after.as_millis() / u128::from(drained);
        format!("about {}", Span(Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_to_drain_goes_by_what_was_drained() {
        let seconds = Duration::from_secs;
        assert_eq!(drain_time(1_000, 0, seconds(3)), "done");
        assert_eq!(drain_time(1_000, 900, seconds(3)), "about 27s");
        assert_eq!(drain_time(1_000, 1_000, seconds(3)), "not to be foreseen: as much comes in as goes out");
        assert_eq!(drain_time(2, u64::MAX, seconds(3)), "not to be foreseen: as much comes in as goes out");
        assert_eq!(drain_time(1_000_000, 900_000, seconds(60)), "about 9m");
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_ends_with_a_success_that_lasts() {
        let outage = Outage::default();
        outage.works(|| unreachable!("nothing is asked while all is well"));
        outage.fails("status 503");
        outage.fails("no answer");
        assert_eq!(outage.because().as_deref(), Some("no answer"));
        tokio::time::advance(Duration::from_secs(60)).await;
        outage.works(|| 100);
        assert_eq!(outage.because(), None);
        outage.fails("status 503");
        assert!(outage.end().is_none(), "it failed again");
        outage.works(|| 90);
        let (began, worked, because) = outage.end().unwrap();
        assert_eq!((worked.at.duration_since(began), worked.waiting), (Duration::from_secs(60), 90));
        assert_eq!(because, "status 503");
    }
}
