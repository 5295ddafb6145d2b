//! A `preamp run` that is attacked, with a good sender beside the attack.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use preamp_tests::control_group::ControlGroup;
use preamp_tests::good_sender::{Fared, GoodSender};
use preamp_tests::running::Running;
use preamp_tests::sink;
use tempfile::TempDir;

/// The memory of a pod, as `deploy/kubernetes` limits it.
pub const POD_BYTES: u64 = 512 << 20;

/// How long a good sender may wait for an answer while others do harm: there are two processors for all of them, and
/// for the other tests.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// How often a good sender sends.
const PAUSE: Duration = Duration::from_millis(100);

/// More keys of the parts of a configuration, each after a comma, as in `, tls: {…}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'k> {
    /// Of the receiver on gRPC.
    pub grpc: &'k str,
    /// Of the receiver on HTTP.
    pub http: &'k str,
    /// Of the exporter.
    pub exporter: &'k str,
    /// Of the extension `health_check`.
    pub health: &'k str,
    /// More extensions, as in `, basicauth: {…}`.
    pub extensions: &'k str,
    /// Their names, as in `, basicauth`.
    pub extension_names: &'k str,
}

impl Keys<'_> {
    /// A Collector file that delivers there.
    pub fn text(&self, receiver: SocketAddr) -> String {
        let Keys { grpc, http, exporter, health, extensions, extension_names } = self;
        format!(
            "receivers:
  otlp:
    protocols:
      grpc: {{endpoint: '127.0.0.1:0'{grpc}}}
      http: {{endpoint: '127.0.0.1:0'{http}}}
processors:
  memory_limiter: {{check_interval: 1s, limit_percentage: 80, spike_limit_percentage: 20}}
exporters:
  prometheusremotewrite: {{endpoint: 'http://{receiver}/api/v1/write'{exporter}}}
extensions: {{health_check: {{endpoint: '127.0.0.1:0'{health}}}{extensions}}}
service:
  extensions: [health_check{extension_names}]
  telemetry:
    metrics: {{readers: [{{pull: {{exporter: {{prometheus: {{host: 127.0.0.1, port: 0}}}}}}}}]}}
  pipelines:
    metrics: {{receivers: [otlp], processors: [memory_limiter], exporters: [prometheusremotewrite]}}
"
        )
    }
}

/// A receiver that takes everything, the same for all tests.
pub fn receiver() -> anyhow::Result<SocketAddr> {
    static RECEIVER: OnceLock<Option<SocketAddr>> = OnceLock::new();
    let start = || {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(async {
                let (address, _taken) = sink::start(Duration::ZERO).await.ok()?;
                tell.send(address).ok()?;
                std::future::pending::<Option<()>>().await
            })
        });
        told.recv().ok()
    };
    RECEIVER.get_or_init(start).context("there is no port for the receiver")
}

/// A receiver that gives every request the same answer: the head without its empty line, and a body. It lasts as long
/// as the tests.
pub fn answering(head: &'static str, body: impl Into<Vec<u8>>) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let (address, body) = (listener.local_addr()?, body.into());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let body = body.clone();
            // A connection that breaks off is the sender's business.
            std::thread::spawn(move || answer(stream, head, &body));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let read = stream.read(&mut piece)?;
        request.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((fields, _)) = text.split_once("\r\n\r\n") else {
            if read == 0 {
                return Ok(());
            }
            continue;
        };
        let length =
            fields.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        let begins = request.windows(4).position(|four| four == b"\r\n\r\n").map_or(0, |at| at + 4);
        if read == 0 || request.len() - begins >= length.unwrap_or(0) {
            break;
        }
    }
    stream.write_all(
        format!("{head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes(),
    )?;
    stream.write_all(body)
}

/// A `preamp run` under attack.
pub struct Attacked {
    /// The process.
    pub preamp: Running,
    /// What it runs in, if that has a limit.
    group: Option<ControlGroup>,
    good: Option<GoodSender>,
    /// Where its files are.
    pub folder: TempDir,
}

impl Attacked {
    /// Starts it, and a good sender.
    pub fn start(keys: Keys<'_>) -> anyhow::Result<Self> {
        Self::start_through(keys, copy_of)
    }

    /// The same as in a pod of `deploy/kubernetes`.
    pub fn in_pod(keys: Keys<'_>) -> anyhow::Result<Self> {
        let group = ControlGroup::new(POD_BYTES)?;
        let attacked = Self::start_through(keys, |run| group.command(run))?;
        Ok(Self { group: Some(group), ..attacked })
    }

    /// The same by a command that another one is made into.
    pub fn start_through(
        keys: Keys<'_>,
        made_into: impl FnOnce(&Command) -> Command,
    ) -> anyhow::Result<Self> {
        let mut attacked = Self::alone_through(keys, made_into)?;
        attacked.good = Some(GoodSender::start(attacked.preamp.http, PAUSE));
        Ok(attacked)
    }

    /// Starts it without a good sender, where that is another one, such as one over TLS.
    pub fn alone(keys: Keys<'_>) -> anyhow::Result<Self> {
        Self::alone_through(keys, copy_of)
    }

    fn alone_through(keys: Keys<'_>, made_into: impl FnOnce(&Command) -> Command) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let text = keys.text(receiver()?);
        let preamp = Running::start_through(&text, made_into, &[], folder.path())?;
        Ok(Self { preamp, group: None, good: None, folder })
    }

    /// Checks, once the attack is over, that the process lives, that it stayed within its limit, and that the good
    /// sender was served all the while, each time within so long and at the first try.
    pub fn survives(self, most: Duration) -> anyhow::Result<Fared> {
        let fared = self.lives_on(most)?;
        ensure!(fared.again == 0, "the good sender had to try again {} times", fared.again);
        Ok(fared)
    }

    /// The same, but that the good sender may have had to try again.
    pub fn lives_on(mut self, most: Duration) -> anyhow::Result<Fared> {
        let fared = self.good.take().map(GoodSender::stop).transpose()?.unwrap_or_default();
        let memory = self.memory_mib();
        println!(
            "{} payloads of the good sender taken ({} more tries), the longest in {:?}; memory at most {memory:.0?} MiB",
            fared.took.len(),
            fared.again,
            fared.longest()
        );
        if let Some(group) = &self.group {
            ensure!(group.killed()? == 0, "it was killed for want of memory");
        }
        let lives = self.preamp.self_metrics();
        lives.with_context(|| format!("it does not answer any more, and said:\n{}", self.preamp.said()))?;
        if let Some(mebibytes) = memory {
            ensure!(mebibytes * f64::from(1 << 20) < POD_BYTES as f64, "{mebibytes:.0} MiB of memory");
        }
        fared.check(most)?;
        Ok(fared)
    }

    /// The most memory that it had, in MiB; `None` if it ended.
    pub fn memory_mib(&self) -> Option<f64> {
        self.preamp.memory_mib().ok()
    }
}

fn copy_of(command: &Command) -> Command {
    let mut copy = Command::new(command.get_program());
    copy.args(command.get_args());
    copy
}

/// The CPU time that a process has used, in seconds: of all threads that it has now, to the nanosecond.
pub fn cpu_seconds(id: u32) -> anyhow::Result<f64> {
    let mut nanoseconds = 0;
    for task in std::fs::read_dir(format!("/proc/{id}/task"))? {
        // A thread may end in between.
        let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
        nanoseconds += text.split(' ').next().context("no schedstat")?.parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}
