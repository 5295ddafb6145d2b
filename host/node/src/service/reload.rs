//! Going on with another configuration, without losing a payload or sending one twice.

use super::fit::Fitted;
use super::sockets::ReceiverSockets;
use super::{Prepared, Running, StartError, debug_exporters, destination, signing_keys};
use crate::processors::Processors;
use preamp_config::Settings;
use serde_json::{Map, Value};
use std::time::Duration;

/// How long a request under way may take beyond its own time limit, before it is broken off.
const GRACE: Duration = Duration::from_secs(5);

/// Other settings that a service can go on with.
pub struct Next {
    settings: Settings,
    postponed: Vec<String>,
    prepared: Prepared,
    sockets: Option<ReceiverSockets>,
}

impl Running {
    /// Goes on with other settings. What can be wrong with them is found before anything that is running is
    /// touched. Batches that wait are delivered by the new settings, in their order.
    ///
    /// Returns what of the settings has to wait for the next start.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used, or an address is taken: then everything is as before.
    pub async fn reload(&mut self, settings: &Settings) -> Result<Vec<String>, StartError> {
        let next = self.prepare(settings).await?;
        self.go_on_with(next).await
    }

    /// Makes what can be made of other settings without touching anything that is running. It reads files, and
    /// may be given up at any time.
    ///
    /// # Errors
    ///
    /// When a setting cannot be used, or an address is taken.
    pub async fn prepare(&self, settings: &Settings) -> Result<Next, StartError> {
        let Fitted { mut settings, warnings, .. } = Fitted::new(settings, self.node.memory);
        for warning in warnings {
            tracing::warn!("{warning}");
        }
        let postponed = postpone(&self.settings, &mut settings);
        let prepared = Prepared::made(&settings, &self.node.component, self.node.limits.clone()).await?;
        let sockets = if settings.receiver == self.settings.receiver {
            None
        } else {
            let last = (&self.settings.receiver, &self.receivers.sockets);
            Some(ReceiverSockets::bind(&settings.receiver, Some(last)).await?)
        };
        Ok(Next { settings, postponed, prepared, sockets })
    }

    /// Goes on with what was prepared; as [`reload`](Self::reload).
    ///
    /// # Errors
    ///
    /// When the component fails, or a socket cannot be used.
    pub async fn go_on_with(&mut self, next: Next) -> Result<Vec<String>, StartError> {
        let Next { settings: next, postponed, prepared, sockets } = next;
        if next.exporter != self.settings.exporter || next.processors.batch != self.settings.processors.batch
        {
            let keys = match next.exporter.sigv4 == self.settings.exporter.sigv4 {
                true => self.exporter.keys().cloned(),
                false => signing_keys(&self.node, &next)?,
            };
            let patience = self.settings.exporter.client.timeout.saturating_add(GRACE);
            let destination = destination(&next, prepared.exporters, prepared.client, keys);
            self.exporter.exchange(destination, patience).await?;
            self.settings.exporter = next.exporter;
        }
        if next.debug != self.settings.debug {
            let last = self.exporter.intake().show_by(debug_exporters(
                &self.node,
                &next.debug,
                self.settings.telemetry.log_format,
            ));
            // They show what they have; nobody waits for that.
            drop(last);
            self.settings.debug = next.debug;
        }
        if next.processors != self.settings.processors {
            self.exporter.intake().process_with(Processors::start(&next.processors));
            self.settings.processors = next.processors;
        }
        if let Some(sockets) = sockets {
            self.receivers.exchange(&next.receiver, sockets, prepared.receivers, &self.around);
            self.settings.receiver = next.receiver;
        }
        Ok(postponed)
    }
}

/// Takes back what cannot change while data is queued or counted, and says what that was.
fn postpone(last: &Settings, next: &mut Settings) -> Vec<String> {
    let mut postponed = Vec::new();
    let id = next.exporter.id.clone();
    if next.exporter.queue != last.exporter.queue {
        postponed.push(format!("the sizes of the queue of exporters.{id}"));
        next.exporter.queue = last.exporter.queue.clone();
        // Batches carry the number of their partition, so the component goes by that of the queue.
        let options = serde_json::from_str::<Map<String, Value>>(&next.exporter.component_json);
        if let Ok(mut options) = options {
            options.insert("partitions".to_owned(), last.exporter.queue.partitions.into());
            next.exporter.component_json = Value::Object(options).to_string();
        }
    }
    if next.exporter.state_file != last.exporter.state_file {
        postponed.push(format!("exporters.{id}.delta_state_file"));
        next.exporter.state_file.clone_from(&last.exporter.state_file);
    }
    if next.health != last.health {
        let id = [&next.health, &last.health].into_iter().flatten().next().map(|health| &health.id);
        postponed.extend(id.map(|id| format!("extensions.{id}")));
        next.health.clone_from(&last.health);
    }
    if next.telemetry != last.telemetry {
        postponed.push("service.telemetry".to_owned());
        next.telemetry = last.telemetry.clone();
    }
    postponed
}
