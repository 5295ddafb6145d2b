//! The vectors of `sockets/conformance`: they are what the core says, and the component in wasmtime says the same.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use preamp_tests::component::{Instance, contract, trap};
use preamp_tests::conformance::{self, Call, Content, Expected, Key, Outcome, Send, Vector};
use wasmtime::component::ResourceAny;

/// The most that the file may have, in bytes.
const SIZE_MAX: usize = 500_000;

/// With PREAMP_RENEW_VECTORS the file is written anew.
#[test]
fn the_vectors_are_what_the_core_says() -> anyhow::Result<()> {
    let mut text = String::new();
    for vector in conformance::record()? {
        text += &serde_json::to_string(&vector)?;
        text.push('\n');
    }
    let file = conformance::file();
    if std::env::var_os("PREAMP_RENEW_VECTORS").is_some() {
        std::fs::write(&file, &text)?;
    }
    let written = std::fs::read_to_string(&file).unwrap_or_default();
    let differs = written.lines().zip(text.lines()).find(|(old, new)| old != new);
    ensure!(
        written == text,
        "sockets/conformance/vectors.jsonl is not what this core says: set PREAMP_RENEW_VECTORS=1 to write it; the \
         first difference:\n{differs:#?}"
    );
    Ok(())
}

/// The file is small, its names are unique, and it has what it is for.
#[test]
fn the_vectors_reach_what_they_are_for() -> anyhow::Result<()> {
    let vectors = conformance::read()?;
    let size = std::fs::metadata(conformance::file())?.len() as usize;
    ensure!(size <= SIZE_MAX, "{size} bytes");
    let names: BTreeSet<_> = vectors.iter().map(|vector| &vector.name).collect();
    ensure!(names.len() == vectors.len(), "two vectors have one name");
    let calls = || vectors.iter().flat_map(|vector| &vector.calls);

    let answered: BTreeSet<_> = calls()
        .filter_map(|call| if let Call::Answered { status, .. } = call { Some(*status) } else { None })
        .collect();
    for status in [0, 200, 204, 301, 400, 401, 403, 404, 413, 415, 429, 500, 503] {
        ensure!(answered.contains(&status), "no receiver answers {status}");
    }
    let outcomes: BTreeSet<_> = calls()
        .filter_map(|call| match call {
            Call::Next { expect: Expected::Done(outcome), .. }
            | Call::GiveUp { expect: Expected::Done(outcome) } => Some(outcome.status),
            _ => None,
        })
        .collect();
    ensure!(outcomes == BTreeSet::from([200, 400, 413, 415, 503]), "{outcomes:?}");
    let packed: BTreeSet<_> = calls()
        .filter_map(|call| match call {
            Call::Pass { content_type, content_encoding, .. } => Some((&**content_type, &**content_encoding)),
            _ => None,
        })
        .collect();
    for content_type in ["application/x-protobuf", "application/json"] {
        for content_encoding in ["", "gzip", "deflate", "zstd"] {
            ensure!(packed.contains(&(content_type, content_encoding)), "{content_type} {content_encoding}");
        }
    }
    let is = |wanted: fn(&Call) -> bool| calls().any(wanted);
    ensure!(is(|call| matches!(call, Call::GiveKey { key: None, .. })));
    ensure!(is(|call| matches!(call, Call::GiveKey { key: Some(Key { session_token: Some(_), .. }), .. })));
    ensure!(is(|call| matches!(call, Call::Next { expect: Expected::Key { is_refused: true, .. }, .. })));
    ensure!(vectors.iter().any(|vector| vector.problems.len() > 1));
    Ok(())
}

#[test]
fn the_component_in_wasmtime_says_the_same() -> anyhow::Result<()> {
    let component = preamp_tests::built::load()?;
    for vector in conformance::read()? {
        match Instance::open(&component, &vector.configuration) {
            Ok(instance) => {
                ensure!(vector.problems.is_empty(), "{}: the configuration is taken", vector.name);
                replay(instance, &vector).with_context(|| vector.name.clone())?;
            }
            Err(refused) => {
                let refused = refused.to_string();
                ensure!(!vector.problems.is_empty(), "{}: {refused}", vector.name);
                for (path, message) in &vector.problems {
                    ensure!(
                        refused.contains(&format!("{path:?}")),
                        "{}: {path} is not in {refused}",
                        vector.name
                    );
                    ensure!(
                        refused.contains(&format!("{message:?}")),
                        "{}: {message} is not in {refused}",
                        vector.name
                    );
                }
            }
        }
    }
    Ok(())
}

fn replay(mut instance: Instance, vector: &Vector) -> anyhow::Result<()> {
    let mut passage: Option<ResourceAny> = None;
    for (number, call) in vector.calls.iter().enumerate() {
        let (guest, store, exporter) = instance.parts();
        let of_passage = guest.passage();
        let current = || passage.context("no passage was begun");
        let (said, expected) = match call.clone() {
            Call::Pass { at, content_type, content_encoding, payload } => {
                if let Some(previous) = passage.take() {
                    previous.resource_drop(&mut *store).map_err(trap)?;
                }
                let at = conformance::instant(at);
                let begun = guest.exporter().call_pass(
                    &mut *store,
                    exporter,
                    &payload.0,
                    &content_type,
                    &content_encoding,
                    at,
                );
                passage = Some(begun.map_err(trap)?);
                continue;
            }
            Call::Next { at, expect } => {
                let step = of_passage.call_next(store, current()?, conformance::instant(at)).map_err(trap)?;
                (said(step), expect)
            }
            Call::GiveKey { at, key } => {
                let key = key.as_ref().map(signing_key);
                let at = conformance::instant(at);
                of_passage.call_give_key(store, current()?, key.as_ref(), at).map_err(trap)?;
                continue;
            }
            Call::Answered { at, status, headers, body } => {
                let field = |(name, value)| contract::Header { name, value };
                let headers = headers.into_iter().map(field).collect();
                let response = contract::Response { status, headers, body: body.0 };
                let at = conformance::instant(at);
                of_passage.call_answered(store, current()?, &response, at).map_err(trap)?;
                continue;
            }
            Call::GiveUp { expect } => {
                let outcome = of_passage.call_give_up(store, current()?).map_err(trap)?;
                (Expected::Done(outcome_of(outcome)), expect)
            }
        };
        ensure!(said == expected, "call {number}: {said:#?}, not {expected:#?}");
    }
    Ok(())
}

fn signing_key(key: &Key) -> contract::SigningKey {
    let derived = key.derive();
    contract::SigningKey {
        access_key_id: derived.access_key_id,
        session_token: derived.session_token.map(|token| token.to_string()),
        derived_key: derived.derived_key.to_vec(),
        date: derived.date,
        region: derived.region,
        service: derived.service,
    }
}

fn said(step: contract::Step) -> Expected {
    match step {
        contract::Step::Send(contract::Outgoing { head, body }) => Expected::Send(Send {
            method: head.method,
            url: head.url,
            headers: pairs(head.headers),
            content: Content::of(&body),
        }),
        contract::Step::Key(contract::KeyRequest { date, region, service, is_refused }) => {
            Expected::Key { date, region, service, is_refused }
        }
        contract::Step::Wait(pause) => Expected::Wait(pause),
        contract::Step::Done(outcome) => Expected::Done(outcome_of(outcome)),
    }
}

fn outcome_of(outcome: contract::Outcome) -> Outcome {
    let explanation = |why: contract::Explanation| conformance::Explanation {
        reason: why.reason,
        detail: why.detail,
        remedy: why.remedy,
    };
    Outcome {
        status: outcome.status,
        headers: pairs(outcome.headers),
        body: conformance::Base64(outcome.body),
        delivered: outcome.delivered,
        partly_rejected: outcome.partly_rejected,
        rejected: outcome.rejected,
        unsettled: outcome.unsettled,
        explanations: outcome.explanations.into_iter().map(explanation).collect(),
    }
}

fn pairs(headers: Vec<contract::Header>) -> Vec<(String, String)> {
    headers.into_iter().map(|header| (header.name, header.value)).collect()
}
