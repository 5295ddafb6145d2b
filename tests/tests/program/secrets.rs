//! No secret is to be read anywhere, wherever it comes from: not in logs, not on `/metrics`, not in what the commands say.

use std::sync::Arc;
use std::time::Duration;

use amp_stand_in::{Options, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::certificates::Authority;
use preamp_tests::issuer::{Issuer, Life, file, sources};
use preamp_tests::payloads;
use preamp_tests::running::{Running, post, preamp, signing};

const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const SESSION_TOKEN: &str = "TOKEN-OF-THE-SESSION";
const REGION: &str = "eu-central-1";

/// All there are but keys in PEM, and those that the issuer makes have these parts.
const SECRETS: [&str; 6] = [
    SECRET_ACCESS_KEY,
    "secret-of-the-issuer",
    "TOKEN-OF-THE",
    "secret-of-a-header",
    "secret-of-the-proxy",
    "secret-of-the-environment",
];

/// Where secrets come from.
struct Case {
    name: &'static str,
    environment: Vec<(&'static str, String)>,
    /// Keys of the signer.
    signer: String,
    /// Keys of the exporter.
    exporter: String,
    /// Whether metrics arrive.
    works: bool,
}

fn cases(issuer: &Issuer, folder: &std::path::Path) -> anyhow::Result<Vec<Case>> {
    let keys = || {
        vec![
            ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ]
    };
    let case = |name, environment: Vec<(&'static str, String)>, works| Case {
        name,
        environment,
        signer: String::new(),
        exporter: String::new(),
        works,
    };
    let text = format!(
        "[default]\naws_access_key_id = {ACCESS_KEY_ID}\naws_secret_access_key = {SECRET_ACCESS_KEY}\n"
    );
    let profile = file(folder, "profile", &text)?;
    let identity = file(folder, "identity", "TOKEN-OF-THE-CLUSTER")?;
    let pem = Authority::new("authority")?.sign(&["client.example"])?;
    let indented = |pem: &str| pem.replace('\n', "\n        ");
    let tls = format!(
        "tls:\n      cert_pem: |\n        {}\n      key_pem: |\n        {}",
        indented(&pem.certificate),
        indented(&pem.key)
    );
    let mut session = keys();
    session.push(("AWS_SESSION_TOKEN", SESSION_TOKEN.to_owned()));
    let mut header = keys();
    header.push(("HEADER", "secret-of-the-environment".to_owned()));
    let mut cases = vec![
        case("environment", keys(), true),
        // The receiver knows no such session.
        case("a session in the environment", session, false),
        case("profile", vec![("AWS_SHARED_CREDENTIALS_FILE", profile)], true),
        Case {
            signer: format!("access_key: {ACCESS_KEY_ID}\n    secret_key: {SECRET_ACCESS_KEY}"),
            ..case("keys in the file", Vec::new(), true)
        },
        Case {
            exporter: "headers: {X-Key: secret-of-a-header, X-Other: '${env:HEADER}'}".to_owned(),
            ..case("headers", header, true)
        },
        Case {
            exporter: "proxy_url: http://user:secret-of-the-proxy@127.0.0.1:9".to_owned(),
            ..case("a proxy that is not there", keys(), false)
        },
        Case { exporter: tls, ..case("a key in PEM", keys(), true) },
        Case {
            signer: format!(
                "assume_role: {{arn: 'arn:aws:iam::123456789012:role/writer', web_identity_token_file: '{identity}'}}"
            ),
            ..case(
                "a web identity at an STS that is not there",
                vec![("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9".to_owned())],
                false,
            )
        },
    ];
    cases.extend(
        sources(issuer, folder)?.into_iter().map(|(name, environment)| case(name, environment, true)),
    );
    Ok(cases)
}

fn assert_no_secret(place: &str, text: &str) -> anyhow::Result<()> {
    for secret in SECRETS.iter().chain(&["PRIVATE KEY"]) {
        ensure!(!text.contains(secret), "{secret} is in {place}:\n{text}");
    }
    // Each line of a key in PEM is as good as the whole.
    let is_key = |line: &str| line.trim().starts_with("MIG") || line.trim().starts_with("MC4");
    ensure!(!text.lines().any(is_key), "a private key is in {place}:\n{text}");
    Ok(())
}

fn check(case: &Case, stand_in: &StandIn, folder: &std::path::Path) -> anyhow::Result<()> {
    let environment: Vec<_> = case.environment.iter().map(|(name, value)| (*name, &**value)).collect();
    let text = signing(REGION, &case.signer, &stand_in.url(), &case.exporter);
    let mut running = Running::start(&text, &environment, folder)?;
    post(running.http, &payloads::of_now(1, 1))?;
    if case.works {
        running.wait_until_delivered()?;
    } else {
        std::thread::sleep(Duration::from_millis(300));
    }
    let page = running.self_metrics()?;
    let ended = running.terminate()?;
    ensure!(ended.success() == case.works, "{}", running.said());
    assert_no_secret("/metrics", &page)?;
    assert_no_secret("the log", &running.said())?;
    for arguments in
        [&["print-config"][..], &["validate"], &["check"], &["check", "--json"], &["check", "--offline"]]
    {
        let mut command = preamp(arguments, &folder.join("preamp.yaml"))?;
        command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("HOME", folder)
            .envs(environment.iter().copied());
        let output = command.output()?;
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let said = said.join("\n");
        assert_no_secret(&arguments.join(" "), &said)?;
        ensure!(said.len() > 20, "{arguments:?} says nothing");
        let expected = case.works || !matches!(arguments, ["check"] | ["check", "--json"]);
        ensure!(output.status.success() == expected, "{arguments:?}: {said}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_tells_a_secret_of_any_source() -> anyhow::Result<()> {
    let signer = Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION);
    let stand_in = Arc::new(StandIn::start(Options::signed(signer)).await?);
    let life = Life::of(Duration::from_secs(3600));
    let issuer = Issuer::start(Arc::clone(&stand_in), life, None).await?;
    let folder = tempfile::tempdir()?;
    let cases = cases(&issuer, folder.path())?;
    ensure!(cases.len() == 12, "{} cases", cases.len());
    // Much of the time is spent waiting for those that are not there.
    std::thread::scope(|scope| {
        let checks = cases.iter().map(|case| {
            let stand_in = &stand_in;
            scope.spawn(move || {
                let own = tempfile::tempdir()?;
                check(case, stand_in, own.path()).with_context(|| case.name)
            })
        });
        let checks: Vec<_> = checks.collect();
        checks.into_iter().try_for_each(|check| check.join().expect("no panic"))
    })
}
