//! The program `preamp` as people run it, and as strangers attack it.

mod authorization;
mod bindplane_destination;
mod check_command;
mod commands;
mod config_command;
mod configurations;
mod credentials;
mod debug_exporter;
mod deltas;
mod demo;
mod deploy;
mod embedder;
mod end_to_end;
mod golden;
mod hidden;
mod hostile;
mod operations;
mod private_files;
mod processors;
mod quarantine;
mod receivers;
mod reload;
mod second_judge;
mod secrets;
mod tls;
mod translate_command;
