//! A service at work, and its end.

use super::Addresses;
use super::probes::Probes;
use super::push::Pushes;
use super::receivers::{Receivers, Surroundings};
use crate::delivery::Remains;
use crate::exporter::Exporter;
use crate::metrics::{Metrics, Snapshot};
use crate::node::Node;
use crate::status_file::StatusWriter;
use preamp_config::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

/// The part of the time for stopping that receivers get to finish the requests under way.
const SHARE_OF_RECEIVERS: u32 = 4;

/// How long may be waited for what the exporters `debug` and `logging` have yet to show.
const SHOWING: Duration = Duration::from_secs(1);

/// Tasks of one kind, each of which ends with what went wrong, if anything did.
pub(super) type Tasks = JoinSet<Result<(), String>>;

/// A service at work. Dropping it stops everything at once and loses what a queue in memory holds;
/// [`shutdown`](Self::shutdown) does not.
pub struct Running {
    /// What it works by.
    pub(super) settings: Settings,
    pub(super) node: Arc<Node>,
    pub(super) exporter: Exporter,
    pub(super) around: Surroundings,
    pub(super) receivers: Receivers,
    probes: Probes,
    pushes: Pushes,
    status: Option<StatusWriter>,
}

/// What was left when a service had stopped.
#[derive(Clone, Debug)]
pub struct Stopped {
    /// Where every point is.
    pub ledger: Snapshot,
    /// Whether requests under way had to be broken off, because they did not end in time.
    pub receivers_aborted: bool,
    /// What the queue still held: it was not delivered in time.
    pub remains: Remains,
    /// Whether the queue is kept for the next process.
    pub outlives: bool,
    /// Why what the exporter remembers could not be saved, if it was to be.
    pub unsaved: Option<String>,
}

impl Running {
    pub(super) fn new(
        settings: Settings,
        exporter: Exporter,
        around: Surroundings,
        receivers: Receivers,
        mut probes: Probes,
        pushes: Pushes,
    ) -> Running {
        probes.ready();
        let directory = settings.exporter.queue.storage.directory();
        let status = directory
            .map(|directory| StatusWriter::start(directory.path.clone(), exporter.metrics().clone()));
        Running { settings, node: around.node.clone(), exporter, around, receivers, probes, pushes, status }
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.receivers.sockets.addresses(self.probes.metrics, self.probes.health)
    }

    /// What it works by: the configuration as far as the memory of this process allows it.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// What the receiver is taken for.
    #[must_use]
    pub fn profile(&self) -> String {
        self.exporter.limits().profile.to_string()
    }

    /// The process that it is the service of.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// What its exporter says about itself.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        self.exporter.metrics()
    }

    /// Where every point is now.
    #[must_use]
    pub fn ledger(&self) -> Snapshot {
        self.exporter.metrics().ledger.snapshot()
    }

    /// Waits until a part ends that should not have, and says why. Without that, waits for ever.
    pub async fn failure(&mut self) -> String {
        let (part, ended) = tokio::select! {
            Some(ended) = self.receivers.next_ended() => ("receiver", ended),
            Some(ended) = self.probes.next_ended() => ("server of metrics or health", ended),
            else => return std::future::pending().await,
        };
        match ended {
            Ok(Err(error)) => error,
            Ok(Ok(())) => format!("a {part} ended by itself"),
            Err(panic) => format!("a {part} broke down: {panic}"),
        }
    }

    /// Stops: no more requests are taken, those under way are answered, what the queue holds is
    /// delivered. What does not end within `deadline` is broken off.
    pub async fn shutdown(mut self, deadline: Duration) -> Stopped {
        let now = Instant::now();
        self.probes.state.stopping();
        // While this process still takes requests: they may go to its own receiver.
        self.pushes.finish(deadline / SHARE_OF_RECEIVERS).await;
        let receivers_done = self.receivers.stop(Instant::now() + deadline / SHARE_OF_RECEIVERS).await;
        if let Some(debug) = self.exporter.intake().show_by(None) {
            // Off the threads that deliver: whoever reads the output may not read on.
            let _showing = tokio::task::spawn_blocking(move || debug.finish(SHOWING));
        }
        // Before delivery ends, which may take until somebody loses patience.
        let unsaved = self.exporter.close().await.err().map(|error| error.to_string());
        let remains = self.exporter.drain((now + deadline).saturating_duration_since(Instant::now())).await;
        self.probes.stop().await;
        if let Some(status) = self.status.take() {
            status.finish().await;
        }
        Stopped {
            ledger: self.exporter.metrics().ledger.snapshot(),
            receivers_aborted: !receivers_done,
            remains,
            outlives: self.settings.exporter.queue.storage.outlives(),
            unsaved,
        }
    }
}

/// Waits for all tasks, and ends those that are not done at the deadline. Returns whether all were.
pub(super) async fn finish(tasks: &mut Tasks, deadline: Instant) -> bool {
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            match ended {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(error, "while stopping"),
                Err(panic) => tracing::error!(error = %panic, "while stopping"),
            }
        }
    };
    let done = timeout_at(deadline, all).await.is_ok();
    if !done {
        tasks.shutdown().await;
    }
    done
}
