//! The addresses of a service.

use super::StartError;
use preamp_config::{Listener, OtlpReceiver, Settings};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;

/// How many connections may wait to be taken, as tokio has it.
const BACKLOG: i32 = 1024;

/// Where a service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// OTLP/gRPC.
    pub grpc: Option<SocketAddr>,
    /// OTLP/HTTP.
    pub http: Option<SocketAddr>,
    /// `/metrics`.
    pub metrics: Option<SocketAddr>,
    /// The health server.
    pub health: Option<SocketAddr>,
}

/// Addresses that are taken before anything else is started.
pub(super) struct Sockets {
    pub(super) receivers: ReceiverSockets,
    pub(super) probes: ProbeSockets,
}

/// Those of what others ask of the process itself.
pub(super) struct ProbeSockets {
    pub(super) metrics: Option<TcpListener>,
    pub(super) health: Option<TcpListener>,
}

/// Those of the receivers. A socket goes on from one configuration to the next that has its address.
#[derive(Clone, Default)]
pub(super) struct ReceiverSockets {
    pub(super) grpc: Option<Arc<TcpListener>>,
    pub(super) http: Option<Arc<TcpListener>>,
}

impl Sockets {
    pub(super) async fn bind(settings: &Settings) -> Result<Sockets, StartError> {
        let receivers = ReceiverSockets::bind(&settings.receiver, None).await?;
        let metrics = match &settings.telemetry.metrics_endpoint {
            Some(endpoint) => Some(listen(endpoint, || "service.telemetry.metrics".to_owned()).await?),
            None => None,
        };
        let health = match &settings.health {
            Some(health) => {
                Some(listen(&health.endpoint, || format!("extensions.{}.endpoint", health.id)).await?)
            }
            None => None,
        };
        Ok(Sockets { receivers, probes: ProbeSockets { metrics, health } })
    }
}

impl ReceiverSockets {
    /// Takes the addresses of a receiver, but for those that it has already, as `last` says.
    pub(super) async fn bind(
        receiver: &OtlpReceiver,
        last: Option<(&OtlpReceiver, &ReceiverSockets)>,
    ) -> Result<Self, StartError> {
        let setting = |name: &str| format!("receivers.{}.protocols.{name}.endpoint", receiver.id);
        let kept = last
            .map(|(settings, sockets)| [(&settings.grpc, &sockets.grpc), (&settings.http, &sockets.http)]);
        let kept = |endpoint: &str| {
            let taken = kept.into_iter().flatten();
            let mut taken =
                taken.filter_map(|(listener, socket)| Some((listener.as_ref()?, socket.as_ref()?)));
            taken.find(|(listener, _)| listener.endpoint == endpoint).map(|(_, socket)| socket.clone())
        };
        let bind = async |listener: &Option<Listener>, name: &str| {
            let Some(Listener { endpoint, .. }) = listener else { return Ok(None) };
            match kept(endpoint) {
                Some(socket) => Ok(Some(socket)),
                None => listen(endpoint, || setting(name)).await.map(|socket| Some(Arc::new(socket))),
            }
        };
        Ok(Self { grpc: bind(&receiver.grpc, "grpc").await?, http: bind(&receiver.http, "http").await? })
    }

    /// Where they are.
    pub(super) fn addresses(&self, metrics: Option<SocketAddr>, health: Option<SocketAddr>) -> Addresses {
        let address = |socket: &Option<Arc<TcpListener>>| socket.as_ref()?.local_addr().ok();
        Addresses { grpc: address(&self.grpc), http: address(&self.http), metrics, health }
    }
}

async fn listen(endpoint: &str, setting: impl FnOnce() -> String) -> Result<TcpListener, StartError> {
    let bound = match endpoint.strip_prefix(':') {
        Some(port) => bind_all(port).await,
        None => TcpListener::bind(endpoint).await,
    };
    bound.map_err(|error| StartError::Listen { setting: setting(), endpoint: endpoint.to_owned(), error })
}

/// Listens on all addresses, of IPv4 and IPv6, as Go does; of IPv4 alone where the system knows no IPv6.
async fn bind_all(port: &str) -> std::io::Result<TcpListener> {
    let port = port.parse().map_err(std::io::Error::other)?;
    match bind_both(port) {
        // Whoever has the port has it in either family.
        Err(error) if error.kind() != std::io::ErrorKind::AddrInUse => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
        }
        both => both,
    }
}

fn bind_both(port: u16) -> std::io::Result<TcpListener> {
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
    // The system's default may be another one (net.ipv6.bindv6only).
    socket.set_only_v6(false)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpStream;

    #[tokio::test]
    async fn without_a_host_both_families_are_listened_on() {
        let listening = listen(":0", String::new).await.expect("a port");
        let port = listening.local_addr().expect("an address").port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("IPv4");
        if bind_both(0).is_ok() {
            TcpStream::connect((Ipv6Addr::LOCALHOST, port)).expect("IPv6");
        }
        let taken = listen(&format!(":{port}"), String::new).await.expect_err("it is taken");
        assert!(taken.to_string().contains(&format!("cannot listen on :{port}")), "{taken}");
    }
}
