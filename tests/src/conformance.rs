//! The vectors of `sockets/conformance`: what a socket asks the core, and what the core says to it. The core as a library says
//! it once, and every socket is held to that.

mod answers;
mod bodies;
mod configurations;
mod recorder;
mod senders;
mod signing;
mod vector;
mod versions;

pub use recorder::Recorder;
pub use vector::{Base64, Call, Content, Expected, Explanation, Key, Outcome, Send, Vector, instant};

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

/// How a vector comes to be: a configuration, and what happens then.
struct Case {
    name: &'static str,
    configuration: String,
    play: fn(&mut Recorder) -> anyhow::Result<()>,
}

impl Case {
    /// A case of a receiver that wants signatures, with more options of the component.
    fn new(name: &'static str, options: Value, play: fn(&mut Recorder) -> anyhow::Result<()>) -> Self {
        let configuration = json!({
            "endpoint": "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write",
            "sigv4": {"region": "eu-west-1", "service": "aps"},
            "user_agent": "conformance",
            "target_info": {"enabled": false},
        });
        Self { name, configuration: with(configuration, options).to_string(), play }
    }

    /// A case of a receiver that takes unsigned requests.
    fn unsigned(name: &'static str, options: Value, play: fn(&mut Recorder) -> anyhow::Result<()>) -> Self {
        let configuration = json!({
            "endpoint": "http://receiver.example:9090/api/v1/write",
            "user_agent": "conformance",
            "target_info": {"enabled": false},
        });
        Self { name, configuration: with(configuration, options).to_string(), play }
    }
}

fn with(mut configuration: Value, options: Value) -> Value {
    for (name, value) in options.as_object().into_iter().flatten() {
        configuration[name] = value.clone();
    }
    configuration
}

/// Where the vectors lie.
#[must_use]
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sockets/conformance/vectors.jsonl")
}

/// The vectors as they are written.
///
/// # Errors
/// When there are none, or one cannot be read.
pub fn read() -> anyhow::Result<Vec<Vector>> {
    let text = std::fs::read_to_string(file()).with_context(|| file().display().to_string())?;
    text.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
}

/// The vectors as the core has them now.
///
/// # Errors
/// When something comes of a case that it is not meant for.
pub fn record() -> anyhow::Result<Vec<Vector>> {
    let cases = [
        configurations::cases(),
        senders::cases(),
        bodies::cases(),
        answers::cases(),
        signing::cases(),
        versions::cases(),
    ];
    let played = |case: Case| {
        let Case { name, configuration, play } = case;
        Recorder::play(name, configuration, play).context(name)
    };
    cases.into_iter().flatten().map(played).collect()
}
