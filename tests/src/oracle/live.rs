//! The oracles as programs (`tests/oracle`), one process each.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Oracle, Question};
use crate::canonical::Canonical;

/// One running oracle.
pub struct LiveOracle {
    process: Child,
    input: Option<BufWriter<ChildStdin>>,
    output: BufReader<ChildStdout>,
}

impl LiveOracle {
    /// Starts the translator of the newest version that Preamp is measured by.
    ///
    /// # Errors
    /// When the program is not there: `build.sh` builds it, and names it in `PREAMP_ORACLE`.
    pub fn start() -> anyhow::Result<Self> {
        Self::run("PREAMP_ORACLE", "oracle")
    }

    /// Starts the old translator that still writes `_created`.
    ///
    /// # Errors
    /// When the program is not there: `build.sh` builds it, and names it in `PREAMP_ORACLE_CREATED`.
    pub fn start_created() -> anyhow::Result<Self> {
        Self::run("PREAMP_ORACLE_CREATED", "oracle-created")
    }

    fn run(variable: &str, name: &str) -> anyhow::Result<Self> {
        let usual = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target").join(name);
        let program = crate::children::program(variable, usual)?;
        let mut process = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the oracle")?;
        let input = process.stdin.take().context("the oracle has no standard input")?;
        let output = process.stdout.take().context("the oracle has no standard output")?;
        Ok(Self { process, input: Some(BufWriter::new(input)), output: BufReader::new(output) })
    }
}

impl Oracle for LiveOracle {
    fn ask_all(&mut self, questions: &[Question]) -> anyhow::Result<Vec<Canonical>> {
        let input = self.input.as_mut().context("the oracle was ended")?;
        let output = &mut self.output;
        // Written beside reading, since pipes hold little.
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || write_all(input, questions));
            let answers = questions.iter().map(|_| read_answer(output)).collect::<anyhow::Result<Vec<_>>>();
            let written = writing.join().map_err(|_| anyhow::anyhow!("writing to the oracle panicked"))?;
            written.context("cannot write to the oracle")?;
            answers
        })
    }
}

fn write_all(input: &mut BufWriter<ChildStdin>, questions: &[Question]) -> std::io::Result<()> {
    for question in questions {
        let payload = hex::encode(&question.payload);
        writeln!(input, "{}", json!({ "payload": payload, "options": question.options }))?;
    }
    input.flush()
}

fn read_answer(output: &mut BufReader<ChildStdout>) -> anyhow::Result<Canonical> {
    let mut line = String::new();
    ensure!(output.read_line(&mut line)? > 0, "the oracle ended; what it said stands above");
    serde_json::from_str(&line).with_context(|| format!("not an answer: {line}"))
}

impl Drop for LiveOracle {
    fn drop(&mut self) {
        // The end of its input ends it.
        self.input = None;
        let _ended = self.process.wait();
    }
}
