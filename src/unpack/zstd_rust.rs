//! Zstandard in Rust, for WebAssembly.

use super::{Output, Room, UnpackError, window_log};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};
use std::io;

/// Unpacks the frames of a Zstandard file, one after the other.
pub(super) fn inflate_frames<R: Room>(
    mut body: &[u8],
    output: &mut Output<R>,
) -> Result<(), UnpackError<R::Full>> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(1 << window_log(output.limit));
    let mut parts = 0;
    while parts == 0 || !body.is_empty() {
        parts += 1;
        output.explains(parts)?;
        match StreamingDecoder::new_with_decoder(&mut body, &mut decoder) {
            Ok(frame) => output.read(frame)?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
                (_, body) = body.split_at_checked(length).ok_or_else(cut)?;
            }
            Err(error) => return Err(UnpackError::Malformed(io::Error::other(error.to_string()))),
        }
    }
    Ok(())
}
