//! `preamp run`.

use super::ending::conclude;
use super::ready;
use super::validate::placed;
use super::watch::Watch;
use super::{ConfigArgs, RunArgs, supervisor};
use crate::{embedded, telemetry};
use anyhow::{anyhow, bail};
use preamp_config::{Diagnostics, Loaded};
use preamp_host::node::NodeOptions;
use preamp_host::service::{Next, Running, Service};
use std::io;
use std::process::ExitCode;
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::{JoinHandle, spawn_blocking};

/// When it is said that the configuration still cannot be read: a disk or a file server hangs.
const SLOW: Duration = Duration::from_secs(30);

/// Runs until a signal asks to stop, then delivers what is queued. What goes wrong once log lines are written is one of
/// them.
pub(super) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    // From the beginning: the first process of a container is not ended by signals that it does not listen to.
    let mut signals = Signals::new()?;
    let mut hangups = signal(SignalKind::hangup())?;
    let reading = read_first(&args.config, args.watch_config);
    let (mut watch, loaded) = unless_stopped(&mut signals, "the configuration was read", reading).await?;
    let loaded = loaded?;
    telemetry::start(&loaded.settings.telemetry).map_err(|error| anyhow!(error))?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Ok(match serve(&args, &loaded, &mut watch, &mut signals, &mut hangups).await {
        Ok(status) => status,
        Err(error) => {
            fail(&error);
            ExitCode::FAILURE
        }
    })
}

/// Logs why the process ends.
fn fail(error: &anyhow::Error) {
    match error.downcast_ref::<Diagnostics>() {
        Some(problems) => problems.0.iter().for_each(|problem| match problem.is_warning {
            true => tracing::warn!("{problem}"),
            false => tracing::error!("{problem}"),
        }),
        None => tracing::error!("{error:#}"),
    }
}

/// Serves what was read until a signal asks to stop.
async fn serve(
    args: &RunArgs,
    loaded: &Loaded,
    watch: &mut Watch,
    signals: &mut Signals,
    hangups: &mut Signal,
) -> anyhow::Result<ExitCode> {
    let starting = Service::start(&loaded.settings, NodeOptions::of_this_system(embedded::load()?));
    let started = unless_stopped(signals, "it was started", starting).await?;
    let mut running = started.map_err(|error| placed(error, loaded))?;
    ready::log(&running);
    supervisor::ready();
    supervisor::stay_alive();

    let failure = loop {
        let reloaded = tokio::select! {
            name = signals.next() => Err(name),
            failure = running.failure() => break Some(failure),
            Some(()) = hangups.recv() => reload(&args.config, &mut running, signals).await,
            () = watch.changed() => reload(&args.config, &mut running, signals).await,
        };
        if let Err(name) = reloaded {
            tracing::info!(signal = name, "stopping: delivering what is queued");
            break None;
        }
    };
    supervisor::stopping();
    let ledger = running.metrics().ledger.clone();
    let stopped = tokio::select! {
        stopped = running.shutdown(args.drain_timeout) => stopped,
        name = signals.next() => {
            bail!("{name} again: ended at once, with {} data points not delivered", ledger.snapshot().queued);
        }
    };
    Ok(conclude(&stopped, failure))
}

/// Reads the configuration on a thread of its own: what it stands on may hang.
async fn read(config: &ConfigArgs) -> Result<Loaded, Diagnostics> {
    let config = config.clone();
    joined(spawn_blocking(move || config.load())).await
}

/// The same for the first time, with its files watched from just before.
async fn read_first(config: &ConfigArgs, is_watched: bool) -> (Watch, Result<Loaded, Diagnostics>) {
    let config = config.clone();
    joined(spawn_blocking(move || (Watch::new(&config.config, is_watched), config.load()))).await
}

async fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
}

/// What a task comes to, unless a signal asks to stop first.
async fn unless_stopped<T>(
    signals: &mut Signals,
    aim: &str,
    task: impl Future<Output = T>,
) -> anyhow::Result<T> {
    tokio::select! {
        done = task => Ok(done),
        name = signals.next() => bail!("stopped by {name} before {aim}"),
    }
}

/// Goes on with what the file says now, or with what it said before if that cannot be used. The error is the name
/// of a signal that asked to stop meanwhile.
async fn reload(
    config: &ConfigArgs,
    running: &mut Running,
    signals: &mut Signals,
) -> Result<(), &'static str> {
    supervisor::reloading();
    let next = tokio::select! {
        next = read_again(config, running) => next,
        name = signals.next() => return Err(name),
    };
    let is_in_use = match next {
        Some((next, loaded)) => go_on_with(next, &loaded, running).await,
        None => false,
    };
    if is_in_use {
        running.node().metrics().reloads.reloaded();
    } else {
        running.node().metrics().reloads.failed();
    }
    supervisor::ready();
    Ok(())
}

const KEPT: &str = "the configuration cannot be used, the one of before stays in use";

/// What the file says now, ready for use; nothing if it cannot be used.
async fn read_again(config: &ConfigArgs, running: &Running) -> Option<(Next, Loaded)> {
    let reading = async {
        let loaded = read(config).await?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        match running.prepare(&loaded.settings).await {
            Ok(next) => Ok((next, loaded)),
            Err(error) => Err(placed(error, &loaded)),
        }
    };
    let slow = async {
        tokio::time::sleep(SLOW).await;
        tracing::warn!(
            seconds = SLOW.as_secs(),
            "the configuration is still being read, the one of before stays in use: does a disk or a file server hang?"
        );
        std::future::pending().await
    };
    let read: anyhow::Result<_> = tokio::select! {
        read = reading => read,
        never = slow => never,
    };
    read.map_err(|error| tell(&error)).ok()
}

/// Whether what was prepared is in use.
async fn go_on_with(next: Next, loaded: &Loaded, running: &mut Running) -> bool {
    match running.go_on_with(next).await {
        Ok(postponed) => {
            for setting in postponed {
                tracing::warn!(setting, "takes effect at the next start");
            }
            tracing::info!("the configuration was read again and is in use");
            true
        }
        Err(error) => {
            tell(&placed(error, loaded));
            false
        }
    }
}

/// Logs why a configuration cannot be used, each problem by itself.
fn tell(error: &anyhow::Error) {
    match error.downcast_ref::<Diagnostics>() {
        Some(problems) => problems.0.iter().for_each(|problem| match problem.is_warning {
            true => tracing::warn!("{problem}"),
            false => tracing::error!(%problem, "{KEPT}"),
        }),
        None => tracing::error!(problem = %error, "{KEPT}"),
    }
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
