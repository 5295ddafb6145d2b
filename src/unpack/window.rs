//! How much of a body a decoder of Zstandard may have to remember.

/// Zstandard decoders must take windows of 8 MiB (RFC 8878, section 3.1.1.1.2). A larger one is of use only to a
/// larger body.
const ZSTD_WINDOW_LOG_MIN: u32 = 23;

/// The largest window that the C library takes unasked.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// The largest window that is taken for a body of at most so many bytes, as a power of two.
pub(super) fn window_log(limit: usize) -> u32 {
    (limit.max(1).ilog2() + 1).clamp(ZSTD_WINDOW_LOG_MIN, ZSTD_WINDOW_LOG_MAX)
}
