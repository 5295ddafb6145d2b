//! The processor `resource`: attributes of resources are set, removed and changed. Of a payload nothing but its
//! resources is read; the rest is copied as it is.

mod actions;
mod json;
mod protobuf;

pub(super) use actions::Actions;

use crate::component::Encoding;
use bytes::Bytes;

impl Actions {
    /// The payload with other resources; `None` if it cannot be read.
    pub(super) fn rewrite(&self, payload: &Bytes, encoding: Encoding) -> Option<Bytes> {
        match encoding {
            Encoding::Protobuf => protobuf::rewrite(self, payload),
            Encoding::Json => json::rewrite(self, payload),
        }
    }
}

#[cfg(test)]
mod tests;
