//! The processor `resource`: attributes of resources are set, removed and changed. Of a payload nothing but its
//! resources is read; the rest is copied as it is.
//!
//! Payloads come from strangers: what is read is borrowed, and what is written is bounded by [`Output`].

mod actions;
mod json;
mod output;
mod protobuf;

pub(super) use actions::Actions;
pub(super) use output::{Output, Problem};

use bytes::Bytes;
use preamp_contract::Encoding;

/// The most attributes of one resource: far more than any has.
pub(super) const ATTRIBUTES_MAX: usize = 4096;

impl Actions {
    /// Writes the payload with other resources.
    ///
    /// # Errors
    /// When it cannot be read, or becomes too large.
    pub(super) fn rewrite(
        &self,
        payload: &Bytes,
        encoding: Encoding,
        mut output: Output<'_>,
    ) -> Result<Bytes, Problem> {
        match encoding {
            Encoding::Protobuf => protobuf::rewrite(self, payload, &mut output)?,
            Encoding::Json => json::rewrite(self, payload, &mut output)?,
        }
        Ok(output.finish())
    }
}

#[cfg(test)]
mod tests;
