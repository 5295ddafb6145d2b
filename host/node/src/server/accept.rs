//! From the socket to a connection that is ready for requests. Nobody who takes long holds anybody else up.

use super::ServersTls;
use super::slots::{Refused, Slot, Slots};
use super::stream::Stream;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing is accepted after the system had no room for one more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What the system says when there are too many open files, of the process or of all.
const EMFILE: i32 = 24;
const ENFILE: i32 = 23;

/// What came of listening.
pub(super) enum Accepted {
    /// Somebody connected.
    Connection(TcpStream, Slot),
    /// Nobody that could be let in.
    Nothing,
}

/// Waits for somebody to connect. Whoever waits no longer loses nobody.
pub(super) async fn next(socket: &TcpListener, slots: &Arc<Slots>) -> Accepted {
    slots.have_room().await;
    let (stream, address) = match socket.accept().await {
        Ok(accepted) => accepted,
        Err(error) => {
            not_accepted(&error, slots);
            // One that was broken off before it was accepted costs nothing.
            if !matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) {
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            return Accepted::Nothing;
        }
    };
    match slots.enter(address.ip()) {
        Ok(slot) => {
            // What is not sent at once is not sent faster.
            let _set = stream.set_nodelay(true);
            Accepted::Connection(stream, slot)
        }
        Err(refused) => {
            turned_away(refused, slots);
            Accepted::Nothing
        }
    }
}

fn not_accepted(error: &io::Error, slots: &Slots) {
    match error.raw_os_error() {
        Some(EMFILE | ENFILE) => {
            // One that can be spared leaves its descriptor to the one that waits.
            slots.spare_one();
            if let Some(suppressed) = slots.refused("descriptors") {
                tracing::error!(
                    %error,
                    suppressed,
                    "no connection could be accepted: raise the limit of open files (systemd: LimitNOFILE, shell: \
                     ulimit -n), or lower the receiver's max_connections"
                );
            }
        }
        _ => tracing::debug!(%error, "a connection was not accepted"),
    }
}

fn turned_away(refused: Refused, slots: &Slots) {
    match refused {
        Refused::Full => {
            if let Some(suppressed) = slots.refused("max-connections") {
                tracing::warn!(
                    suppressed,
                    "a connection was turned away: there are as many as max_connections and the limit of open files \
                     allow, and all of them have requests under way"
                );
            }
        }
        Refused::Address => {
            if let Some(suppressed) = slots.refused("max-connections-per-address") {
                tracing::warn!(
                    suppressed,
                    "a connection was turned away: its address has as many as max_connections_per_address allows"
                );
            }
        }
    }
}

/// How connections become secure, if they do.
#[derive(Clone)]
pub(super) struct Handshakes {
    tls: Option<Arc<ServersTls>>,
}

impl Handshakes {
    /// By the TLS of a server.
    pub(super) fn new(tls: Option<ServersTls>) -> Self {
        Handshakes { tls: tls.map(Arc::new) }
    }

    /// The connection, ready for requests; `None` if it does not get there.
    pub(super) async fn shake(
        &self,
        stream: TcpStream,
        slot: &Slot,
        stop: &CancellationToken,
    ) -> Option<Stream> {
        let Some(tls) = &self.tls else { return Some(Stream::Plain(stream)) };
        let acceptor = TlsAcceptor::from(tls.current());
        let _shaking = slot.shake();
        let handshake = tokio::select! {
            handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)) => handshake,
            () = slot.activity().ended() => {
                slot.ended(super::activity::Ending::Displaced);
                return None;
            }
            () = stop.cancelled() => return None,
        };
        match handshake {
            Ok(Ok(stream)) => return Some(Stream::Tls(Box::new(stream))),
            Ok(Err(error)) => {
                if let Some(suppressed) = slot.refused("tls") {
                    tracing::warn!(%error, suppressed, "a sender was turned away by TLS");
                }
            }
            Err(_elapsed) => {
                if let Some(suppressed) = slot.refused("tls-timeout") {
                    tracing::warn!(
                        suppressed,
                        "a sender did not finish the TLS handshake within {} s: it may not speak TLS",
                        HANDSHAKE_TIMEOUT.as_secs()
                    );
                }
            }
        }
        None
    }
}
