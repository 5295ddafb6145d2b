//! A gateway that `preamp bundle` made, in runtimes that are none of ours.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::ensure;

use crate::children::{Background, address_after, fetched, program};
use crate::loopback::free_ports;
use crate::running::preamp;

/// What a gateway stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// `wasi:http` 0.2.
    Http02,
    /// `wasi:http` 0.3.
    Http03,
}

impl World {
    /// As the command line names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Http02 => "http-0.2",
            Self::Http03 => "http-0.3",
        }
    }

    /// What wasmtime must be told of it.
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Http02 => &["-Scli"],
            Self::Http03 => &["-Scli", "-Sp3"],
        }
    }
}

/// What `preamp bundle` says to a configuration; the gateway lies in the folder.
///
/// # Errors
/// When it cannot be run.
pub fn bundle(configuration: &str, world: World, folder: &Path) -> anyhow::Result<(PathBuf, Output)> {
    let (file, gateway) = (folder.join("preamp.yaml"), folder.join("gateway.wasm"));
    std::fs::write(&file, configuration)?;
    let arguments = ["bundle", "--world", world.name(), "--output", &gateway.display().to_string()];
    let output = preamp(&arguments, &file)?.output()?;
    Ok((gateway, output))
}

/// The same, of what must be a gateway.
fn bundled(configuration: &str, world: World, folder: &Path) -> anyhow::Result<PathBuf> {
    let (gateway, output) = bundle(configuration, world, folder)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(gateway)
}

fn wasmtime() -> anyhow::Result<Command> {
    Ok(Command::new(program("PREAMP_WASMTIME", fetched("wasmtime/wasmtime_cli/wasmtime"))?))
}

/// `wasmtime serve` of a file, with variables in the environment of the gateway.
fn serve(
    gateway: &Path,
    world: World,
    environment: &[(&str, &str)],
    options: &[&str],
    address: &str,
) -> anyhow::Result<Command> {
    let mut command = wasmtime()?;
    command.arg("serve").args(world.options()).args(options).arg("--addr").arg(address);
    for (name, value) in environment {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.arg(gateway);
    Ok(command)
}

/// A gateway that takes requests. It ends when dropped.
pub struct Gateway {
    process: Background,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
}

impl Gateway {
    /// Makes a gateway of the configuration and has `wasmtime serve` serve it, with variables in its environment and more
    /// options.
    ///
    /// # Errors
    /// When it is not made, or does not come up.
    pub fn start(
        configuration: &str,
        world: World,
        environment: &[(&str, &str)],
        options: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let gateway = bundled(configuration, world, folder)?;
        // Each test has a gateway of its own, which is to be compiled soon rather than well.
        let options = [&["-Ccompiler=winch"], options].concat();
        Self::serve(serve(&gateway, world, environment, &options, "127.0.0.1:0")?, folder)
    }

    fn serve(command: Command, folder: &Path) -> anyhow::Result<Self> {
        let mut process = Background::start("wasmtime", command, folder)?;
        let http = process.wait_for("its address", |log| address_after(log, "Serving HTTP on http://"))?;
        Ok(Self { process, http })
    }

    /// The same in `jco serve`, which has 0.2 alone: in Node.
    ///
    /// # Errors
    /// When it is not made, or does not come up.
    pub fn start_in_node(
        configuration: &str,
        environment: &[(&str, &str)],
        options: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let gateway = bundled(configuration, World::Http02, folder)?;
        let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("jco-serve");
        let jco = program("PREAMP_JCO", packages.join("node_modules/@bytecodealliance/jco/dist/jco.js"))?;
        let [port] = free_ports::<1>()?;
        let mut command = Command::new("node");
        command.arg(jco).arg("serve").args(options).args(["--host=127.0.0.1", &format!("--port={port}")]);
        command.arg(gateway).envs(environment.iter().copied());
        let mut process = Background::start("jco", command, folder)?;
        process.wait_for("jco to listen", |log| log.contains("Server listening").then_some(()))?;
        Ok(Self { process, http: (std::net::Ipv4Addr::LOCALHOST, port).into() })
    }

    /// What it has logged.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// The most memory that its runtime has had, in MiB.
    ///
    /// # Errors
    /// When it is not there any more.
    pub fn memory_mib(&self) -> anyhow::Result<f64> {
        crate::children::memory_mib(self.process.id())
    }
}

/// A gateway that was compiled to machine code ahead of time, with all optimisation, as one does for production.
pub struct Precompiled {
    file: PathBuf,
    world: World,
}

impl Precompiled {
    /// Makes a gateway of the configuration and compiles it, in the folder.
    ///
    /// # Errors
    /// When it is not made, or wasmtime does not compile it.
    pub fn new(configuration: &str, world: World, folder: &Path) -> anyhow::Result<Self> {
        let gateway = bundled(configuration, world, folder)?;
        let file = folder.join("gateway.cwasm");
        let output = wasmtime()?.arg("compile").arg("-o").arg(&file).arg(gateway).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(Self { file, world })
    }

    /// The command that serves it at an address, with variables in its environment and more options.
    ///
    /// # Errors
    /// When there is no wasmtime.
    pub fn command(
        &self,
        environment: &[(&str, &str)],
        options: &[&str],
        address: &str,
    ) -> anyhow::Result<Command> {
        let options = [&["--allow-precompiled"], options].concat();
        serve(&self.file, self.world, environment, &options, address)
    }

    /// Serves it.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn start(
        &self,
        environment: &[(&str, &str)],
        options: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Gateway> {
        Gateway::serve(self.command(environment, options, "127.0.0.1:0")?, folder)
    }
}
