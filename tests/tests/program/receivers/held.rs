//! Answers that no receiver gives, or that have nothing to do with what was sent: everything is held, and the operator
//! is told what to change.

use super::{POINTS, payload, run, says};
use anyhow::{Context as _, ensure};
use preamp_tests::running::post;
use preamp_tests::scripted_receiver::{Says, ScriptedReceiver, Stores};

const HTML: &str = "content-type: text/html\r\n";

/// What is answered to everything, and the words that the log has then.
struct Case {
    status: u16,
    headers: &'static str,
    text: &'static str,
    words: &'static [&'static str],
}

const CASES: [Case; 17] = [
    Case {
        status: 400,
        headers: "",
        text: "remoteAddr: \"127.0.0.1:5000\"; unsupported path requested: \"/api/v1/writ\"\n",
        words: &["reason=not-found", "unsupported path", "check the path"],
    },
    Case {
        status: 400,
        headers: "",
        text: "user unauthorized missing route for \"http://h/x\"\n",
        words: &["reason=not-found", "missing route", "check the path"],
    },
    Case {
        status: 400,
        headers: "",
        text: "nothing is served at /api/v1/write",
        words: &["reason=not-found", "check the path"],
    },
    Case {
        status: 400,
        headers: "",
        text: "Client sent an HTTP request to an HTTPS server.\n",
        words: &["reason=not-found", "https://"],
    },
    Case {
        status: 400,
        headers: HTML,
        text: "<html>blocked by corporate proxy</html>",
        words: &["reason=not-found", "page"],
    },
    Case { status: 409, headers: "", text: "<!DOCTYPE html><p>", words: &["reason=not-found", "page"] },
    Case { status: 402, headers: "", text: "payment required", words: &["reason=account", "plan"] },
    Case { status: 402, headers: HTML, text: "<html>pay</html>", words: &["reason=account", "plan"] },
    Case { status: 400, headers: "", text: "account suspended", words: &["reason=account", "suspended"] },
    Case {
        status: 404,
        headers: "",
        text: "{\"Message\":\"Workspace not found\"}",
        words: &["reason=not-found", "Workspace not found"],
    },
    Case { status: 405, headers: "", text: "Method Not Allowed", words: &["reason=not-found"] },
    Case { status: 410, headers: "", text: "gone", words: &["reason=not-found"] },
    Case { status: 418, headers: "", text: "teapot", words: &["reason=unexpected-status", "teapot"] },
    Case { status: 431, headers: "", text: "", words: &["reason=unexpected-status"] },
    Case {
        status: 400,
        headers: "",
        text: "computer says no",
        words: &["reason=invalid", "refuses everything", "computer says no"],
    },
    Case {
        status: 422,
        headers: "",
        text: "series exceeds limit",
        words: &["reason=series-limit", "refuses everything", "fewer series"],
    },
    Case {
        status: 422,
        headers: "",
        text: "validation failed",
        words: &["reason=invalid", "refuses everything", "validation failed"],
    },
];

#[test]
fn what_says_nothing_of_the_series_loses_none() -> anyhow::Result<()> {
    for case in CASES {
        let Case { status, text, .. } = case;
        hold(&case).with_context(|| format!("{status} {text}"))?;
    }
    Ok(())
}

fn hold(&Case { status, headers, text, words }: &Case) -> anyhow::Result<()> {
    let says_no = Says { headers, ..Says::refused(status, text, Stores::Nothing) };
    let receiver = ScriptedReceiver::start(move |_| says_no.clone())?;
    let folder = tempfile::tempdir()?;
    let mut running = run(&receiver, "/api/v1/write", folder.path())?;
    post(running.http, &payload(POINTS, POINTS))?;
    running.wait_for("the operator to be told", |log| {
        let is_told = |line: &str| line.contains("held") && words.iter().all(|word| line.contains(word));
        log.lines().any(is_told).then_some(())
    })?;
    let page = running.self_metrics()?;
    ensure!(running.queued()? == POINTS as f64 && running.points("rejected")? == 0.0, "{page}");
    let requests = receiver.requests();
    ensure!(requests <= 2 * POINTS as u64, "{requests} requests");
    // It is not asked again and again.
    std::thread::sleep(std::time::Duration::from_millis(300));
    ensure!(receiver.requests() == requests, "{requests} requests, then {}", receiver.requests());
    Ok(())
}

/// It counts as delivered, since the status says so; but somebody should look.
#[test]
fn a_page_in_place_of_an_answer_is_warned_of() -> anyhow::Result<()> {
    for (headers, text) in [(HTML, "Sign in"), ("", "<!doctype html><title>Sign in</title>")] {
        let page = Says { headers, text, ..Says::taken(200) };
        let receiver = ScriptedReceiver::start(move |_| page.clone())?;
        let folder = tempfile::tempdir()?;
        let running = run(&receiver, "/api/v1/write", folder.path())?;
        (0..3).try_for_each(|_| post(running.http, &payload(POINTS, POINTS)))?;
        running.wait_until_delivered()?;
        let lines = running.said();
        let warned = lines.lines().filter(|line| line.contains("WARN") && line.contains("Sign in")).count();
        ensure!(
            warned == 1 && says(&running, &["no receiver of remote write", "reason=unconfirmed"]),
            "{lines}"
        );
        let page = running.self_metrics()?;
        let counted = page.lines().find(|line| line.contains("verdict=\"unconfirmed\"")).unwrap_or_default();
        ensure!(!counted.is_empty() && !counted.ends_with(" 0"), "{page}");
    }
    Ok(())
}
