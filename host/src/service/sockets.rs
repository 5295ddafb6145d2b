//! The addresses of a service.

use super::StartError;
use crate::config::{Listener, Settings};
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Where a service listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// OTLP/gRPC.
    pub grpc: Option<SocketAddr>,
    /// OTLP/HTTP.
    pub http: Option<SocketAddr>,
    /// `/metrics`.
    pub metrics: Option<SocketAddr>,
}

/// Addresses that are taken before anything else is started.
pub(super) struct Sockets {
    pub(super) grpc: Option<TcpListener>,
    pub(super) http: Option<TcpListener>,
    pub(super) metrics: Option<TcpListener>,
}

impl Sockets {
    pub(super) async fn bind(settings: &Settings) -> Result<Sockets, StartError> {
        let receiver = &settings.receiver;
        let protocol = |name: &str| format!("receivers.{}.protocols.{name}.endpoint", receiver.id);
        let endpoint =
            |listener: &Option<Listener>| listener.as_ref().map(|listener| listener.endpoint.clone());
        Ok(Sockets {
            grpc: listen(endpoint(&receiver.grpc), || protocol("grpc")).await?,
            http: listen(endpoint(&receiver.http), || protocol("http")).await?,
            metrics: listen(settings.telemetry.metrics_endpoint.clone(), || {
                "service.telemetry.metrics".to_owned()
            })
            .await?,
        })
    }

    pub(super) fn addresses(&self) -> Addresses {
        let address =
            |socket: &Option<TcpListener>| socket.as_ref().and_then(|socket| socket.local_addr().ok());
        Addresses { grpc: address(&self.grpc), http: address(&self.http), metrics: address(&self.metrics) }
    }
}

async fn listen(
    endpoint: Option<String>,
    setting: impl FnOnce() -> String,
) -> Result<Option<TcpListener>, StartError> {
    let Some(endpoint) = endpoint else { return Ok(None) };
    match TcpListener::bind(&endpoint).await {
        Ok(socket) => Ok(Some(socket)),
        Err(error) => Err(StartError::Listen { setting: setting(), endpoint, error }),
    }
}
