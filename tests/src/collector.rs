//! The OpenTelemetry Collector with the exporter `preamp` in it (tests/sockets/collector).

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitStatus, Output};

use anyhow::Context as _;

use crate::children::{Background, built, program};
use crate::loopback::{exchange, free_ports};
use crate::sockets::{Answer, Payload, Socket};

/// A Collector that takes OTLP. It ends when dropped.
pub struct Collector {
    process: Background,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
    /// Where it takes OTLP over gRPC.
    pub grpc: SocketAddr,
    metrics: SocketAddr,
}

fn command() -> anyhow::Result<Command> {
    Ok(Command::new(program("PREAMP_COLLECTOR_SOCKET", built("../collector-socket"))?))
}

impl Collector {
    /// Starts one with a file of its own, which is merged over one with the receiver `otlp` and the Collector's own metrics.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(configuration: &str, environment: &[(&str, &str)], folder: &Path) -> anyhow::Result<Self> {
        let [http, grpc, metrics] = free_ports()?.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let ports = format!(
            "receivers: {{otlp: {{protocols: {{http: {{endpoint: '{http}'}}, grpc: {{endpoint: '{grpc}'}}}}}}}}
service: {{telemetry: {{metrics: {{level: detailed, readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: {}}}}}}}}}]}}}}}}
",
            metrics.port()
        );
        let files = [("ports.yaml", &*ports), ("collector.yaml", configuration)];
        let mut command = command()?;
        for (name, text) in files {
            let file = folder.join(name);
            std::fs::write(&file, text)?;
            command.arg("--config").arg(file);
        }
        // Its machine code is kept from start to start, in a folder that is nobody else's.
        command.env("XDG_CACHE_HOME", built("../collector-cache")).envs(environment.iter().copied());
        let mut process = Background::start("collector", command, folder)?;
        process.wait_for("the Collector to be ready", |log| {
            log.contains("Everything is ready. Begin running and processing data.").then_some(())
        })?;
        Ok(Self { process, http, grpc, metrics })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its own metrics, in the text format of Prometheus.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> anyhow::Result<String> {
        let page = exchange(self.metrics, "GET", "/metrics", &[("host", "collector")], b"");
        Ok(page.context("no metrics")?.body)
    }

    /// The sum of one of its own metrics; 0 without any.
    ///
    /// # Errors
    /// When it does not answer, or with what is no number.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let page = self.metrics()?;
        let of_it = page
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])));
        of_it.map(|line| Ok(line.rsplit(' ').next().context("no value")?.parse::<f64>()?)).sum()
    }

    /// Waits until the function finds what it looks for in the log.
    ///
    /// # Errors
    /// When it ends before that, or time is over.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        self.process.wait_for(what, find)
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate()
    }
}

impl Socket for Collector {
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer> {
        Answer::of_http(self.http, payload)
    }

    fn said(&self) -> String {
        self.process.said()
    }
}

/// What the Collector says to a file (`collector validate`).
///
/// # Errors
/// When it cannot be run.
pub fn validate(configuration: &str, folder: &Path) -> anyhow::Result<Output> {
    let file = folder.join("collector.yaml");
    std::fs::write(&file, configuration)?;
    Ok(command()?.arg("validate").arg("--config").arg(file).output()?)
}
