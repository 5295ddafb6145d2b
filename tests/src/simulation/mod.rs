//! Intake, queue and delivery in a world in which time, disk, network and receiver are simulated. Everything that
//! happens follows from one number, the seed.
//!
//! [`Simulator`] runs the whole host with the real component in it, [`MachineSimulator`] the same plans with the
//! delivery machine, the queue and the core alone, and many times as many of them.

mod death;
mod fate;
mod host;
mod machine;
mod network;
mod passages;
mod receiver;
mod world;

pub use host::Simulator;
pub use machine::MachineSimulator;
pub use passages::PassageSimulator;

use crate::queue::{Fault, Operation, SimulatedDisk};
use anyhow::{Context as _, ensure};
use preamp_queue::durable::{Inspection, Options};
use receiver::{Dialect, notation};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use world::{Plan, World};

/// What a simulation came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    /// Payloads that were acknowledged.
    pub payloads: u64,
    /// Processes that died, or were stopped.
    pub ends: u64,
    /// Requests that came to the receiver.
    pub requests: u64,
    /// A number that differs if they do.
    pub trace: u64,
    /// Points by what became of them.
    pub settled: BTreeMap<(String, String), u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The configuration of the component.
fn configuration(partitions: u32, dialect: Dialect) -> String {
    let configuration = serde_json::json!({
        "endpoint": "http://receiver/api/v1/write",
        "profile": dialect.profile(),
        "partitions": partitions,
        "target_info": { "enabled": false },
        "disable_scope_info": true,
        "retry_on_failure": { "initial_interval_ms": 50, "max_interval_ms": 2000 },
    });
    configuration.to_string()
}

/// How the queue is set up.
fn queue_options(partitions: u32, plan: &Plan) -> Options {
    Options {
        exporter: "amp".to_owned(),
        partitions,
        max_payloads: plan.drops_oldest_of.unwrap_or(1000),
        max_points: u64::MAX,
        max_bytes: 8 << 20,
        // Some of it is read from the disk.
        min_free_bytes: 0,
        cached_bytes: 2000,
        index_bytes: u64::MAX,
    }
}

/// Has operations of the disk fail as it is planned.
fn fail_disk(disk: &SimulatedDisk, plan: &Plan, seed: u64) {
    let Some(every) = plan.disk_fails else { return };
    let random = Mutex::new(fastrand::Rng::with_seed(seed));
    disk.fail(move |_, operation| {
        // What cannot be read is lost, and rightly so.
        if operation == Operation::Read {
            return None;
        }
        let mut random = lock(&random);
        (random.u64(..every) == 0).then(|| if random.bool() { Fault::Io } else { Fault::Full })
    });
}

fn check(world: &World, plan: &Plan, disk: &SimulatedDisk) -> anyhow::Result<Course> {
    let inspection = Inspection::of(Arc::new(disk.clone()))?;
    let problems = inspection.problems();
    ensure!(problems.is_empty(), "{problems:?}");
    ensure!(inspection.queued() == 0, "{} points wait", inspection.queued());
    let given_up = inspection.settled.get(&("expired".to_owned(), "drop-oldest".to_owned()));
    let given_up = given_up.copied().unwrap_or_default();
    ensure!(given_up == 0 || plan.drops_oldest_of.is_some(), "{given_up} points were given up");
    check_stored(world, plan, given_up)?;
    let receiver = lock(&world.receiver);
    // Only what the receiver never takes may have been refused.
    for kept in &inspection.quarantined {
        let batch = kept.batch.as_ref().context("a kept batch is damaged")?;
        let series = crate::remote_write::read(&batch.body).context("a kept batch cannot be read")?;
        for (labels, _) in &series {
            let labels = notation(labels);
            ensure!(receiver.is_bad(&labels), "{labels} was quarantined: {} {}", kept.reason, kept.detail);
        }
    }
    for (state, reason) in inspection.settled.keys() {
        let is_expected = match state.as_str() {
            "delivered" => true,
            "partly_rejected" => plan.has_bad && plan.dialect.stores_the_rest(),
            // A failing disk cannot keep the quarantine; the points count as rejected then.
            "expired" => reason == "drop-oldest",
            "quarantined" | "rejected" => plan.has_bad && !plan.dialect.stores_the_rest(),
            _ => false,
        };
        ensure!(is_expected, "{state} {reason}: {:?}", inspection.settled);
    }
    let payloads = lock(&world.acknowledged).values().map(|payloads| payloads.len() as u64).sum();
    Ok(Course {
        payloads,
        ends: plan.ends.len() as u64,
        requests: receiver.requests,
        trace: receiver.trace,
        settled: inspection.settled,
    })
}

/// Whether all that was acknowledged is stored, but for what was given up and what the receiver never takes.
fn check_stored(world: &World, plan: &Plan, given_up: u64) -> anyhow::Result<()> {
    let receiver = lock(&world.receiver);
    let acknowledged = lock(&world.acknowledged);
    let mut missing = 0;
    for (number, payloads) in &*acknowledged {
        let sent = lock(&world.sent)[number].len();
        ensure!(payloads.len() == sent, "sender {number}: {} of {sent} payloads were taken", payloads.len());
        for series in 0..plan.series {
            let (instance, phase) = (format!("instance=\"{number}\","), format!("phase=\"{series}\","));
            let found =
                receiver.stored.iter().find(|(key, _)| key.contains(&instance) && key.contains(&phase));
            if receiver.is_bad(&phase) {
                ensure!(found.is_none(), "{phase} was not to be stored");
                continue;
            }
            let Some((_, found)) = found else {
                missing += payloads.len() as u64;
                ensure!(missing <= given_up, "sender {number}, {phase}: nothing is stored");
                continue;
            };
            let is_there = |(time, value): &&(i64, i64)| found.get(time) == Some(&(*value as f64).to_bits());
            let lost: Vec<_> = payloads.iter().filter(|payload| !is_there(payload)).collect();
            missing += lost.len() as u64;
            ensure!(missing <= given_up, "sender {number}, {phase}: acknowledged and not stored: {lost:?}");
            ensure!(found.len() <= sent, "more is stored than was sent");
        }
    }
    Ok(())
}
