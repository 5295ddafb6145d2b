//! A server that speaks TLS in front of one that does not, as a balancer would.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use crate::certificates::Pair;

/// Both versions that are in use.
pub const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// The older one only.
pub const OLD: &[&SupportedProtocolVersion] = &[&TLS12];

/// Who a front is, and whom it lets in.
pub struct Identity<'i> {
    /// Its certificate.
    pub own: &'i Pair,
    /// The authority that clients need a certificate of, if they need one.
    pub clients: Option<&'i str>,
    /// The versions it speaks.
    pub versions: &'static [&'static SupportedProtocolVersion],
}

/// A running front. It ends when dropped.
pub struct TlsFront {
    /// Where it listens.
    pub address: SocketAddr,
    behind: SocketAddr,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    server: JoinHandle<()>,
}

impl TlsFront {
    /// Starts in front of a server.
    ///
    /// # Errors
    /// When a certificate is none, or there is no port.
    pub async fn start(identity: &Identity<'_>, behind: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let acceptor = Arc::new(Mutex::new(acceptor(identity)?));
        let connections = Arc::new(Mutex::new(JoinSet::new()));
        let server = tokio::spawn(serve(listener, Arc::clone(&acceptor), Arc::clone(&connections), behind));
        Ok(Self { address, behind, acceptor, connections, server })
    }

    /// The URL of the server behind it, as it is from here.
    #[must_use]
    pub fn url(&self, behind: &str) -> String {
        let url = behind.replacen("http:", "https:", 1);
        url.replacen(&self.behind.to_string(), &self.address.to_string(), 1)
    }

    /// Becomes another, and cuts all connections.
    ///
    /// # Errors
    /// When a certificate is none.
    pub fn become_another(&self, identity: &Identity<'_>) -> anyhow::Result<()> {
        *self.acceptor.lock().unwrap_or_else(PoisonError::into_inner) = acceptor(identity)?;
        self.connections.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
        Ok(())
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    listener: TcpListener,
    acceptor: Arc<Mutex<TlsAcceptor>>,
    connections: Arc<Mutex<JoinSet<()>>>,
    behind: SocketAddr,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let acceptor = acceptor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connections.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            // What goes wrong is what the client is to find out.
            let Ok(mut front) = acceptor.accept(stream).await else { return };
            let Ok(mut back) = TcpStream::connect(behind).await else { return };
            let _ended = copy_bidirectional(&mut front, &mut back).await;
        });
    }
}

fn acceptor(identity: &Identity<'_>) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(identity.versions)?;
    let builder = match identity.clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let certificate = CertificateDer::from_pem_slice(identity.own.certificate.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(identity.own.key.as_bytes())?;
    Ok(TlsAcceptor::from(Arc::new(builder.with_single_cert(vec![certificate], key)?)))
}
