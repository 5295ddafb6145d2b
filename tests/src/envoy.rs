//! The filter in a real Envoy, by the configuration that `deploy/envoy` has for people.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use amp_stand_in::WORKSPACE_PATH;
use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::certificates::Authority;
use crate::children::{Background, fetched, program, wait_for};
use crate::loopback::{exchange_1_1, free_ports};
use crate::sockets::{Answer, Payload, Socket};
use crate::tls_front::{BOTH, Identity, TlsFront};

/// The region of the workspace in `deploy/envoy/envoy.yaml`.
const REGION_OF_FILE: &str = "eu-west-1";

/// The filter that was built.
///
/// # Errors
/// When it was not.
pub fn filter() -> anyhow::Result<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/component/preamp-envoy.wasm");
    program("PREAMP_ENVOY_FILTER", usual)
}

/// The file for people.
///
/// # Errors
/// When it cannot be read.
pub fn file() -> anyhow::Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/envoy/envoy.yaml");
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// What a test changes in the file.
#[derive(Clone, Debug)]
pub struct Changes<'c> {
    /// The region of the workspace.
    pub region: &'c str,
    /// More options of the core.
    pub exporter: Value,
    /// Texts of the file, each of which must stand there once, and what stands in their place.
    pub texts: Vec<(&'c str, String)>,
    /// The filter, if it is another one.
    pub filter: Option<PathBuf>,
    /// Variables in the environment of Envoy.
    pub environment: &'c [(&'c str, &'c str)],
    /// Worker threads.
    pub workers: u32,
}

impl<'c> Changes<'c> {
    /// Nothing but what has to be changed.
    #[must_use]
    pub fn few(region: &'c str, environment: &'c [(&'c str, &'c str)]) -> Self {
        Changes { region, exporter: json!({}), texts: Vec::new(), filter: None, environment, workers: 1 }
    }
}

/// An Envoy that takes OTLP. It ends when dropped.
pub struct Envoy {
    process: Background,
    _front: TlsFront,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
    /// Where it takes OTLP over gRPC.
    pub grpc: SocketAddr,
    admin: SocketAddr,
    /// How long it took from the start of the process until it took requests.
    pub start: Duration,
}

impl Envoy {
    /// Starts one before a receiver, which it reaches over TLS, by the name that the workspace would have.
    ///
    /// # Errors
    /// When it does not come up.
    pub async fn start(receiver: SocketAddr, changes: &Changes<'_>, folder: &Path) -> anyhow::Result<Self> {
        let authority = Authority::new("preamp test authority")?;
        let own = authority.sign(&[&format!("aps-workspaces.{}.amazonaws.com", changes.region)])?;
        let identity = Identity { own: &own, clients: None, versions: BOTH };
        let front = TlsFront::start(&identity, receiver).await?;
        let trusted = folder.join("trusted.pem");
        std::fs::write(&trusted, authority.pem())?;
        let [http, grpc, admin] = free_ports()?.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let text = configuration(changes, [http, grpc, admin], front.address, &trusted)?;
        let path = folder.join("envoy.yaml");
        std::fs::write(&path, text)?;
        let mut command = Command::new(program("PREAMP_ENVOY", fetched("envoy/envoy/_bin/envoy"))?);
        command.args(["--disable-hot-restart", "--log-level", "info", "--concurrency"]);
        command.arg(changes.workers.to_string()).arg("-c").arg(path);
        // No file and no address of this machine is asked for credentials.
        command.env("HOME", folder).env("AWS_EC2_METADATA_DISABLED", "true");
        command.envs(changes.environment.iter().copied());
        let started = Instant::now();
        let mut process = Background::start("envoy", command, folder)?;
        process.wait_for("its start", |log| log.contains("starting main dispatch loop").then_some(()))?;
        wait_for("Envoy", || Ok(exchange_1_1(http, "GET", "/", &[("host", "envoy")], b"").map(drop)))?;
        Ok(Self { process, _front: front, http, grpc, admin, start: started.elapsed() })
    }

    /// What it has logged.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// A page of its administration. Must be called inside a tokio runtime of many threads.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn page(&self, path: &str) -> anyhow::Result<String> {
        let uri: http::Uri = format!("http://{}{path}", self.admin).parse()?;
        let get = async || {
            let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
            let reply = client.get(uri).await?;
            ensure!(reply.status() == 200, "{path}: {}", reply.status());
            Ok(String::from_utf8_lossy(&reply.into_body().collect().await?.to_bytes()).into_owned())
        };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(get()))
    }

    /// The value of a counter in the form for Prometheus; 0 if it is not there.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn counter(&self, name: &str) -> anyhow::Result<u64> {
        let page = self.page("/stats/prometheus")?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.rsplit_once(' ')?.1.parse().ok());
        Ok(value.unwrap_or(0))
    }
}

impl Socket for Envoy {
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer> {
        let Payload { body, content_type, content_encoding } = payload;
        let mut headers = vec![("host", "envoy"), ("content-type", content_type)];
        if !content_encoding.is_empty() {
            headers.push(("content-encoding", content_encoding));
        }
        let reply = exchange_1_1(self.http, "POST", "/v1/metrics", &headers, body).context("no answer")?;
        Ok(Answer::from(reply))
    }

    fn said(&self) -> String {
        Envoy::said(self)
    }

    fn signs_with_keys(&self) -> bool {
        false
    }
}

/// What Envoy says to a configuration that it does not take.
///
/// # Errors
/// When it takes it, or is not there.
pub fn refused(changes: &Changes<'_>, folder: &Path) -> anyhow::Result<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], 9));
    let text =
        configuration(changes, [address; 3], address, Path::new("/etc/ssl/certs/ca-certificates.crt"))?;
    let path = folder.join("envoy.yaml");
    std::fs::write(&path, text)?;
    let mut command = Command::new(program("PREAMP_ENVOY", fetched("envoy/envoy/_bin/envoy"))?);
    let output = command.args(["--mode", "validate", "-c"]).arg(path).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success(), "Envoy takes it: {said}");
    Ok(said)
}

fn configuration(
    changes: &Changes<'_>,
    [http, grpc, admin]: [SocketAddr; 3],
    workspace: SocketAddr,
    trusted: &Path,
) -> anyhow::Result<String> {
    let filter = match &changes.filter {
        Some(filter) => filter.clone(),
        None => filter()?,
    };
    let id = WORKSPACE_PATH.split('/').nth(2).context("no workspace")?;
    let mut options = r#""profile": "aps""#.to_owned();
    for (key, value) in changes.exporter.as_object().into_iter().flatten() {
        options.push_str(&format!(", {key:?}: {value}"));
    }
    let address = |at: SocketAddr| format!("{{address: {}, port_value: {}}}", at.ip(), at.port());
    let mut texts = vec![
        ("{address: 0.0.0.0, port_value: 4318}", address(http)),
        ("{address: 127.0.0.1, port_value: 4318}", address(http)),
        ("{address: 0.0.0.0, port_value: 4317}", address(grpc)),
        ("{address: 127.0.0.1, port_value: 9901}", address(admin)),
        ("{address: aps-workspaces.eu-west-1.amazonaws.com, port_value: 443}", address(workspace)),
        ("/etc/envoy/preamp-envoy.wasm", filter.display().to_string()),
        ("/etc/ssl/certs/ca-certificates.crt", trusted.display().to_string()),
        ("ws-EXAMPLE", id.to_owned()),
        (r#""profile": "aps""#, options),
    ];
    texts.extend(changes.texts.iter().cloned());
    let mut text = file()?;
    for (from, to) in texts {
        let times = text.matches(from).count();
        ensure!(times == 1, "{from:?} stands {times} times in deploy/envoy/envoy.yaml");
        text = text.replace(from, &to);
    }
    Ok(text.replace(REGION_OF_FILE, changes.region))
}
