//! How much memory all requests of the process together may take.

use std::fmt;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The unit in which memory is reserved.
const UNIT_BYTES: usize = 1 << 10;

/// Bounds the bytes of all requests together, from their first byte read until their payload is translated.
pub struct MemoryBudget {
    units: Arc<Semaphore>,
}

/// The budget is used up.
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

impl MemoryBudget {
    /// A budget of so many bytes, all of it free.
    #[must_use]
    pub fn new(bytes: u64) -> MemoryBudget {
        let units = usize::try_from(bytes).unwrap_or(usize::MAX) / UNIT_BYTES;
        MemoryBudget { units: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))) }
    }

    /// A reservation for one request, of no bytes yet. Dropping it gives its bytes back.
    #[must_use]
    pub fn reserve(&self) -> Reservation {
        Reservation { budget: Arc::clone(&self.units), bytes: 0, units: None }
    }
}

/// What is reserved for one request. It goes where the bytes of the request go.
pub struct Reservation {
    budget: Arc<Semaphore>,
    bytes: usize,
    units: Option<OwnedSemaphorePermit>,
}

impl Reservation {
    /// Reserves more bytes.
    ///
    /// # Errors
    ///
    /// When there are not enough. The reservation is as it was.
    pub fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        let total = self.bytes.checked_add(bytes).ok_or(Full)?;
        let further = total.div_ceil(UNIT_BYTES) - self.bytes.div_ceil(UNIT_BYTES);
        let further = u32::try_from(further).map_err(|_| Full)?;
        let units = Arc::clone(&self.budget).try_acquire_many_owned(further).map_err(|_| Full)?;
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
        let room = MemoryBudget::new(BYTES as u64);
        let mut share = room.reserve();
        for _ in 0..BYTES / 100 {
            share.grow(100).unwrap();
        }
        assert_eq!(share.grow(UNIT_BYTES), Err(Full));
        drop(share);
        let mut share = room.reserve();
        assert_eq!(share.grow(BYTES), Ok(()));
        assert_eq!(room.reserve().grow(1), Err(Full));
        assert_eq!(share.grow(usize::MAX), Err(Full));
    }
}
