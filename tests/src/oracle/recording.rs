//! Answers of the oracle, kept as data (`tests/vectors/random.jsonl.zst`).
//!
//! An answer is found by a digest of its question. A changed question has none: whoever changes what
//! makes the cases, or what is asked about them, records anew with `./build.sh record`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{LiveOracle, Oracle, Question};
use crate::canonical::Canonical;

/// Answers by the digests of their questions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording(BTreeMap<String, Canonical>);

/// One answer, as it is kept: a line of JSON.
#[derive(Serialize, Deserialize)]
struct Line {
    question: String,
    answer: Canonical,
}

/// Digits of a digest that are kept: enough that no two questions share them.
const DIGEST_DIGITS: usize = 20;

/// Recordings are made seldom and read often.
const COMPRESSION_LEVEL: i32 = 19;

fn digest(question: &Question) -> String {
    let options = question.options.to_string();
    let digest =
        Sha256::new().chain_update(&question.payload).chain_update([0]).chain_update(options).finalize();
    let mut digits = hex::encode(digest);
    digits.truncate(DIGEST_DIGITS);
    digits
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors/random.jsonl.zst")
}

impl Recording {
    /// Reads the recording that is part of the tests.
    ///
    /// # Errors
    /// When it is not there, or holds something else.
    pub fn read() -> anyhow::Result<Self> {
        let path = file();
        let compressed = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let text = String::from_utf8(zstd::decode_all(&*compressed)?)?;
        let line = |line: &str| -> anyhow::Result<_> {
            let Line { question, answer } = serde_json::from_str(line).with_context(|| line.to_owned())?;
            Ok((question, answer))
        };
        Ok(Self(text.lines().map(line).collect::<anyhow::Result<_>>()?))
    }

    /// Writes it in place of the one that is part of the tests.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self) -> anyhow::Result<()> {
        let mut text = Vec::new();
        for (question, answer) in &self.0 {
            let line = Line { question: question.clone(), answer: answer.clone() };
            serde_json::to_writer(&mut text, &line)?;
            text.push(b'\n');
        }
        let path = file();
        std::fs::write(&path, zstd::encode_all(&*text, COMPRESSION_LEVEL)?)
            .with_context(|| path.display().to_string())
    }

    /// How many answers there are.
    #[must_use]
    pub fn answers(&self) -> usize {
        self.0.len()
    }
}

/// Answers from a recording.
#[derive(Clone, Debug)]
pub struct RecordedOracle(Arc<Recording>);

impl RecordedOracle {
    /// Opens the recording that is part of the tests.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open() -> anyhow::Result<Self> {
        Ok(Self(Arc::new(Recording::read()?)))
    }
}

impl Oracle for RecordedOracle {
    fn ask_all(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Canonical>> {
        let answer = |question| self.0.0.get(&digest(question)).cloned();
        let answers = questions.iter().map(answer).collect::<Option<_>>();
        answers.context("the recorded oracle was never asked this: record it with `./build.sh record`")
    }
}

/// Keeps what live oracles answer.
#[derive(Clone, Debug, Default)]
pub struct Recorder(Arc<Mutex<Recording>>);

impl Recorder {
    /// A live oracle whose answers are kept.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn oracle(&self) -> anyhow::Result<impl Oracle + use<>> {
        Ok(HeardOracle { oracle: LiveOracle::start()?, recorder: self.clone() })
    }

    /// All answers so far.
    #[must_use]
    pub fn recording(&self) -> Recording {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

struct HeardOracle {
    oracle: LiveOracle,
    recorder: Recorder,
}

impl Oracle for HeardOracle {
    fn ask_all(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Canonical>> {
        let answers = self.oracle.ask_all(questions)?;
        // The translator keeps series in a map of Go, which has another order in each run.
        let kept = questions.iter().map(digest).zip(answers.iter().cloned().map(Canonical::joined));
        self.recorder.0.lock().unwrap_or_else(PoisonError::into_inner).0.extend(kept);
        Ok(answers)
    }
}
