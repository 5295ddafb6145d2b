//! What a receiver sees of its sender where nothing is signed: a user, a password or a token, from the configuration or
//! from files that change while the process runs. None of it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use preamp_tests::children::wait_for;
use preamp_tests::payloads;
use preamp_tests::running::{PIPELINE, Running, post, printed};

const SECRET: &str = "pa55-w0rd";

/// A receiver that keeps the field `Authorization` of each request, and answers 401 to those that do not show what it
/// expects.
struct Receiver {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    expected: Arc<Mutex<String>>,
}

impl Receiver {
    fn start(expected: &str) -> anyhow::Result<Receiver> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let receiver = Receiver {
            address: listener.local_addr()?,
            seen: Arc::default(),
            expected: Arc::new(Mutex::new(expected.to_owned())),
        };
        let (seen, expected) = (Arc::clone(&receiver.seen), Arc::clone(&receiver.expected));
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (seen, expected) = (Arc::clone(&seen), Arc::clone(&expected));
                // Whoever breaks off is no fault of this one.
                std::thread::spawn(move || serve(connection, &seen, &expected));
            }
        });
        Ok(receiver)
    }

    fn expect(&self, value: &str) {
        value.clone_into(&mut lock(&self.expected));
    }

    fn last(&self) -> Option<String> {
        lock(&self.seen).last().cloned()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(connection: TcpStream, seen: &Mutex<Vec<String>>, expected: &Mutex<String>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let mut writer = connection;
    loop {
        let (mut length, mut shown, mut head) = (0, String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            head += 1;
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.trim().parse().unwrap_or_default(),
                "authorization" => value.trim().clone_into(&mut shown),
                _ => {}
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        // The clock is asked for without a body.
        let is_good = head > 0 && shown == *lock(expected);
        if length > 0 {
            lock(seen).push(shown);
        }
        let answer = if is_good { "204 No Content" } else { "401 Unauthorized" };
        writer.write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A Collector file that sends to an address, with keys of the exporter and an extension.
fn collector(endpoint: &str, exporter: &str, extension: Option<(&str, &str)>) -> String {
    let pipeline = match extension {
        Some((id, _)) => PIPELINE.replace("service:\n", &format!("service:\n  extensions: [{id}]\n")),
        None => PIPELINE.to_owned(),
    };
    let extension = extension.map(|(id, keys)| format!("extensions: {{{id}: {keys}}}\n")).unwrap_or_default();
    format!(
        "{pipeline}{extension}exporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n    {exporter}\n"
    )
}

fn assert_hidden(running: &Running, configuration: &Path) -> anyhow::Result<()> {
    let mut said = running.said();
    said.push_str(&running.self_metrics()?);
    for command in ["print-config", "validate", "check"] {
        said.push_str(&printed(&[command], &[], configuration)?);
    }
    for secret in [SECRET, &STANDARD.encode(format!("user:{SECRET}"))] {
        ensure!(!said.contains(secret), "{secret} is told:\n{said}");
    }
    Ok(())
}

#[test]
fn a_receiver_is_shown_what_the_configuration_says() -> anyhow::Result<()> {
    let secrets = tempfile::tempdir()?;
    let file = |name: &str, text: &str| -> anyhow::Result<String> {
        let path = secrets.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path.display().to_string())
    };
    let password = file("password", &format!("{SECRET}\n"))?;
    let user = file("user", "user\n")?;
    let token = file("token", &format!("{SECRET}\nother\n"))?;
    let auth = |id: &str| format!("auth: {{authenticator: {id}}}");
    let url = |user: &str, address: SocketAddr| format!("http://{user}{address}/api/v1/write");
    type Case<'c> = (&'c str, String, String, Option<(&'c str, String)>, String);
    let user_of_url = format!("user:{SECRET}@");
    let cases: [Case; 7] = [
        (
            "header",
            String::new(),
            format!("headers: {{authorization: 'Bearer {SECRET}'}}"),
            None,
            format!("Bearer {SECRET}"),
        ),
        ("user of the URL", user_of_url, "timeout: 5s".to_owned(), None, basic("user", SECRET)),
        (
            "basicauth",
            String::new(),
            auth("basicauth"),
            Some(("basicauth", format!("{{client_auth: {{username: user, password: {SECRET}}}}}"))),
            basic("user", SECRET),
        ),
        (
            "basicauth from files",
            String::new(),
            auth("basicauth/a"),
            Some((
                "basicauth/a",
                format!("{{client_auth: {{username_file: {user}, password_file: {password}}}}}"),
            )),
            basic("user", SECRET),
        ),
        (
            "bearertokenauth",
            String::new(),
            auth("bearertokenauth"),
            Some(("bearertokenauth", format!("{{token: {SECRET}}}"))),
            format!("Bearer {SECRET}"),
        ),
        (
            "bearertokenauth from a file",
            String::new(),
            auth("bearertokenauth"),
            Some(("bearertokenauth", format!("{{filename: {token}, scheme: Token}}"))),
            format!("Token {SECRET}"),
        ),
        ("nothing", String::new(), "timeout: 5s".to_owned(), None, String::new()),
    ];
    std::thread::scope(|scope| {
        let checks = cases.iter().map(|(name, user, exporter, extension, expected)| {
            let url = &url;
            scope.spawn(move || {
                let check = || -> anyhow::Result<()> {
                    let receiver = Receiver::start(expected)?;
                    let folder = tempfile::tempdir()?;
                    let extension = extension.as_ref().map(|(id, keys)| (*id, keys.as_str()));
                    let text = collector(&url(user, receiver.address), exporter, extension);
                    let running = Running::start(&text, &[], folder.path())?;
                    post(running.http, &payloads::of_now(1, 1))?;
                    running.wait_until_delivered()?;
                    ensure!(receiver.last().as_ref() == Some(expected), "{:?}", receiver.last());
                    assert_hidden(&running, &folder.path().join("preamp.yaml"))
                };
                check().context(*name)
            })
        });
        let checks: Vec<_> = checks.collect();
        checks.into_iter().try_for_each(|check| check.join().expect("no panic"))
    })
}

#[test]
fn a_password_in_a_file_is_read_again_when_it_changes() -> anyhow::Result<()> {
    let receiver = Receiver::start(&basic("user", "first"))?;
    let folder = tempfile::tempdir()?;
    let password = folder.path().join("password");
    std::fs::write(&password, "first\n")?;
    let keys = format!("{{client_auth: {{username: user, password_file: {}}}}}", password.display());
    let url = format!("http://{}/w", receiver.address);
    let text = collector(&url, "auth: {authenticator: basicauth}", Some(("basicauth", &keys)));
    let running = Running::start(&text, &[], folder.path())?;
    post(running.http, &payloads::of_now(1, 1))?;
    running.wait_until_delivered()?;
    // As secrets of Kubernetes change: another file takes the place of the first.
    let next = folder.path().join("next");
    std::fs::write(&next, "second\n")?;
    std::fs::rename(&next, &password)?;
    receiver.expect(&basic("user", "second"));
    std::thread::sleep(std::time::Duration::from_millis(1100));
    post(running.http, &payloads::of_now(1, 2))?;
    running.wait_until_delivered()?;
    ensure!(receiver.last() == Some(basic("user", "second")), "{:?}", receiver.last());
    // A file that is gone leaves what it held.
    std::fs::remove_file(&password)?;
    std::thread::sleep(std::time::Duration::from_millis(1100));
    post(running.http, &payloads::of_now(1, 3))?;
    running.wait_until_delivered()?;
    ensure!(running.said().contains("could not be read again"), "{}", running.said());
    ensure!(!running.said().contains("second"), "{}", running.said());
    Ok(())
}

#[test]
fn what_a_receiver_refuses_stays_queued_and_is_said() -> anyhow::Result<()> {
    let receiver = Receiver::start(&basic("user", "other"))?;
    let folder = tempfile::tempdir()?;
    let text = collector(&format!("http://user:{SECRET}@{}/w", receiver.address), "timeout: 5s", None);
    let mut running = Running::start(&text, &[], folder.path())?;
    post(running.http, &payloads::of_now(1, 1))?;
    let refused = |log: &str| log.contains("check the user, password or token").then_some(());
    running.wait_for("the refusal", refused)?;
    wait_for("the point to wait", || Ok((running.queued()? == 1.0).then_some(())))?;
    ensure!(!running.said().contains(SECRET), "{}", running.said());
    Ok(())
}
