//! Where batches wait: whether it can be used, and keeps what it takes.

use super::Step;
use preamp_config::{Nats, Storage};
use preamp_host::nats;

/// Asks the servers of a queue that is shared; `None` for every other queue, which is looked at when it is opened.
pub(super) async fn servers(storage: &Storage) -> Option<Step> {
    let Storage::Nats(nats) = storage else { return None };
    Some(match nats::connect(nats).await.map(drop) {
        Ok(()) => Step::pass("queue", found(nats)),
        Err(error) => {
            Step::fail("queue", error.to_string(), "a queue that may lose what it took is not used")
        }
    })
}

fn found(nats: &Nats) -> String {
    let servers = nats.servers.join(", ");
    match nats.monitoring.len() {
        0 => format!(
            "JetStream at {servers}; that it synchronizes all it writes is vouched for by `sync_always`"
        ),
        asked => format!("JetStream at {servers}; {asked} servers synchronize all they write"),
    }
}
