//! Messages behind their lengths: how the Collector's file exporter writes what has no lines.

use super::form::recognize_message;
use super::{PAYLOAD_BYTES_MAX, Part, Piece, compression, read_bounded};
use preamp_contract::Encoding;
use std::io::{BufRead, Read};

/// Length of a length, in bytes.
const PREFIX: usize = 4;

pub(super) struct Frames {
    input: Box<dyn BufRead>,
    encoding: Option<Encoding>,
    number: u64,
    offset: u64,
}

impl Frames {
    pub(super) fn new(input: Box<dyn BufRead>, encoding: Option<Encoding>) -> Frames {
        Frames { input, encoding, number: 0, offset: 0 }
    }

    pub(super) fn next(&mut self) -> Option<Result<Piece, (Part, String)>> {
        self.number += 1;
        let part = Part::Message { number: self.number, offset: self.offset };
        match self.read_frame().transpose()? {
            Ok(frame) => {
                self.offset += (PREFIX + frame.len()) as u64;
                Some(self.piece(frame, part).map_err(|message| (part, message)))
            }
            Err(message) => Some(Err((part, message))),
        }
    }

    /// The next message as it stands in the file; `None` at the end.
    fn read_frame(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut prefix = Vec::with_capacity(PREFIX);
        self.read_up_to(PREFIX, &mut prefix)?;
        let Ok(length) = <[u8; PREFIX]>::try_from(&*prefix) else {
            let rest = prefix.len();
            return if rest == 0 {
                Ok(None)
            } else {
                Err(format!("is cut off after {rest} bytes of its length"))
            };
        };
        let length = u32::from_be_bytes(length) as usize;
        if length > PAYLOAD_BYTES_MAX {
            return Err(format!(
                "claims to be {length} bytes long, which is too much for one payload: what stands \
                 before it is damaged, or these are no length-prefixed messages"
            ));
        }
        let mut frame = Vec::new();
        self.read_up_to(length, &mut frame)?;
        if frame.len() < length {
            return Err(format!("is cut off: {} of {length} bytes are there", frame.len()));
        }
        Ok(Some(frame))
    }

    /// A length may lie, so room is made for what is there and not for what is announced.
    fn read_up_to(&mut self, length: usize, bytes: &mut Vec<u8>) -> Result<(), String> {
        let read = self.input.by_ref().take(length as u64).read_to_end(bytes);
        read.map(drop).map_err(|error| format!("cannot be read: {error}"))
    }

    fn piece(&self, frame: Vec<u8>, part: Part) -> Result<Piece, String> {
        let bytes = if compression::is_packed(&frame) {
            let unpacked = compression::unpacked(Box::new(&*frame));
            read_bounded(unpacked.map_err(|error| format!("cannot be decompressed: {error}"))?)?
        } else {
            frame
        };
        let encoding = self.encoding.map_or_else(|| recognize_message(&bytes), Ok)?;
        Ok(Piece { bytes, encoding, part })
    }
}
