//! A gateway that `preamp bundle` made, in a runtime that is none of ours: `wasmtime serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::ensure;

use crate::children::{Background, address_after, fetched, program};
use crate::running::preamp;

/// What `preamp bundle` says to a configuration; the gateway lies in the folder.
///
/// # Errors
/// When it cannot be run.
pub fn bundle(configuration: &str, folder: &Path) -> anyhow::Result<(PathBuf, Output)> {
    let (file, gateway) = (folder.join("preamp.yaml"), folder.join("gateway.wasm"));
    std::fs::write(&file, configuration)?;
    let output = preamp(&["bundle", "--output", &gateway.display().to_string()], &file)?.output()?;
    Ok((gateway, output))
}

/// A gateway that takes requests. It ends when dropped.
pub struct Gateway {
    process: Background,
    /// Where it takes OTLP over HTTP.
    pub http: SocketAddr,
}

impl Gateway {
    /// Makes a gateway of the configuration and has it served, with variables in its environment and options of
    /// `wasmtime serve`.
    ///
    /// # Errors
    /// When it is not made, or does not come up.
    pub fn start(
        configuration: &str,
        environment: &[(&str, &str)],
        options: &[&str],
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let (gateway, output) = bundle(configuration, folder)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut command =
            Command::new(program("PREAMP_WASMTIME", fetched("wasmtime/wasmtime_cli/wasmtime"))?);
        // Each test has a gateway of its own, which is to be compiled soon rather than well.
        command.args(["serve", "-Scli", "-Ccompiler=winch", "--addr=127.0.0.1:0"]).args(options);
        for (name, value) in environment {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.arg(gateway);
        let mut process = Background::start("wasmtime", command, folder)?;
        let http = process.wait_for("its address", |log| address_after(log, "Serving HTTP on http://"))?;
        Ok(Self { process, http })
    }

    /// What it has logged.
    #[must_use]
    pub fn said(&self) -> String {
        self.process.said()
    }
}
