//! Who is measured, as a process of its own.

use crate::options::{Cell, Storage, Transport};
use anyhow::Context as _;
use preamp_tests::children::{Background, built, memory_mib, program, wait_for};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

/// A program that takes a Collector file.
#[derive(Clone, Copy, Debug)]
pub enum Program {
    Preamp,
    Collector,
}

impl Program {
    pub const ALL: [Program; 2] = [Program::Preamp, Program::Collector];

    fn command(self) -> anyhow::Result<Command> {
        match self {
            Program::Preamp => {
                let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
                command.arg("run");
                Ok(command)
            }
            Program::Collector => Ok(Command::new(program("PREAMP_COLLECTOR", built("../collector"))?)),
        }
    }
}

/// A contender that listens.
pub struct Process {
    process: Background,
    /// Where it takes payloads.
    pub address: SocketAddr,
}

impl Process {
    /// Starts it with its files in a folder.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(program: Program, cell: &Cell, receiver: SocketAddr, folder: &Path) -> anyhow::Result<Self> {
        let Cell { transport, storage, .. } = cell;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let protocol = match transport {
            Transport::Http => "http",
            Transport::Grpc => "grpc",
        };
        let queue = folder.join("queue");
        std::fs::create_dir_all(&queue)?;
        let wal = match storage {
            Storage::Memory => String::new(),
            Storage::Disk => format!("wal: {{directory: '{}'}}", queue.display()),
        };
        let configuration = format!(
            "receivers: {{otlp: {{protocols: {{{protocol}: {{endpoint: '{address}'}}}}}}}}
extensions: {{sigv4auth: {{region: eu-central-1, service: aps}}}}
exporters:
  prometheusremotewrite:
    endpoint: http://{receiver}/api/v1/write
    auth: {{authenticator: sigv4auth}}
    remote_write_queue: {{num_consumers: 5}}
    {wal}
service:
  extensions: [sigv4auth]
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"
        );
        let file = folder.join("config.yaml");
        std::fs::write(&file, configuration)?;
        let mut command = program.command()?;
        command.arg("--config").arg(&file);
        command.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE").env("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI");
        let process = Background::start("contender", command, folder)?;
        wait_for("it to listen", || Ok(TcpStream::connect(address).ok())).with_context(|| process.said())?;
        Ok(Self { process, address })
    }

    /// Its CPU seconds so far.
    ///
    /// # Errors
    /// When it is gone.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        let (_, fields) = text.rsplit_once(')').context("no end of the name")?;
        let fields: Vec<_> = fields.split_whitespace().collect();
        let times = fields.get(11..13).context("too few fields")?;
        let ticks: u64 = times.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
        // Linux counts in hundredths of a second, whatever the kernel's own tick.
        Ok(ticks as f64 / 100.0)
    }

    /// The most memory that was resident.
    ///
    /// # Errors
    /// When it is gone.
    pub fn memory_mib(&self) -> anyhow::Result<f64> {
        memory_mib(self.process.id())
    }
}
