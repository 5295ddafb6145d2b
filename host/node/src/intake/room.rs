//! How much memory all requests together may take.

use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which room is shared out.
const UNIT_BYTES: usize = 1 << 10;

/// Room for the bytes of requests, from their first byte read until their payload is translated.
pub struct Room {
    units: Arc<Semaphore>,
}

/// There is no room left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "requests are being worked on already that take all the memory there is for them; send again later, or give \
             the process more memory",
        )
    }
}

impl Room {
    /// Room for so many bytes, all of it free.
    #[must_use]
    pub fn new(bytes: u64) -> Room {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT_BYTES;
        Room { units: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))) }
    }

    /// A share for one request, of no bytes yet. Dropping it gives its room back.
    #[must_use]
    pub fn share(&self) -> Share {
        Share { room: Arc::clone(&self.units), bytes: 0, units: None }
    }
}

/// The room of one request. It goes where the bytes of the request go.
pub struct Share {
    room: Arc<Semaphore>,
    bytes: usize,
    units: Option<OwnedSemaphorePermit>,
}

impl Share {
    /// Takes room for more bytes.
    ///
    /// # Errors
    ///
    /// When there is not enough. The share is as it was.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let total = self.bytes.checked_add(bytes).ok_or(Full)?;
        let further = total.div_ceil(UNIT_BYTES) - self.bytes.div_ceil(UNIT_BYTES);
        let further = u32::try_from(further).map_err(|_| Full)?;
        let units = Arc::clone(&self.room).try_acquire_many_owned(further).map_err(|_| Full)?;
        match &mut self.units {
            Some(held) => held.merge(units),
            None => self.units = Some(units),
        }
        self.bytes = total;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_take_no_more_room_than_their_sum() {
        const BYTES: usize = 8 << 20;
        let room = Room::new(BYTES as u64);
        let mut share = room.share();
        for _ in 0..BYTES / 100 {
            share.grow(100).unwrap();
        }
        assert_eq!(share.grow(UNIT_BYTES), Err(Full));
        drop(share);
        let mut share = room.share();
        assert_eq!(share.grow(BYTES), Ok(()));
        assert_eq!(room.share().grow(1), Err(Full));
        assert_eq!(share.grow(usize::MAX), Err(Full));
    }
}
