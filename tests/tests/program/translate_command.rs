//! `preamp translate` and `preamp diff`, on what real SDKs sent and on files as a Collector writes them.

#[path = "translate_command/diff.rs"]
mod diff;
#[path = "translate_command/files.rs"]
mod files;
#[path = "translate_command/translate.rs"]
mod translate;
