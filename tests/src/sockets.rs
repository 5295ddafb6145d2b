//! The sockets: the core in hosts that are not ours, driven by one way of asking.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use prost::Message as _;
use serde::Deserialize;

use crate::bounded_memory::{PAGE, bounded};
use crate::children::{fetched, program};
use crate::conformance;
use crate::gateway::Gateway;
use crate::loopback::{Reply, exchange};

/// A payload as it comes over HTTP.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p> {
    /// The body.
    pub body: &'p [u8],
    /// The field Content-Type.
    pub content_type: &'static str,
    /// The field Content-Encoding; empty for none.
    pub content_encoding: &'static str,
}

impl<'p> Payload<'p> {
    /// Protobuf that is not packed.
    #[must_use]
    pub fn protobuf(body: &'p [u8]) -> Self {
        Payload { body, content_type: "application/x-protobuf", content_encoding: "" }
    }
}

/// What a socket answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The status.
    pub status: u16,
    #[serde(deserialize_with = "base64")]
    body: Vec<u8>,
    /// Whether the sender is asked to come again after a while.
    pub retry_after: bool,
}

fn base64<'d, D: serde::Deserializer<'d>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    STANDARD.decode(text).map_err(serde::de::Error::custom)
}

impl From<Reply> for Answer {
    fn from(Reply { status, headers, bytes, .. }: Reply) -> Self {
        Answer { status, body: bytes, retry_after: headers.contains_key("retry-after") }
    }
}

impl Answer {
    /// What is answered to a payload where OTLP over HTTP is taken.
    ///
    /// # Errors
    /// When nothing is.
    pub fn of_http(address: SocketAddr, payload: Payload<'_>) -> anyhow::Result<Self> {
        let Payload { body, content_type, content_encoding } = payload;
        let mut headers = vec![("host", "localhost"), ("content-type", content_type)];
        if !content_encoding.is_empty() {
            headers.push(("content-encoding", content_encoding));
        }
        let reply = exchange(address, "POST", "/v1/metrics", &headers, body).context("no answer")?;
        Ok(Answer::from(reply))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// How many points the answer to protobuf says were rejected.
    ///
    /// # Errors
    /// When it is none.
    pub fn rejected(&self) -> anyhow::Result<i64> {
        let answer = ExportMetricsServiceResponse::decode(&*self.body)?;
        Ok(answer.partial_success.map_or(0, |partial| partial.rejected_data_points))
    }
}

/// Takes payloads, and brings each to its end.
pub trait Socket {
    /// Delivers a payload.
    ///
    /// # Errors
    /// When the socket itself fails.
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer>;

    /// What it has logged.
    fn said(&self) -> String;

    /// Whether it has keys, and asks for newer ones when they are refused. Otherwise its host signs, in its own way.
    fn signs_with_keys(&self) -> bool {
        true
    }
}

impl Socket for Gateway {
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer> {
        Answer::of_http(self.http, payload)
    }

    fn said(&self) -> String {
        Gateway::said(self)
    }
}

/// A program that has a socket deliver what comes as lines of JSON (`conformance` of each socket).
pub struct Driver {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Driver {
    /// The driver of a socket, with the configuration of the component in the folder, and more arguments.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        mut command: Command,
        configuration: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let (file, log) = (folder.join("socket.json"), folder.join("socket.log"));
        std::fs::write(&file, configuration)?;
        command.arg(&file).args(arguments).envs(environment.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let input = child.stdin.take().context("no input")?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        Ok(Self { child, input, output, log })
    }
}

impl Socket for Driver {
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer> {
        let Payload { body, content_type, content_encoding } = payload;
        let line = serde_json::json!({
            "payload": STANDARD.encode(body),
            "contentType": content_type,
            "contentEncoding": content_encoding,
        });
        writeln!(self.input, "{line}").and_then(|()| self.input.flush()).with_context(|| self.said())?;
        let mut answer = String::new();
        self.output.read_line(&mut answer)?;
        ensure!(!answer.is_empty(), "the socket ended: {}", self.said());
        Ok(serde_json::from_str(&answer)?)
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Has a socket replay the vectors of `sockets/conformance`: the program takes `replay` and their file.
///
/// # Errors
/// When the component in it says something else than stands there, or less than all of them were replayed.
pub fn replay(mut command: Command) -> anyhow::Result<()> {
    let vectors = conformance::read()?.len();
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let all = format!("{vectors} of {vectors}");
    ensure!(output.status.success() && said.lines().any(|line| line == all), "{command:?}: {said}\n{log}");
    println!("{all} vectors\n{log}");
    Ok(())
}

/// A program of `sockets` with the vectors to replay.
#[must_use]
pub fn replaying(mut command: Command, program: &str) -> Command {
    command.arg(of_sockets(program)).arg(conformance::file());
    command
}

fn of_sockets(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sockets").join(path)
}

/// Which of the folders of tests/npm the npm package was installed beside.
#[derive(Clone, Copy, Debug)]
pub enum Beside {
    /// The SDK that Node 20 takes.
    Sdk2,
    /// The newest SDK, workerd, AWS' providers, the compiler of TypeScript.
    Sdk3,
}

/// An application with the npm package installed, as `npm install` of the tarball made it: a folder, and in it the programs
/// of the tests.
///
/// # Errors
/// When the package was not installed.
pub fn application(beside: Beside, folder: &Path) -> anyhow::Result<PathBuf> {
    let (name, command) = match beside {
        Beside::Sdk2 => ("npm-sdk-2", "test"),
        Beside::Sdk3 => ("npm-sdk-3", "soak sockets"),
    };
    let installed = fetched(name).join("node_modules");
    ensure!(
        installed.join("@preamp/exporter/package.json").is_file(),
        "the npm package is not installed: run `./build.sh {command}`, which builds and installs it"
    );
    let application = folder.join("application");
    std::fs::create_dir_all(&application)?;
    std::fs::copy(fetched(name).join("package.json"), application.join("package.json"))?;
    std::fs::copy(of_sockets("npm/conformance.mjs"), application.join("conformance.mjs"))?;
    for program in ["producer.mjs", "measure.mjs", "measure-worker.js", "consumer.ts", "tsconfig.json"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("npm").join(program);
        std::fs::copy(path, application.join(program))?;
    }
    symlink(installed.canonicalize()?, application.join("node_modules"))?;
    Ok(application)
}

/// The same, with a core whose memory is bounded, in bytes.
///
/// # Errors
/// When the package was not installed.
pub fn bounded_application(beside: Beside, memory: u32, folder: &Path) -> anyhow::Result<PathBuf> {
    let application = application(beside, folder)?;
    let packages = application.join("node_modules");
    let installed = packages.canonicalize()?;
    std::fs::remove_file(&packages)?;
    std::fs::create_dir(&packages)?;
    for entry in std::fs::read_dir(&installed)? {
        let name = entry?.file_name();
        if name != "@preamp" && !name.to_string_lossy().starts_with('.') {
            symlink(installed.join(&name), packages.join(&name))?;
        }
    }
    let copied = Command::new("cp").arg("-r").arg(installed.join("@preamp")).arg(&packages).status()?;
    ensure!(copied.success(), "cp: {copied}");
    let core = packages.join("@preamp/exporter/component/preamp.core.wasm");
    let bounded = bounded(&std::fs::read(&core)?, memory / PAGE)?;
    std::fs::write(core, bounded)?;
    Ok(application)
}

/// A JavaScript program of an application: the runtime and its arguments before the script.
#[must_use]
pub fn javascript(runtime: &Path, arguments: &[&str], application: &Path, script: &str) -> Command {
    let mut command = Command::new(runtime);
    command.current_dir(application).args(arguments).arg(application.join(script));
    command
}

/// The Go module.
///
/// # Errors
/// When it was not built.
pub fn go() -> anyhow::Result<Command> {
    Ok(Command::new(program("PREAMP_GO_SOCKET", of_sockets("../target/go-socket"))?))
}

/// The tests of the Go module, which replay the vectors.
///
/// # Errors
/// When they were not built.
pub fn go_replay() -> anyhow::Result<Command> {
    let mut command = Command::new(program("PREAMP_GO_REPLAY", of_sockets("../target/go-replay"))?);
    // They know the file by its place beside the module.
    command.arg("-test.run=^TestVectors$").current_dir(of_sockets("go"));
    Ok(command)
}

/// The recipe for Java.
///
/// # Errors
/// When it was not built.
pub fn java() -> anyhow::Result<Command> {
    let built = of_sockets("java/target");
    ensure!(
        built.join("classes/dev/preamp").is_dir(),
        "sockets/java is missing: run `./build.sh soak sockets`"
    );
    let (classes, libraries) = (built.join("classes"), built.join("dependency/*"));
    let mut command = Command::new("java");
    command.arg("-classpath").arg(format!("{}:{}", classes.display(), libraries.display()));
    command.arg("dev.preamp.Conformance");
    Ok(command)
}

/// Python with the wheel installed.
///
/// # Errors
/// When it was not built.
pub fn python() -> anyhow::Result<Command> {
    let python = fetched("socket-python/bin/python");
    ensure!(python.is_file(), "{} is missing: run `./build.sh soak sockets`", python.display());
    Ok(Command::new(python))
}

/// The driver of the Python package.
///
/// # Errors
/// When it was not built.
pub fn python_driver() -> anyhow::Result<Command> {
    let mut command = python()?;
    // Isolated: the package is the one that was installed, not the one beside the script.
    command.arg("-I").arg(of_sockets("python/conformance.py"));
    Ok(command)
}
