//! The answers of each receiver, as `docs/receivers.md` lists them with their sources.

use super::*;
use crate::config::Profile;

const RECEIVERS: &str = include_str!("../../../docs/receivers.md");

fn at(profile: &str, status: u16, text: &str) -> String {
    let config = format!(r#"{{"endpoint":"http://h/some/path","profile":"{profile}"}}"#);
    summary(verdict(&config, &answered(status, &[], text.as_bytes())))
}

/// A row of the table of answers.
struct Row {
    profiles: Vec<&'static str>,
    status: u16,
    text: &'static str,
    verdict: &'static str,
}

/// The rows whose cells are: receivers, status, text, what it means there, what preamp does, source.
fn rows() -> Vec<Row> {
    let cells = |line: &'static str| -> Vec<&'static str> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().trim_matches('`')).collect()
    };
    let lines = RECEIVERS.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 5);
    lines
        .map(|line| {
            let cells = cells(line);
            let profiles = match cells[0] {
                "any" => Profile::ALL.map(Profile::name).to_vec(),
                names => names.split("`, `").collect(),
            };
            Row { profiles, status: cells[1].parse().unwrap(), text: cells[2], verdict: cells[4] }
        })
        .collect()
}

#[test]
fn each_answer_is_settled_as_the_documentation_says() {
    let rows = rows();
    assert!(rows.len() > 50, "{}", rows.len());
    for Row { profiles, status, text, verdict } in &rows {
        for profile in profiles {
            let said = at(profile, *status, text);
            // What is done, and for refusals the reason.
            assert!(said == *verdict, "{profile} {status} {text:?}: {said}, the documentation has {verdict}");
        }
    }
    for profile in Profile::ALL {
        let of_its_own = |row: &&Row| row.profiles == [profile.name()] || row.profiles.len() == 2;
        assert!(rows.iter().filter(of_its_own).count() >= 3, "{profile:?}");
    }
}

/// Each text that decides something stands in the documentation.
#[test]
fn each_text_is_documented() {
    let text = RECEIVERS.to_ascii_lowercase();
    let missing: Vec<_> = data::all_texts().filter(|known| !text.contains(known)).collect();
    assert!(missing.is_empty(), "docs/receivers.md says nothing of {missing:?}");
    for profile in Profile::ALL {
        let traits = profile.traits();
        for shown in traits.own_texts {
            assert!(text.contains(shown), "{shown}");
        }
    }
}

/// What a receiver shows itself to be counts more than what its address looks like.
#[test]
fn an_answer_that_shows_its_receiver_is_taken_for_that_one() {
    let mimir = "failed pushing to ingester: user=anonymous: per-user series limit of 990000 exceeded \
                 (err-mimir-max-series-per-user). To adjust the related per-tenant limit, configure it.";
    let cortex = "user=1: err: out of order sample. timestamp=2026-12-01T16:00:00Z, series={__name__=\"m\"}";
    let thanos = "store locally for endpoint 127.0.0.1:10901: add 1 samples: out of order sample";
    for profile in Profile::ALL.map(Profile::name) {
        assert_eq!(at(profile, 400, mimir), "partly-rejected series-limit", "{profile}");
        assert_eq!(at(profile, 400, cortex), "partly-rejected out-of-order", "{profile}");
        assert_eq!(at(profile, 409, thanos), "partly-rejected out-of-order", "{profile}");
        assert_eq!(at(profile, 409, "conflict"), "partly-rejected conflict", "{profile}");
        let active = "exceeded the active series limit, set to 5. 1 series were rejected from this request of a \
                      total of 9 (err-mimir-max-active-series)";
        assert_eq!(at(profile, 429, active), "partly-rejected series-limit", "{profile}");
    }
    assert_eq!(at("thanos", 400, "out of order sample"), "halve out-of-order", "no dialect of Thanos");
    assert_eq!(at("victoriametrics", 400, "out of order sample"), "halve out-of-order");
    assert_eq!(at("thanos", 500, "out of order sample"), "retry");
}

#[test]
fn what_says_that_the_address_is_wrong_is_held() {
    for body in [
        "remoteAddr: \"127.0.0.1:5000\"; unsupported path requested: \"/api/v1/writ\"\n",
        "unsupported path requested: \"/x\"",
        "user unauthorized missing route for \"http://h/x\"",
        "no handler for /some/path",
        "Client sent an HTTP request to an HTTPS server.\n",
        "404 page not found",
    ] {
        for profile in Profile::ALL.map(Profile::name) {
            for status in [400, 409, 422] {
                assert_eq!(at(profile, status, body), "stop not-found", "{profile} {status} {body}");
            }
        }
    }
    // What is quoted of a series says nothing of the address.
    for body in ["refused: {path=\"/some/path\", error=\"missing route\"}", "bad m{a=\"payment\"}"] {
        assert_eq!(at("prometheus", 400, body), "find-out invalid", "{body}");
    }
    let quoted = "out of order sample {path=\"/some/path\", e=\"unsupported path\"}";
    assert_eq!(at("prometheus", 400, quoted), "halve out-of-order");
}

/// No receiver of remote write answers with a page.
#[test]
fn a_page_for_people_comes_from_somebody_else() {
    let pages = [
        (Some("text/html; charset=utf-8"), "Bad Request"),
        (Some("TEXT/HTML"), "<p>"),
        (None, "<!doctype html><title>Sign in</title>"),
        (None, "\u{feff}\n <HTML lang=en>"),
        (Some("application/xhtml+xml"), "<?xml version=\"1.0\"?>"),
    ];
    for (content_type, body) in pages {
        let headers: Vec<_> = content_type.map(|value| ("Content-Type", value)).into_iter().collect();
        for config in [AMP, PROMETHEUS] {
            let said = |status| summary(verdict(config, &answered(status, &headers, body.as_bytes())));
            assert_eq!(said(200), "unconfirmed unconfirmed", "{body}");
            assert_eq!(said(204), "unconfirmed unconfirmed", "{body}");
            for status in [400, 409, 422] {
                assert_eq!(said(status), "stop not-found", "{body}");
            }
            assert_eq!(said(402), "stop account");
            assert_eq!(said(404), "stop not-found");
            assert_eq!(said(413), "halve too-large", "proxies say it so");
            assert_eq!(said(429), "retry");
            assert_eq!(said(502), "retry");
            assert_eq!(said(418), "stop unexpected-status");
        }
    }
    for (content_type, body) in [("text/html", ""), ("text/plain", "ok <html>"), ("", "stored")] {
        let response = answered(200, &[("content-type", content_type)], body.as_bytes());
        assert_eq!(summary(verdict(PROMETHEUS, &response)), "delivered", "{body}");
    }
}
