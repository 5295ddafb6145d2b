//! Real receivers of remote write that are no Prometheus, with nothing in them at first.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use crate::children::{Background, address_after, fetched, program, wait_for};
use crate::loopback::{exchange, free_ports};
use crate::promql::{self, Labels, Series};

/// A receiver that can be asked in PromQL what it has.
pub struct OtherReceiver {
    processes: Vec<Background>,
    /// Where it takes remote write.
    pub write_url: String,
    queries: SocketAddr,
    /// Labels that it adds to each series.
    own_labels: &'static [&'static str],
}

impl OtherReceiver {
    /// A single-node VictoriaMetrics with more arguments, such as its limits.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn victoria_metrics(folder: &Path, arguments: &[&str]) -> anyhow::Result<Self> {
        let mut command =
            Command::new(program("PREAMP_VICTORIAMETRICS", fetched("receivers/victoriametrics"))?);
        // What was stored is to be found at once, not after half a minute.
        command.args(["-httpListenAddr=127.0.0.1:0", "-search.latencyOffset=0s"]).args(arguments);
        command.arg(format!("-storageDataPath={}", folder.join("data").display()));
        let mut process = Background::start("victoriametrics", command, folder)?;
        let started = |log: &str| address_after(log, "started server at http://");
        let address = process.wait_for("VictoriaMetrics to listen", started)?;
        Ok(Self {
            processes: vec![process],
            write_url: format!("http://{address}/api/v1/write"),
            queries: address,
            own_labels: &[],
        })
    }

    /// A Thanos Receive that stores what it takes, and a Thanos Query that asks it.
    ///
    /// # Errors
    /// When there is none, or they do not come up.
    pub fn thanos(folder: &Path) -> anyhow::Result<Self> {
        let [store, status, capnp, write, query_grpc, queries] =
            free_ports()?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let thanos = program("PREAMP_THANOS", fetched("receivers/thanos"))?;
        let mut command = Command::new(&thanos);
        command.args(["receive", "--label=receive_replica=\"0\""]);
        command.arg(format!("--tsdb.path={}", folder.join("data").display()));
        command.arg(format!("--grpc-address={store}")).arg(format!("--http-address={status}"));
        command
            .arg(format!("--remote-write.address={write}"))
            .arg(format!("--receive.capnproto-address={capnp}"));
        let mut receive = Background::start("thanos-receive", command, folder)?;
        let is_ready = |log: &str| log.contains("server is ready to receive requests").then_some(());
        receive.wait_for("Thanos Receive to be ready", is_ready)?;
        let mut command = Command::new(&thanos);
        command.args(["query", "--query.promql-engine=prometheus"]).arg(format!("--endpoint={store}"));
        command.arg(format!("--grpc-address={query_grpc}")).arg(format!("--http-address={queries}"));
        let query = Background::start("thanos-query", command, folder)?;
        wait_for("Thanos Query to be ready", || {
            let reply = exchange(queries, "GET", "/-/ready", &[("host", "thanos")], b"");
            Ok(reply.filter(|reply| reply.status == 200))
        })?;
        Ok(Self {
            processes: vec![receive, query],
            write_url: format!("http://{write}/api/v1/receive"),
            queries,
            own_labels: &["receive_replica", "tenant_id"],
        })
    }

    /// A Mimir in one process, without tenants.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn mimir(folder: &Path) -> anyhow::Result<Self> {
        let [http, grpc, members] = free_ports()?;
        let configuration = folder.join("mimir.yaml");
        std::fs::write(&configuration, mimir_configuration(&folder.join("data"), http, grpc, members))?;
        let mut command = Command::new(program("PREAMP_MIMIR", fetched("receivers/mimir"))?);
        // Files in the working directory, such as the one of what is under way, belong to this run.
        command.current_dir(folder).arg(format!("-config.file={}", configuration.display()));
        let process = Background::start("mimir", command, folder)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, http));
        wait_for("Mimir to be ready", || {
            let reply = exchange(address, "GET", "/ready", &[("host", "mimir")], b"");
            Ok(reply.filter(|reply| reply.status == 200))
        })?;
        Ok(Self {
            processes: vec![process],
            write_url: format!("http://{address}/api/v1/push"),
            queries: address,
            own_labels: &[],
        })
    }

    /// All series of the last hours, without the labels that the receiver adds.
    ///
    /// # Errors
    /// When it does not answer, or has nothing.
    pub fn stored(&self, now_ms: i64) -> anyhow::Result<BTreeMap<Labels, Series>> {
        // Thanos Query asks a store only for times that the store has named, which it learns each few seconds.
        let found = wait_for("the receiver to show what it has", || {
            let found = promql::samples(self.queries, "{__name__!=\"\"}[6h]", now_ms + 60_000)?;
            Ok(Some(found).filter(|found| !found.is_empty()))
        })?;
        let without_own = |(mut labels, series): (Labels, Series)| {
            labels.retain(|name, _| !self.own_labels.contains(&name.as_str()));
            (labels, series)
        };
        Ok(found.into_iter().map(without_own).collect())
    }

    /// What its programs have said.
    #[must_use]
    pub fn said(&self) -> String {
        self.processes.iter().map(Background::said).collect()
    }

    /// A page of the receiver, such as its own metrics.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn page(&self, path: &str) -> anyhow::Result<String> {
        let reply = exchange(self.queries, "GET", path, &[("host", "receiver")], b"");
        anyhow::Context::context(reply, "the receiver gave no answer").map(|reply| reply.body)
    }
}

/// What makes Mimir a single process that reaches itself on loopback only.
fn mimir_configuration(data: &Path, http: u16, grpc: u16, members: u16) -> String {
    let data = data.display();
    let ring = "instance_addr: 127.0.0.1, kvstore: {store: inmemory}";
    format!(
        "multitenancy_enabled: false
usage_stats: {{enabled: false}}
api: {{prometheus_http_prefix: ''}}
server: {{http_listen_address: 127.0.0.1, http_listen_port: {http}, grpc_listen_address: 127.0.0.1, grpc_listen_port: {grpc}}}
memberlist: {{bind_addr: [127.0.0.1], bind_port: {members}, advertise_addr: 127.0.0.1}}
common: {{storage: {{backend: filesystem, filesystem: {{dir: {data}/common}}}}}}
blocks_storage:
  filesystem: {{dir: {data}/blocks}}
  tsdb: {{dir: {data}/tsdb}}
  bucket_store: {{sync_dir: {data}/sync}}
ruler_storage: {{backend: filesystem, filesystem: {{dir: {data}/ruler}}}}
compactor: {{data_dir: {data}/compactor, sharding_ring: {{{ring}}}}}
distributor: {{ring: {{{ring}}}}}
ingester: {{ring: {{{ring}, replication_factor: 1, min_ready_duration: 0s, final_sleep: 0s}}}}
store_gateway: {{sharding_ring: {{{ring}, replication_factor: 1}}}}
frontend: {{address: 127.0.0.1}}
query_scheduler: {{ring: {{{ring}}}}}
"
    )
}
