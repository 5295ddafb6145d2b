//! Parts of the host in this process: node, queue, delivery, the simulator, and the receivers they send to.

mod delivery;
mod durable_queue;
mod node;
mod receivers;
mod simulation;
mod stand_in;
