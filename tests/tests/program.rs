//! The program `preamp` as people run it.

#[path = "program/bindplane_destination.rs"]
mod bindplane_destination;
#[path = "program/check_command.rs"]
mod check_command;
#[path = "program/commands.rs"]
mod commands;
#[path = "program/config_command.rs"]
mod config_command;
#[path = "program/configurations.rs"]
mod configurations;
#[path = "program/credentials.rs"]
mod credentials;
#[path = "program/demo.rs"]
mod demo;
#[path = "program/deploy.rs"]
mod deploy;
#[path = "program/end_to_end.rs"]
mod end_to_end;
#[path = "program/hidden.rs"]
mod hidden;
#[path = "program/operations.rs"]
mod operations;
#[path = "program/private_files.rs"]
mod private_files;
#[path = "program/processors.rs"]
mod processors;
#[path = "program/reload.rs"]
mod reload;
#[path = "program/secrets.rs"]
mod secrets;
#[path = "program/tls.rs"]
mod tls;
#[path = "program/translate_command.rs"]
mod translate_command;
