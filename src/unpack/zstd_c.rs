//! Zstandard by the C library.

use super::window::window_log;
use super::{Output, Room, UnpackError};
use std::io;
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

/// Unpacks the frames of a Zstandard file, one after the other.
pub(super) fn inflate_frames<R: Room>(
    body: &[u8],
    output: &mut Output<R>,
) -> Result<(), UnpackError<R::Full>> {
    let failed = |code| UnpackError::Malformed(io::Error::other(get_error_name(code)));
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(window_log(output.limit))).map_err(failed)?;
    let mut input = InBuffer::around(body);
    let (mut parts, mut is_within) = (1, true);
    while is_within || input.pos() < body.len() {
        output.explains(parts)?;
        let step = output.grow()?;
        let (before, read) = (output.bytes.len(), input.pos());
        // Writes behind what is there, as far as there is room.
        let hint =
            context.decompress_stream(&mut OutBuffer::around_pos(&mut output.bytes, before), &mut input);
        let hint = hint.map_err(failed)?;
        output.check()?;
        is_within = hint > 0;
        parts += usize::from(!is_within);
        let is_stuck = output.bytes.len() == before && input.pos() == read;
        if is_within && (is_stuck || (input.pos() == body.len() && output.bytes.len() < before + step)) {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
    Ok(())
}
