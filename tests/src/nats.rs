//! A real JetStream cluster, on loopback or on machines of its own.

use crate::children::{Background, fetched, program, wait_for};
use crate::loopback::{exchange, free_ports};
use crate::network::Network;
use anyhow::Context as _;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Servers that keep streams together. They end when dropped.
pub struct Cluster {
    servers: Vec<Server>,
}

/// What differs from cluster to cluster.
#[derive(Clone)]
pub struct Setup<'s> {
    /// How often the servers synchronize what they write (`sync_interval`).
    pub sync: &'s str,
    /// More of their configuration.
    pub more: &'s str,
    /// The scheme that clients are to use.
    pub scheme: &'s str,
    /// The program, if it is not the usual one.
    pub program: Option<PathBuf>,
    /// A network on whose first machines they run.
    pub network: Option<Arc<Network>>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Setup { sync: "always", more: "", scheme: "nats", program: None, network: None }
    }
}

/// One of them.
pub struct Server {
    process: Option<Background>,
    program: PathBuf,
    network: Option<(Arc<Network>, usize)>,
    folder: PathBuf,
    name: String,
    address: Ipv4Addr,
    client: u16,
    monitoring: u16,
    scheme: String,
}

impl Cluster {
    /// Starts three, each with a folder of its own in this one. `sync` is their `sync_interval`.
    ///
    /// # Errors
    /// When there is no server program, or they do not find each other.
    pub fn start(folder: &Path, sync: &str) -> anyhow::Result<Self> {
        Self::start_with(folder, &Setup { sync, ..Setup::default() })
    }

    /// Starts three that are set up so.
    ///
    /// # Errors
    /// When there is no server program, or they do not find each other.
    pub fn start_with(folder: &Path, setup: &Setup) -> anyhow::Result<Self> {
        Self::start_in(&[folder.join("n0"), folder.join("n1"), folder.join("n2")], setup)
    }

    /// The same in these folders, which may hold what a cluster kept before.
    ///
    /// # Errors
    /// When there is no server program, or they do not find each other.
    pub fn start_in(folders: &[PathBuf; 3], setup: &Setup) -> anyhow::Result<Self> {
        let Setup { sync, more, scheme, program: another, network } = setup;
        let usual = || program("PREAMP_NATS_SERVER", fetched("python/bin/nats-server"));
        let program = another.clone().map_or_else(usual, Ok)?;
        let [c0, c1, c2, m0, m1, m2, r0, r1, r2] = free_ports()?;
        let address = |number: usize| match network {
            Some(network) => network.address(number),
            None => Ipv4Addr::LOCALHOST,
        };
        let routes = [r0, r1, r2].into_iter().enumerate();
        let routes: Vec<_> =
            routes.map(|(number, port)| format!("nats-route://{}:{port}", address(number))).collect();
        let routes = routes.join(", ");
        let servers = [(c0, m0, r0), (c1, m1, r1), (c2, m2, r2)].into_iter().zip(folders).enumerate();
        let mut started = Vec::new();
        for (number, ((client, monitoring, route), folder)) in servers {
            std::fs::create_dir_all(folder)?;
            let (name, address) = (format!("n{number}"), address(number));
            let configuration = format!(
                "server_name: {name}\nlisten: {address}:{client}\nhttp: {address}:{monitoring}\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: {sync} }}\n\
                 cluster {{ name: c, listen: {address}:{route}, routes: [{routes}] }}\n{more}\n",
                folder.join("data").display()
            );
            std::fs::write(folder.join("nats.conf"), configuration)?;
            let mut server = Server {
                process: None,
                program: program.clone(),
                network: network.clone().map(|network| (network, number)),
                folder: folder.clone(),
                name,
                address,
                client,
                monitoring,
                scheme: (*scheme).to_owned(),
            };
            server.start()?;
            started.push(server);
        }
        let cluster = Cluster { servers: started };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    /// Waits until the servers have agreed on who leads.
    ///
    /// # Errors
    /// When they do not.
    pub fn wait_until_ready(&self) -> anyhow::Result<()> {
        wait_for("the NATS servers to agree on a leader", || {
            let is_ready = |server: &Server| {
                let said = server.ask("/healthz")?;
                Some(said["status"] == "ok" && server.ask("/jsz")?["meta_cluster"]["leader"].is_string())
            };
            Ok(self
                .servers
                .iter()
                .filter(|it| it.process.is_some())
                .all(|it| is_ready(it) == Some(true))
                .then_some(()))
        })
    }

    /// A section `extensions` with them, with more keys.
    #[must_use]
    pub fn extension(&self, more: &str) -> String {
        let list = |address: &dyn Fn(&Server) -> String| {
            self.servers.iter().map(address).collect::<Vec<_>>().join(", ")
        };
        format!(
            "extensions:\n  nats:\n    servers: [{}]\n    monitoring: [{}]\n{}",
            list(&|Server { scheme, address, client, .. }| format!("{scheme}://{address}:{client}")),
            list(&|Server { address, monitoring, .. }| format!("http://{address}:{monitoring}")),
            more.lines().map(|line| format!("    {line}\n")).collect::<String>()
        )
    }

    /// Which server leads a stream.
    ///
    /// # Errors
    /// When none does.
    pub fn leader(&self, stream: &str) -> anyhow::Result<usize> {
        wait_for("a leader of the stream", || {
            let found = self.servers.iter().find_map(|server| {
                let said = server.ask("/jsz?streams=true&accounts=true")?;
                let streams = said["account_details"][0]["stream_detail"].as_array()?.clone();
                let stream = streams.into_iter().find(|it| it["name"] == stream)?;
                let leader = stream["cluster"]["leader"].as_str()?.to_owned();
                self.servers.iter().position(|it| it.name == leader)
            });
            Ok(found)
        })
    }

    /// Kills one.
    pub fn kill(&mut self, server: usize) {
        self.servers[server].process = None;
    }

    /// Starts one again that was killed.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn revive(&mut self, server: usize) -> anyhow::Result<()> {
        self.servers[server].start()
    }

    /// Has one stand still (`STOP`), or go on (`CONT`).
    ///
    /// # Errors
    /// When it is not there.
    pub fn signal(&self, server: usize, signal: &str) -> anyhow::Result<()> {
        self.servers[server].process.as_ref().context("it was killed")?.signal(signal)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.servers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty()
    }
}

impl Server {
    fn start(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(self.folder.join("nats.conf"));
        if let Some((network, machine)) = &self.network {
            command = network.on(*machine, &command);
        }
        let mut process = Background::start("nats-server", command, &self.folder)?;
        process.wait_for("the NATS server to listen", |log| log.contains("Server is ready").then_some(()))?;
        self.process = Some(process);
        Ok(())
    }

    fn ask(&self, path: &str) -> Option<Value> {
        let address = SocketAddr::from((self.address, self.monitoring));
        let reply = exchange(address, "GET", path, &[("host", "nats")], b"")?;
        serde_json::from_str(&reply.body).ok()
    }
}
