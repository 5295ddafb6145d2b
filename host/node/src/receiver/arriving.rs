//! The body of a request while it comes in: counted, within its time, and unpacked.

use super::answer::{late, too_large};
use crate::intake::Intake;
use crate::memory_budget::{Full, Reservation};
use bytes::{Bytes, BytesMut};
use hyper::body::Body;
use preamp_answer::{Code, Failure};
use preamp_unpack::{ContentEncoding, Room, UnpackError};
use std::borrow::Cow;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep, sleep_until};

/// What a request takes beside its body, in bytes: its head, its stream, its task.
const REQUEST_BYTES: usize = 8 << 10;

/// Smaller bodies are unpacked where they are: to hand them over costs more.
const HANDED_OVER: usize = 8 << 10;

/// Memory is reserved for no more of an announced size than this. It may never come.
const PREPARED: usize = 1 << 20;

/// The body of a request, and the room that it takes.
pub(super) struct Arriving<B> {
    body: B,
    share: Reservation,
    time: Option<Duration>,
    deadline: Option<Instant>,
    /// There is one once a part of the body has to be waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// How much of a body is taken.
pub(super) struct Sizes {
    /// The most bytes.
    pub(super) limit: usize,
    /// How many more are read and thrown away before that is said.
    pub(super) discarded: usize,
    /// How many there are to be, if that was said before.
    pub(super) announced: usize,
}

impl<B: Body<Data = Bytes, Error: std::fmt::Display> + Unpin> Arriving<B> {
    /// The body of a request that begins now and may take so long to arrive.
    ///
    /// # Errors
    ///
    /// When there is no room for one more request.
    pub(super) fn new(body: B, intake: &Intake, time: Option<Duration>) -> Result<Self, Failure> {
        let mut share = intake.requests().reserve();
        share.grow(REQUEST_BYTES).map_err(|full| Failure::busy(full.to_string()))?;
        let deadline = time.and_then(|time| Instant::now().checked_add(time));
        Ok(Arriving { body, share, time, deadline, timer: None })
    }

    /// All of the body in one piece, with its room. `check` sees what is there after each part, and may find that
    /// the rest need not be read.
    ///
    /// # Errors
    ///
    /// When it is too large, there is no room for it, or it does not arrive.
    pub(super) async fn collect(
        mut self,
        Sizes { limit, discarded, announced }: Sizes,
        check: impl Fn(&[u8]) -> Result<(), Failure>,
    ) -> Result<(Bytes, Reservation), Failure> {
        let mut collected = BytesMut::with_capacity(announced.min(limit).min(PREPARED));
        let mut read = 0_usize;
        while let Some(part) = self.part().await? {
            read = read.saturating_add(part.len());
            if read <= limit {
                self.share.grow(part.len()).map_err(|full| Failure::busy(full.to_string()))?;
                collected.extend_from_slice(&part);
                check(&collected)?;
            } else if read - limit > discarded {
                break;
            }
        }
        if read > limit { Err(too_large(limit as u64)) } else { Ok((collected.freeze(), self.share)) }
    }

    /// The next part of the body; `None` at its end.
    async fn part(&mut self) -> Result<Option<Bytes>, Failure> {
        poll_fn(|context| {
            loop {
                match Pin::new(&mut self.body).poll_frame(context) {
                    Poll::Ready(None) => return Poll::Ready(Ok(None)),
                    Poll::Ready(Some(Ok(frame))) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Ok(Some(data)));
                        }
                    }
                    Poll::Ready(Some(Err(error))) => {
                        let message = format!("the request ended before its body did: {error}");
                        return Poll::Ready(Err(Failure::new(Code::InvalidArgument, message)));
                    }
                    Poll::Pending => break,
                }
            }
            let Some(deadline) = self.deadline else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
            timer.as_mut().poll(context).map(|()| Err(late(self.time.unwrap_or_default())))
        })
        .await
    }
}

/// Unpacks bodies, as many at a time as there are processors, since each may grow to the limit.
pub(super) struct Unpacker {
    places: Semaphore,
    /// The largest payload, in bytes.
    limit: usize,
}

impl Unpacker {
    /// One for payloads of at most so many bytes.
    pub(super) fn new(limit: usize) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Unpacker { places: Semaphore::new(processors), limit }
    }

    /// Unpacks a body. Its share grows by what comes out.
    ///
    /// # Errors
    ///
    /// When it is not packed as announced, or there is too much in it.
    pub(super) async fn unpack(
        &self,
        packed: ContentEncoding,
        body: Bytes,
        share: Reservation,
    ) -> Result<(Bytes, Reservation), Failure> {
        let limit = self.limit;
        if packed == ContentEncoding::Identity || body.len() <= HANDED_OVER {
            return unpack(packed, body, limit, share).map_err(|error| failed(error, limit));
        }
        // The semaphore is never closed; if it were, unpacking would go on without a limit.
        let _one_of_few = self.places.acquire().await.ok();
        let unpacking = tokio::task::spawn_blocking(move || unpack(packed, body, limit, share));
        match unpacking.await {
            Ok(unpacked) => unpacked.map_err(|error| failed(error, limit)),
            Err(_panic) => Err(Failure::new(Code::Internal, "unpacking the body failed")),
        }
    }
}

impl Room for Reservation {
    type Full = Full;

    fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        Reservation::grow(self, bytes)
    }
}

fn unpack(
    packed: ContentEncoding,
    body: Bytes,
    limit: usize,
    mut share: Reservation,
) -> Result<(Bytes, Reservation), UnpackError<Full>> {
    let unpacked = match packed.unpack(&body, limit, &mut share)? {
        Cow::Owned(unpacked) => unpacked.into(),
        Cow::Borrowed(_) => body,
    };
    Ok((unpacked, share))
}

fn failed(error: UnpackError<Full>, limit: usize) -> Failure {
    match error {
        UnpackError::TooLarge => too_large(limit as u64),
        UnpackError::Full(full) => Failure::busy(full.to_string()),
        UnpackError::Malformed(error) => {
            let message = format!(
                "the body is not what Content-Encoding (gRPC: grpc-encoding) says, or cut off: {error}"
            );
            Failure::new(Code::InvalidArgument, message)
        }
    }
}
