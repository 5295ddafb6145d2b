//! The receiver: its address, whether it can be reached, what time it has, and what it says to a request.

use super::{Caller, Step, Subject};
use bytes::Bytes;
use http::Uri;
use preamp_config::ExporterSettings;
use preamp_contract::{
    Batch, Encoding, Explanation, Halving, Limits, Protocol, Response, Sent, SigningKey, Verdict,
};
use preamp_host::credentials::{Fixed, Identity, SigningKeys};
use preamp_host::delivery::clock_probe;
use preamp_wasm::CallError;
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

/// A request without series: the message of remote write is empty then, and this is what Snappy's block format
/// makes of nothing.
const EMPTY: &[u8] = &[0];

/// AWS refuses signatures that are off by five minutes.
const TOLERATED: Duration = Duration::from_secs(5 * 60);

/// What is told of a difference of clocks from here on.
const NOTABLE: Duration = Duration::from_secs(60);

const PREFIX: &str = "/workspaces/";

pub(super) struct Greeting {
    pub connection: Step,
    pub clock: Option<Step>,
}

/// The URL as it will be used. What is wrong with it was said when the file was read.
pub(super) fn address(settings: &ExporterSettings) -> Step {
    Step::pass("endpoint", without_user(&settings.endpoint))
}

/// What the receiver is taken for, and why.
pub(super) fn profile(limits: &Limits) -> Step {
    Step::pass("profile", format!("{}: {}", limits.profile, limits.profile_reason))
}

/// The addresses behind the host's name.
pub(super) async fn names(settings: &ExporterSettings) -> Step {
    let Some((host, port)) = host_and_port(&settings.endpoint) else {
        return Step::fail("dns", "the endpoint names no host", "write the full remote-write URL");
    };
    match tokio::net::lookup_host((host.as_str(), port)).await {
        Ok(found) => {
            let mut addresses: Vec<String> = found.map(|address| address.ip().to_string()).collect();
            addresses.dedup();
            Step::pass("dns", format!("{host} is {}", addresses.join(", ")))
        }
        Err(error) => Step::fail(
            "dns",
            format!("{host}: {error}"),
            "check the spelling of the region and the host, and the name servers of this machine",
        ),
    }
}

/// Connects and asks for nothing in particular. Whatever is answered, the receiver is there.
pub(super) async fn greet(subject: &Subject<'_>) -> Greeting {
    let before = subject.clock.now();
    let response = subject.client.send(clock_probe(&subject.settings.endpoint), Bytes::new()).await.response;
    let after = subject.clock.now();
    if response.status == 0 {
        let problem = String::from_utf8_lossy(&response.body).into_owned();
        let remedy = "let this machine reach it (firewall, route, proxy); for a certificate: tls.ca_file, or the \
                      name in the URL";
        return Greeting { connection: Step::fail("connection", problem, remedy), clock: None };
    }
    let secured = if subject.settings.endpoint.starts_with("https") { "with TLS" } else { "without TLS" };
    let connection = Step::pass("connection", format!("{secured}, answered {}", response.status));
    Greeting { connection, clock: Some(clock(&response, before / 2 + after / 2)) }
}

/// Compares the receiver's clock, which is exact to a second, to the local one.
fn clock(response: &Response, local: u64) -> Step {
    const NAME: &str = "clock";
    let date = response.headers.iter().find(|header| header.name == "date");
    let theirs = date.and_then(|date| OffsetDateTime::parse(&date.value, &Rfc2822).ok());
    let Some(theirs) = theirs else { return Step::skip(NAME, "the receiver does not say its time") };
    let ahead = i64::try_from(local / 1_000_000_000).unwrap_or(i64::MAX) - theirs.unix_timestamp();
    let difference = Duration::from_secs(ahead.unsigned_abs());
    let side = if ahead > 0 { "ahead of" } else { "behind" };
    let detail = format!("{} s {side} the receiver's", difference.as_secs());
    let remedy = "set the clock of this machine (NTP)";
    if difference >= TOLERATED {
        Step::warn(NAME, format!("{detail}; preamp signs with the receiver's time"), remedy)
    } else if difference >= NOTABLE {
        Step::warn(NAME, detail, remedy)
    } else {
        Step::pass(NAME, "agrees with the receiver's")
    }
}

/// Sends a request as the exporter does, and says what became of it.
pub(super) async fn write(
    subject: &Subject<'_>,
    caller: &Caller,
    with_sample: bool,
) -> Result<Step, CallError> {
    let now = subject.clock.now();
    let batch = if with_sample { sample(subject, now).await? } else { None };
    let (digest, protocol, body, sent) = match &batch {
        Some(batch) => {
            let Batch { protocol, samples, histograms, .. } = *batch;
            let sent = Sent { protocol, samples, histograms };
            (batch.digest_bytes().to_vec(), protocol, Bytes::copy_from_slice(&batch.body), sent)
        }
        None => {
            let protocol = Protocol::RemoteWriteV1;
            let sent = Sent { protocol, samples: 0, histograms: 0 };
            (Sha256::digest(EMPTY).to_vec(), protocol, Bytes::from_static(EMPTY), sent)
        }
    };
    let key = match caller {
        Caller::Known(found, _) => signing_key(subject.settings, found.credentials.clone(), now).await,
        _ => None,
    };
    let head = match subject.exporters.sign(&digest, protocol, now, key.as_ref()).await? {
        Ok(head) => head,
        Err(error) => {
            return Ok(Step::fail("write", format!("cannot sign: {error:?}"), "check the credentials"));
        }
    };
    let response = subject.client.send(head, body).await.response;
    let verdict = subject.exporters.judge(sent, &response, 1, subject.clock.now()).await?;
    let what = if batch.is_some() { "one sample of preamp_check" } else { "an empty request" };
    Ok(conclude(what, &response, verdict, subject.settings, caller))
}

async fn signing_key(
    settings: &ExporterSettings,
    credentials: preamp_host::credentials::Credentials,
    now: u64,
) -> Option<SigningKey> {
    let scope = settings.sigv4.as_ref()?;
    let source = Box::new(Fixed::new(credentials));
    let keys = SigningKeys::new(source, scope.region.clone(), scope.service.clone());
    Some(keys.key(now).await.ok()?.key.clone())
}

/// One sample, as an SDK would send it.
async fn sample(subject: &Subject<'_>, now: u64) -> Result<Option<Batch>, CallError> {
    let payload = format!(
        r#"{{"resourceMetrics": [{{"resource": {{"attributes": [
            {{"key": "service.name", "value": {{"stringValue": "preamp"}}}}]}},
          "scopeMetrics": [{{"metrics": [{{"name": "preamp_check",
            "gauge": {{"dataPoints": [{{"timeUnixNano": "{now}", "asInt": "1"}}]}}}}]}}]}}]}}"#
    );
    let accepted = subject.exporters.accept(Bytes::from(payload), Encoding::Json, now).await?;
    Ok(accepted.ok().and_then(|acceptance| acceptance.batches.into_iter().next()))
}

fn conclude(
    what: &str,
    response: &Response,
    verdict: Verdict,
    settings: &ExporterSettings,
    caller: &Caller,
) -> Step {
    const NAME: &str = "write";
    let status = response.status;
    let refused = |why: &Explanation| format!("{what} was answered {status}: {}", why.detail);
    match verdict {
        Verdict::Delivered => Step::pass(NAME, format!("{what} was taken ({status})")),
        Verdict::Unconfirmed(why) => Step::warn(NAME, refused(&why), why.remedy),
        Verdict::PartlyRejected(why)
        | Verdict::Rejected(why)
        | Verdict::Halve(Halving { explanation: why, .. })
            if status == 400 && what.starts_with("an empty") =>
        {
            let detail = format!("{}; the signature was accepted", refused(&why));
            Step::warn(NAME, detail, "some receivers refuse empty requests: try --sample")
        }
        Verdict::Retry(retry) => {
            let detail = format!("{what} was not taken now: {}", retry.reason);
            Step::warn(NAME, detail, "preamp would send it again; if this lasts, see the receiver")
        }
        Verdict::FixClock(offset) => Step::warn(
            NAME,
            format!("{what} was answered {status}: the clock is off by {offset} ms, which preamp corrects"),
            "set the clock of this machine (NTP)",
        ),
        Verdict::Downgrade(why) => Step::warn(NAME, refused(&why), "preamp sends remote write 1.0 then"),
        Verdict::RefreshCredentials(why)
        | Verdict::Halve(Halving { explanation: why, .. })
        | Verdict::PartlyRejected(why)
        | Verdict::Rejected(why) => Step::fail(NAME, refused(&why), why.remedy),
        Verdict::Stop(why) => {
            let remedy = match caller {
                Caller::Known(_, Some(identity)) if status == 403 => {
                    format!("{}; {}", why.remedy, policy(settings, identity))
                }
                _ => why.remedy.clone(),
            };
            Step::fail(NAME, refused(&why), remedy)
        }
    }
}

/// The permission that the caller lacks.
fn policy(settings: &ExporterSettings, identity: &Identity) -> String {
    let partition = identity.arn.split(':').nth(1).unwrap_or("aws");
    let region = settings.sigv4.as_ref().map_or("*", |scope| scope.region.as_str());
    let path = settings.endpoint.split_once(PREFIX).map_or("*", |(_, path)| path);
    let workspace = path.split('/').next().unwrap_or("*");
    format!(
        "{} needs {{\"Effect\": \"Allow\", \"Action\": \"aps:RemoteWrite\", \"Resource\": \
         \"arn:{partition}:aps:{region}:{}:workspace/{workspace}\"}}",
        identity.arn, identity.account
    )
}

fn host_and_port(endpoint: &str) -> Option<(String, u16)> {
    let url: Uri = endpoint.parse().ok()?;
    let port = url.port_u16().unwrap_or(if url.scheme_str() == Some("http") { 80 } else { 443 });
    let host = url.host()?.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

/// A user and a password in a URL are nobody's business.
fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = authority.rsplit('@').next().unwrap_or(authority);
            format!("{scheme}://{host}{path}")
        }
        None => url.to_owned(),
    }
}
