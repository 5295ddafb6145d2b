//! Who is measured. Each does all that lies between an OTLP payload and bodies that could be sent:
//! decode, translate, encode, compress, hash.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use preamp::types::Encoding;
use preamp_tests::children;
use preamp_tests::component::Instance;
use preamp_tests::payloads::NOW_NS;
use sha2::{Digest, Sha256};

/// The same for all: an AMP workspace, whose limits make the smallest bodies.
const CONFIGURATION: &str = r#"{
    "endpoint": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
    "max_batch_size_bytes": 990000
}"#;

/// As the host configures the component: it digests the bodies itself.
const CONFIGURATION_OF_HOST: &str = r#"{
    "endpoint": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
    "max_batch_size_bytes": 990000,
    "digest": false
}"#;
const BODY_BYTES_MAX: &str = "990000";

/// What some repetitions of a payload gave.
pub struct Measured {
    /// The mean time for one payload.
    pub payload: Duration,
    /// The size of all bodies of one payload.
    pub bytes: usize,
}

/// Something that takes one payload again and again.
pub trait Contender {
    /// As in the table.
    fn name(&self) -> &'static str;

    /// Takes the payload so many times.
    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured>;
}

/// All contenders, ready for a payload.
pub fn all<'a>(
    payload: &'a [u8],
    component: &preamp_host::component::Component,
) -> anyhow::Result<Vec<Box<dyn Contender + 'a>>> {
    let mut native = Native::new(payload)?;
    let floor = Floor::new(native.bodies()?)?;
    Ok(vec![
        Box::new(native),
        Box::new(Component { instance: Instance::open(component, CONFIGURATION_OF_HOST)?, payload }),
        Box::new(floor),
        Box::new(GoPeer::start(payload)?),
    ])
}

fn timed(repetitions: u32, mut once: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<Measured> {
    let mut bytes = 0;
    let start = Instant::now();
    for _ in 0..repetitions {
        bytes = once()?;
    }
    Ok(Measured { payload: start.elapsed() / repetitions, bytes })
}

/// The library.
struct Native<'a> {
    exporter: preamp::Exporter,
    payload: &'a [u8],
}

impl<'a> Native<'a> {
    fn new(payload: &'a [u8]) -> anyhow::Result<Native<'a>> {
        let exporter =
            preamp::Exporter::open(CONFIGURATION).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
        Ok(Native { exporter, payload })
    }

    fn bodies(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let acceptance = self.exporter.accept(self.payload, Encoding::Protobuf, NOW_NS);
        let acceptance = acceptance.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
        ensure!(acceptance.rejections.is_empty(), "points were rejected: {:?}", acceptance.rejections);
        Ok(acceptance.batches.into_iter().map(|batch| batch.body).collect())
    }
}

impl Contender for Native<'_> {
    fn name(&self) -> &'static str {
        "native"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || Ok(self.bodies()?.iter().map(Vec::len).sum()))
    }
}

/// The component in wasmtime, with the engine of the host, and the host's part: the digests.
struct Component<'a> {
    instance: Instance,
    payload: &'a [u8],
}

impl Contender for Component<'_> {
    fn name(&self) -> &'static str {
        "component"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || {
            let acceptance = self.instance.accept(self.payload, NOW_NS)?;
            let acceptance = acceptance.map_err(|refusal| anyhow::anyhow!("{refusal:?}"))?;
            let mut bytes = 0;
            for batch in &acceptance.batches {
                std::hint::black_box(Sha256::digest(&batch.body));
                bytes += batch.body.len();
            }
            Ok(bytes)
        })
    }
}

/// What no exporter can avoid: copy the encoded series once, compress and hash them.
struct Floor {
    encoded: Vec<Vec<u8>>,
    copy: Vec<u8>,
    compressed: Vec<u8>,
    encoder: snap::raw::Encoder,
}

impl Floor {
    fn new(bodies: Vec<Vec<u8>>) -> anyhow::Result<Floor> {
        let decompress = |body: Vec<u8>| snap::raw::Decoder::new().decompress_vec(&body);
        let encoded = bodies.into_iter().map(decompress).collect::<Result<Vec<_>, _>>()?;
        let largest = encoded.iter().map(Vec::len).max().unwrap_or_default();
        let compressed = vec![0; snap::raw::max_compress_len(largest)];
        Ok(Floor {
            encoded,
            copy: Vec::with_capacity(largest),
            compressed,
            encoder: snap::raw::Encoder::new(),
        })
    }
}

impl Contender for Floor {
    fn name(&self) -> &'static str {
        "floor"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        timed(repetitions, || {
            let mut bytes = 0;
            for encoded in &self.encoded {
                self.copy.clear();
                self.copy.extend_from_slice(encoded);
                let size = self.encoder.compress(&self.copy, &mut self.compressed)?;
                std::hint::black_box(Sha256::digest(&self.compressed[..size]));
                bytes += size;
            }
            Ok(bytes)
        })
    }
}

/// The Collector's translator in Go, on one thread.
struct GoPeer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    _payload: tempfile::NamedTempFile,
}

#[derive(serde::Deserialize)]
struct GoAnswer {
    ns: u64,
    bytes: usize,
}

impl GoPeer {
    fn start(payload: &[u8]) -> anyhow::Result<GoPeer> {
        let program =
            children::program("PREAMP_GO_PEER", std::env::current_exe()?.with_file_name("../go-peer"))?;
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(payload)?;
        let mut child = Command::new(program)
            .args(["-max-batch-bytes", BODY_BYTES_MAX])
            .arg(file.path())
            .env("GOMAXPROCS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the Go peer")?;
        let (Some(requests), Some(answers)) = (child.stdin.take(), child.stdout.take()) else {
            bail!("the Go peer has no standard streams");
        };
        Ok(GoPeer { child, requests, answers: BufReader::new(answers), _payload: file })
    }
}

impl Contender for GoPeer {
    fn name(&self) -> &'static str {
        "go-peer"
    }

    fn run(&mut self, repetitions: u32) -> anyhow::Result<Measured> {
        writeln!(self.requests, "{repetitions}")?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let answer: GoAnswer = serde_json::from_str(&line).context("the Go peer did not answer")?;
        Ok(Measured { payload: Duration::from_nanos(answer.ns), bytes: answer.bytes })
    }
}

impl Drop for GoPeer {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}
