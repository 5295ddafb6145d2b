//! Several processes that share a queue in a real JetStream cluster of three servers. Senders keep their own record of
//! what was acknowledged; the receiver takes nothing out of order.

mod parted;
mod quarantine;
mod refused;
mod rig;
mod secured;
mod servers;
mod sharing;
mod throughput;
