//! One connection, from its first request to its end.

use super::activity::{Activity, Due, Ending, UnderWay, now};
use super::body::{Answer, Guarded};
use super::slots::Slot;
use super::stream::{Stream, Watched};
use super::{Infallibly, RequestBody};
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use preamp_config::Serving;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocols {
    /// HTTP/1 and HTTP/2.
    Both,
    /// HTTP/2.
    Http2,
}

/// The most bytes of the head of a request in HTTP/1, and of what is read at a time.
const HTTP1_BUFFER: usize = 64 << 10;

/// The most bytes of a head in HTTP/2, as its fields are counted there.
const HTTP2_HEAD: u32 = 16 << 10;

/// How long a connection may take to end when its slot is needed: long enough to tell the sender that it is over.
const FAREWELL: Duration = Duration::from_millis(10);

/// How long one may take that could have a request on its way, and how often that is looked at.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Connections get as old as they may, give or take this part of it, so that not all end at once.
const SPREAD: f64 = 0.1;

/// Answers the requests of a connection until it ends, or has to.
pub(super) async fn attend<H, F, B>(
    stream: Stream,
    slot: &Slot,
    serving: &Serving,
    protocols: Protocols,
    handler: H,
    stop: CancellationToken,
) where
    H: Fn(Request<RequestBody>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
{
    let activity = slot.activity();
    let watched = Watched { stream, activity: Arc::clone(activity) };
    let of_service = Arc::clone(activity);
    let service = service_fn(move |request: Request<Incoming>| {
        let (mut under_way, reading) = UnderWay::begin(&of_service);
        let answering = handler(request.map(|body| Guarded::new(body, reading)));
        async move {
            let response = answering.await;
            under_way.answer();
            Infallibly::Ok(response.map(|body| Answer { body, request: under_way }))
        }
    });
    let builder = builder(serving, protocols);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(watched), service));
    let mut stopping = pin!(stop.cancelled());
    let mut look = pin!(sleep(next_look(activity, serving)));
    let mut age = pin!(sleep(serving.max_age.map_or(FOREVER, spread)));
    let mut end = End::default();
    loop {
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke off");
                }
                break;
            }
            () = &mut stopping, if !end.is_stopping => {
                end.is_stopping = true;
                connection.as_mut().graceful_shutdown();
                look.as_mut().reset(Instant::now() + LAST_LOOK);
            }
            () = activity.ended(), if end.reason.is_none() => {
                end.begin(Ending::Displaced, FAREWELL);
                // Whoever never sent a request has nothing to send again.
                if !activity.has_served() {
                    break;
                }
                connection.as_mut().graceful_shutdown();
            }
            () = &mut age, if end.reason.is_none() => {
                end.begin(Ending::Old, serving.max_age_grace.unwrap_or(FOREVER));
                connection.as_mut().graceful_shutdown();
            }
            () = sleep(end.rest()), if end.reason.is_some() => break,
            () = &mut look => {
                // An idle connection of HTTP/2 whose other side is silent would wait for it to agree.
                if end.is_stopping && !activity.is_busy() {
                    break;
                }
                match activity.due(now(), serving) {
                    Due::Now(Ending::Idle) => {
                        end.begin(Ending::Idle, LAST_LOOK);
                        connection.as_mut().graceful_shutdown();
                        look.as_mut().reset(Instant::now() + LAST_LOOK);
                    }
                    Due::Now(reason) => {
                        end.begin(reason, Duration::ZERO);
                        break;
                    }
                    Due::In(_) if end.is_stopping => look.as_mut().reset(Instant::now() + LAST_LOOK),
                    Due::In(_) => look.as_mut().reset(Instant::now() + next_look(activity, serving)),
                }
            }
        }
    }
    if let Some(reason) = end.reason {
        slot.ended(reason);
    }
}

/// Longer than any connection lasts.
const FOREVER: Duration = Duration::from_secs(86_400 * 365 * 30);

/// How a connection ends, if it has to.
#[derive(Default)]
struct End {
    is_stopping: bool,
    reason: Option<Ending>,
    by: Option<Instant>,
}

impl End {
    /// It has to end for this reason, within this time.
    fn begin(&mut self, reason: Ending, within: Duration) {
        self.reason.get_or_insert(reason);
        let by = Instant::now() + within;
        self.by = Some(self.by.map_or(by, |earlier| earlier.min(by)));
    }

    /// How much time is left.
    fn rest(&self) -> Duration {
        self.by.map_or(FOREVER, |by| by.saturating_duration_since(Instant::now()))
    }
}

fn next_look(activity: &Activity, serving: &Serving) -> Duration {
    match activity.due(now(), serving) {
        Due::In(milliseconds) => Duration::from_millis(milliseconds).min(FOREVER),
        Due::Now(_) => Duration::ZERO,
    }
}

fn spread(age: Duration) -> Duration {
    age.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * fastrand::f64()).min(FOREVER)
}

fn builder(serving: &Serving, protocols: Protocols) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The time of a head is watched with all others: hyper would count the time without a request to it.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .keep_alive(serving.keeps_alive)
        .max_buf_size(HTTP1_BUFFER);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(serving.max_concurrent_streams)
        .max_header_list_size(HTTP2_HEAD)
        .keep_alive_interval(serving.ping_interval)
        .keep_alive_timeout(serving.ping_timeout);
    match protocols {
        Protocols::Both => builder,
        Protocols::Http2 => builder.http2_only(),
    }
}
