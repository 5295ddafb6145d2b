//! What to do with the answers of a receiver, as a pure state machine: retry, halve, search for the bad
//! series, fall back to remote write 1.0, refresh credentials, correct the clock, recognise repeats, give
//! up what is too old. Time and randomness are arguments; sockets, queue, keys and the exporter's
//! functions belong to the *driver*.
//!
//! ```text
//!            ┌──────── poll ────────▶ Merge, Downgrade, Halve, Prune   the exporter's functions
//!  Delivery ─┤                        Send                             sign, send, judge
//!            │                        Wait                             sleep, or an interrupt
//!            │                        RefreshKey, CorrectClock, FellBack, HeldForUnknown, Settle, Acknowledge
//!            └◀─ merged, downgraded, halved, pruned, answered, unsigned, interrupt
//! ```
//!
//! A driver makes one [`Delivery`] of the batches that are first in a partition and calls [`Delivery::poll`]
//! until it says [`Step::Done`]. Steps with a question (`Merge`, `Downgrade`, `Halve`, `Prune`, `Send`) are
//! answered by the method of the same name before the next poll. One [`Receiver`] is shared by all
//! partitions of an exporter.
//!
//! Rules that hold in every state:
//! 1. The batches of a partition are settled in their order, and each point of them exactly once.
//! 2. One request is in flight at a time.
//! 3. A batch counts as delivered if the receiver says so, or refuses it in words that mean "stored
//!    already" after it was [possibly delivered](Delivery::new).
//! 4. Batches that were possibly delivered are never merged with others. If they were one request, they are sent as
//!    that.
//! 5. Batches are left to a later delivery only while nothing of them is settled, unless the process stops
//!    and they are held.

mod arrival;
mod fragment;
mod machine;
mod merge;
mod receiver;
mod search;
mod step;

pub use arrival::Arrival;
pub use machine::Delivery;
pub use receiver::Receiver;
pub use step::{Answer, BatchOutcome, End, Interrupt, Moment, Policy, Step, Unsigned};

#[cfg(test)]
mod tests;
