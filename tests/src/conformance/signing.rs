//! Keys, credentials and clocks.

use anyhow::ensure;
use serde_json::json;

use super::recorder::{Credentials, LASTING, PROTOBUF, Recorder, front, key, lost, stored, text};
use super::{Case, Expected};
use crate::payloads::{of_sender, requests};

/// An hour in milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// Credentials of a session that has ended.
const ENDED: Credentials = Credentials {
    access_key_id: "ASIAENDED",
    secret_access_key: "ended/session+EXAMPLEKEY",
    session_token: Some("IQoJb3JpZ2luX2VjENDED//////////wEaDGV1LXdlc3QtMQ=="),
};

/// Those of the session after it.
const RENEWED: Credentials = Credentials {
    access_key_id: "ASIARENEWED",
    secret_access_key: "renewed/session+EXAMPLEKEY",
    session_token: Some("IQoJb3JpZ2luX2VjRENEWED//////////wEaDGV1LXdlc3QtMQ=="),
};

const EXPIRED: &str = "The security token included in the request is expired";

/// The cases.
pub(super) fn cases() -> Vec<Case> {
    [keys(), refusals(), heads(), clocks()].into_iter().flatten().collect()
}

fn keys() -> Vec<Case> {
    vec![
        Case::new("temporary credentials with a session token", json!({}), |recorder| {
            recorder.credentials = Some(RENEWED);
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("no credentials, given up after three pauses", json!({}), |recorder| {
            recorder.credentials = None;
            recorder.patience = 3;
            recorder.deliver(&requests(2), &[])?.is(503, 0, 0, 2)?;
            ensure!(recorder.sent() == 0, "something was sent without a key");
            Ok(())
        }),
        Case::new("no credentials at first", json!({}), |recorder| {
            recorder.pass(&requests(2), PROTOBUF, "");
            ensure!(matches!(recorder.next()?, Expected::Key { .. }), "no key is wanted");
            recorder.give_key(None)?;
            recorder.bring_to_its_end(&[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("a key of another date, which counts as none", json!({}), |recorder| {
            another_key(recorder, "20260117", "eu-west-1", "aps")
        }),
        Case::new("a key of another region, with which nothing is signed", json!({}), |recorder| {
            another_key(recorder, "20260116", "eu-west-2", "aps")
        }),
        Case::new("a key of another service, with which nothing is signed", json!({}), |recorder| {
            another_key(recorder, "20260116", "eu-west-1", "es")
        }),
        Case::new("a key that nobody asked for", json!({}), |recorder| {
            recorder.pass(&requests(2), PROTOBUF, "");
            recorder.give_key(Some(key(ENDED, "20260116", "eu-west-1", "aps")))?;
            recorder.bring_to_its_end(&[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("a new key at midnight", json!({"max_sample_age_ms": 0}), |recorder| {
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)?;
            recorder.now += 24 * HOUR_MS.unsigned_abs() - 1_000;
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)?;
            recorder.now += 1_000;
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)
        }),
    ]
}

/// What is given in place of the key that was asked for. The right one follows.
fn another_key(recorder: &mut Recorder, date: &str, region: &str, service: &str) -> anyhow::Result<()> {
    recorder.pass(&requests(2), PROTOBUF, "");
    ensure!(matches!(recorder.next()?, Expected::Key { .. }), "no key is wanted");
    recorder.give_key(Some(key(LASTING, date, region, service)))?;
    let before = recorder.sent();
    recorder.bring_to_its_end(&[stored()])?.is(200, 2, 0, 0)?;
    ensure!(recorder.sent() == before + 1, "something was sent with that key");
    Ok(())
}

fn refusals() -> Vec<Case> {
    vec![
        Case::new("403: the session has ended, and there is a newer one", json!({}), |recorder| {
            recorder.credentials = Some(ENDED);
            recorder.newer = Some(RENEWED);
            let expired = front(403, "ExpiredTokenException", EXPIRED);
            recorder.deliver(&requests(2), &[expired, stored()])?.is(200, 2, 0, 0)?;
            recorder.deliver(&requests(3), &[stored()])?.is(200, 3, 0, 0)
        }),
        Case::new("403: the session has ended, and there is no newer one", json!({}), |recorder| {
            recorder.credentials = Some(ENDED);
            let expired = vec![front(403, "ExpiredTokenException", EXPIRED); 2];
            let outcome = recorder.deliver(&requests(2), &expired)?;
            outcome.is(503, 0, 0, 2)?;
            outcome.because_of("unauthenticated")
        }),
        Case::new("401, and then other credentials", json!({}), |recorder| {
            recorder.newer = Some(RENEWED);
            recorder.deliver(&requests(2), &[text(401, "Unauthorized"), stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("403: the signature does not match", json!({}), |recorder| {
            recorder.newer = Some(RENEWED);
            let said = "The request signature we calculated does not match the signature you provided. The Canonical String \
                        for this request should have been 'POST /workspaces/ws-1/api/v1/remote_write x-amz-security-token:SECRET'";
            let refused = front(403, "InvalidSignatureException", said);
            recorder.deliver(&requests(2), &[refused, stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("403: no permission", json!({}), |recorder| {
            let said = "User: arn:aws:iam::1:user/a is not authorized to perform: aps:RemoteWrite on resource: \
                        arn:aws:aps:eu-west-1:1:workspace/ws-1";
            let outcome = recorder.deliver(&requests(2), &[front(403, "AccessDeniedException", said)])?;
            outcome.is(503, 0, 0, 2)?;
            outcome.because_of("forbidden")
        }),
    ]
}

fn heads() -> Vec<Case> {
    let more = json!({
        "headers": {"X-Scope-OrgID": "team  a", "X-Team": "b"},
        "user_agent": "shop/2 (conformance)",
        "endpoint": "https://proxy.example:8443/a%20b/write?tenant=a%2Fb&Tenant=1",
    });
    let basic = json!({"headers": {"Authorization": "Bearer EXAMPLE"}});
    vec![
        Case::new("more header fields, a port, and a query, all signed", more, |recorder| {
            recorder.deliver(&requests(2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::unsigned("unsigned", json!({}), |recorder| {
            recorder.deliver(&requests(2), &[text(204, "").without_date()])?.is(200, 2, 0, 0)
        }),
        Case::unsigned("unsigned, with an Authorization of the configuration", basic, |recorder| {
            recorder.deliver(&requests(2), &[text(204, "")])?.is(200, 2, 0, 0)
        }),
        Case::unsigned("401 for what is unsigned", json!({}), |recorder| {
            let outcome = recorder.deliver(&requests(2), &[text(401, "who are you?")])?;
            outcome.is(503, 0, 0, 2)?;
            outcome.because_of("unauthenticated")
        }),
    ]
}

/// A point of this moment by the clock of the receiver.
fn present(recorder: &Recorder, value: i64) -> Vec<u8> {
    let now = recorder.now.saturating_add_signed(recorder.ahead);
    of_sender(1, 2, i64::try_from(now).unwrap_or(i64::MAX), value)
}

fn clocks() -> Vec<Case> {
    vec![
        Case::new("a local clock that is an hour behind", json!({}), |recorder| {
            recorder.ahead = HOUR_MS;
            let late = front(
                403,
                "InvalidSignatureException",
                "Signature expired: 20260116T000000Z is now earlier than 20260116T005500Z (20260116T010000Z - 5 min.)",
            );
            recorder.deliver(&present(recorder, 1), &[late, stored()])?.is(200, 2, 0, 0)?;
            recorder.now += 15_000;
            recorder.deliver(&present(recorder, 2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new("a local clock that is an hour ahead, across midnight", json!({}), |recorder| {
            // Every point is too old by the local clock: the receiver is asked for the time.
            recorder.ahead = -HOUR_MS;
            let early = front(
                403,
                "InvalidSignatureException",
                "Signature not yet current: 20260116T000000Z is still later than 20260115T230500Z (20260115T230000Z + 5 min.)",
            );
            recorder.deliver(&present(recorder, 1), &[text(405, ""), early, stored()])?.is(200, 2, 0, 0)?;
            recorder.now += 15_000;
            recorder.deliver(&present(recorder, 2), &[stored()])?.is(200, 2, 0, 0)
        }),
        Case::new(
            "a local clock that is ahead, and a receiver that does not say the time",
            json!({}),
            |recorder| {
                recorder.ahead = -2 * HOUR_MS;
                let outcome = recorder.deliver(&present(recorder, 1), &[lost("connection refused")])?;
                outcome.says("clock of this machine")?;
                // Nothing was accepted, so nothing counts.
                outcome.is(503, 0, 0, 0)
            },
        ),
        Case::new("points that are too old by the clock of the receiver, too", json!({}), |recorder| {
            let old = of_sender(1, 2, i64::try_from(recorder.now)? - 2 * HOUR_MS, 1);
            recorder.deliver(&old, &[text(405, "")])?.is(200, 0, 2, 0)
        }),
    ]
}
