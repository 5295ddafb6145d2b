//! The servers of NATS: connecting, and whether they can be trusted with what is acknowledged.

use crate::delivery::HttpClient;
use crate::secret_file;
use crate::tls::TlsError;
use async_nats::{Client, ConnectOptions, Event, ServerAddr};
use preamp_config::{ClientSettings, Nats, NatsCredentials};
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// The first version that takes batches whole or not at all.
const OLDEST: [u64; 2] = [2, 12];

/// How long connecting, and a question about monitoring, may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most that a server says about itself.
const VARZ_MAX: usize = 1 << 20;

/// Why the servers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// No server takes the connection.
    #[error("cannot connect to {servers}: {problem}; check the addresses, and that the servers run")]
    Connect {
        /// The servers.
        servers: String,
        /// What went wrong.
        problem: String,
    },
    /// The file with credentials cannot be used.
    #[error("credentials_file {}: {problem}; make one with `nsc generate creds`", file.display())]
    Credentials {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The TLS settings cannot be used.
    #[error(transparent)]
    Tls(TlsError),
    /// A server cannot store a payload as a whole.
    #[error(
        "the NATS server {server} is of version {version}; 2.12 is the first that stores a payload whole or not at all"
    )]
    TooOld {
        /// Its name.
        server: String,
        /// Its version.
        version: String,
    },
    /// A server does not say what is needed to know.
    #[error("{url}: {problem}; list the monitoring address (http_port) of each server, with JetStream on")]
    Monitoring {
        /// Where it was asked.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// A server acknowledges what is not on the disk.
    #[error(
        "the NATS server {server} acknowledges what is not on its disk yet, and may lose it in a power cut: set \
         `sync_interval: always` in its section `jetstream`"
    )]
    NotSynchronized {
        /// Its name.
        server: String,
    },
}

/// Connects, and makes sure that the servers keep what they acknowledge.
///
/// # Errors
/// When no server can be reached, or one does not keep what it acknowledges.
pub async fn connect(nats: &Nats) -> Result<Client, ConnectError> {
    let failed = |problem: String| ConnectError::Connect { servers: nats.servers.join(", "), problem };
    let servers: Vec<ServerAddr> = (nats.servers.iter())
        .map(|server| server.parse().map_err(|error| failed(format!("{server}: {error}"))))
        .collect::<Result<_, _>>()?;
    let client = options(nats).await?.connect(servers).await;
    let client = client.map_err(|error| failed(error.to_string()))?;
    let info = client.server_info();
    check_version(&info.server_name, &info.version)?;
    synchronizes(nats).await?;
    Ok(client)
}

async fn options(nats: &Nats) -> Result<ConnectOptions, ConnectError> {
    let options = ConnectOptions::new().name("preamp").connection_timeout(PATIENCE).event_callback(
        |event| async move {
            match event {
                Event::Connected => tracing::info!("connected to NATS"),
                other => tracing::warn!(event = %other, "the connection to NATS"),
            }
        },
    );
    let options = match &nats.credentials {
        NatsCredentials::Anonymous => options,
        NatsCredentials::Token(token) => options.token(token.expose().to_owned()),
        NatsCredentials::User { name, password } => {
            options.user_and_password(name.clone(), password.expose().to_owned())
        }
        NatsCredentials::File(file) => {
            let failed = |problem| ConnectError::Credentials { file: file.clone(), problem };
            let text = secret_file::read(file).await.map_err(|error| failed(error.to_string()))?;
            options.credentials(text.expose()).map_err(|error| failed(error.to_string()))?
        }
    };
    let Some(tls) = &nats.tls else { return Ok(options) };
    let config = crate::tls::client(tls).map_err(ConnectError::Tls)?;
    Ok(options.require_tls(true).tls_client_config((*config.current()).clone()))
}

fn check_version(server: &str, version: &str) -> Result<(), ConnectError> {
    let mut parts = version.split(['.', '-']).map_while(|part| part.parse::<u64>().ok());
    let found = [parts.next().unwrap_or_default(), parts.next().unwrap_or_default()];
    if found < OLDEST {
        return Err(ConnectError::TooOld { server: server.to_owned(), version: version.to_owned() });
    }
    Ok(())
}

/// What of a server's `/varz` matters.
#[derive(Deserialize)]
struct Variables {
    server_name: String,
    version: String,
    #[serde(default)]
    jetstream: JetStream,
}

#[derive(Default, Deserialize)]
struct JetStream {
    config: Option<JetStreamConfig>,
}

#[derive(Deserialize)]
struct JetStreamConfig {
    #[serde(default)]
    sync_always: bool,
}

/// Asks each server whether it synchronizes all it writes, unless the operator vouches for it.
async fn synchronizes(nats: &Nats) -> Result<(), ConnectError> {
    let settings =
        ClientSettings { tls: nats.tls.clone().unwrap_or_default(), ..ClientSettings::new(PATIENCE) };
    let client = HttpClient::new(&settings).map_err(ConnectError::Tls)?;
    for address in &nats.monitoring {
        let url = format!("{}/varz", address.trim_end_matches('/'));
        let unknown = |problem: String| ConnectError::Monitoring { url: url.clone(), problem };
        let answer = client.get(&url, VARZ_MAX).await.map_err(unknown)?;
        let said: Variables = serde_json::from_slice(&answer).map_err(|error| unknown(error.to_string()))?;
        check_version(&said.server_name, &said.version)?;
        let Some(config) = said.jetstream.config else {
            return Err(unknown("JetStream is not switched on there".to_owned()));
        };
        if !config.sync_always {
            return Err(ConnectError::NotSynchronized { server: said.server_name });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_are_too_old_are_refused() {
        for (version, is_taken) in [
            ("2.12.0", true),
            ("2.15.1", true),
            ("3.0.0-beta.1", true),
            ("2.11.9", false),
            ("2.9.10", false),
            ("", false),
        ] {
            assert_eq!(check_version("s", version).is_ok(), is_taken, "{version}");
        }
    }
}
