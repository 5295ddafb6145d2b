//! Whether a request may have arrived.

/// What is known about the arrival of a request at the receiver, apart from the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// The receiver may have stored something without saying so: no answer came, the connection broke after
    /// the request was written, or the status is one that a proxy or a failing receiver gives.
    Possible,
    /// The receiver itself said what became of the request, or the request was never written: the
    /// connection was refused, the name was not found.
    Settled,
}

impl Arrival {
    /// What an answer with this status says. Only the receiver itself answers with 2xx, 3xx and 4xx, but for 408 and
    /// 499, by which a proxy says that it gave a request up.
    #[must_use]
    pub fn of_status(status: u16) -> Arrival {
        if (200..500).contains(&status) && ![408, 499].contains(&status) {
            Arrival::Settled
        } else {
            Arrival::Possible
        }
    }
}
