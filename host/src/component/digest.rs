//! The digests of bodies, which this host adds itself: it has the processor's SHA instructions, and
//! the component, configured with `digest: false`, has not.

use super::Batch;
use sha2::{Digest, Sha256};

/// Gives a digest to each batch that has none.
pub(super) fn complete<'b>(batches: impl IntoIterator<Item = &'b mut Batch>) {
    for batch in batches {
        if batch.digest.is_empty() {
            batch.digest = Sha256::digest(&batch.body).to_vec();
        }
    }
}
