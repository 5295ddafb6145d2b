//! What is in `deploy/`: each file is read by a program that it is made for, and run where it can run here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use amp_stand_in::{Options, StandIn};
use anyhow::{Context as _, ensure};
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use preamp_tests::children::{Background, address_after, built, fetched, program, wait_for};
use preamp_tests::loopback::exchange;
use preamp_tests::payloads;
use preamp_tests::prometheus::Prometheus;
use preamp_tests::promql;
use preamp_tests::running::{PIPELINE, Running, post};
use serde_json::Value;

/// What the commands of the files name, and stands elsewhere here.
const BINARY: &str = "/usr/bin/preamp";
const CONFIGURATION: &str = "/etc/preamp/preamp.yaml";

fn deployed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name)
}

fn read(name: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(deployed(name)).with_context(|| name.to_owned())
}

/// A configuration without fixed addresses, in a file.
fn configuration(folder: &Path) -> anyhow::Result<PathBuf> {
    let path = folder.join("preamp.yaml");
    let exporter = "exporters: {prometheusremotewrite: {endpoint: 'http://127.0.0.1:9/api/v1/write'}}";
    std::fs::write(&path, format!("{PIPELINE}{exporter}\n"))?;
    Ok(path)
}

/// Runs a command line of a file until it is ready, and ends it; `configuration` stands in place of the one it names.
fn run(words: &[&str], configuration: &Path, folder: &Path, more: &[&str]) -> anyhow::Result<()> {
    ensure!(words.first() == Some(&BINARY), "{words:?}");
    let configuration = configuration.to_str().context("a path")?;
    let words = words[1..].iter().map(|word| if *word == CONFIGURATION { configuration } else { *word });
    let mut command = Command::new(program("PREAMP_BIN", built("preamp"))?);
    command.args(words).args(more).env("AWS_EC2_METADATA_DISABLED", "true").env("CLUSTER", "one");
    let mut process = Background::start("preamp", command, folder)?;
    process.wait_for("preamp to be ready", |log| log.contains("ready").then_some(()))?;
    ensure!(process.terminate()?.success(), "{}", process.said());
    Ok(())
}

#[test]
fn systemd_takes_the_unit_and_its_commands_run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let unit = read("systemd/preamp.service")?;
    let path = folder.path().join("preamp.service");
    let binary = program("PREAMP_BIN", built("preamp"))?;
    std::fs::write(&path, unit.replace(BINARY, binary.to_str().context("a path")?))?;
    let analyze = program("PREAMP_SYSTEMD_ANALYZE", "/usr/bin/systemd-analyze".into())?;
    let verified = Command::new(analyze).args(["verify", "--man=no"]).arg(&path).output()?;
    // What it does not know it only mentions.
    let said = String::from_utf8_lossy(&verified.stderr);
    ensure!(verified.status.success() && said.is_empty(), "{said}");
    let value = |key: &str| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    let configuration = configuration(folder.path())?;
    let words: Vec<_> = value("ExecStart").context("ExecStart")?.split(' ').collect();
    run(&words, &configuration, folder.path(), &[])?;
    let before: Vec<_> = value("ExecStartPre").context("ExecStartPre")?.split(' ').collect();
    let checked = Command::new(binary).args(&before[1..before.len() - 1]).arg(&configuration).status()?;
    ensure!(checked.success(), "{before:?}");
    let patience: u64 = value("TimeoutStopSec").context("TimeoutStopSec")?.parse()?;
    let drain: u64 = words.last().context("--drain-timeout")?.parse()?;
    ensure!(patience > drain, "systemd kills after {patience} s, and delivery may take {drain} s");
    Ok(())
}

/// The exposure of the unit by `systemd-analyze security`, in tenths: it has the network, and code that is mapped.
const EXPOSURE_MAX: &str = "--threshold=11";

#[test]
fn the_unit_is_closed_but_for_what_the_program_needs() -> anyhow::Result<()> {
    let analyze = program("PREAMP_SYSTEMD_ANALYZE", "/usr/bin/systemd-analyze".into())?;
    let unit = deployed("systemd/preamp.service");
    let judged =
        Command::new(&analyze).args(["security", "--offline=yes", EXPOSURE_MAX]).arg(&unit).output()?;
    ensure!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));

    let folder = tempfile::tempdir()?;
    let calls = folder.path().join("calls");
    let queue = folder.path().join("queue");
    let exporter = format!(
        "exporters: {{prometheusremotewrite: {{endpoint: 'http://127.0.0.1:9/api/v1/write', delta: accumulate, \
         delta_state_file: '{0}/totals', wal: {{directory: '{1}'}}}}}}\n",
        folder.path().display(),
        queue.display()
    );
    let traced = |run: &Command| {
        let mut command = Command::new("strace");
        command.args(["-D", "-f", "-qq", "-c", "-U", "name", "-o"]).arg(&calls);
        command.arg(run.get_program()).args(run.get_args());
        command
    };
    let mut preamp = Running::start_through(&format!("{PIPELINE}{exporter}"), traced, &[], folder.path())?;
    post(preamp.http, &payloads::of_now(5, 1))?;
    // Everything waits: the receiver is not there.
    let _what_waits_is_lost_to_nobody = preamp.terminate()?;
    let made = wait_for("what strace counted", || {
        let counted = std::fs::read_to_string(&calls).unwrap_or_default();
        Ok(Some(counted).filter(|counted| counted.contains("total")))
    })?;
    let is_call = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let made: BTreeSet<_> = made
        .lines()
        .map(str::trim)
        .filter(is_call)
        .filter(|name| !["syscall", "total"].contains(name))
        .collect();
    ensure!(made.contains("fdatasync") && made.contains("accept4"), "{made:?}");
    let groups = Command::new(&analyze).arg("syscall-filter").output()?;
    let groups = groups_of_calls(&String::from_utf8(groups.stdout)?);
    let text = read("systemd/preamp.service")?;
    let mut allowed = expand("@default", &groups);
    for line in text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (is_denied, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
        for call in names.split(' ').flat_map(|name| expand(name, &groups)) {
            if is_denied {
                allowed.remove(&call);
            } else {
                allowed.insert(call);
            }
        }
    }
    let refused: Vec<_> = made.iter().filter(|call| !allowed.contains(**call)).collect();
    ensure!(refused.is_empty(), "the unit does not allow what preamp does: {refused:?}");
    Ok(())
}

/// The groups of system calls that systemd knows, by their names.
fn groups_of_calls(listed: &str) -> BTreeMap<String, Vec<String>> {
    let mut groups = BTreeMap::<String, Vec<String>>::new();
    let mut group = String::new();
    for line in listed.lines().filter(|line| !line.trim_start().starts_with('#')) {
        match line.strip_prefix("    ") {
            Some(name) => groups.entry(group.clone()).or_default().push(name.trim().to_owned()),
            None => group = line.trim().to_owned(),
        }
    }
    groups
}

/// The calls in a group, those of groups in it included; a call is itself.
fn expand(name: &str, groups: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    match groups.get(name) {
        Some(within) => within.iter().flat_map(|name| expand(name, groups)).collect(),
        None => BTreeSet::from([name.to_owned()]),
    }
}

#[test]
fn the_images_command_runs_and_needs_no_library_that_is_not_there() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let text = read("docker/Dockerfile")?;
    let instructions: Vec<_> = text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').with_context(|| line.to_owned()))
        .collect::<Result<_, _>>()?;
    const KNOWN: [&str; 9] = ["ARG", "FROM", "WORKDIR", "COPY", "RUN", "EXPOSE", "ENTRYPOINT", "CMD", "USER"];
    ensure!(instructions.iter().all(|(name, _)| KNOWN.contains(name)), "{instructions:?}");
    let last = |name: &str| instructions.iter().rev().find(|(own, _)| *own == name).map(|(_, rest)| *rest);
    let words = |name: &str| -> anyhow::Result<Vec<String>> {
        Ok(serde_json::from_str(last(name).with_context(|| name.to_owned())?)?)
    };
    let whole = [words("ENTRYPOINT")?, words("CMD")?].concat();
    let whole: Vec<_> = whole.iter().map(String::as_str).collect();
    run(&whole, &configuration(folder.path())?, folder.path(), &[])?;
    let copied = instructions.iter().find_map(|(_, rest)| rest.strip_prefix("--from=build "));
    let copied = copied.and_then(|rest| rest.split_once(" /src/")?.1.split_once(' '));
    let (source, target) = copied.context("COPY --from")?;
    // What `./build.sh host` makes, taken out of the cache that the folder `target` is.
    let made = "./build.sh host && install -D target/release/preamp /src/built/preamp";
    ensure!(last("RUN").is_some_and(|command| command.ends_with(made)), "{text}");
    ensure!(source == "built/preamp" && target == BINARY, "{source} {target}");
    // A change in the documents is no change of what is copied.
    let left_out = read("docker/Dockerfile.dockerignore")?;
    ensure!(
        ["docs", "*.md", "deploy", "target"].iter().all(|name| left_out.lines().any(|line| line == *name))
    );
    ensure!(last("USER").is_some_and(|user| user.starts_with(|c: char| ('1'..='9').contains(&c))), "{text}");
    // What `distroless/cc` has.
    const THERE: [&str; 5] = ["linux-vdso.so", "libgcc_s.so", "libm.so", "libc.so", "ld-linux-x86-64.so"];
    let libraries = Command::new("ldd").arg(program("PREAMP_BIN", built("preamp"))?).output()?;
    let libraries = String::from_utf8(libraries.stdout)?;
    for library in libraries.lines() {
        ensure!(THERE.iter().any(|there| library.contains(there)), "{library}");
    }
    Ok(())
}

/// The manifests, and how many objects each has.
const MANIFESTS: [(&str, usize); 2] = [("preamp.yaml", 7), ("durable.yaml", 8)];

#[test]
fn kubernetes_knows_every_field_and_the_container_runs_with_its_configuration() -> anyhow::Result<()> {
    for (name, objects) in MANIFESTS {
        deploy(&format!("kubernetes/{name}"), objects).context(name)?;
    }
    Ok(())
}

fn deploy(manifest: &str, objects: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let validate = program("PREAMP_KUBERNETES_VALIDATE", fetched("python/bin/kubernetes-validate"))?;
    let validated = Command::new(validate).arg("--strict").arg(deployed(manifest)).output()?;
    let said = String::from_utf8_lossy(&validated.stdout);
    ensure!(validated.status.success(), "{said}");
    ensure!(said.matches(" passed ").count() == objects && !said.contains("ERROR"), "{said}");

    let text = read(manifest)?;
    let (_, map) = text.split_once("  preamp.yaml: |\n").context("the configuration")?;
    let (configuration, rest) = map.split_once("---\n").context("what follows")?;
    let configuration = configuration.replace("REGION", "eu-west-1").replace("WORKSPACE", "ws-1");
    let path = folder.path().join("preamp.yaml");
    std::fs::write(&path, &configuration)?;
    let arguments = rest.lines().find_map(|line| line.trim().strip_prefix("args: [")?.strip_suffix(']'));
    let arguments = arguments.context("args")?.split(", ").map(|word| word.trim_matches('"'));
    let words: Vec<_> = std::iter::once(BINARY).chain(arguments).collect();
    // A pod is killed after its grace period: the pause before it and delivery are over by then.
    let number = |key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key))?;
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse().ok()
    };
    let grace = number("terminationGracePeriodSeconds:").context("no grace period")?;
    let drain: u64 = words.last().context("--drain-timeout")?.parse()?;
    ensure!(grace > number("sleep:").unwrap_or(0) + drain, "{grace} s for {drain} s of delivery");
    // Other processes of this machine may have the usual addresses, and nobody may write to the usual directory.
    let queue = format!("--set=extensions.file_storage.directory={}", folder.path().join("queue").display());
    let mut free = vec![
        "--set=receivers.otlp.protocols.grpc.endpoint=127.0.0.1:0",
        "--set=receivers.otlp.protocols.http.endpoint=127.0.0.1:0",
        "--set=extensions.health_check.endpoint=127.0.0.1:0",
        "--set=service.telemetry.metrics.readers=[{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]",
    ];
    if configuration.contains("file_storage") {
        free.push(&queue);
    }
    run(&words, &path, folder.path(), &free)?;
    ensure!(
        folder.path().join("queue").is_dir() == configuration.contains("file_storage"),
        "where the queue is"
    );
    Ok(())
}

/// The expressions of the dashboard, with what its variables stand for when all is chosen.
fn expressions() -> anyhow::Result<Vec<String>> {
    let dashboard: Value = serde_json::from_str(&read("grafana/preamp.json")?)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let expressions = targets.map(|target| target["expr"].as_str().context("expr"));
    let filled = expressions.map(|expression| {
        let expression = expression?.replace("$job", ".*").replace("$instance", ".*");
        let expression = expression.replace("$__rate_interval", "1m");
        ensure!(!expression.contains('$'), "{expression}");
        Ok(expression)
    });
    filled.collect()
}

/// The names of metrics in an expression.
fn names(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name =
        |word: &&str| ["preamp_", "otelcol_", "prometheus_"].iter().any(|prefix| word.starts_with(prefix));
    words
        .filter(is_name)
        .map(|name| name.trim_end_matches("_bucket").trim_end_matches("_total").to_owned())
        .collect()
}

#[test]
fn each_alert_answers_to_its_fault_and_no_other() -> anyhow::Result<()> {
    let (alerts, tests) = (read("prometheus/alerts.yaml")?, read("prometheus/alerts-test.yaml")?);
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        ensure!(tests.contains(&format!("alertname=\"{name}\"")), "{name} is not tested");
    }
    preamp_tests::promtool::test_rules(&deployed("prometheus/alerts-test.yaml").canonicalize()?)
}

/// Whoever looks at the dashboard sees that something is wrong.
#[test]
fn each_number_of_the_dashboard_has_thresholds() -> anyhow::Result<()> {
    let dashboard: Value = serde_json::from_str(&read("grafana/preamp.json")?)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    for panel in panels.iter().filter(|panel| panel["type"] == "stat") {
        let steps = &panel["fieldConfig"]["defaults"]["thresholds"]["steps"];
        ensure!(steps.as_array().is_some_and(|steps| !steps.is_empty()), "{}", panel["title"]);
    }
    let all = expressions()?.concat();
    for part in ["by (limit)", "quarantined|damaged", "3600 - max(preamp_queue_oldest_seconds"] {
        ensure!(all.contains(part), "{part}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_and_dashboard_work_in_a_real_prometheus() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let stand_in = StandIn::start(Options::unsigned()).await?;
    let text =
        format!("{PIPELINE}exporters: {{prometheusremotewrite: {{endpoint: '{}'}}}}\n", stand_in.url());
    let preamp = Running::start(&text, &[], folder.path())?;
    post(preamp.http, &payloads::of_now(5, 1))?;
    // A point that cannot become a series, so that those are counted too.
    let deltas = payloads::sum(
        "deltas",
        "1",
        vec![payloads::integer_point(Vec::new(), 1)],
        AggregationTemporality::Delta,
        true,
    );
    post(
        preamp.http,
        &payloads::payload(vec![payloads::resource(Vec::new(), vec![payloads::scope("s", vec![deltas])])]),
    )?;
    preamp.wait_until_delivered()?;
    let metrics = address_after(&preamp.said(), "metrics=").context("/metrics")?;
    let rules = deployed("prometheus/alerts.yaml").canonicalize()?;
    let prometheus = Prometheus::start_scraping("preamp", metrics, &rules, folder.path())?;
    let address = prometheus.address();

    let page = preamp.self_metrics()?;
    let described: BTreeSet<_> =
        page.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let alerts = std::fs::read_to_string(&rules)?;
    let expressions = expressions()?;
    ensure!(expressions.len() > 25, "{} expressions", expressions.len());
    for name in expressions.iter().flat_map(|expression| names(expression)).chain(names(&alerts)) {
        ensure!(described.contains(&*name), "{name} is not on /metrics:\n{page}");
    }
    wait_for("Prometheus to have scraped", || {
        let delivered = promql::query(address, "preamp_points_total{state=\"delivered\"} == 5")?;
        Ok((!delivered.is_empty()).then_some(()))
    })?;
    for expression in &expressions {
        promql::query(address, expression).with_context(|| expression.clone())?;
    }

    let rules = || -> anyhow::Result<Vec<Value>> {
        let reply =
            exchange(address, "GET", "/api/v1/rules", &[("host", "prometheus")], b"").context("no answer")?;
        let answer: Value = serde_json::from_str(&reply.body)?;
        Ok(answer["data"]["groups"][0]["rules"].as_array().context("rules")?.clone())
    };
    let evaluated = wait_for("the rules to be evaluated", || {
        Ok(Some(rules()?).filter(|rules| rules.iter().all(|rule| rule["health"] != "unknown")))
    })?;
    ensure!(evaluated.len() == 20 && evaluated.iter().all(|rule| rule["health"] == "ok"), "{evaluated:#?}");
    // Somebody sends deltas, and nothing else is wrong.
    let awake = || -> anyhow::Result<Vec<Value>> {
        let awake = rules()?.into_iter().filter(|rule| rule["state"] != "inactive");
        Ok(awake.map(|rule| rule["name"].clone()).collect())
    };
    wait_for("the alert of the delta", || Ok((awake()? == ["PreampUntranslatable"]).then_some(())))?;
    // One of them for real.
    preamp.reload("broken")?;
    wait_for("the alert of a broken configuration", || {
        let is_firing = |rule: &Value| rule["name"] == "PreampReloadFailed" && rule["state"] == "firing";
        Ok(rules()?.iter().any(is_firing).then_some(()))
    })
}
