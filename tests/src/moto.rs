//! A real STS: the server of moto, which knows roles and sessions as AWS does but lets everybody in.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::Context as _;

use crate::children::{Background, address_after, fetched, program};
use crate::loopback::exchange;

/// A running server. It ends when dropped.
pub struct Moto {
    _process: Background,
    /// Where it listens.
    pub address: SocketAddr,
}

/// A role that was assumed, as moto remembers it.
#[derive(Debug, serde::Deserialize)]
pub struct AssumedRole {
    /// The access key id that was given.
    pub access_key_id: String,
    /// Which role.
    pub role_arn: String,
    /// What the session is called.
    pub session_name: String,
    /// The external id that came with the request.
    pub external_id: Option<String>,
    /// The region that was asked.
    pub region_name: String,
}

impl Moto {
    /// Starts one; its log is put into the folder.
    ///
    /// # Errors
    /// When it is not there or does not come up.
    pub fn start(folder: &Path) -> anyhow::Result<Self> {
        let server = program("PREAMP_MOTO", fetched("python/bin/moto_server"))?;
        let mut command = Command::new(server);
        command.args(["--host", "127.0.0.1", "--port", "0"]).env("PYTHONUNBUFFERED", "1");
        let mut process = Background::start("moto", command, folder)?;
        let address = process.wait_for("moto to listen", |log| address_after(log, "http://"))?;
        Ok(Self { _process: process, address })
    }

    /// All roles that were assumed.
    ///
    /// # Errors
    /// When it does not say.
    pub fn assumed_roles(&self) -> anyhow::Result<Vec<AssumedRole>> {
        let answer = exchange(self.address, "GET", "/moto-api/data.json", &[("host", "moto")], b"");
        let answer: serde_json::Value = serde_json::from_str(&answer.context("no answer from moto")?.body)?;
        Ok(serde_json::from_value(answer["sts"]["AssumedRole"].clone())?)
    }
}
