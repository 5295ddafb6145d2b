//! Several processes that share a queue in a real JetStream cluster of three servers. Senders keep their own record of
//! what was acknowledged; the receiver takes nothing out of order.

#[path = "scale_out/parted.rs"]
mod parted;
#[path = "scale_out/quarantine.rs"]
mod quarantine;
#[path = "scale_out/refused.rs"]
mod refused;
#[path = "scale_out/rig.rs"]
mod rig;
#[path = "scale_out/secured.rs"]
mod secured;
#[path = "scale_out/servers.rs"]
mod servers;
#[path = "scale_out/sharing.rs"]
mod sharing;
#[path = "scale_out/throughput.rs"]
mod throughput;
