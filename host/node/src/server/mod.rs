//! Serves HTTP on a socket, the same way on every port: what connects is counted, bounded, watched and ended.
//!
//! ```text
//! accept ─▶ slots (how many may be open) ─▶ TLS ─▶ connection (HTTP/1 or HTTP/2, watched) ─▶ handler
//! ```
//!
//! A stranger may connect as often as they like and say nothing, or little, or all of it slowly. Whoever sends as
//! they should is served beside them: the connections that are of least use are closed for those that come.

mod accept;
mod activity;
mod body;
mod connection;
mod descriptors;
mod hosts;
mod slots;
mod stream;

pub(crate) use connection::Protocols;
pub(crate) use descriptors::Descriptors;
pub(crate) use hosts::Names;

use crate::metrics::ListenerMetrics;
use crate::tls::FromFiles;
use accept::{Accepted, Handshakes};
use activity::Reading;
use body::Guarded;
use bytes::Bytes;
use http::{Request, Response};
use hyper::body::{Body, Incoming};
use preamp_config::Serving;
use rustls::ServerConfig;
use slots::Slots;
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// The body of a request.
pub(crate) type RequestBody = Guarded<Incoming, Reading>;

/// The TLS of a server, up to date with its files.
pub(crate) type ServersTls = FromFiles<ServerConfig>;

/// What a handler gives, which cannot fail.
type Infallibly<T> = Result<T, Infallible>;

/// A server that is about to begin.
pub(crate) struct Server {
    /// What is listened on. It may go on to another server.
    pub(crate) socket: Arc<TcpListener>,
    /// TLS; `None` takes plain connections.
    pub(crate) tls: Option<ServersTls>,
    /// What connections may take.
    pub(crate) serving: Serving,
    /// What is spoken.
    pub(crate) protocols: Protocols,
    /// Counts connections.
    pub(crate) metrics: ListenerMetrics,
}

impl Server {
    /// The names that it answers to.
    pub(crate) fn names(&self) -> Names {
        Names::new(&self.serving.hosts, self.socket.local_addr().ok(), self.tls.is_some())
    }

    /// Answers requests until `stop` is cancelled and those under way are answered. Dropping this ends all
    /// connections at once.
    ///
    /// # Errors
    ///
    /// When the socket cannot be used.
    pub(crate) async fn serve<H, F, B>(self, handler: H, stop: CancellationToken) -> io::Result<()>
    where
        H: Fn(Request<RequestBody>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + Unpin + 'static,
    {
        let Server { socket, tls, serving, protocols, metrics } = self;
        // A socket that has no address is none.
        socket.local_addr()?;
        let slots = Slots::new(&serving, metrics);
        let handshakes = Handshakes::new(tls);
        let serving = Arc::new(serving);
        let mut connections = JoinSet::new();
        loop {
            let (stream, slot) = tokio::select! {
                accepted = accept::next(&socket, &slots) => match accepted {
                    Accepted::Connection(stream, slot) => (stream, slot),
                    Accepted::Nothing => continue,
                },
                Some(ended) = connections.join_next() => {
                    report(ended);
                    continue;
                }
                () = stop.cancelled() => break,
            };
            let (handshakes, serving) = (handshakes.clone(), Arc::clone(&serving));
            let (handler, stop) = (handler.clone(), stop.clone());
            connections.spawn(async move {
                let Some(stream) = handshakes.shake(stream, &slot, &stop).await else { return };
                connection::attend(stream, &slot, &serving, protocols, handler, stop).await;
            });
        }
        // Whoever connects from now on is to hear so, and not to wait for ever.
        drop(socket);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
        Ok(())
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(panic) = ended {
        tracing::error!(%panic, "a connection broke down");
    }
}
