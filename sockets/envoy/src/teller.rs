//! The log, of which Envoy has one for all its filters.

use proxy_wasm::hostcalls;
use proxy_wasm::types::LogLevel;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// How long a reason is told only once, in nanoseconds.
const INTERVAL_NS: u64 = 60_000_000_000;

/// The most reasons that are told apart: a receiver that thinks up new ones makes no more lines than that.
const REASONS_MAX: usize = 100;

/// What all other reasons go by.
const OTHERS: &str = "others";

/// Writes one line for each reason in a minute, whatever the number of payloads.
#[derive(Default)]
pub struct Teller {
    /// By reason: when a line was written, and how many were held back since.
    written: RefCell<BTreeMap<String, (u64, u64)>>,
}

impl Teller {
    /// Tells what somebody should look at. `line` is asked for the text only if it is written.
    pub fn warn(&self, reason: &str, now: u64, line: impl FnOnce() -> String) {
        let Some(held_back) = self.allow(reason, now) else { return };
        let more = if held_back > 0 {
            format!(" (and {held_back} times since the last line)")
        } else {
            String::new()
        };
        write(LogLevel::Warn, &format!("{}{more}", line()));
    }

    /// How many lines were held back since the last one, if another may be written.
    fn allow(&self, reason: &str, now: u64) -> Option<u64> {
        let mut written = self.written.borrow_mut();
        let is_new = !written.contains_key(reason);
        let reason = if is_new && written.len() >= REASONS_MAX { OTHERS } else { reason };
        let Some((last, held_back)) = written.get_mut(reason) else {
            written.insert(reason.to_owned(), (now, 0));
            return Some(0);
        };
        if now.abs_diff(*last) < INTERVAL_NS {
            *held_back += 1;
            return None;
        }
        *last = now;
        Some(std::mem::take(held_back))
    }
}

/// Tells what keeps the filter from working at all.
pub fn error(line: &str) {
    write(LogLevel::Error, line);
}

fn write(level: LogLevel, line: &str) {
    // What is printed is free of control characters, wherever it came from.
    let line: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    // Envoy has no answer but success.
    let _written = hostcalls::log(level, &line);
}
