//! What nobody is to see: secrets that others repeat, that stand in arguments and in memory; and characters that steer
//! the terminal of whoever reads what is said.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use preamp_base::printable::is_printable;
use preamp_tests::children::wait_for;
use preamp_tests::payloads;
use preamp_tests::preamp_command::{Said, preamp, say};
use preamp_tests::running::{PIPELINE, Running, post};

const SECRET: &str = "s3cret-of-a-header";

/// Steers a terminal, turns the direction of writing, and begins a line.
const EVIL: &str = "\u{1b}[31m\u{202e}\nforged";

fn configuration(endpoint: &str, exporter: &str) -> String {
    format!("{PIPELINE}\nexporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n    {exporter}\n")
}

/// A receiver that answers every request with this status, and repeats it as far as it is text.
fn echo(status: &'static str) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer(stream, status));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, status: &str) -> std::io::Result<()> {
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    // All that follows the head is there soon, and matters to nobody.
    while !seen.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            read => seen.extend_from_slice(&buffer[..read]),
        }
    }
    let head = String::from_utf8_lossy(&seen);
    let key = head.lines().find(|line| line.to_ascii_lowercase().starts_with("x-key:")).unwrap_or_default();
    let body = format!("invalid label, no such user \u{202e}: {key}\n");
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

#[test]
fn what_a_receiver_repeats_of_header_fields_is_hidden() -> anyhow::Result<()> {
    for status in ["400 Bad Request", "401 Unauthorized", "503 Service Unavailable"] {
        let folder = tempfile::tempdir()?;
        let receiver = echo(status)?;
        let keys = format!(
            "headers: {{X-Key: Bearer {SECRET}}}\n    wal: {{directory: '{}'}}",
            folder.path().join("queue").display()
        );
        let text = configuration(&format!("http://{receiver}/api/v1/write"), &keys);
        let mut running = Running::start(&text, &[], folder.path())?;
        post(running.http, &payloads::of_now(1, 1))?;
        if status.starts_with("400") {
            wait_for("quarantine", || Ok((running.points("quarantined")? > 0.0).then_some(())))?;
        } else {
            running
                .wait_for("an answer", |log| log.contains("no such user").then_some(()))
                .context(status)?;
        }
        let page = running.self_metrics()?;
        running.terminate()?;
        let file = folder.path().join("preamp.yaml").display().to_string();
        let mut said = vec![page, running.said()];
        for arguments in [&["check"][..], &["check", "--json"], &["quarantine", "list"], &["queue", "status"]]
        {
            let Said { bytes, stderr, .. } = say(&[arguments, &["--config", &file]].concat())?;
            said.extend([String::from_utf8(bytes)?, stderr]);
        }
        for text in &said {
            ensure!(!text.contains(SECRET), "{status}: {text}");
            ensure!(text.chars().all(|c| c == '\n' || is_printable(c)), "{status}: {text:?}");
        }
        let told = if status.starts_with("400") { &said[6] } else { &said[1] };
        ensure!(told.contains("(hidden)") && said[2].contains("(hidden)"), "{status}: {said:?}");
    }
    Ok(())
}

#[test]
fn what_is_printed_steers_no_terminal() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let name = folder.path().join(format!("preamp{EVIL}.yaml"));
    let file = name.display().to_string();
    let good = configuration("http://127.0.0.1:9/api/v1/write", &format!("external_labels: {{a: {EVIL:?}}}"));
    let bad = format!(
        "{EVIL:?}: 1\nreceivers: {{otlp: {{{EVIL:?}: {EVIL:?}}}}}\nservice: {{telemetry: {EVIL:?}}}\n"
    );
    let [good, bad] = [good, bad].map(|text| text.replace("\\u{1b}", "\\e").replace("\\u{202e}", "\\u202e"));
    let payload = folder.path().join("payload.json");
    let quoted = serde_json::json!(EVIL);
    std::fs::write(
        &payload,
        format!(
            r#"{{"resourceMetrics": [{{"resource": {{"attributes": [{{"key": {quoted}, "value": {{"stringValue": {quoted}}}}}]}},
            "scopeMetrics": [{{"metrics": [
              {{"name": {quoted}, "unit": {quoted}, "description": {quoted},
                "gauge": {{"dataPoints": [{{"timeUnixNano": "1", "asInt": "1",
                  "attributes": [{{"key": {quoted}, "value": {{"stringValue": {quoted}}}}}]}}]}}}},
              {{"name": {quoted}, "sum": {{"aggregationTemporality": 1, "dataPoints": [{{"timeUnixNano": "1", "asInt": "1"}}]}}}}
            ]}}]}}]}}"#
        ),
    )?;
    let capture = payload.display().to_string();
    let mut shown = 0;
    for (text, is_good) in [(good, true), (bad, false)] {
        std::fs::write(&name, text)?;
        for arguments in [
            &["validate", "--config", &file][..],
            &["print-config", "--config", &file],
            &["convert", "--config", &file],
            &["check", "--offline", "--config", &file],
            &["check", "--offline", "--json", "--config", &file],
            &["queue", "status", "--config", &file],
            &["translate", "--config", &file, &capture],
            &["translate", "--format", "json", "--config", &file, &capture],
            &["translate", &file, &capture],
            &["diff", "--config", &file, &capture],
            &["diff", "--format", "json", "--config", &file, &capture],
            &["validate", "--config", &file, EVIL],
            &["run", "--config", EVIL],
        ] {
            let Said { bytes, stderr, .. } = say(arguments)?;
            let stdout = String::from_utf8(bytes)?;
            for text in [&stdout, &stderr] {
                ensure!(text.chars().all(|c| c == '\n' || is_printable(c)), "{arguments:?}: {text:?}");
                ensure!(!text.lines().any(|line| line.starts_with("forged")), "{arguments:?}: {text}");
            }
            shown += usize::from(stdout.contains("202e") || stderr.contains("202e"));
            let is_json = arguments.contains(&"--json") || arguments.contains(&"json");
            if is_json && is_good {
                let documents = serde_json::Deserializer::from_str(&stdout).into_iter::<serde_json::Value>();
                documents
                    .collect::<Result<Vec<_>, _>>()
                    .with_context(|| format!("{arguments:?}: {stdout}"))?;
            }
        }
    }
    ensure!(shown > 20, "only {shown} showed what could be harmful");
    Ok(())
}

#[test]
fn what_is_converted_tells_of_its_secrets_or_has_none() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    let keys = format!("headers: {{X-Key: {SECRET}}}");
    std::fs::write(&file, configuration("http://127.0.0.1:9/api/v1/write", &keys))?;
    let file = file.display().to_string();
    let plain = say(&["convert", "--config", &file])?;
    ensure!(plain.status == Some(0) && plain.stdout().contains(SECRET), "{plain:?}");
    let told = "secrets stand in what was printed (exporters.prometheusremotewrite.headers.X-Key)";
    ensure!(plain.stderr.contains(told) && !plain.stderr.contains(SECRET), "{plain:?}");
    let redacted = say(&["convert", "--redact", "--config", &file])?;
    ensure!(redacted.status == Some(0) && redacted.stderr.is_empty(), "{redacted:?}");
    ensure!(!redacted.stdout().contains(SECRET), "{redacted:?}");
    std::fs::write(folder.path().join("redacted.yaml"), &redacted.bytes)?;
    let used = say(&["validate", "--config", &folder.path().join("redacted.yaml").display().to_string()])?;
    ensure!(used.status == Some(1) && used.stderr.contains("put the secret back"), "{used:?}");
    let set = format!("exporters.prometheusremotewrite.headers.X-Other={SECRET}");
    let set = say(&["validate", "--config", &file, "--set", &set])?;
    ensure!(set.stderr.contains("stands on the command line") && !set.stderr.contains(SECRET), "{set:?}");
    Ok(())
}

#[test]
fn memory_is_not_dumped_unless_that_is_asked_for() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = configuration("http://127.0.0.1:9/api/v1/write", "");
    let limit = |running: &Running| -> anyhow::Result<String> {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", running.id()))?;
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).context("no limit")?;
        Ok(line.split_whitespace().nth(4).unwrap_or_default().to_owned())
    };
    let running = Running::start(&text, &[], folder.path())?;
    ensure!(limit(&running)? == "0");
    running.kill();
    let own = std::fs::read_to_string("/proc/self/limits")?;
    let own = own.lines().find(|line| line.starts_with("Max core file size")).unwrap_or_default();
    let allowing = |run: &Command| {
        let mut command = Command::new(run.get_program());
        command.args(run.get_args()).arg("--allow-core-dumps");
        command
    };
    let running = Running::start_through(&text, allowing, &[], folder.path())?;
    ensure!(own.split_whitespace().nth(4) == Some(&*limit(&running)?), "{own}");
    running.kill();
    if std::fs::metadata("/proc/self")?.uid() == 0 {
        as_nobody(&text, folder.path())?;
    }
    Ok(())
}

/// Who runs as somebody else than root cannot be read by that one, and still knows what it takes itself.
fn as_nobody(text: &str, folder: &Path) -> anyhow::Result<()> {
    const NOBODY: u32 = 65534;
    let binary = preamp::<&str>(&[])?;
    let copy = folder.join("preamp");
    std::fs::copy(binary.get_program(), &copy)?;
    std::os::unix::fs::chown(folder, Some(NOBODY), None)?;
    let nobody = |run: &Command| {
        let mut command = Command::new(&copy);
        command.args(run.get_args()).uid(NOBODY);
        command
    };
    let running = Running::start_through(text, nobody, &[("SECRET", SECRET)], folder)?;
    let environment = format!("/proc/{}/environ", running.id());
    ensure!(std::fs::metadata(&environment)?.uid() == 0, "{environment} is its user's");
    let read = Command::new("cat").arg(&environment).uid(NOBODY).output()?;
    ensure!(!read.status.success() && read.stdout.is_empty(), "{read:?}");
    let page = running.self_metrics()?;
    ensure!(
        page.contains("\notelcol_process_memory_rss ") && page.contains("\notelcol_process_cpu_seconds"),
        "{page}"
    );
    Ok(())
}

#[test]
fn a_configuration_that_becomes_a_pipe_holds_nobody_up() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = configuration("http://127.0.0.1:9/api/v1/write", "");
    let pipe = folder.path().join("pipe");
    ensure!(Command::new("mkfifo").arg(&pipe).status()?.success());
    let mut running = Running::start(&text, &[], folder.path())?;
    let through = text.replace(
        "endpoint: http:",
        &format!("headers: {{X-Key: '${{file:{}}}'}}\n    endpoint: http:", pipe.display()),
    );
    running.reload(&through)?;
    running
        .wait_for("a refusal", |log| log.contains("pipe is a pipe, and only regular files").then_some(()))?;
    std::fs::rename(&pipe, folder.path().join("preamp.yaml"))?;
    running.hang_up()?;
    running.wait_for("a refusal", |log| log.contains("preamp.yaml: is a pipe").then_some(()))?;
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(())
}
