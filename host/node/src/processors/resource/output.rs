//! A payload that is being written, within bounds.

use crate::memory_budget::Full;
use bytes::Bytes;

/// A payload may become larger by the attributes that are set: to so many bytes, and so many times its size.
const GROWTH_BYTES: usize = 16 << 20;
const GROWTH_TIMES: usize = 2;

/// MemoryBudget is asked for in pieces of so many bytes.
const PIECE: usize = 64 << 10;

/// Why a payload cannot go on with other resources.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::processors) enum Problem {
    /// It cannot be read. The component says what is wrong with it.
    Unreadable,
    /// A resource has more attributes than are looked at.
    TooManyAttributes,
    /// It would be larger than this many bytes.
    TooLarge(usize),
    /// There is no room for it at the moment.
    NoRoom(Full),
}

/// Asks for room for more bytes.
pub(in crate::processors) type Grow<'r> = &'r mut (dyn FnMut(usize) -> Result<(), Full> + Send);

/// The payload so far.
pub(in crate::processors) struct Output<'r> {
    bytes: Vec<u8>,
    limit: usize,
    room: usize,
    grow: Grow<'r>,
}

impl<'r> Output<'r> {
    /// Begins to write what comes of a payload of so many bytes.
    pub(in crate::processors) fn new(payload: usize, grow: Grow<'r>) -> Self {
        let limit = payload.saturating_mul(GROWTH_TIMES).saturating_add(GROWTH_BYTES);
        Output { bytes: Vec::new(), limit, room: 0, grow }
    }

    /// Appends bytes.
    pub(super) fn put(&mut self, piece: &[u8]) -> Result<(), Problem> {
        let needed = self.bytes.len().saturating_add(piece.len());
        if needed > self.limit {
            return Err(Problem::TooLarge(self.limit));
        }
        if needed > self.room {
            let more = (needed - self.room).max(PIECE);
            (self.grow)(more).map_err(Problem::NoRoom)?;
            self.room += more;
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub(super) fn finish(self) -> Bytes {
        self.bytes.into()
    }
}
