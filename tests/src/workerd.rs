//! The npm package in workerd, as a gateway: the Worker that comes with the package, bundled as `wrangler` does it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::children::Background;
use crate::sockets::{Answer, Payload, Socket};

/// What comes with the package.
pub const WORKER: &str = "node_modules/@preamp/exporter/examples/worker.js";

/// A Worker that takes requests. It ends when dropped.
pub struct Workerd {
    process: Background,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
}

impl Workerd {
    /// Has a Worker of an application served, with the configuration and more variables in its environment.
    ///
    /// # Errors
    /// When it cannot be bundled, or does not come up.
    pub fn start(
        application: &Path,
        worker: &str,
        configuration: &str,
        environment: &[(&str, &str)],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let bundle = folder.join("worker");
        bundled(application, worker, &bundle)?;
        let file = bundle.join("workerd.capnp");
        std::fs::write(&file, capnp(environment))?;
        let mut command = Command::new(platform(application, "@cloudflare/workerd-linux", "bin/workerd")?);
        command.arg("serve").arg(file).arg("--control-fd=1");
        command.env("PREAMP", configuration).envs(environment.iter().copied());
        let mut process = Background::start("workerd", command, folder)?;
        let port = process.wait_for("its port", |log| {
            let (_, rest) = log.split_once("\"port\":")?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        })?;
        Ok(Self { process, http: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) })
    }
}

impl Socket for Workerd {
    fn deliver(&mut self, payload: Payload<'_>) -> anyhow::Result<Answer> {
        Answer::of_http(self.http, payload)
    }

    fn said(&self) -> String {
        self.process.said()
    }
}

/// A program in a package that there is one of for each platform.
fn platform(application: &Path, package: &str, program: &str) -> anyhow::Result<PathBuf> {
    let names = match std::env::consts::ARCH {
        "x86_64" => ["64", "x64"],
        _ => ["arm64", "arm64"],
    };
    let places = names.map(|name| application.join(format!("node_modules/{package}-{name}/{program}")));
    let found = places.iter().find(|path| path.is_file());
    found
        .cloned()
        .with_context(|| format!("{} is missing: run `./build.sh soak sockets`", places[0].display()))
}

/// What a Worker is deployed as: one script, and beside it the modules of WebAssembly, which may not be compiled there.
fn bundled(application: &Path, worker: &str, bundle: &Path) -> anyhow::Result<()> {
    let mut command = Command::new(platform(application, "@esbuild/linux", "bin/esbuild")?);
    command.current_dir(application).arg(worker).args([
        "--bundle",
        "--format=esm",
        "--conditions=workerd",
        "--external:cloudflare:workers",
        "--loader:.wasm=copy",
        "--asset-names=[name]",
        "--entry-names=worker",
    ]);
    let output = command.arg(format!("--outdir={}", bundle.display())).output()?;
    ensure!(output.status.success(), "esbuild: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn capnp(environment: &[(&str, &str)]) -> String {
    let names = std::iter::once("PREAMP").chain(environment.iter().map(|(name, _)| *name));
    let bindings: Vec<_> =
        names.map(|name| format!("(name = \"{name}\", fromEnvironment = \"{name}\")")).collect();
    let wasm = ["preamp.core.wasm", "preamp.core2.wasm", "preamp.core3.wasm"];
    let wasm: Vec<_> =
        wasm.iter().map(|name| format!("(name = \"{name}\", wasm = embed \"{name}\")")).collect();
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";
const config :Workerd.Config = (
  services = [
    (name = \"main\", worker = .worker),
    (name = \"internet\", network = (allow = [\"public\", \"private\"])),
  ],
  sockets = [(name = \"http\", address = \"127.0.0.1:0\", http = (), service = \"main\")],
);
const worker :Workerd.Worker = (
  compatibilityDate = \"2026-11-01\",
  modules = [
    (name = \"worker.js\", esModule = embed \"worker.js\"),
    {},
  ],
  bindings = [
    {},
  ],
);
",
        wasm.join(",\n    "),
        bindings.join(",\n    ")
    )
}
