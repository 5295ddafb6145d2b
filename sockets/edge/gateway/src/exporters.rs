//! The exporters of this instance. A passage has one for itself, so that those of other requests, which the instance may take
//! meanwhile, neither overlap with it nor wait for it.

use crate::preamp::edge::settings;
use crate::preamp::exporter::remote_write::Exporter;
use std::cell::RefCell;

thread_local! {
    /// Those that have no passage now: never more than requests came at once.
    static IDLE: RefCell<Vec<Exporter>> = const { RefCell::new(Vec::new()) };
}

/// One that has no passage, which knows the clock of the receiver and a key from its passages before; or a new one.
pub(crate) fn take() -> Result<Exporter, String> {
    match IDLE.with_borrow_mut(Vec::pop) {
        Some(exporter) => Ok(exporter),
        None => Exporter::open(&settings::configuration()).map_err(|problems| {
            let lines = problems.iter().map(|problem| format!("{}: {}", problem.path, problem.message));
            lines.collect::<Vec<_>>().join("; ")
        }),
    }
}

/// Keeps one whose passage is over.
pub(crate) fn put_back(exporter: Exporter) {
    IDLE.with_borrow_mut(|idle| idle.push(exporter));
}
