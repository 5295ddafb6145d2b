//! The snappy block format (google/snappy, `format_description.txt`).

use super::pack::varint_prefix;
use crate::types::BatchError;

/// Reads the preamble of a block: the size of what it holds, and the elements behind it.
pub fn split(block: &[u8]) -> Result<(u64, &[u8]), BatchError> {
    varint_prefix(block).ok_or_else(|| BatchError::Malformed("no snappy preamble".to_owned()))
}

/// Decompresses a block that should hold `size` bytes.
///
/// The size is checked first: it decides how much memory is taken, and a damaged preamble could ask
/// for any amount.
pub fn decompress(block: &[u8], size: u32) -> Result<Vec<u8>, BatchError> {
    let (stated, _) = split(block)?;
    if stated != u64::from(size) {
        return Err(BatchError::Malformed(format!(
            "the snappy block says it holds {stated} bytes, the batch says {size}"
        )));
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(|error| BatchError::Malformed(format!("not a snappy block: {error}")))
}
