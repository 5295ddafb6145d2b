//! How many connections may be open, and who goes when there are too many.

use super::activity::{Activity, Ending};
use crate::metrics::ListenerMetrics;
use preamp_base::LogLimiter;
use preamp_config::Serving;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// So many more may be open while those that make room for them end, but no more than an eighth.
const ENDING: usize = 32;

/// Among so many of them, the one that can best be spared is looked for.
const LOOKED_AT: usize = 64;

/// So many may be within the TLS handshake; for more, others go that are.
const SHAKING: usize = 1_024;

/// The part of an IPv6 address that says whose it is.
const NETWORK: u128 = !0 << 64;

/// The slots for connections of one server.
pub(super) struct Slots {
    most: usize,
    most_of_address: usize,
    open: Mutex<Open>,
    /// Told of each slot that is free again.
    freed: Notify,
    metrics: ListenerMetrics,
    log_limiter: LogLimiter,
}

#[derive(Default)]
struct Open {
    connections: Vec<Arc<Activity>>,
    of_addresses: HashMap<IpAddr, usize>,
    shaking: usize,
}

/// The slot of a connection, which is free again when this is dropped.
pub(super) struct Slot {
    slots: Arc<Slots>,
    activity: Arc<Activity>,
}

/// Why nobody may connect now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// There are too many connections, and none of them can be spared.
    Full,
    /// There are too many from this address.
    Address,
}

impl Slots {
    /// As many as a server has.
    pub(super) fn new(serving: &Serving, metrics: ListenerMetrics) -> Arc<Self> {
        metrics.limited_to(serving.max_connections);
        Arc::new(Slots {
            most: serving.max_connections,
            most_of_address: serving.max_connections_per_address.unwrap_or(usize::MAX),
            open: Mutex::default(),
            freed: Notify::new(),
            metrics,
            log_limiter: LogLimiter::default(),
        })
    }

    /// Waits while too many of those that made room for others have not ended, which takes them milliseconds.
    pub(super) async fn have_room(&self) {
        let most = self.most + (self.most / 8).clamp(1, ENDING);
        while self.lock().connections.len() >= most {
            self.freed.notified().await;
        }
    }

    /// A slot for a connection. When there are too many, the one that can best be spared ends for it.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Slot, Refused> {
        let address = whose(address);
        let mut open = self.lock();
        if open.of_addresses.get(&address).is_some_and(|count| *count >= self.most_of_address) {
            return Err(Refused::Address);
        }
        let count = open.connections.len();
        if count >= self.most {
            if !open.spare(|_| true) {
                return Err(Refused::Full);
            }
            self.say_full();
        }
        let activity = Arc::new(Activity::new(address));
        activity.position.store(count, Relaxed);
        open.connections.push(Arc::clone(&activity));
        *open.of_addresses.entry(address).or_default() += 1;
        drop(open);
        self.metrics.opened();
        Ok(Slot { slots: Arc::clone(self), activity })
    }

    /// Ends the connection that can best be spared, if there is one.
    pub(super) fn spare_one(&self) {
        self.lock().spare(|_| true);
    }

    /// Counts a connection that was turned away, and says whether the log is to tell of it: then how many there
    /// were since it last did.
    pub(super) fn refused(&self, reason: &'static str) -> Option<u64> {
        self.metrics.refused(reason);
        self.log_limiter.allow(reason, 1)
    }

    fn say_full(&self) {
        if let Some(suppressed) = self.log_limiter.allow("displaced", 1) {
            tracing::warn!(
                most = self.most,
                suppressed,
                "as many connections are open as max_connections and the limit of open files allow: for each new one an \
                 idle one is closed; raise them if all of them are senders"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        // Nothing panics while it is held; if something did, a count would be wrong by one.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Ends one of those that may be, if there is one.
    fn spare(&self, may_be: impl Fn(&Activity) -> bool) -> bool {
        let count = self.connections.len();
        let start = fastrand::usize(..count.max(1));
        let looked_at = (0..count.min(LOOKED_AT)).map(|step| &self.connections[(start + step) % count]);
        let candidates = looked_at.filter(|activity| may_be(activity));
        let rated = candidates.filter_map(|activity| Some((activity.dispensability()?, activity)));
        let least = rated.min_by_key(|(dispensability, _)| *dispensability);
        least.inspect(|(_, activity)| activity.end()).is_some()
    }
}

impl Slot {
    /// What goes on in the connection.
    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// A TLS handshake begins. It is under way until what is returned is dropped.
    pub(super) fn shake(&self) -> Shaking<'_> {
        let mut open = self.slots.lock();
        if open.shaking >= SHAKING {
            open.spare(Activity::is_shaking);
        }
        open.shaking += 1;
        drop(open);
        self.activity.shaking(true);
        Shaking(self)
    }

    /// Counts a handshake that came to nothing, as [`Slots::refused`] does.
    pub(super) fn refused(&self, reason: &'static str) -> Option<u64> {
        self.slots.refused(reason)
    }

    /// Counts that the connection had to end.
    pub(super) fn ended(&self, reason: Ending) {
        self.slots.metrics.closed(reason.name());
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut open = self.slots.lock();
        let position = self.activity.position.load(Relaxed);
        open.connections.swap_remove(position);
        if let Some(moved) = open.connections.get(position) {
            moved.position.store(position, Relaxed);
        }
        let address = self.activity.address;
        if let Some(count) = open.of_addresses.get_mut(&address) {
            *count -= 1;
            if *count == 0 {
                open.of_addresses.remove(&address);
            }
        }
        drop(open);
        self.slots.freed.notify_one();
        self.slots.metrics.ended();
    }
}

/// A TLS handshake under way.
pub(super) struct Shaking<'p>(&'p Slot);

impl Drop for Shaking<'_> {
    fn drop(&mut self) {
        self.0.activity.shaking(false);
        self.0.slots.lock().shaking -= 1;
    }
}

/// The part of an address that says whose it is: whoever has one address of IPv6 has 2^64 of them.
fn whose(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address => address,
    }
}

#[cfg(test)]
#[path = "slots/tests.rs"]
mod tests;
