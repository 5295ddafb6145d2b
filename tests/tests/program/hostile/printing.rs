//! What is printed holds no control character but line ends, wherever it came from, and no line for each bad payload.

use std::fs;
use std::time::Duration;

use anyhow::ensure;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::Delta;
use preamp_tests::any_sender::{Anything, send_http};
use preamp_tests::children::wait_for;
use preamp_tests::hostile_payloads::histogram;
use preamp_tests::payloads::{self, gauge, integer_point, metrics, sum, text};
use preamp_tests::running::{Running, post};

use crate::hostile::configuration::ended_within;
use crate::hostile::rig::{Attacked, Keys, PATIENCE, answering, receiver};

/// What changes how a terminal shows a text: colours and cursor, a title, C1's own escape, back and delete, and marks
/// that have text run the other way.
const HARMFUL: &str =
    "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J\u{8}\u{7f}\r\u{202e}drawkcab\u{2066}\u{2069}\u{200f}";

/// The first character in a text that is not to be printed, with what stands around it.
fn harm(said: &str) -> Option<String> {
    let is_harmful = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let at = said.find(is_harmful)?;
    let before: String = said[..at].chars().rev().take(40).collect();
    let after: String = said[at..].chars().take(20).collect();
    Some(format!("{:?}", before.chars().rev().collect::<String>() + &after))
}

#[test]
fn control_characters_in_a_configuration_are_escaped_wherever_they_stand() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let good = Keys::default().text(receiver()?);
    // In double quotes, YAML takes all of these by number.
    let quoted: String = HARMFUL.chars().map(|c| format!("\\U{:08x}", u32::from(c))).collect();
    let quoted = format!("\"{quoted}\"");
    let texts = [
        ("a key", good.replace("service:\n", &format!("{quoted}: 1\nservice:\n"))),
        ("a key of the exporter", good.replace("/write'}", &format!("/write', {quoted}: 1}}"))),
        ("a value", good.replace("1s", &quoted)),
        ("an id", good.replace("[prometheusremotewrite]", &format!("[{quoted}]"))),
        (
            "an exporter",
            good.replace("prometheusremotewrite: {", &format!("{quoted}: {{}}, prometheusremotewrite: {{")),
        ),
        ("a reference", good.replace("1s", "\"${file:\\U0000001b[31m}\"")),
        (
            "an endpoint",
            good.replace("http://", "\"http://\\U0000001b[31m")
                .replace("/write'", "/write\"")
                .replace("endpoint: '\"", "endpoint: \""),
        ),
        ("a header", good.replace("/write'}", &format!("/write', headers: {{{quoted}: {quoted}}}}}"))),
        ("raw", good.replace("service:\n", &format!("{HARMFUL}: 1\nservice:\n"))),
    ];
    let mut wrong = Vec::new();
    for (place, text) in texts {
        fs::write(path.join("preamp.yaml"), text)?;
        for command in ["validate", "print-config", "check", "convert"] {
            let ended = ended_within(Duration::from_secs(3), &[command, "--config", "preamp.yaml"], path)?;
            wrong.extend(harm(&ended.said).map(|harm| format!("{command}, {place}: {harm}")));
        }
    }
    let name = "\u{1b}[31m\u{202e}.yaml";
    fs::write(path.join(name), "unknown: 1\n")?;
    for (place, arguments) in [
        ("the name of a file", &["validate", "--config", name][..]),
        ("the name of no file", &["validate", "--config", "\u{1b}[31m"]),
        ("a changed value", &["validate", "--config", "preamp.yaml", "--set", "\u{1b}[31m\u{202e}=1"]),
        ("a capture", &["translate", name]),
        ("a queue", &["audit", "--directory", "\u{1b}[31m\u{202e}"]),
    ] {
        let ended = ended_within(Duration::from_secs(3), arguments, path)?;
        wrong.extend(harm(&ended.said).map(|harm| format!("{place}: {harm}")));
    }
    ensure!(wrong.is_empty(), "{} times raw:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn control_characters_in_what_a_receiver_says_are_escaped_in_the_log() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let encodings = ["console", "json"];
    for head in ["HTTP/1.1 503 Service Unavailable", "HTTP/1.1 400 Bad Request", "HTTP/1.1 404 Not Found"] {
        for encoding in encodings {
            let folder = tempfile::tempdir()?;
            let exporter = ", retry_on_failure: {initial_interval: 50ms}";
            let to = answering(head, format!("so says {HARMFUL} it"))?;
            let text = Keys { exporter, ..Keys::default() }.text(to);
            let text = text
                .replace("  telemetry:\n", &format!("  telemetry:\n    logs: {{encoding: {encoding}}}\n"));
            let preamp = Running::start(&text, &[], folder.path())?;
            post(preamp.http, &payloads::of_now(2, 1))?;
            let is_told = || {
                preamp.said().contains("so says")
                    || preamp.points("rejected").is_ok_and(|points| points > 0.0)
            };
            wait_for("what the receiver says to be told", || Ok(is_told().then_some(())))?;
            std::thread::sleep(Duration::from_millis(200));
            wrong.extend(harm(&preamp.said()).map(|harm| format!("{head}, {encoding}: {harm}")));
        }
    }
    ensure!(wrong.is_empty(), "{} times raw:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn names_and_values_of_payloads_add_no_line_and_no_control_character_to_the_log() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut preamp = Running::start(&Keys::default().text(receiver()?), &[], folder.path())?;
    let name = format!("{HARMFUL}\n2026-01-01T00:00:00Z ERROR forged=true\n");
    let point = || integer_point(vec![text(&name, &name)], 1);
    for payload in [
        metrics(vec![sum(&name, &name, vec![point()], Delta, true)]),
        metrics(vec![gauge(&name, &name, vec![point()])]),
        b"\x0a\x05\x1b[31m".to_vec(),
    ] {
        // Whether it is taken does not matter here.
        let _taken = post(preamp.http, &payload);
    }
    preamp.terminate()?;
    let said = preamp.said();
    ensure!(harm(&said).is_none(), "{:?}", harm(&said));
    let forged = said.lines().filter(|line| line.starts_with("2026-01-01T00:00:00Z ERROR")).count();
    ensure!(forged == 0, "{forged} forged lines:\n{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_that_break_the_component_are_told_of_in_few_lines() -> anyhow::Result<()> {
    const TIMES: usize = 8;
    let attacked = Attacked::start(Keys::default())?;
    let request = Anything::protobuf("buckets", histogram(10_000, 100_000));
    let before = attacked.preamp.said().lines().count();
    for _ in 0..TIMES {
        let answer = send_http(attacked.preamp.http, &request).await?;
        ensure!(answer.code >= 400, "it is taken: {answer:?}");
    }
    let said = attacked.preamp.said();
    let lines: Vec<_> = said.lines().skip(before).collect();
    ensure!(lines.len() <= 4, "{} lines for {TIMES} payloads:\n{}", lines.len(), lines.join("\n"));
    attacked.survives(PATIENCE)?;
    Ok(())
}
