//! Senders that keep a record of what was acknowledged to them, outside of the process that acknowledges.

use crate::loopback::exchange;
use crate::payloads;
use crate::promql::{self, Series};
use anyhow::{Context, ensure};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a sender waits before it sends a payload again that was not acknowledged.
const PAUSE: Duration = Duration::from_millis(10);

/// What one sender did: times in milliseconds since 1970, which rise, and the value sent with each.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// What was acknowledged.
    pub acknowledged: BTreeMap<i64, i64>,
    /// What was sent, and not acknowledged when the sender was stopped: it may be there or not.
    pub unknown: BTreeMap<i64, i64>,
    /// Payloads that were sent more than once.
    pub resent: u64,
}

/// Some senders, each with series of its own.
pub struct Senders {
    address: Arc<Mutex<Option<SocketAddr>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Record>>,
    series: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Senders {
    /// Starts so many, each of which sends that many series at a time, pausing after each payload.
    #[must_use]
    pub fn start(senders: usize, series: usize, pause: Duration) -> Senders {
        let (address, stop) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let thread = |number: usize| {
            let (address, stop) = (Arc::clone(&address), Arc::clone(&stop));
            std::thread::spawn(move || send(number, series, pause, &address, &stop))
        };
        Senders { threads: (0..senders).map(thread).collect(), address, stop, series }
    }

    /// Says where to send to; payloads under way are sent there again if they were not acknowledged.
    pub fn send_to(&self, address: Option<SocketAddr>) {
        *lock(&self.address) = address;
    }

    /// Stops them, and returns what each did.
    ///
    /// # Errors
    /// When one broke down.
    pub fn stop(self) -> anyhow::Result<Records> {
        self.stop.store(true, Ordering::Relaxed);
        let records =
            self.threads.into_iter().map(|thread| thread.join().ok().context("a sender broke down"));
        Ok(Records { senders: records.collect::<anyhow::Result<_>>()?, series: self.series })
    }
}

fn send(
    number: usize,
    series: usize,
    pause: Duration,
    address: &Mutex<Option<SocketAddr>>,
    stop: &AtomicBool,
) -> Record {
    let mut record = Record::default();
    let (mut time, mut value) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        time = payloads::now_ms().max(time + 1);
        value += 1;
        let payload = payloads::of_sender(number, series, time, value);
        let mut attempts = 0;
        let is_acknowledged = loop {
            let to = *lock(address);
            attempts += u64::from(to.is_some());
            if to.is_some_and(|to| is_taken(to, &payload)) {
                break true;
            }
            if stop.load(Ordering::Relaxed) {
                break false;
            }
            std::thread::sleep(PAUSE);
        };
        record.resent += u64::from(attempts > 1);
        let known = if is_acknowledged { &mut record.acknowledged } else { &mut record.unknown };
        known.insert(time, value);
        std::thread::sleep(pause);
    }
    record
}

fn is_taken(address: SocketAddr, payload: &[u8]) -> bool {
    let headers = [("host", "preamp"), ("content-type", "application/x-protobuf")];
    exchange(address, "POST", "/v1/metrics", &headers, payload).is_some_and(|reply| reply.status == 200)
}

/// What all senders did.
pub struct Records {
    /// Each of them.
    pub senders: Vec<Record>,
    series: usize,
}

impl Records {
    /// How many samples were acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.senders.iter().map(|record| record.acknowledged.len() as u64).sum::<u64>() * self.series as u64
    }

    /// How many payloads were sent more than once.
    #[must_use]
    pub fn resent(&self) -> u64 {
        self.senders.iter().map(|record| record.resent).sum()
    }

    /// Checks that a Prometheus holds every sample that was acknowledged, and nothing that was not sent. Returns how
    /// many samples it holds.
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, prometheus: SocketAddr) -> anyhow::Result<u64> {
        let mut in_all = 0;
        for (number, record) in self.senders.iter().enumerate() {
            let selector = format!("load_watts{{instance=\"{number}\"}}[1d]");
            let found = promql::samples(prometheus, &selector, payloads::now_ms() + 60_000)?;
            ensure!(
                found.len() == self.series || record.acknowledged.is_empty(),
                "sender {number}: {} series",
                found.len()
            );
            for (labels, series) in found {
                in_all += check(record, &series).with_context(|| format!("{labels:?}"))?;
            }
        }
        Ok(in_all)
    }
}

fn check(record: &Record, series: &Series) -> anyhow::Result<u64> {
    let found: BTreeMap<i64, i64> =
        series.values.iter().map(|(time, value)| (*time, *value as i64)).collect();
    let lost = record.acknowledged.iter().filter(|(time, value)| found.get(time) != Some(value));
    let lost: Vec<_> = lost.map(|(_, value)| value).collect();
    ensure!(lost.is_empty(), "{} acknowledged samples are lost, values {lost:?}", lost.len());
    let is_known = |(time, value): &(&i64, &i64)| {
        record.acknowledged.get(time) == Some(value) || record.unknown.get(time) == Some(value)
    };
    let strange = found.iter().find(|sample| !is_known(sample));
    ensure!(strange.is_none(), "{strange:?} was never sent");
    Ok(found.len() as u64)
}
