//! The snappy block format (google/snappy, `format_description.txt`).

use crate::remote_write::buffer::Buffer;
use preamp_contract::BatchError;

/// Reads the preamble of a block: the size of what it holds, and the elements behind it.
pub fn split(block: &[u8]) -> Result<(u64, &[u8]), BatchError> {
    varint_prefix(block).ok_or_else(|| BatchError::Malformed("no snappy preamble".to_owned()))
}

/// Joins blocks without decompressing them: the copies in a block are relative and stay in their own
/// block, so the joined one is the sum of the sizes followed by the elements of each.
pub fn join(blocks: &[&[u8]]) -> Result<Vec<u8>, BatchError> {
    let parts = blocks.iter().map(|block| split(block)).collect::<Result<Vec<_>, _>>()?;
    let mut preamble = Buffer::default();
    preamble.reserve(10);
    preamble.push_varint(parts.iter().map(|(size, _)| size).sum());
    let mut joined = preamble.as_slice().to_vec();
    joined.reserve_exact(parts.iter().map(|(_, elements)| elements.len()).sum());
    for (_, elements) in parts {
        joined.extend_from_slice(elements);
    }
    Ok(joined)
}

/// Decompresses a block that should hold `size` bytes.
///
/// The size is checked first: it decides how much memory is taken, and a damaged preamble could ask
/// for any amount.
#[inline(never)]
pub fn decompress(block: &[u8], size: u32) -> Result<Vec<u8>, BatchError> {
    let (stated, _) = split(block)?;
    if stated != u64::from(size) {
        return Err(BatchError::Malformed(format!(
            "the snappy block says it holds {stated} bytes, the batch says {size}"
        )));
    }
    snap::raw::Decoder::new()
        .decompress_vec(block)
        .map_err(|_| BatchError::Malformed("the snappy block is damaged".to_owned()))
}

/// Reads a base-128 number of up to 32 bits and returns what is behind it.
fn varint_prefix(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0u64;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if *byte < 0x80 {
            return (number <= u64::from(u32::MAX)).then(|| (number, &bytes[index + 1..]));
        }
    }
    None
}
