//! A request of which something is refused, in each dialect.

use super::{BAD, POINTS, configuration, payload, run, says, url};
use anyhow::{Context as _, ensure};
use preamp_tests::running::{Running, post, printed};
use preamp_tests::scripted_receiver::{Asked, Says, ScriptedReceiver, Stores};
use std::net::TcpListener;
use std::time::Duration;

const OUT_OF_ORDER: &str = "failed pushing to ingester: user=1: the sample has been rejected because another sample with a \
                            more recent timestamp has already been ingested and out-of-order samples are not allowed \
                            (err-mimir-sample-out-of-order)";
const LIMIT: &str = "failed pushing to ingester: user=anonymous: per-user series limit of 990000 exceeded \
                     (err-mimir-max-series-per-user). To adjust the related per-tenant limit, configure it.";
const ACTIVE: &str = "the request has been rejected because it would exceed the active series limit (err-mimir-max-active-series)";
const THANOS: &str = "store locally for endpoint 127.0.0.1:10901: add 1 samples: out of order sample\n";
const AMP: &str = "user=111122223333_ws-1: err: out of order sample. timestamp=2026-12-01T16:00:00Z, series={__name__=\"m\"}";
const PUSH: &str = "/api/v1/push";
const WRITE: &str = "/api/v1/write";
const RECEIVE: &str = "/api/v1/receive";
const WORKSPACE: &str = "/amp/workspaces/ws-1/api/v1/remote_write";

/// A receiver that refuses what is bad.
struct Case {
    path: &'static str,
    profile: &'static str,
    status: u16,
    text: &'static str,
    stores: Stores,
    reason: &'static str,
}

impl Case {
    const fn new(
        path: &'static str,
        profile: &'static str,
        (status, text): (u16, &'static str),
        stores: Stores,
        reason: &'static str,
    ) -> Case {
        Case { path, profile, status, text, stores, reason }
    }
}

#[test]
fn bad_series_are_refused_in_the_words_of_each_receiver() -> anyhow::Result<()> {
    use Stores::{Nothing, ValidPart};
    for case in [
        Case::new(PUSH, "mimir", (400, OUT_OF_ORDER), ValidPart, "out-of-order"),
        Case::new("/api/prom/push", "mimir", (400, LIMIT), ValidPart, "series-limit"),
        Case::new(PUSH, "mimir", (429, ACTIVE), ValidPart, "series-limit"),
        Case::new(PUSH, "mimir", (400, "x (err-mimir-of-a-later-version)"), ValidPart, "invalid"),
        Case::new(RECEIVE, "thanos", (409, THANOS), ValidPart, "out-of-order"),
        Case::new(RECEIVE, "thanos", (409, "conflict"), ValidPart, "conflict"),
        Case::new(WORKSPACE, "aps", (400, AMP), ValidPart, "out-of-order"),
        // The address says another one than the answer.
        Case::new(WRITE, "prometheus", (400, OUT_OF_ORDER), ValidPart, "out-of-order"),
        Case::new(RECEIVE, "thanos", (400, LIMIT), ValidPart, "series-limit"),
        Case::new(WRITE, "prometheus", (429, ACTIVE), ValidPart, "series-limit"),
        Case::new(WRITE, "prometheus", (409, THANOS), ValidPart, "out-of-order"),
        Case::new("/custom", "prometheus", (400, AMP), ValidPart, "out-of-order"),
        // Nothing of the request is stored.
        Case::new(WRITE, "prometheus", (400, "out of order sample\n"), Nothing, "out-of-order"),
        Case::new(WRITE, "prometheus", (500, "too old sample\n"), Nothing, "too-old"),
        Case::new(RECEIVE, "thanos", (400, "out of bounds"), Nothing, "too-old"),
        Case::new(WRITE, "prometheus", (422, "label value too long"), Nothing, "label-limit"),
        // Words that nobody knows, or a limit: the good ones show that it is the series.
        Case::new(WRITE, "prometheus", (400, "computer says no"), Nothing, "invalid"),
        Case::new(PUSH, "mimir", (400, "computer says no"), Nothing, "invalid"),
        Case::new(WRITE, "prometheus", (422, "series exceeds limit"), Nothing, "series-limit"),
        Case::new(RECEIVE, "thanos", (409, ""), Nothing, "invalid"),
    ] {
        let Case { path, status, text, .. } = case;
        refuse(case).with_context(|| format!("{path}: {status} {text}"))?;
    }
    Ok(())
}

fn refuse(case: Case) -> anyhow::Result<()> {
    let Case { path, profile, status, text, stores, reason } = case;
    let receiver = ScriptedReceiver::start(move |Asked { bad, .. }| match bad {
        0 => Says::taken(204),
        _ => Says::refused(status, text, stores),
    })?;
    let folder = tempfile::tempdir()?;
    let mut running = run(&receiver, path, folder.path())?;
    ensure!(
        says(&running, &["profile of the receiver", &format!("profile={profile} why=")]),
        "{}",
        running.said()
    );
    post(running.http, &payload(POINTS, POINTS / BAD))?;
    running.wait_for_empty_queue()?;
    let page = running.self_metrics()?;
    let (stored, bad) = receiver.series();
    ensure!((stored, bad) == (POINTS - BAD, 0), "{stored} series are stored, {bad} of them bad\n{page}");
    if stores == Stores::ValidPart {
        ensure!(running.points("partly_rejected")? == POINTS as f64, "{page}");
        ensure!(receiver.requests() == 1, "{} requests", receiver.requests());
    } else {
        ensure!(running.points("delivered")? == (POINTS - BAD) as f64, "{page}");
        let rejected = format!("preamp_points_total{{state=\"rejected\",reason=\"{reason}\"}} {BAD}");
        ensure!(page.contains(&rejected), "{rejected}\n{page}");
    }
    // The operator is told: reason, the receiver's words, what helps. Once, not for each series.
    let words = text.split_whitespace().next().unwrap_or_default();
    let said = [format!("reason={reason}"), words.to_owned(), "remedy=".to_owned()];
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let lines = running.said();
    let told = lines.lines().filter(|line| said.iter().all(|word| line.contains(word))).count();
    ensure!(told == 1, "{told} lines of {said:?}\n{lines}");
    ensure!(running.terminate()?.success(), "{}", running.said());
    Ok(())
}

/// VictoriaMetrics says nothing of what it leaves out.
#[test]
fn victoria_metrics_takes_everything() -> anyhow::Result<()> {
    let receiver = ScriptedReceiver::start(|_| Says { stores: Stores::ValidPart, ..Says::taken(204) })?;
    let folder = tempfile::tempdir()?;
    let running = run(&receiver, "/insert/0/prometheus/api/v1/write", folder.path())?;
    ensure!(says(&running, &["profile=victoriametrics"]), "{}", running.said());
    post(running.http, &payload(POINTS, POINTS / BAD))?;
    running.wait_until_delivered()
}

/// After a first try without an answer, a duplicate is what was stored then.
#[test]
fn a_repeat_that_thanos_refuses_is_delivered() -> anyhow::Result<()> {
    const DUPLICATE: &str = "add 2 samples: duplicate sample for timestamp\n";
    let receiver = ScriptedReceiver::start(|Asked { number, .. }| match number {
        1 => Says { status: 0, after: Duration::from_secs(3), ..Says::taken(200) },
        _ => Says::refused(409, DUPLICATE, Stores::Nothing),
    })?;
    let folder = tempfile::tempdir()?;
    let keys = "remote_write_queue: {num_consumers: 1}\n    timeout: 1s";
    let endpoint = url(receiver.address(), RECEIVE);
    let running = Running::start(&configuration(&endpoint, keys), &[], folder.path())?;
    post(running.http, &payload(POINTS, POINTS))?;
    running.wait_until_delivered()?;
    let presumed =
        format!("preamp_presumed_delivered_points_total{{exporter=\"prometheusremotewrite\"}} {POINTS}");
    let page = running.self_metrics()?;
    ensure!(page.contains(&presumed), "{page}");
    // Of the next request nothing was tried before.
    post(running.http, &payload(POINTS, POINTS))?;
    running.wait_for_empty_queue()?;
    ensure!(running.points("partly_rejected")? == POINTS as f64, "{}", running.self_metrics()?);
    Ok(())
}

/// A connection that was refused delivered nothing, so what is refused afterwards is no repeat.
#[test]
fn nothing_was_delivered_by_a_connection_that_was_refused() -> anyhow::Result<()> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let folder = tempfile::tempdir()?;
    let keys = "remote_write_queue: {num_consumers: 1}\n    profile: aps";
    let mut running = Running::start(&configuration(&url(address, "/x"), keys), &[], folder.path())?;
    post(running.http, &payload(POINTS, POINTS / BAD))?;
    running
        .wait_for("the connection to be refused", |log| log.contains("Connection refused").then_some(()))?;
    let receiver = ScriptedReceiver::start_at(address, |Asked { bad, .. }| match bad {
        0 => Says::taken(200),
        _ => Says::refused(400, AMP, Stores::ValidPart),
    })?;
    running.wait_for_empty_queue()?;
    ensure!(running.points("partly_rejected")? == POINTS as f64, "{}", running.self_metrics()?);
    ensure!(running.points("delivered")? == 0.0 && receiver.series() == (POINTS - BAD, 0));
    Ok(())
}

/// Who looks before or after it runs sees which receiver it is taken for, and why.
#[test]
fn the_profile_and_its_reason_are_told() -> anyhow::Result<()> {
    let receiver = ScriptedReceiver::start(|_| Says::taken(200))?;
    for (path, keys, profile, why) in [
        (WORKSPACE, "", "aps", "the path of the endpoint names a workspace of AMP"),
        (PUSH, "", "mimir", "the path of the endpoint is that of Mimir and Cortex"),
        (RECEIVE, "", "thanos", "the path of the endpoint is that of Thanos Receive"),
        ("/insert/1/prometheus", "", "victoriametrics", "are those of VictoriaMetrics"),
        (WRITE, "", "prometheus", "the path of the endpoint is that of Prometheus"),
        (RECEIVE, "profile: mimir", "mimir", "the configuration says so"),
    ] {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("preamp.yaml");
        std::fs::write(&file, configuration(&url(receiver.address(), path), keys))?;
        let shown = printed(&["print-config"], &[], &file)?;
        let line = shown.lines().find(|line| line.contains("The profile is")).unwrap_or_default();
        ensure!(line.contains(&format!("{profile}: ")) && line.contains(why), "{shown}");
        ensure!(shown.contains(&format!("    profile: {profile}  #")), "{shown}");
        let checked = printed(&["check"], &[], &file)?;
        let step = checked.lines().find(|line| line.contains("  profile  ")).unwrap_or_default();
        ensure!(step.contains(&format!("{profile}: ")) && step.contains(why), "{checked}");
        ensure!(checked.contains("an empty request was taken (200)"), "{checked}");
    }
    Ok(())
}
