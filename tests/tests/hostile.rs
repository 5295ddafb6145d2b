//! What strangers on the network and the machine try against `preamp run`, each time with a good sender beside them: the
//! attacks of which each once succeeded, and those that never did.

#[path = "hostile/configuration.rs"]
mod configuration;
#[path = "hostile/connections.rs"]
mod connections;
#[path = "hostile/files.rs"]
mod files;
#[path = "hostile/growth.rs"]
mod growth;
#[path = "hostile/memory.rs"]
mod memory;
#[path = "hostile/printing.rs"]
mod printing;
#[path = "hostile/rig.rs"]
mod rig;
#[path = "hostile/secrets.rs"]
mod secrets;
#[path = "hostile/senders.rs"]
mod senders;
#[path = "hostile/withstood.rs"]
mod withstood;
#[path = "hostile/work.rs"]
mod work;
