//! Programs in Go that do the same work, each on one thread; see `tests/bench`.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use preamp_core::types::Protocol;
use preamp_tests::children;
use preamp_tests::loads::{BODY_BYTES_MAX, version};

use crate::contenders::{Contender, Measured, Sizes};

/// A peer that waits to be asked.
pub struct Peer {
    name: &'static str,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _payload: tempfile::NamedTempFile,
}

#[derive(serde::Deserialize)]
struct Answer {
    ns: u64,
    #[serde(flatten)]
    sizes: Sizes,
}

/// The Collector's exporter.
pub fn collector(payload: &[u8], protocol: Protocol) -> anyhow::Result<Peer> {
    Peer::start("go-peer", "PREAMP_GO_PEER", payload, &["-protocol", version(protocol)])
}

/// The OTLP parser of VictoriaMetrics, and its marshalling.
pub fn victoria_metrics(payload: &[u8]) -> anyhow::Result<Peer> {
    Peer::start("vm-peer", "PREAMP_VM_PEER", payload, &[])
}

impl Peer {
    fn start(name: &'static str, variable: &str, payload: &[u8], arguments: &[&str]) -> anyhow::Result<Peer> {
        let usual = std::env::current_exe()?.with_file_name("..").join(name);
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(payload)?;
        let mut child = Command::new(children::program(variable, usual)?)
            .args(["-max-batch-bytes", &BODY_BYTES_MAX.to_string()])
            .args(arguments)
            .arg(file.path())
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("{name} has no standard streams");
        };
        Ok(Peer { name, child, requests, answers: BufReader::new(answers), _payload: file })
    }
}

impl Contender for Peer {
    fn name(&self) -> &'static str {
        self.name
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        writeln!(self.requests, "{repetitions}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: Answer =
            serde_json::from_str(&line).with_context(|| format!("{} did not answer", self.name))?;
        Ok(Measured { payload: Duration::from_nanos(answer.ns), sizes: answer.sizes })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
