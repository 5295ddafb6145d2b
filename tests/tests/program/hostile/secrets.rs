//! What is secret stays so: in messages, logs, what receivers echo, and the memory of the process.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use preamp_tests::children::{built, program, wait_for};
use preamp_tests::payloads;
use preamp_tests::preamp_command::say;
use preamp_tests::running::{Running, post};

use crate::hostile::configuration::ended_within;
use crate::hostile::rig::{Keys, answering, receiver};

const SECRET: &str = "hunter2-of-the-test";

/// A user that is not root, as which the process and its neighbour run.
const NOBODY: &str = "65534";

#[test]
fn passwords_in_urls_of_nats_are_never_printed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    let mut wrong = Vec::new();
    for url in [
        format!("nats://user:{SECRET}@127.0.0.1:1"),
        format!("tls://{SECRET}@127.0.0.1:1"),
        format!("user:{SECRET}@127.0.0.1:1"),
        format!("nats://user:{SECRET}@no such host"),
    ] {
        let extensions = format!(
            ", nats: {{servers: ['{url}'], monitoring: ['http://user:{SECRET}@127.0.0.1:1'], sync_always: true}}"
        );
        let exporter = ", sending_queue: {storage: nats}";
        let text = Keys { exporter, extensions: &extensions, extension_names: ", nats", ..Keys::default() };
        fs::write(path.join("preamp.yaml"), text.text(receiver()?))?;
        for arguments in [
            &["validate"][..],
            &["print-config"],
            &["check"],
            &["check", "--json"],
            &["queue", "status"],
            &["run", "--drain-timeout=1"],
        ] {
            let arguments = [arguments, &["--config", "preamp.yaml"]].concat();
            let ended = ended_within(Duration::from_secs(3), &arguments, path)?;
            if ended.said.contains(SECRET) {
                wrong.push(format!("{arguments:?} with {url}: {}", ended.said));
            }
        }
    }
    ensure!(wrong.is_empty(), "{} times printed:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn keys_that_come_from_elsewhere_are_not_shown() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    fs::write(
        path.join("elsewhere"),
        format!("{{{SECRET}: 1, headers: {{X-Other: {{{SECRET}-too: [1]}}}}}}"),
    )?;
    let text = Keys::default().text(receiver()?);
    let places = [
        (
            "in place of the exporter",
            text.replace("prometheusremotewrite: {", "prometheusremotewrite: '${file:elsewhere}'\n#"),
        ),
        ("in place of its TLS", text.replace("/write'}", "/write', tls: '${file:elsewhere}'}")),
        ("in place of the extensions", text.replace("extensions: {", "extensions: '${file:elsewhere}'\n#")),
        ("in place of a value", text.replace("1s", "'${file:elsewhere}'")),
        ("in place of it all", "${file:elsewhere}".to_owned()),
    ];
    let mut wrong = Vec::new();
    for (place, text) in places {
        fs::write(path.join("preamp.yaml"), text)?;
        for command in ["validate", "print-config", "check"] {
            let ended = ended_within(Duration::from_secs(3), &[command, "--config", "preamp.yaml"], path)?;
            ensure!(ended.said.len() > 20, "{command} says nothing");
            if ended.said.contains(SECRET) {
                wrong.push(format!("{command}, {place}: {}", ended.said.trim()));
            }
        }
    }
    ensure!(wrong.is_empty(), "{} times shown:\n{}", wrong.len(), wrong.join("\n"));
    Ok(())
}

#[test]
fn headers_that_a_receiver_echoes_are_masked_in_the_log() -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    for head in ["HTTP/1.1 400 Bad Request", "HTTP/1.1 503 Service Unavailable", "HTTP/1.1 401 Unauthorized"]
    {
        let folder = tempfile::tempdir()?;
        let echo = format!("you sent X-Key: {SECRET} and nobody knows {SECRET}");
        let exporter =
            format!(", headers: {{X-Key: {SECRET}}}, retry_on_failure: {{initial_interval: 50ms}}");
        let text = Keys { exporter: &exporter, ..Keys::default() }.text(answering(head, echo)?);
        let preamp = Running::start(&text, &[], folder.path())?;
        post(preamp.http, &payloads::of_now(2, 1))?;
        let is_told = || {
            preamp.said().contains("nobody knows")
                || preamp.points("rejected").is_ok_and(|points| points > 0.0)
        };
        wait_for("the echo to be told", || Ok(is_told().then_some(())))?;
        std::thread::sleep(Duration::from_millis(200));
        if preamp.said().contains(SECRET) || preamp.self_metrics()?.contains(SECRET) {
            wrong.push(format!("{head}: {}", preamp.said()));
        }
    }
    ensure!(
        wrong.is_empty(),
        "{} of 3 answers put the secret in the log:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    Ok(())
}

/// Whether a neighbour of the same user reads the environment of a process that was started with these arguments.
fn is_environment_readable(arguments: &[&str]) -> anyhow::Result<bool> {
    let folder = tempfile::tempdir()?;
    let path = folder.path();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    // The one that was built may stand where others cannot read.
    let binary = path.join("preamp");
    fs::copy(program("PREAMP_BIN", built("preamp"))?, &binary)?;
    let as_nobody = |run: &Command| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"]).arg(&binary);
        command.args(run.get_args()).args(arguments);
        command
    };
    let text = Keys::default().text(receiver()?);
    let preamp = Running::start_through(&text, as_nobody, &[("SECRET", SECRET)], path)?;
    let environment = format!("/proc/{}/environ", preamp.id());
    // Root reads it in any case, which shows that there is something to be read.
    ensure!(fs::read_to_string(&environment)?.contains(SECRET), "the secret is not in {environment}");
    let mut neighbour = Command::new("setpriv");
    neighbour.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "cat", &environment]);
    let read = neighbour.output().context("cannot run setpriv")?;
    Ok(String::from_utf8_lossy(&read.stdout).contains(SECRET))
}

#[test]
fn the_environment_is_hidden_from_other_processes_of_the_same_user_unless_asked() -> anyhow::Result<()> {
    ensure!(!is_environment_readable(&[])?, "another process reads the environment");
    ensure!(is_environment_readable(&["--allow-core-dumps"])?, "--allow-core-dumps does not restore it");
    Ok(())
}

#[test]
fn convert_says_that_it_prints_secrets_and_hides_them_if_asked() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    let exporter = format!(", headers: {{X-Key: {SECRET}}}, proxy_url: 'http://user:{SECRET}@127.0.0.1:9'");
    fs::write(&file, Keys { exporter: &exporter, ..Keys::default() }.text(receiver()?))?;
    let file = file.to_string_lossy();
    let plain = say(&["convert", "--config", &file])?;
    ensure!(plain.status == Some(0) && plain.stdout().contains(SECRET), "{plain:?}");
    ensure!(plain.stderr.contains("secret"), "it prints secrets without a word: {:?}", plain.stderr);
    ensure!(!plain.stderr.contains(SECRET), "{:?}", plain.stderr);
    let redacted = say(&["convert", "--redact", "--config", &file])?;
    let said = format!("{}{}", redacted.stdout(), redacted.stderr);
    ensure!(redacted.status == Some(0) && !said.contains(SECRET), "{said}");
    ensure!(redacted.stdout().contains("X-Key"), "{said}");
    Ok(())
}

#[test]
fn a_user_in_the_endpoint_is_not_printed_whether_it_is_taken_or_not() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let address = receiver()?;
    let text = |user: &str| Keys::default().text(address).replace("http://", &format!("http://{user}@"));
    let taken = text(&format!("user:{SECRET}"));
    // What stands before the `/` looks like a host and a port.
    let refused = text(&format!("user:{SECRET}/x"));
    for (text, command) in [
        (&taken, "validate"),
        (&taken, "print-config"),
        (&refused, "validate"),
        (&refused, "print-config"),
        (&refused, "run"),
    ] {
        fs::write(folder.path().join("preamp.yaml"), text)?;
        let arguments = [command, "--config", "preamp.yaml"];
        let ended = ended_within(Duration::from_secs(3), &arguments, folder.path())?;
        let is_told = ended.said.contains("endpoint") || ended.said.contains("is valid");
        ensure!(ended.in_time && is_told, "{command}: {}", ended.said);
        ensure!(!ended.said.contains(SECRET), "{command}: {}", ended.said);
    }
    Ok(())
}

#[test]
fn rust_log_is_not_followed() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let exporter = format!(", headers: {{X-Key: {SECRET}}}");
    let text = Keys { exporter: &exporter, ..Keys::default() }.text(receiver()?);
    let preamp = Running::start(&text, &[("RUST_LOG", "trace")], folder.path())?;
    post(preamp.http, &payloads::of_now(2, 1))?;
    wait_for("all to be delivered", || Ok((preamp.points("delivered")? >= 2.0).then_some(())))?;
    let said = preamp.said();
    ensure!(!said.contains("TRACE") && !said.contains("DEBUG") && !said.contains(SECRET), "{said}");
    Ok(())
}
