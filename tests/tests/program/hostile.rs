//! What strangers on the network and the machine try against `preamp run`, each time with a good sender beside them: the
//! attacks of which each once succeeded, and those that never did.

mod configuration;
mod connections;
mod files;
mod growth;
mod memory;
mod printing;
mod rig;
mod secrets;
mod senders;
mod withstood;
mod work;
