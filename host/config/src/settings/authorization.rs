//! What requests show of their sender, where nothing signs them.

use preamp_base::Secret;
use std::path::PathBuf;

/// What each request of an exporter shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorization {
    /// A name and a password, as RFC 7617 has it.
    Basic {
        /// The name.
        username: Shown,
        /// The password.
        password: Shown,
    },
    /// A token.
    Token {
        /// The field of the request that it stands in.
        header: String,
        /// What stands before it there; may be empty.
        scheme: String,
        /// The token.
        token: Shown,
    },
}

/// A text that is shown to the receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// This.
    Given(Secret),
    /// The first line of this file, which is read again when it changes.
    File(PathBuf),
}
