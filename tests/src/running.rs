//! `preamp run` as a process of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context as _, ensure};

use crate::children::{Background, address_after, built, memory_mib, program, wait_for};
use crate::loopback::{Reply, exchange};

/// A receiver on each protocol and self-metrics, all on ports of the system's choice: the sections `receivers` and
/// `service` of a Collector file with the exporter `prometheusremotewrite`.
pub const PIPELINE: &str = "receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:0
      http:
        endpoint: 127.0.0.1:0
service:
  telemetry:
    logs:
      level: debug
    metrics:
      readers:
        - pull:
            exporter:
              prometheus:
                host: 127.0.0.1
                port: 0
  pipelines:
    metrics:
      receivers: [otlp]
      exporters: [prometheusremotewrite]
";

/// A whole Collector file that signs for AMP in a region: [`PIPELINE`], with more keys of the signer and of the exporter,
/// each on a line of its own.
#[must_use]
pub fn signing(region: &str, signer: &str, endpoint: &str, exporter: &str) -> String {
    let pipeline = PIPELINE.replace("service:\n", "service:\n  extensions: [sigv4auth]\n");
    format!(
        "{pipeline}
extensions:
  sigv4auth:
    region: {region}
    service: aps
    {signer}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    auth:
      authenticator: sigv4auth
    {exporter}
"
    )
}

/// Sends a payload over OTLP/HTTP, which must be taken.
///
/// # Errors
/// When it is not.
pub fn post(http: SocketAddr, payload: &[u8]) -> anyhow::Result<()> {
    let headers = [("host", "preamp"), ("content-type", "application/x-protobuf")];
    let reply = exchange(http, "POST", "/v1/metrics", &headers, payload);
    ensure!(reply.as_ref().is_some_and(|reply| reply.status == 200), "{reply:?}");
    Ok(())
}

/// A `preamp run` that is ready. It ends when dropped.
pub struct Running {
    process: Background,
    file: PathBuf,
    /// Where it takes OTLP over gRPC.
    pub grpc: SocketAddr,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
    metrics: SocketAddr,
    /// Where it tells how it is, if the configuration has an extension for that.
    pub health: Option<SocketAddr>,
}

/// A command of the `preamp` that was built, on a Collector file.
///
/// # Errors
/// When it was not built.
pub fn preamp(arguments: &[&str], configuration: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.args(arguments).arg("--config").arg(configuration);
    Ok(command)
}

/// What a command of `preamp` prints, which must succeed.
///
/// # Errors
/// When it does not.
pub fn printed(
    arguments: &[&str],
    environment: &[(&str, &str)],
    configuration: &Path,
) -> anyhow::Result<String> {
    let output = preamp(arguments, configuration)?.envs(environment.iter().copied()).output()?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stderr));
    Ok(said)
}

impl Running {
    /// Starts it with the text of a Collector file, which is put into the folder beside its log.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(configuration: &str, environment: &[(&str, &str)], folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(configuration, &[], environment, folder)
    }

    /// The same with more arguments.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_with(
        configuration: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let file = folder.join("preamp.yaml");
        let command = preamp(&[&["run", "--drain-timeout=2"], arguments].concat(), &file)?;
        Self::start_command(command, file, configuration, environment, folder)
    }

    /// The same with system calls of it that fail, or do nothing, as strace's option `inject` says.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_injected(
        configuration: &str,
        inject: &str,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let traced = |run: &Command| {
            let mut command = Command::new("strace");
            // The tracer goes beside it, so that it is itself what is started and killed.
            command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e"]).arg(format!("inject={inject}"));
            command.arg(run.get_program()).args(run.get_args());
            command
        };
        Self::start_through(configuration, traced, environment, folder)
    }

    /// The same by a command that another one is made into, such as one that runs it elsewhere.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start_through(
        configuration: &str,
        made_into: impl FnOnce(&Command) -> Command,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let file = folder.join("preamp.yaml");
        let run = preamp(&["run", "--drain-timeout=2"], &file)?;
        Self::start_command(made_into(&run), file, configuration, environment, folder)
    }

    fn start_command(
        mut command: Command,
        file: PathBuf,
        configuration: &str,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        std::fs::write(&file, configuration)?;
        // It sees nothing of whoever runs the tests, whose credentials least of all.
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder);
        command.envs(environment.iter().copied());
        let mut process = Background::start("preamp", command, folder)?;
        let ([grpc, http, metrics], health) = process.wait_for("preamp to be ready", |log| {
            log.lines().find_map(|line| {
                // In the log of the console, or in that of JSON.
                let (_, addresses) =
                    line.split_once(" state=ready ").or_else(|| line.split_once("\"ready\","))?;
                let address = |name: &str| {
                    address_after(addresses, &format!("{name}="))
                        .or_else(|| address_after(addresses, &format!("\"{name}\":\"")))
                };
                Some(([address("grpc")?, address("http")?, address("metrics")?], address("health")))
            })
        })?;
        Ok(Self { process, file, grpc, http, metrics, health })
    }

    /// What it answers at a path of the server of `/metrics`.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, path: &str) -> anyhow::Result<Reply> {
        exchange(self.metrics, "GET", path, &[("host", "preamp")], b"").context("no answer")
    }

    /// The page `/metrics`.
    ///
    /// # Errors
    /// When it is not there.
    pub fn self_metrics(&self) -> anyhow::Result<String> {
        let headers = [("host", "preamp"), ("accept", "application/openmetrics-text;version=1.0.0")];
        let reply = exchange(self.metrics, "GET", "/metrics", &headers, b"").context("no answer")?;
        ensure!(reply.headers["content-type"].starts_with("application/openmetrics-text"), "{reply:?}");
        Ok(reply.body)
    }

    /// How many points are in a state, such as `delivered`.
    ///
    /// # Errors
    /// When there is no page `/metrics`.
    pub fn points(&self, state: &str) -> anyhow::Result<f64> {
        Ok(self_metric(&self.self_metrics()?, "preamp_points_total", &format!("state=\"{state}\"")))
    }

    /// How many points wait.
    ///
    /// # Errors
    /// When there is no page `/metrics`.
    pub fn queued(&self) -> anyhow::Result<f64> {
        Ok(self_metric(&self.self_metrics()?, "preamp_points_queued", ""))
    }

    /// Waits until all points that were accepted, at least one, are delivered.
    ///
    /// # Errors
    /// When that does not come to pass.
    pub fn wait_until_delivered(&self) -> anyhow::Result<()> {
        let waited = wait_for("all that was accepted to be delivered", || {
            let (accepted, delivered) = (self.points("accepted")?, self.points("delivered")?);
            Ok((accepted > 0.0 && accepted == delivered).then_some(()))
        });
        waited.with_context(|| format!("preamp said:\n{}", self.said()))
    }

    /// Waits until something is delivered.
    ///
    /// # Errors
    /// When that does not come to pass.
    pub fn wait_until_delivered_some(&self) -> anyhow::Result<()> {
        wait_for("something to be delivered", || Ok((self.points("delivered")? > 0.0).then_some(())))
    }

    /// Waits until nothing waits any more.
    ///
    /// # Errors
    /// When that does not come to pass.
    pub fn wait_for_empty_queue(&self) -> anyhow::Result<()> {
        let waited = wait_for("the queue to be empty", || Ok((self.queued()? == 0.0).then_some(())));
        waited.with_context(|| format!("preamp said:\n{}", self.said()))
    }

    /// Waits until something is found in its log.
    ///
    /// # Errors
    /// When it ends before that, or time is over.
    pub fn wait_for<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> anyhow::Result<T> {
        self.process.wait_for(what, find)
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// Has it read its configuration again, which is this text now.
    ///
    /// # Errors
    /// When that cannot be written, or it is not there any more.
    pub fn reload(&self, configuration: &str) -> anyhow::Result<()> {
        self.write(configuration)?;
        self.process.signal("HUP")
    }

    /// Has it read its configuration again, whatever that is now.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn hang_up(&self) -> anyhow::Result<()> {
        self.process.signal("HUP")
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Changes its configuration, without telling it.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn write(&self, configuration: &str) -> std::io::Result<()> {
        std::fs::write(&self.file, configuration)
    }

    /// Where it gives its self-metrics.
    #[must_use]
    pub fn metrics(&self) -> SocketAddr {
        self.metrics
    }

    /// The most memory that it has had.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn memory_mib(&self) -> anyhow::Result<f64> {
        memory_mib(self.process.id())
    }

    /// Has it stand still.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn freeze(&self) -> anyhow::Result<()> {
        self.process.signal("STOP")
    }

    /// Has it go on after that.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn go_on(&self) -> anyhow::Result<()> {
        self.process.signal("CONT")
    }

    /// Asks it to stop.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.process.signal("TERM")
    }

    /// Kills it, as a crash would.
    pub fn kill(self) {
        drop(self);
    }

    /// Asks it to stop, and waits until it has.
    ///
    /// # Errors
    /// When it does not.
    pub fn terminate(&mut self) -> anyhow::Result<ExitStatus> {
        self.process.terminate()
    }
}

/// The value of a self-metric on a page, summed over its label sets that hold the text.
#[must_use]
pub fn self_metric(page: &str, name: &str, holding: &str) -> f64 {
    let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(holding));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}
