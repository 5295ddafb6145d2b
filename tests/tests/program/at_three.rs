//! At three in the morning: what `preamp check` and `preamp queue status` say of each fault that an operator meets, with
//! a receiver that has it, and that both can be acted on.

use amp_stand_in::{Fault, Options, Script, Session, Signer, StandIn};
use anyhow::{Context as _, ensure};
use preamp_tests::children::wait_for;
use preamp_tests::connect_proxy::Proxy;
use preamp_tests::payloads::{now_ms, power};
use preamp_tests::prometheus::Prometheus;
use preamp_tests::running::{PIPELINE, Running, post, preamp, printed, signing};
use preamp_tests::scripted_receiver::{Says, ScriptedReceiver, Stores};
use serde_json::Value;
use std::net::TcpListener;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const ACCESS_KEY_ID: &str = "AKIDEXAMPLEOFCHECK";
const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const OTHER_SECRET: &str = "0000000000000000000000000000000000000000";
const REGION: &str = "eu-central-1";
const WORKSPACE: &str = "/workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write";
const AMP: &str = "user=111122223333_ws-1: err: out of order sample. timestamp=2026-12-01T16:00:00Z, series={__name__=\"m\"}";
const DENIED: &str = "{\"Message\":\"User: arn:aws:iam::1:user/x is not authorized to perform: aps:RemoteWrite on \
                      resource: arn:aws:aps:eu-central-1:1:workspace/ws-1\"}";
const DENIED_BY_STS: &str = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
                             <Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/x is not authorized to perform: \
                             sts:AssumeRole</Message></Error></ErrorResponse>";

/// Faults that are tried at once: each takes processes of its own.
const AT_ONCE: usize = 4;

/// A fault, and what is said of it.
struct Row {
    name: &'static str,
    endpoint: String,
    /// Keys of the signer; `None` for requests that are not signed.
    signer: Option<&'static str>,
    /// Keys of the exporter.
    exporter: String,
    environment: Vec<(&'static str, String)>,
    /// Options of `check`.
    options: &'static [&'static str],
    /// The exit status of `check`.
    status: i32,
    /// The step that says it, how that came out, and words that it has.
    step: (&'static str, &'static str, &'static [&'static str]),
    /// Words of `queue status`.
    queue: &'static [&'static str],
}

impl Row {
    fn unsigned(name: &'static str, endpoint: String) -> Row {
        Row {
            name,
            endpoint,
            signer: None,
            exporter: String::new(),
            environment: Vec::new(),
            options: &[],
            status: 1,
            step: ("write", "fail", &[]),
            queue: &[],
        }
    }

    fn signed(name: &'static str, stand_in: &StandIn, id: &str, secret: &str) -> Row {
        let environment = vec![
            ("AWS_ACCESS_KEY_ID", id.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", secret.to_owned()),
            // Nobody is there: who the caller is stays open, which keeps nothing from being written.
            ("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:9".to_owned()),
        ];
        Row { signer: Some(""), environment, ..Row::unsigned(name, stand_in.url()) }
    }

    fn configuration(&self, folder: &Path) -> String {
        let keys = format!(
            "target_info: {{enabled: false}}\n    timeout: 1s\n    wal: {{directory: {}}}\n    \
             retry_on_failure: {{initial_interval: 100ms, max_interval: 500ms, max_elapsed_time: 0s}}\n    {}",
            folder.join("queue").display(),
            self.exporter
        );
        match self.signer {
            Some(signer) => signing(REGION, signer, &self.endpoint, &keys),
            None => {
                let endpoint = &self.endpoint;
                format!(
                    "{PIPELINE}exporters:\n  prometheusremotewrite:\n    endpoint: {endpoint}\n    {keys}\n"
                )
            }
        }
    }

    /// What both commands say while `preamp run` meets the fault.
    fn try_out(&self) -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let environment: Vec<_> =
            self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let running = Running::start(&self.configuration(folder.path()), &environment, folder.path())?;
        let file = folder.path().join("preamp.yaml");
        let now = now_ms();
        // A queue without room refuses it.
        let _taken = post(running.http, &power([("a".to_owned(), now)]));
        let status = || printed(&["queue", "status"], &[], &file);
        if self.name.contains("Prometheus") {
            running.wait_until_delivered()?;
            post(running.http, &power([("a".to_owned(), now - 60_000)]))?;
        }
        let told = wait_for("the status of the queue", || {
            let said = status()?;
            Ok(self.queue.iter().all(|words| said.contains(words)).then_some(said))
        });
        let told = told.with_context(|| format!("{:?} of\n{}", self.queue, status().unwrap_or_default()))?;
        ensure!(told.contains(&format!("running (process {}, preamp ", running.id())), "{told}");

        let options = [&["check", "--json"], self.options].concat();
        let mut check = preamp(&options, &file)?;
        check.env_clear().env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", folder.path());
        let output = check.envs(environment).output()?;
        let said = String::from_utf8(output.stdout)?;
        ensure!(
            output.status.code() == Some(self.status),
            "{:?}, not {}: {said}",
            output.status,
            self.status
        );
        let report: Value = serde_json::from_str(&said).with_context(|| said.clone())?;
        let conclusion = match self.status {
            0 => "arrive",
            3 => "wait",
            _ => "fail",
        };
        ensure!(report["conclusion"] == conclusion && report["works"] == (self.status == 0), "{said}");
        let (name, outcome, words) = self.step;
        let steps = report["steps"].as_array().context("no steps")?;
        let step = steps.iter().find(|step| step["step"] == name && step["outcome"] == outcome);
        let step = step.with_context(|| format!("no step {name} that is {outcome}: {said}"))?;
        let says = format!("{} {}", step["detail"], step["remedy"]);
        ensure!(words.iter().all(|word| says.contains(word)), "{words:?} of {says}");
        Ok(())
    }
}

async fn stand_in(change: impl FnOnce(&mut Options)) -> anyhow::Result<StandIn> {
    let mut options = Options::signed(Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION));
    change(&mut options);
    Ok(StandIn::start(options).await?)
}

fn always(fault: Fault) -> Script {
    Script::every(NonZeroU64::MIN, [fault])
}

#[tokio::test(flavor = "multi_thread")]
async fn check_and_queue_status_say_what_is_wrong() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plain = stand_in(|_| {}).await?;
    let expired = SystemTime::now() - Duration::from_secs(60);
    let (access_key_id, secret_access_key) = ("ASIAEXPIREDSESSION".to_owned(), OTHER_SECRET.to_owned());
    let session_token = Some("token".to_owned());
    plain.know(Session { access_key_id, secret_access_key, session_token, expires: Some(expired) })?;
    let other_region = stand_in(|options| options.authentication = elsewhere()).await?;
    let late = stand_in(|options| {
        options.clock = Arc::new(|| SystemTime::now() + Duration::from_secs(600));
    })
    .await?;
    let unavailable = stand_in(|options| options.faults = always(Fault::Unavailable)).await?;
    let limited = stand_in(|options| options.faults = always(Fault::RateExceeded)).await?;
    let open = StandIn::start(Options::unsigned()).await?;
    let proxy = Proxy::start(open.address(), false).await?;
    let denied = ScriptedReceiver::start(|_| Says {
        headers: "x-amzn-errortype: AccessDeniedException\r\n",
        ..Says::refused(403, DENIED, Stores::Nothing)
    })?;
    let sts = ScriptedReceiver::start(|_| Says::refused(403, DENIED_BY_STS, Stores::Nothing))?;
    let amp = ScriptedReceiver::start(|_| Says::refused(400, AMP, Stores::ValidPart))?;
    let login = ScriptedReceiver::start(|_| {
        Says::refused(200, "<!doctype html><title>Sign in</title>", Stores::Nothing)
    })?;
    // Takes connections and answers nothing.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let prometheus = Prometheus::start(folder.path())?;

    let right = |name, stand_in: &StandIn| Row::signed(name, stand_in, ACCESS_KEY_ID, SECRET_ACCESS_KEY);
    let mut expired_keys = Row::signed("expired keys", &plain, "ASIAEXPIREDSESSION", OTHER_SECRET);
    expired_keys.environment.push(("AWS_SESSION_TOKEN", "token".to_owned()));
    let mut role = right("role", &plain);
    role.environment[2].1 = format!("http://{}", sts.address());
    let signed_elsewhere = format!("{}/workspaces/ws-1/api/v1/remote_write", origin(&plain.url()));
    let rows = [
        Row {
            step: ("write", "fail", &["Credential should be scoped", "region"]),
            queue: &["last answer  403, ", "(stop): ", "Credential should be scoped"],
            ..right("wrong region", &other_region)
        },
        Row {
            step: ("write", "fail", &["403", "access key id"]),
            queue: &["last answer  403, ", "(refresh_credentials)", "empty in     not at this rate"],
            ..Row::signed("wrong key", &plain, "AKIDOTHER", SECRET_ACCESS_KEY)
        },
        Row {
            step: ("write", "fail", &["signature we calculated does not match", "secret"]),
            queue: &["last answer  403, ", "signature we calculated"],
            ..Row::signed("wrong secret", &plain, ACCESS_KEY_ID, OTHER_SECRET)
        },
        Row {
            endpoint: format!("http://{}{WORKSPACE}", denied.address()),
            step: ("write", "fail", &["not authorized to perform: aps:RemoteWrite", "allow the action"]),
            queue: &["last answer  403, ", "not authorized to perform"],
            ..right("denied", &plain)
        },
        Row {
            signer: Some("assume_role: {arn: \"arn:aws:iam::123456789012:role/writer\"}"),
            step: ("credentials", "fail", &["sts:AssumeRole"]),
            queue: &["last answer  none, ", "nothing could be sent: ", "sts:AssumeRole"],
            ..role
        },
        Row {
            step: ("write", "fail", &["403", "renew the temporary credentials"]),
            queue: &["last answer  403, ", "expired"],
            ..expired_keys
        },
        Row {
            endpoint: signed_elsewhere,
            step: ("write", "fail", &["40", "workspace"]),
            queue: &["last answer  40", "(stop)"],
            ..right("wrong workspace", &plain)
        },
        Row {
            status: 0,
            step: ("write", "warn", &["which preamp corrects", "NTP"]),
            queue: &["last answer  200, ", "delivered    last ", "waiting      0 data points"],
            ..right("clock", &late)
        },
        Row {
            step: ("dns", "fail", &["receiver.invalid", "spelling", "HTTPS_PROXY"]),
            queue: &["last answer  none, "],
            ..Row::unsigned("DNS, or a proxy needed", "http://receiver.invalid/api/v1/write".to_owned())
        },
        Row {
            status: 0,
            exporter: format!("proxy_url: http://127.0.0.1:{}", proxy.port),
            step: ("connection", "pass", &["through the proxy 127.0.0.1:", "(proxy_url)"]),
            queue: &["last answer  200, ", "waiting      0 data points"],
            ..Row::unsigned("proxy", format!("http://receiver.invalid{WORKSPACE}"))
        },
        Row {
            exporter: format!("proxy_url: http://{closed}"),
            step: (
                "connection",
                "fail",
                &["through the proxy 127.0.0.1:", "refused", "check the proxy in proxy_url"],
            ),
            queue: &["last answer  none, ", "through the proxy"],
            ..Row::unsigned("proxy that is not there", format!("http://receiver.invalid{WORKSPACE}"))
        },
        Row {
            step: ("connection", "fail", &["refused", "firewall"]),
            queue: &["last answer  none, ", "refused", "waiting      1 data point"],
            ..Row::unsigned("refused", format!("http://{closed}/api/v1/write"))
        },
        Row {
            status: 3,
            step: ("connection", "wait", &["no answer within 1000 ms", "firewall"]),
            queue: &["last answer  none, ", "no answer within 1000 ms"],
            ..Row::unsigned("hang", format!("http://{}/api/v1/write", silent.local_addr()?))
        },
        Row {
            status: 3,
            step: ("write", "wait", &["503", "tries again"]),
            queue: &["last answer  503, ", "first expiry in ", "takes samples up to an age of "],
            ..right("503", &unavailable)
        },
        Row {
            status: 3,
            step: ("write", "wait", &["Rate exceeded", "tries again"]),
            queue: &["last answer  429, ", "Rate exceeded"],
            ..right("429", &limited)
        },
        Row {
            step: ("write", "fail", &["400", "out of order"]),
            queue: &["last answer  400, ", "(partly_rejected)", "out of order"],
            ..Row::unsigned("400 of AMP", format!("http://{}{WORKSPACE}", amp.address()))
        },
        Row {
            options: &["--sample"],
            step: ("write", "fail", &["one sample", "400", "out of order"]),
            queue: &["last answer  400, "],
            ..Row::unsigned("400 of AMP to a sample", format!("http://{}{WORKSPACE}", amp.address()))
        },
        Row {
            step: ("write", "fail", &["200", "login page"]),
            queue: &["last answer  200, ", "(unconfirmed)"],
            ..Row::unsigned("login page", format!("http://{}/api/v1/write", login.address()))
        },
        // It takes what is well, and refuses what is not.
        Row {
            status: 0,
            options: &["--sample"],
            step: ("write", "pass", &["one sample of preamp_check was taken"]),
            queue: &["last answer  400, ", "out of order", "quarantine   1 data point"],
            ..Row::unsigned("400 of Prometheus", prometheus.write_url())
        },
        Row {
            exporter: format!("min_free_disk_bytes: {}", 1_u64 << 44),
            step: ("queue", "fail", &["min_free_disk_bytes keeps 16.0 TiB free", "503", "free space"]),
            queue: &["the disk is full, and senders are refused", "the limit of disk was reached"],
            ..Row::unsigned("disk full", format!("http://{}/api/v1/write", open.address()))
        },
    ];
    let (turns, mut trials) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for row in rows {
        let turns = Arc::clone(&turns);
        trials.spawn(async move {
            let _turn = turns.acquire_owned().await?;
            tokio::task::spawn_blocking(move || row.try_out().context(row.name)).await?
        });
    }
    let failed: Vec<String> = trials
        .join_all()
        .await
        .into_iter()
        .filter_map(|tried| tried.err().map(|error| format!("{error:?}")))
        .collect();
    ensure!(failed.is_empty(), "{} rows:\n{}", failed.len(), failed.join("\n\n"));
    Ok(())
}

/// Who signs for another region than the file says.
fn elsewhere() -> amp_stand_in::Authentication {
    amp_stand_in::Authentication::SigV4(Signer::of_amp(ACCESS_KEY_ID, SECRET_ACCESS_KEY, "us-west-2"))
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> String {
    url.split('/').take(3).collect::<Vec<_>>().join("/")
}

/// A process that is gone is told from one that runs, and one that was killed from one that ended.
#[test]
fn queue_status_knows_whether_a_process_runs() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let row = Row::unsigned("status", format!("http://{closed}/api/v1/write"));
    let configuration = row.configuration(folder.path());
    let file = folder.path().join("preamp.yaml");
    let state = || -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&printed(&["queue", "status", "--json"], &[], &file)?)?)
    };
    for is_killed in [true, false] {
        let mut running = Running::start(&configuration, &[], folder.path())?;
        post(running.http, &power([("a".to_owned(), now_ms())]))?;
        let seen = wait_for("the process to be seen", || {
            let state = state()?;
            Ok((state["last_answer"]["said"].to_string().contains("refused")).then_some(state))
        })?;
        ensure!(seen["process"]["state"] == "running" && seen["process"]["id"] == running.id(), "{seen}");
        if is_killed {
            running.kill();
        } else {
            ensure!(running.terminate()?.success(), "{}", running.said());
        }
        let seen = state()?;
        let expected = if is_killed { "killed" } else { "ended" };
        ensure!(seen["process"]["state"] == expected, "{expected}: {seen}");
        // What it said last is still known.
        ensure!(seen["last_answer"]["status"] == 0 && seen["points"].as_u64() >= Some(1), "{seen}");
        let said = printed(&["queue", "status"], &[], &file)?;
        ensure!(said.contains("nobody delivers: start preamp run"), "{said}");
    }
    Ok(())
}

/// Where the queue is in memory, the metrics of the process say how full it is.
#[test]
fn the_status_of_a_queue_in_memory_is_in_the_metrics() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("preamp.yaml");
    std::fs::write(
        &file,
        format!("{PIPELINE}exporters: {{prometheusremotewrite: {{endpoint: \"http://h/w\"}}}}\n"),
    )?;
    let output = preamp(&["queue", "status"], &file)?.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{said}");
    ensure!(said.contains("otelcol_exporter_queue_size at http://127.0.0.1:0/metrics"), "{said}");
    Ok(())
}

/// A receiver's path, what it answers when it takes a request, and other answers with the exit status of `check`.
type Dialect = (&'static str, u16, &'static [(u16, &'static str, i32)]);

/// Answers of docs/receivers.md.
const DIALECTS: [Dialect; 5] = [
    (WORKSPACE, 200, &[(400, AMP, 1), (429, "{\"message\":\"Rate exceeded\"}", 3), (413, "", 1)]),
    (
        "/api/v1/write",
        204,
        &[
            (400, "out of order sample\n", 1),
            (500, "native histograms are disabled", 3),
            (404, "remote write receiver needs to be enabled with --web.enable-remote-write-receiver", 1),
        ],
    ),
    (
        "/api/v1/push",
        200,
        &[
            (202, "replicas did not match, rejecting sample: replica=b, elected=a", 0),
            (
                400,
                "the sample has been rejected because its timestamp is too old (err-mimir-sample-timestamp-too-old)",
                1,
            ),
            (
                429,
                "the request has been rejected because the tenant exceeded the ingestion rate limit, set to 10000 items/s \
                   (err-mimir-tenant-max-ingestion-rate)",
                3,
            ),
            (529, "the request has been rejected (err-mimir-tenant-max-request-rate)", 3),
            (401, "no org id", 1),
        ],
    ),
    (
        "/api/v1/receive",
        200,
        &[
            (409, "store locally for endpoint 127.0.0.1:10901: add 1 samples: out of order sample", 1),
            (429, "tenant is above active series limit", 3),
            (503, "target not ready", 3),
        ],
    ),
    (
        "/insert/0/prometheus/api/v1/write",
        204,
        &[
            (429, "", 3),
            (400, "unsupported path requested: \"/insert/0/prometheus/api/v1/write\"", 1),
            (502, "", 3),
        ],
    ),
];

/// The same verdict for an empty request and for a sample, whoever the receiver is.
#[test]
fn check_understands_each_dialect() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    for (path, taken, answers) in DIALECTS {
        for (status, text, expected) in [(taken, "", 0)].iter().chain(answers) {
            let (status, text) = (*status, *text);
            let receiver = ScriptedReceiver::start(move |_| match status {
                200..=299 => Says { text, ..Says::taken(status) },
                _ => Says::refused(status, text, Stores::Nothing),
            })?;
            let row = Row::unsigned("dialect", format!("http://{}{path}", receiver.address()));
            let file = folder.path().join("preamp.yaml");
            std::fs::write(&file, row.configuration(folder.path()))?;
            for arguments in [&["check"][..], &["check", "--sample"]] {
                let output = preamp(arguments, &file)?.output()?;
                let said = String::from_utf8_lossy(&output.stdout);
                ensure!(
                    output.status.code() == Some(*expected),
                    "{arguments:?} {path} {status} {text}: {said}"
                );
                let is_told = said.contains(&format!("(exit status {expected})"));
                ensure!(is_told == (*expected != 0), "{said}");
            }
        }
    }
    Ok(())
}
