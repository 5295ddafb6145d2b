//! Who may send to a receiver.

use preamp_base::Secret;
use std::path::PathBuf;

/// How senders say who they are: the extension that `auth.authenticator` of a server names.
#[derive(Clone, Debug, PartialEq)]
pub struct Senders {
    /// The id of the extension.
    pub extension: String,
    /// What they show.
    pub proof: Proof,
}

/// What senders show.
#[derive(Clone, Debug, PartialEq)]
pub enum Proof {
    /// A token (`bearertokenauth`).
    Token {
        /// In which field of the request, in lower case.
        header: String,
        /// What stands before the token there; may be empty.
        scheme: String,
        /// Which tokens are good.
        tokens: Tokens,
    },
    /// A name and a password (`basicauth`).
    Password {
        /// A file with those that are good, as `htpasswd` makes it.
        file: Option<PathBuf>,
        /// The text of such a file; it comes after the file.
        inline: Option<Secret>,
    },
}

/// Which tokens are good.
#[derive(Clone, Debug, PartialEq)]
pub enum Tokens {
    /// These.
    Given(Vec<Secret>),
    /// Each line of this file.
    File(PathBuf),
}
