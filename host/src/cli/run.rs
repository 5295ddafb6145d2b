//! `preamp run`.

use super::validate::placed;
use super::watch::Watch;
use super::{ConfigArgs, RunArgs, supervisor};
use anyhow::{anyhow, bail};
use preamp_host::service::{Addresses, Parts, Running, Service, Stopped};
use preamp_host::telemetry;
use std::io;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs until a signal asks to stop, then delivers what is queued.
pub(super) async fn run(args: RunArgs) -> anyhow::Result<()> {
    let mut watch = Watch::new(&args.config.config, args.watch_config);
    let loaded = args.config.load()?;
    telemetry::start(&loaded.settings.telemetry).map_err(|error| anyhow!(error))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let mut signals = Signals::new()?;
    let mut hangups = signal(SignalKind::hangup())?;
    let started = Service::start(&loaded.settings, Parts::of_this_system()?).await;
    let mut running = started.map_err(|error| placed(error, &loaded))?;
    log_ready(running.addresses());
    supervisor::ready();
    supervisor::stay_alive();

    let failure = loop {
        tokio::select! {
            name = signals.next() => {
                tracing::info!(signal = name, "stopping: delivering what is queued");
                break None;
            }
            failure = running.failure() => break Some(failure),
            Some(()) = hangups.recv() => reload(&args.config, &mut running).await,
            () = watch.changed() => reload(&args.config, &mut running).await,
        }
    };
    supervisor::stopping();
    let ledger = running.metrics().ledger.clone();
    let stopped = tokio::select! {
        stopped = running.shutdown(Duration::from_secs(args.drain_timeout)) => stopped,
        name = signals.next() => {
            bail!("{name} again: {} data points were not delivered and are lost", ledger.snapshot().queued);
        }
    };
    conclude(&stopped, failure)
}

/// Goes on with what the file says now, or with what it said before if that cannot be used.
async fn reload(config: &ConfigArgs, running: &mut Running) {
    supervisor::reloading();
    if read_again(config, running).await {
        running.metrics().reloads.reloaded();
    } else {
        running.metrics().reloads.failed();
    }
    supervisor::ready();
}

/// Whether what the file says now is in use.
async fn read_again(config: &ConfigArgs, running: &mut Running) -> bool {
    const KEPT: &str = "the configuration cannot be used, the one of before stays in use";
    let loaded = match config.load() {
        Ok(loaded) => loaded,
        Err(problems) => {
            for problem in &problems.0 {
                tracing::error!(%problem, "{KEPT}");
            }
            return false;
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match running.reload(&loaded.settings).await {
        Ok(postponed) => {
            for setting in postponed {
                tracing::warn!(setting, "takes effect at the next start");
            }
            tracing::info!("the configuration was read again and is in use");
            true
        }
        Err(error) => {
            tracing::error!(problem = %placed(error, &loaded), "{KEPT}");
            false
        }
    }
}

fn log_ready(Addresses { grpc, http, metrics, health }: Addresses) {
    tracing::info!(
        grpc = grpc.map(display),
        http = http.map(display),
        metrics = metrics.map(display),
        health = health.map(display),
        "ready"
    );
}

fn conclude(stopped: &Stopped, failure: Option<String>) -> anyhow::Result<()> {
    let ledger = &stopped.ledger;
    tracing::info!(
        accepted = ledger.accepted,
        delivered = ledger.delivered,
        partly_rejected = ledger.partly_rejected,
        rejected = ledger.rejected.values().sum::<u64>(),
        expired = ledger.expired.values().sum::<u64>(),
        quarantined = ledger.quarantined.values().sum::<u64>(),
        damaged = ledger.damaged,
        handed_over = ledger.handed_over,
        queued = ledger.queued,
        "stopped"
    );
    if stopped.receivers_aborted {
        tracing::warn!("requests that did not end in time were broken off; their senders will repeat them");
    }
    if let Some(reason) = &stopped.unsaved {
        tracing::error!(reason, "the totals of delta metrics could not be saved: they begin anew");
    }
    if let Some(failure) = failure {
        bail!(failure);
    }
    let remains = &stopped.remains;
    if remains.batches > 0 && stopped.outlives {
        tracing::info!(
            points = remains.points,
            batches = remains.batches,
            "what was not delivered is on disk, and is delivered after the next start"
        );
    } else if remains.batches > 0 {
        bail!(
            "{} data points ({} batches, {} bytes) could not be delivered in time and are lost: \
             see above why, or allow more time with --drain-timeout",
            remains.points,
            remains.batches,
            remains.bytes
        );
    }
    if stopped.unsaved.is_some() {
        bail!("the totals of delta metrics could not be saved: see above why");
    }
    Ok(())
}

/// The signals that ask to stop.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one, and gives its name.
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
        }
    }
}
