//! The cases by hand: each row of the rules of translation, answered by the oracle once and kept as
//! data (`tests/vectors`), so that they are checked where there is no Go.

mod created;
mod histograms;
mod labels;
mod names;
mod points;
mod resources;

pub use created::EACH_POINT;

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics};
use prost::Message as _;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::canonical::Canonical;
use crate::differential::options::{MESSAGE_V2, Options};
use crate::differential::{Case, differences, expected};
use crate::oracle::{LiveOracle, Oracle};
use crate::payloads;

/// A case by hand.
pub struct Definition {
    name: String,
    case: Case,
    judge: Judge,
}

/// Which oracle answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Judge {
    Newest,
    /// The last version that wrote `_created`.
    Created,
}

/// A case with its answer, as it is kept: one line of JSON.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vector {
    /// What it shows.
    pub name: String,
    /// The options.
    pub options: Map<String, Value>,
    /// An encoded `ExportMetricsServiceRequest`, in hexadecimal digits.
    pub payload: String,
    /// What the oracle made of it.
    pub oracle: Canonical,
    /// What Preamp should, where that is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Canonical>,
    /// The headings of `docs/differences.md` that say why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

impl Vector {
    /// The case.
    ///
    /// # Errors
    /// When the payload is not what it should be.
    pub fn case(&self) -> anyhow::Result<Case> {
        let payload = hex::decode(&self.payload)?;
        let payload = ExportMetricsServiceRequest::decode(payload.as_slice())?;
        Ok(Case { payload, options: Options(self.options.clone()) })
    }

    /// What Preamp should make of it.
    #[must_use]
    pub fn expected(&self) -> &Canonical {
        self.expected.as_ref().unwrap_or(&self.oracle)
    }
}

/// The files of vectors, by name, with the cases in each.
#[must_use]
pub fn definitions() -> Vec<(&'static str, Vec<Definition>)> {
    vec![
        ("names", names::definitions()),
        ("labels", labels::definitions()),
        ("resources", resources::definitions()),
        ("points", points::definitions()),
        ("histograms", histograms::definitions()),
        ("created", created::definitions()),
    ]
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors").join(name).with_extension("jsonl")
}

/// Reads the vectors of a file.
///
/// # Errors
/// When it is not there, or holds something else.
pub fn read(name: &str) -> anyhow::Result<Vec<Vector>> {
    let path = file(name);
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let vector = |line: &str| serde_json::from_str(line).with_context(|| format!("{name}: {line}"));
    text.lines().map(vector).collect()
}

/// Asks the oracles about all cases, and returns the vectors by file.
///
/// # Errors
/// When an oracle fails.
pub fn ask() -> anyhow::Result<Vec<(&'static str, Vec<Vector>)>> {
    let (mut newest, mut created) = (LiveOracle::start()?, LiveOracle::start_created()?);
    let mut ask = |definition: &Definition| {
        let vector = match definition.judge {
            Judge::Newest => definition.answered(&mut newest),
            Judge::Created => created::answered(definition, &mut created),
        };
        vector.with_context(|| definition.name.clone())
    };
    let mut of_file =
        |definitions: &[Definition]| definitions.iter().map(&mut ask).collect::<anyhow::Result<_>>();
    definitions().iter().map(|(name, definitions)| Ok((*name, of_file(definitions)?))).collect()
}

/// Writes vectors in place of those that are part of the tests.
///
/// # Errors
/// When a file cannot be written.
pub fn write(vectors: &[(&str, Vec<Vector>)]) -> anyhow::Result<()> {
    for (name, vectors) in vectors {
        let mut text = String::new();
        for vector in vectors {
            text += &serde_json::to_string(vector)?;
            text.push('\n');
        }
        std::fs::write(file(name), text)?;
    }
    Ok(())
}

impl Definition {
    fn answered(&self, oracle: &mut dyn Oracle) -> anyhow::Result<Vector> {
        let answer = oracle.ask(&self.case.question()?)?.sorted();
        let expected = expected(oracle, std::slice::from_ref(&self.case))?.pop().context("no answer")?;
        let met = differences::ALL.iter().zip(expected.explained.0).filter(|(_, count)| *count > 0);
        let differences = met.map(|(difference, _)| difference.heading().to_owned()).collect();
        Ok(self.vector(answer, expected.canonical, differences))
    }

    fn vector(&self, oracle: Canonical, expected: Canonical, differences: Vec<String>) -> Vector {
        Vector {
            name: self.name.clone(),
            options: self.case.options.0.clone(),
            payload: hex::encode(self.case.payload.encode_to_vec()),
            expected: (expected != oracle).then_some(expected),
            oracle,
            differences,
        }
    }

    /// The same case in remote write 2.0 too.
    fn and_in_v2(self) -> [Self; 2] {
        let mut in_v2 = Self { name: format!("{}, in 2.0", self.name), case: self.case.clone(), ..self };
        in_v2.case.options.set("protobuf_message", json!(MESSAGE_V2));
        [self, in_v2]
    }
}

/// A case of some resources, with options that are written as in a configuration.
fn of_resources(name: &str, options: Value, resource_metrics: Vec<ResourceMetrics>) -> Definition {
    let options = match options {
        Value::Object(options) => Options(options),
        _ => Options::default(),
    };
    let payload = ExportMetricsServiceRequest { resource_metrics };
    Definition { name: name.to_owned(), case: Case { payload, options }, judge: Judge::Newest }
}

/// A case of some metrics of a resource that only has a name.
fn of_metrics(name: &str, options: Value, metrics: Vec<Metric>) -> Definition {
    let attributes = vec![payloads::text("service.name", "checkout")];
    let scope = opentelemetry_proto::tonic::metrics::v1::ScopeMetrics { metrics, ..Default::default() };
    of_resources(name, options, vec![payloads::resource(attributes, vec![scope])])
}

/// Checks that the vectors of a file are those defined: whoever changes a case must ask the oracle.
///
/// # Errors
/// When they are not.
pub fn ensure_current(name: &str, definitions: &[Definition], vectors: &[Vector]) -> anyhow::Result<()> {
    ensure!(definitions.len() == vectors.len(), "{name}: run `./build.sh record`");
    for (definition, vector) in definitions.iter().zip(vectors) {
        let payload = hex::encode(definition.case.payload.encode_to_vec());
        let is_case = payload == vector.payload && definition.case.options.0 == vector.options;
        let same = definition.name == vector.name && is_case;
        ensure!(same, "{name}: {} is out of date: run `./build.sh record`", vector.name);
    }
    Ok(())
}
