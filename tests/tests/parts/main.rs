//! Parts of the host in this process: queue, delivery, the simulator, and the receivers they send to.

mod delivery;
mod durable_queue;
mod receivers;
mod simulation;
mod stand_in;
