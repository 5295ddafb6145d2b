//! Random requests, signed by us and by botocore (`botocore_oracle.py`).

use super::random::{self, Request};
use anyhow::{Context, Result, anyhow, ensure};
use fastrand::Rng;
use preamp_core::config::{Config, Endpoint};
use preamp_core::sigv4::{PathRules, Signable, Signature, Timestamp};
use preamp_core::types::Protocol;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use std::io::{Seek, Write};
use std::process::Command;

/// Any, but always the same.
const SEED: u64 = 4;

/// Fields that signing adds, or that botocore takes from elsewhere.
pub(super) const OF_SIGNING: [&str; 4] = ["authorization", "host", "x-amz-date", "x-amz-security-token"];

#[test]
fn ten_thousand_random_requests_are_signed_as_by_botocore() -> Result<()> {
    let mut rng = Rng::with_seed(SEED);
    let requests: Vec<Request> = (0..10_000).map(|_| Request::new(&mut rng)).collect();
    for (request, theirs) in requests.iter().zip(sign_with_botocore(&requests)?) {
        let ours = sign(request)?;
        let about = format!("{} {}?{} {:?}", request.method, request.path, request.query, request.headers);
        assert_eq!(ours.canonical_request, theirs.canonical_request, "{about}");
        assert_eq!(ours.string_to_sign, theirs.string_to_sign, "{about}");
        assert_eq!(ours.authorization, theirs.authorization, "{about}");
    }
    Ok(())
}

fn sign(request: &Request) -> Result<Signature> {
    let host = Endpoint::parse(&request.origin).map_err(|problem| anyhow!(problem))?.host;
    let timestamp = Timestamp::new(request.time * 1_000_000_000);
    let mut headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        // Neither signer signs it; for ours, the caller leaves it out.
        .filter(|(name, _)| !name.eq_ignore_ascii_case("user-agent"))
        .collect();
    headers.extend([("host", host.as_str()), ("x-amz-date", timestamp.as_str())]);
    headers.extend(request.credentials.token.as_deref().map(|token| ("x-amz-security-token", token)));
    let signable = Signable {
        method: request.method,
        path: &request.path,
        query: &request.query,
        headers: &headers,
        payload_sha256: &Sha256::digest(&request.body).into(),
    };
    let key = request.credentials.key(timestamp.date());
    Ok(Signature::new(&signable, PathRules::default(), &key, &timestamp))
}

/// The whole head, with the fields that the exporter chooses to sign.
#[test]
fn a_thousand_remote_write_heads_are_signed_as_by_botocore() -> Result<()> {
    let mut rng = Rng::with_seed(SEED);
    let mut requests = Vec::new();
    let mut authorizations = Vec::new();
    for _ in 0..1_000 {
        let (request, authorization) = remote_write_head(&mut rng)?;
        requests.push(request);
        authorizations.push(authorization);
    }
    for (ours, theirs) in authorizations.iter().zip(sign_with_botocore(&requests)?) {
        assert_eq!(*ours, theirs.authorization, "{}", theirs.canonical_request);
    }
    Ok(())
}

/// A remote-write request by `sign`, as one for botocore to sign, and our Authorization.
fn remote_write_head(rng: &mut Rng) -> Result<(Request, String)> {
    let (body, credentials, time) = (random::body(rng), random::credentials(rng), random::time(rng));
    let origin = random::origin(rng);
    let path =
        format!("/workspaces/{}/api/v1/remote_write", random::text(rng, "ws-0123456789abcdef@", 1..40));
    let query = ["", "a=1&A=%2F"][usize::from(rng.bool())].to_owned();
    let configuration = json!({
        "endpoint": format!("{origin}{path}?{query}"),
        "sigv4": { "region": credentials.region, "service": credentials.service },
        "headers": {
            format!("X-{}", random::text(rng, "abcDEF", 1..9)): random::text(rng, "ab  ", 0..20),
            "Traceparent": random::text(rng, "0123456789abcdef", 55..56),
        },
        "user_agent": random::text(rng, "abc /()", 1..20),
    });
    let config = Config::read(&configuration.to_string()).map_err(|problems| anyhow!("{problems:?}"))?;

    let now = time * 1_000_000_000;
    let key = credentials.key(Timestamp::new(now).date());
    let protocol = if rng.bool() { Protocol::RemoteWriteV1 } else { Protocol::RemoteWriteV2 };
    let head = preamp_core::sigv4::sign(&config, &Sha256::digest(&body), protocol, now, Some(&key))
        .map_err(|error| anyhow!("{error:?}"))?;
    ensure!(head.method == "POST", "{}", head.method);
    let authorization = head.headers.iter().find(|header| header.name == "authorization");
    let authorization = authorization.context("no authorization")?.value.clone();
    let headers = head.headers.into_iter().filter(|header| !OF_SIGNING.contains(&header.name.as_str()));
    let headers = headers.map(|header| (header.name, header.value)).collect();
    Ok((Request { method: "POST", origin, path, query, headers, body, credentials, time }, authorization))
}

/// What botocore made of a request.
#[derive(Deserialize)]
pub(super) struct Signed {
    pub(super) canonical_request: String,
    string_to_sign: String,
    pub(super) authorization: String,
}

/// Signs all requests in one Python process.
pub(super) fn sign_with_botocore(requests: &[Request]) -> Result<Vec<Signed>> {
    let python = std::env::var("PREAMP_PYTHON")
        .context("PREAMP_PYTHON names no Python with botocore: run ./build.sh test, which provides one")?;
    let mut orders = tempfile::tempfile()?;
    for request in requests {
        let separator = if request.query.is_empty() { "" } else { "?" };
        let url = [request.origin.as_str(), &request.path, separator, &request.query].concat();
        let order = json!({
            "method": request.method,
            "url": url,
            "headers": request.headers,
            "body": hex::encode(&request.body),
            "access_key": request.credentials.access_key_id,
            "secret_key": request.credentials.secret,
            "token": request.credentials.token,
            "region": request.credentials.region,
            "service": request.credentials.service,
            "time": request.time,
        });
        writeln!(orders, "{order}")?;
    }
    orders.rewind()?;
    let output = Command::new(&python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/botocore_oracle.py"))
        .stdin(orders)
        .output()
        .with_context(|| format!("{python} (PREAMP_PYTHON) cannot be run: run ./build.sh test"))?;
    ensure!(
        output.status.success(),
        "botocore_oracle.py failed; run ./build.sh test, which provides botocore:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let signed: Vec<Signed> =
        String::from_utf8(output.stdout)?.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(signed.len() == requests.len(), "{} answers to {} requests", signed.len(), requests.len());
    Ok(signed)
}
