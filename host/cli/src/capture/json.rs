//! JSON payloads, one a line (JSON Lines, as the Collector's file exporter writes them) or one after
//! another, spread over lines.

use super::form::without_mark;
use super::{PAYLOAD_BYTES_MAX, Part, Piece, too_large};
use preamp_contract::Encoding;
use std::io::{BufRead, Read};

pub(super) struct JsonPayloads {
    input: Box<dyn BufRead>,
    /// Lines read so far.
    lines: u64,
    layout: Option<Layout>,
}

/// How payloads are laid out, which the first one shows. It is not told anew for each, since a line
/// that was cut off would then take the good ones behind it along.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    Lines,
    Documents,
}

impl JsonPayloads {
    pub(super) fn new(input: Box<dyn BufRead>) -> JsonPayloads {
        JsonPayloads { input, lines: 0, layout: None }
    }

    pub(super) fn next(&mut self) -> Option<Result<Piece, (Part, String)>> {
        let mut bytes = Vec::new();
        loop {
            let part = Part::Line(self.lines + 1);
            match self.read_line(&mut bytes) {
                Err(message) => return Some(Err((part, message))),
                Ok(false) => return None,
                Ok(true) if bytes.trim_ascii().is_empty() => bytes.clear(),
                Ok(true) => {
                    let read = self.read_rest(&mut bytes);
                    let piece = |()| Piece { bytes, encoding: Encoding::Json, part };
                    return Some(read.map(piece).map_err(|message| (part, message)));
                }
            }
        }
    }

    /// Reads what belongs to the payload whose first line was read.
    fn read_rest(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        if self.layout == Some(Layout::Lines) {
            return Ok(());
        }
        let mut nesting = Nesting::default();
        nesting.follow(bytes);
        let is_line = nesting.is_closed();
        if *self.layout.get_or_insert(if is_line { Layout::Lines } else { Layout::Documents })
            == Layout::Lines
        {
            return Ok(());
        }
        while !nesting.is_closed() {
            let read = bytes.len();
            if !self.read_line(bytes)? {
                // The component says what is missing.
                break;
            }
            nesting.follow(&bytes[read..]);
        }
        Ok(())
    }

    /// Appends the next line; `false` at the end.
    fn read_line(&mut self, bytes: &mut Vec<u8>) -> Result<bool, String> {
        let before = bytes.len();
        let room = (PAYLOAD_BYTES_MAX + 1).saturating_sub(before);
        let read = self.input.by_ref().take(room as u64).read_until(b'\n', bytes);
        read.map_err(|error| format!("cannot be read: {error}"))?;
        if bytes.len() > PAYLOAD_BYTES_MAX {
            return Err(too_large());
        }
        if self.lines == 0 {
            let mark = bytes.len() - without_mark(bytes).len();
            bytes.drain(..mark);
        }
        self.lines += 1;
        Ok(bytes.len() > before)
    }
}

/// How deep in objects and arrays a JSON text is.
#[derive(Default)]
struct Nesting {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Nesting {
    fn follow(&mut self, text: &[u8]) {
        for byte in text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
    }

    fn is_closed(&self) -> bool {
        self.depth == 0 && !self.in_string
    }
}
