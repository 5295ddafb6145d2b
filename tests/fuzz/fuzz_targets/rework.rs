//! Batches of well-formed payloads, shown, halved, pruned, merged and downgraded.
#![no_main]

#[path = "../checks.rs"]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::rework::batches(data));
