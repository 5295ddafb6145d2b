//! Tokens that senders show.

use super::{Hash, Hasher};
use std::collections::HashSet;

/// Tokens that are good.
pub(super) struct GoodTokens(HashSet<Hash>);

impl GoodTokens {
    /// These, but for empty ones, which anybody could show.
    pub(super) fn new<'t>(tokens: impl Iterator<Item = &'t str>, hasher: &Hasher) -> Self {
        let tokens = tokens.map(str::trim).filter(|token| !token.is_empty());
        GoodTokens(tokens.map(|token| hasher.hash(&[token.as_bytes()])).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a field holds a good one after the scheme.
    pub(super) fn contain(&self, field: &[u8], scheme: &[u8], hasher: &Hasher) -> bool {
        let token = match field.split_at_checked(scheme.len()) {
            _ if scheme.is_empty() => field,
            Some((given, rest)) if given.eq_ignore_ascii_case(scheme) && rest.starts_with(b" ") => rest,
            _ => return false,
        };
        self.0.contains(&hasher.hash(&[token.trim_ascii()]))
    }
}
