//! How CPU time grows with input that is meant to cost much: in proportion, and not with its square.

use std::process::Command;

use anyhow::{Context as _, ensure};
use preamp_tests::any_sender::{Anything, send_http};
use preamp_tests::children::{built, program};
use preamp_tests::hostile_payloads::{colliding, digits, empty_gzip_members, empty_zstd_frames};

use crate::hostile::rig::{Attacked, Keys, cpu_seconds};

/// How much more a byte may cost in the largest input than in the smallest: a large payload is worked on in fresh memory,
/// and the caches of the processor end. What grows with the square would cost eight times as much. That instructions grow
/// in proportion, within a fifth, is for `instructions.rs`.
const SLACK: f64 = 2.0;

/// Below this, in seconds, it is not the input that is measured.
const FLOOR: f64 = 0.02;

/// Of several tries the quickest is taken: others on the machine make one slower, and none makes it quicker.
const TRIES: usize = 3;

/// Input of so many bytes of one kind.
type Kind<I> = (&'static str, fn(usize) -> I);

/// A piece of text again and again, up to so many bytes.
fn repeated(bytes: usize, piece: impl Fn(usize) -> String) -> String {
    let mut text = String::with_capacity(bytes + 100);
    for number in 0.. {
        if text.len() >= bytes {
            break;
        }
        text.push_str(&piece(number));
    }
    text
}

/// A payload in JSON with something in place of the fields of its point.
fn json_of(fields: &str) -> Anything {
    let metric = format!(r#"{{"name":"m","gauge":{{"dataPoints":[{{"timeUnixNano":"1"{fields}}}]}}}}"#);
    let text = format!(r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{metric}]}}]}}]}}"#);
    Anything::json("JSON", text)
}

const REQUESTS: [Kind<Anything>; 7] = [
    ("empty gzip members", |bytes| Anything::packed("gzip", "gzip", empty_gzip_members(bytes / 20))),
    ("empty zstd frames", |bytes| Anything::packed("zstd", "zstd", empty_zstd_frames(bytes / 9))),
    ("colliding texts", |bytes| Anything::protobuf("protobuf", colliding(bytes / 53))),
    ("JSON, unknown keys", |bytes| json_of(&repeated(bytes, |number| format!(r#","k{number}":1"#)))),
    ("JSON, escaped characters", |bytes| {
        json_of(&format!(r#","exemplars":"{}""#, repeated(bytes, |_| r"\u0041".to_owned())))
    }),
    ("JSON, attributes", |bytes| {
        let attribute = |number: usize| format!(r#"{{"key":"k{number}","value":{{"intValue":"1"}}}},"#);
        json_of(&format!(r#","asInt":"1","attributes":[{}{{"key":"k"}}]"#, repeated(bytes, attribute)))
    }),
    ("JSON, digits", |bytes| Anything::json("digits", digits(bytes))),
];

const DOCUMENTS: [Kind<String>; 7] = [
    ("YAML, keys", |bytes| repeated(bytes, |number| format!("key{number}: 1\n"))),
    ("YAML, unknown keys of a section", |bytes| {
        let keys = repeated(bytes, |number| format!("    key{number}: 1\n"));
        format!("exporters:\n  prometheusremotewrite:\n{keys}")
    }),
    ("YAML, anchors", |bytes| repeated(bytes, |number| format!("- &a{number} x\n"))),
    ("YAML, aliases", |bytes| format!("a: &a x\nb:\n{}", repeated(bytes, |_| "- *a\n".to_owned()))),
    ("YAML, references", |bytes| format!("a: '{}'\n", repeated(bytes, |_| "${env:NOT_THERE}".to_owned()))),
    ("YAML, one long text", |bytes| format!("a: \"{}\"\n", repeated(bytes, |_| "\\u0041".to_owned()))),
    ("YAML, comments", |bytes| repeated(bytes, |number| format!("# {number}\n"))),
];

/// The quickest of several tries.
fn quickest(mut measure: impl FnMut() -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    (0..TRIES).try_fold(f64::INFINITY, |least, _| Ok(measure()?.min(least)))
}

/// Prints a line of the table: what sizes cost. Says whether the cost grows out of proportion.
fn judge(name: &str, costs: &[(usize, f64)]) -> Option<String> {
    let cells: String = costs.iter().map(|(_, seconds)| format!(" {seconds:>8.3}")).collect();
    println!("{name:<34}{cells}");
    let ((least, first), (most, last)) = (*costs.first()?, *costs.last()?);
    let is_too_much = last > SLACK * first.max(FLOOR) * most as f64 / least as f64;
    is_too_much.then(|| format!("{name}: {first:.3} s for {least} MiB, {last:.3} s for {most} MiB"))
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_cost_in_proportion_to_their_size() -> anyhow::Result<()> {
    let exporter = ", protobuf_message: io.prometheus.write.v2.Request";
    let attacked = Attacked::alone(Keys { exporter, ..Keys::default() })?;
    println!("{:<34}{:>9}{:>9}{:>9}{:>9}", "seconds of CPU", "1 MiB", "2 MiB", "4 MiB", "8 MiB");
    let mut wrong = Vec::new();
    for (name, make) in REQUESTS {
        let mut costs = Vec::new();
        for size in [1, 2, 4, 8] {
            let request = make(size << 20);
            let mut least = f64::INFINITY;
            for _ in 0..TRIES {
                let before = cpu_seconds(attacked.preamp.id())?;
                send_http(attacked.preamp.http, &request).await?;
                least = (cpu_seconds(attacked.preamp.id())? - before).min(least);
            }
            costs.push((size, least));
        }
        wrong.extend(judge(name, &costs));
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The CPU time, in seconds, that it takes to validate a document.
fn cost_of_validating(document: &std::path::Path) -> anyhow::Result<f64> {
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -t 10; TIMEFORMAT='%U %S'; time \"$0\" \"$@\" >/dev/null 2>&1"]);
    command.arg(program("PREAMP_BIN", built("preamp"))?).args(["validate", "--config"]).arg(document);
    let output = command.output()?;
    let said = String::from_utf8(output.stderr)?;
    // What the shell adds to the number of the signal that ended a program.
    ensure!(output.status.code().is_some_and(|code| code < 128), "it takes more than ten seconds: {said}");
    let times = said.split_whitespace().map(str::parse::<f64>).collect::<Result<Vec<_>, _>>();
    let times = times.with_context(|| said.clone())?;
    ensure!(times.len() == 2, "{said}");
    Ok(times.iter().sum())
}

#[test]
fn configurations_cost_in_proportion_to_their_size() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    println!("{:<34}{:>9}{:>9}{:>9}", "seconds of CPU", "1 MiB", "2 MiB", "4 MiB");
    let mut wrong = Vec::new();
    for (name, make) in DOCUMENTS {
        let mut costs = Vec::new();
        for size in [1, 2, 4] {
            // Just below what is read at all.
            std::fs::write(&file, make((size << 20) - 200))?;
            costs.push((size, quickest(|| cost_of_validating(&file)).context(name)?));
        }
        wrong.extend(judge(name, &costs));
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}
