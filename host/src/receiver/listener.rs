//! Connections from senders, with TLS or without. A handshake that takes long holds nobody else up.

use crate::notices::Notices;
use crate::tls::FromFiles;
use axum::serve::Listener;
use rustls::ServerConfig;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

/// As many connections may be between TCP and the end of the handshake; others wait to be accepted.
const HANDSHAKES: usize = 256;

/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long nothing is accepted after the system had no room for one more.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// What a receiver listens on.
pub struct Incoming {
    address: SocketAddr,
    ready: mpsc::Receiver<Connection>,
}

/// The TLS of a receiver, up to date with its files.
pub(crate) type ReceiverTls = FromFiles<ServerConfig>;

impl Incoming {
    /// Takes the connections of a socket, until this is dropped. The socket may go on to another.
    ///
    /// # Errors
    /// When the socket has no address.
    pub(crate) fn new(socket: Arc<TcpListener>, tls: Option<ReceiverTls>) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let (give, ready) = mpsc::channel(1);
        tokio::spawn(accept(socket, tls.map(Arc::new), give));
        Ok(Self { address, ready })
    }

    /// The next connection; `None` after the socket was closed.
    pub(crate) async fn next(&mut self) -> Option<Connection> {
        self.ready.recv().await
    }
}

impl Listener for Incoming {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.next().await {
            Some(connection) => (connection, self.address),
            // The task that accepts lives as long as this does, but for the end of the program.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(socket: Arc<TcpListener>, tls: Option<Arc<ReceiverTls>>, give: mpsc::Sender<Connection>) {
    let notices = Arc::new(Notices::default());
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        // The semaphore is never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
            () = give.closed() => return,
        };
        // What is not sent at once is not sent faster.
        let _set = stream.set_nodelay(true);
        let Some(tls) = &tls else {
            if give.send(Connection::Plain(stream)).await.is_err() {
                return;
            }
            continue;
        };
        let acceptor = TlsAcceptor::from(tls.current());
        let (give, notices) = (give.clone(), Arc::clone(&notices));
        tokio::spawn(async move {
            let _place = place;
            let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
            match handshake {
                // Nobody is there to take it if the receiver stops.
                Ok(Ok(stream)) => _ = give.send(Connection::Tls(Box::new(stream))).await,
                Ok(Err(error)) => {
                    if let Some(held_back) = notices.admit("tls", 1) {
                        tracing::warn!(%error, held_back, "a sender was turned away by TLS");
                    }
                }
                Err(_elapsed) => tracing::debug!("a sender did not finish the TLS handshake in time"),
            }
        });
    }
}

/// A connection of a sender.
pub enum Connection {
    /// Without TLS.
    Plain(TcpStream),
    /// With TLS, after the handshake.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}

impl AsyncRead for Connection {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(context, bytes),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
