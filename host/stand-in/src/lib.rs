//! A loopback stand-in for a workspace of Amazon Managed Service for Prometheus (AMP), to judge what a remote-write
//! sender does without an AWS account.
//!
//! It verifies the signature of every request with an implementation of its own, enforces AMP's limits (body size,
//! sample age, order, label sets, native histograms), gives AMP's answers, plays faults on request, and keeps the series or hands them
//! to a real Prometheus. It uses no code of Preamp, so that an error on one side cannot hide the same on the other.
//!
//! ```no_run
//! # async fn example(signer: amp_stand_in::Signer) -> std::io::Result<()> {
//! let stand_in = amp_stand_in::StandIn::start(amp_stand_in::Options::signed(signer)).await?;
//! println!("remote_write to {}", stand_in.url());
//! println!("{:?}", stand_in.report());
//! stand_in.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod answer;
mod body;
mod fault;
mod histogram;
mod message;
mod options;
mod report;
mod signature;
mod store;
mod upstream;
mod view;
mod workspace;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

pub use fault::{Fault, Script};
pub use histogram::KeptHistogram;
pub use options::{Authentication, Clock, Limits, Options, Session, Signer, Storage, WORKSPACE_PATH};
pub use report::Report;
pub use store::{KeptMetadata, KeptSample, Labels};
pub use view::SERIES_PATH;

use workspace::Workspace;

const MAX_CONNECTIONS: usize = 256;

/// A running stand-in. Dropping it closes its port and all connections.
pub struct StandIn {
    address: SocketAddr,
    workspace: Arc<Workspace>,
    server: JoinHandle<()>,
}

impl StandIn {
    /// Starts on a free port of 127.0.0.1. Must be called inside a tokio runtime with I/O and time.
    ///
    /// # Errors
    /// When no port can be had, or the secret key is not 40 characters long.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        Self::start_on((Ipv4Addr::LOCALHOST, 0).into(), options).await
    }

    /// The same on an address of the caller's choice.
    ///
    /// # Errors
    /// When it cannot be listened on, or the secret key is not 40 characters long.
    pub async fn start_on(address: SocketAddr, options: Options) -> std::io::Result<Self> {
        let workspace = Arc::new(Workspace::new(options)?);
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(serve(listener, Arc::clone(&workspace)));
        Ok(Self { address, workspace, server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The remote-write URL of its workspace.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{WORKSPACE_PATH}", self.address)
    }

    /// What was counted so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.workspace.state().report.clone()
    }

    /// A copy of the series kept in memory, samples in order of time.
    #[must_use]
    pub fn series(&self) -> BTreeMap<Labels, Vec<KeptSample>> {
        self.workspace.state().store.series().clone()
    }

    /// A copy of the native histograms kept in memory, by series and in order of time.
    #[must_use]
    pub fn histograms(&self) -> BTreeMap<Labels, Vec<KeptHistogram>> {
        self.workspace.state().store.histograms().clone()
    }

    /// A copy of the metadata kept in memory, by the name of the metric.
    #[must_use]
    pub fn metadata(&self) -> BTreeMap<String, KeptMetadata> {
        self.workspace.state().store.metadata().clone()
    }

    /// Lets one more identity in from now on.
    ///
    /// # Errors
    /// When its secret key is not 40 characters long.
    pub fn know(&self, session: Session) -> std::io::Result<()> {
        self.workspace.know(session)
    }

    /// Refuses bodies of this many bytes or more from now on ([`Limits::body_bytes`]).
    pub fn limit_bodies(&self, bytes: usize) {
        self.workspace.limit_bodies(bytes);
    }

    /// Lets the next request meet a fault; of several, each request meets one.
    pub fn inject(&self, fault: Fault) {
        self.workspace.state().faults.push(fault);
    }

    /// Closes the port and all connections, and waits until that is done.
    pub async fn shutdown(mut self) {
        self.server.abort();
        let _cancelled = (&mut self.server).await;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, workspace: Arc<Workspace>) {
    let mut connections = JoinSet::new();
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Ok((stream, _)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let workspace = Arc::clone(&workspace);
        connections.spawn(async move {
            let _slot = slot;
            let answer = service_fn(|request| workspace.handle(request));
            let connection =
                http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
            if let Err(error) = connection.await {
                tracing::debug!(%error, "stand-in closed a connection");
            }
        });
    }
}
