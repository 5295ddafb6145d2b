//! A real Prometheus that takes remote write, with nothing in it at first.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::children::{Background, address_after, fetched, program};

/// What it takes and stores only if told; later versions take the second in any case.
const FEATURES: [&str; 2] = ["exemplar-storage", "native-histograms"];

/// A Prometheus that takes remote write, with nothing in it.
pub struct Prometheus {
    _process: Background,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one, with its data in the folder. It stores exemplars, and takes native histograms and both protocols of
    /// remote write.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        Self::start_with(folder, &[])
    }

    /// The same with experimental features.
    ///
    /// # Errors
    /// When there is none, it does not know a feature, or it does not come up.
    pub fn start_with(folder: &Path, features: &[&str]) -> anyhow::Result<Self> {
        Self::start_taking(&["prometheus.WriteRequest", "io.prometheus.write.v2.Request"], folder, features)
    }

    /// One that takes remote write 1.0 only.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn start_of_1_0(folder: &Path) -> anyhow::Result<Self> {
        Self::start_taking(&["prometheus.WriteRequest"], folder, &[])
    }

    /// One that scrapes an address each second and evaluates rules as often.
    ///
    /// # Errors
    /// When there is none, or it does not come up.
    pub fn start_scraping(
        job: &str,
        address: SocketAddr,
        rules: &Path,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let configuration = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [\"{}\"]\nscrape_configs:\n  - job_name: \
             {job}\n    static_configs: [{{targets: [\"{address}\"]}}]\n",
            rules.display()
        );
        Self::start_configured(&configuration, &[], folder, &[])
    }

    fn start_taking(messages: &[&str], folder: &Path, features: &[&str]) -> anyhow::Result<Self> {
        Self::start_configured("global: {}\n", messages, folder, features)
    }

    fn start_configured(
        text: &str,
        messages: &[&str],
        folder: &Path,
        features: &[&str],
    ) -> anyhow::Result<Self> {
        let configuration = folder.join("prometheus.yaml");
        std::fs::write(&configuration, text)?;
        let mut command = Command::new(binary()?);
        command
            .arg(option("--config.file=", &configuration))
            .arg(option("--storage.tsdb.path=", folder.join("prometheus")))
            .args(["--web.listen-address=127.0.0.1:0", "--web.enable-remote-write-receiver"])
            .arg(format!("--enable-feature={}", [&FEATURES, features].concat().join(",")));
        for message in messages {
            command.arg(format!("--web.remote-write-receiver.accepted-protobuf-messages={message}"));
        }
        let mut process = Background::start("prometheus", command, folder)?;
        let address = process.wait_for("Prometheus to listen", |log| {
            let listening = log.lines().find(|line| line.contains("msg=\"Listening on\""))?;
            let ready = log.contains("Server is ready to receive web requests");
            ready.then(|| address_after(listening, " address="))?
        })?;
        Ok(Self { _process: process, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of its remote-write receiver.
    #[must_use]
    pub fn write_url(&self) -> String {
        format!("http://{}/api/v1/write", self.address)
    }
}

fn binary() -> anyhow::Result<PathBuf> {
    program("PREAMP_PROMETHEUS", fetched("prometheus/usr/bin/prometheus"))
}

fn option(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut option = OsString::from(name);
    option.push(value);
    option
}
