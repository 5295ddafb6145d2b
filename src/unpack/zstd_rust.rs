//! Zstandard in Rust, for WebAssembly.

use super::window::window_log;
use super::{Output, Room, UnpackError};
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use std::io::{self, Read};

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
        match decoder.reset(&mut body) {
            Ok(()) => output.read(Frame { decoder: &mut decoder, body: &mut body })?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let cut = || io::Error::from(io::ErrorKind::UnexpectedEof);
                (_, body) = body.split_at_checked(length).ok_or_else(cut)?;
            }
            Err(error) => return Err(UnpackError::Malformed(malformed(&error))),
        }
    }
    Ok(())
}

/// A frame, read as far as its window needs. The library has the like, whose errors bring 10 KB of their texts along.
struct Frame<'d, 'b> {
    decoder: &'d mut FrameDecoder,
    body: &'d mut &'b [u8],
}

impl Frame<'_, '_> {
    /// Whether what came out is what was packed, as far as the frame says. To be asked once all of it is out.
    fn has_its_checksum(&self) -> bool {
        let stated = self.decoder.get_checksum_from_data();
        stated.is_none() || stated == self.decoder.get_calculated_checksum()
    }
}

impl Read for Frame<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
            self.decoder
                .decode_blocks(&mut *self.body, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| malformed(&error))?;
        }
        if self.decoder.can_collect() == 0 && !self.has_its_checksum() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the checksum of a Zstandard frame is another",
            ));
        }
        self.decoder.read(buffer)
    }
}

fn malformed(error: &FrameDecoderError) -> io::Error {
    let text = match error {
        FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::BadMagicNumber(_)) => {
            "it is no Zstandard frame"
        }
        FrameDecoderError::WindowSizeTooBig { .. } => "its window is larger than the largest body",
        FrameDecoderError::DictNotProvided { .. } => "it needs a dictionary",
        _ => "a Zstandard frame is damaged or cut off",
    };
    io::Error::new(io::ErrorKind::InvalidData, text)
}
