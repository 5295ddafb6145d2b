//! Names and passwords that senders show, as a file of `htpasswd` has them.

use super::{Hash, Hasher, SendersError};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::{Digest as _, Sha1};
use std::collections::HashMap;

/// The scheme of the field `Authorization`.
pub(super) const SCHEME: &str = "Basic";

/// The bytes of SHA-1.
const SHA1_BYTES: usize = 20;

/// Passwords by name. The last of a name counts.
#[derive(Default)]
pub(super) struct Passwords(HashMap<String, Password>);

/// What is kept of a password.
enum Password {
    /// Its hash.
    Hashed(Hash),
    /// The hash of its SHA-1, which was made with this salt.
    Sha1 { hash: Hash, salt: Vec<u8> },
}

impl Passwords {
    /// Reads lines of `name:password`, the password plain or hashed by SHA-1.
    pub(super) fn read(&mut self, text: &str, place: &str, hasher: &Hasher) -> Result<(), SendersError> {
        let wrong = |line: usize, problem: &str| SendersError::Contents {
            place: format!("{place}, line {line}"),
            problem: problem.to_owned(),
        };
        let lines = text.lines().map(str::trim).zip(1..);
        for (line, number) in lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')) {
            let (name, password) =
                line.split_once(':').ok_or_else(|| wrong(number, "expected name:password"))?;
            if password.is_empty() {
                return Err(wrong(number, "the password is empty"));
            }
            let password = Password::read(password, hasher).map_err(|problem| wrong(number, problem))?;
            self.0.insert(name.to_owned(), password);
        }
        if self.0.is_empty() {
            Err(wrong(1, "no name in it: write name:password on each line"))
        } else {
            Ok(())
        }
    }

    /// Whether a field holds a good one.
    pub(super) fn contain(&self, field: &[u8], hasher: &Hasher) -> bool {
        let Some((scheme, encoded)) = field.split_at_checked(SCHEME.len()) else { return false };
        if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
            return false;
        }
        let Ok(shown) = BASE64_STANDARD.decode(encoded.trim_ascii()) else { return false };
        let Some(colon) = shown.iter().position(|byte| *byte == b':') else { return false };
        let (name, password) = (&shown[..colon], &shown[colon + 1..]);
        let known = std::str::from_utf8(name).ok().and_then(|name| self.0.get(name));
        match known {
            Some(Password::Hashed(hash)) => hasher.hash(&[password]) == *hash,
            Some(Password::Sha1 { hash, salt }) => hasher.hash(&[&sha1(password, salt)]) == *hash,
            None => false,
        }
    }
}

impl Password {
    fn read(text: &str, hasher: &Hasher) -> Result<Password, &'static str> {
        const NOT_BASE64: &str = "the hash is no base64 of SHA-1";
        if let Some(hash) = text.strip_prefix("{SHA}").or_else(|| text.strip_prefix("{SSHA}")) {
            let decoded = BASE64_STANDARD.decode(hash).map_err(|_| NOT_BASE64)?;
            let (hash, salt) = decoded.split_at_checked(SHA1_BYTES).ok_or(NOT_BASE64)?;
            let salt = if text.starts_with("{SHA}") { Vec::new() } else { salt.to_vec() };
            return Ok(Password::Sha1 { hash: hasher.hash(&[hash]), salt });
        }
        if text.starts_with('{') || is_crypt(text) {
            return Err(
                "preamp verifies no such hash (bcrypt, apr1, crypt): write the password itself and keep the file \
                        to yourself, or its SHA-1 (htpasswd -s), or use bearertokenauth",
            );
        }
        Ok(Password::Hashed(hasher.hash(&[text.as_bytes()])))
    }
}

/// Whether a text is what `crypt` makes: `$` and the name of a function, twice.
fn is_crypt(text: &str) -> bool {
    let name = text.strip_prefix('$').and_then(|text| text.split_once('$')).map(|(name, _)| name);
    name.is_some_and(|name| {
        ["1", "2", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "apr1"].contains(&name)
    })
}

fn sha1(password: &[u8], salt: &[u8]) -> [u8; SHA1_BYTES] {
    Sha1::new_with_prefix(password).chain_update(salt).finalize().into()
}
