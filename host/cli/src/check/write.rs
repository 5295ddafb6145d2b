//! The write: what the receiver says to a request that is sent as the exporter sends it.

use super::{Caller, Step, Subject};
use bytes::Bytes;
use preamp_config::ExporterSettings;
use preamp_contract::{Batch, Encoding, Explanation, Halving, Protocol, Response, Sent, SigningKey, Verdict};
use preamp_host::credentials::{Fixed, Identity, SigningKeys};
use preamp_wasm::CallError;
use sha2::{Digest as _, Sha256};

const NAME: &str = "write";

/// A request without series: the message of remote write is empty then, and this is what Snappy's block format
/// makes of nothing.
const EMPTY: &[u8] = &[0];

/// `preamp run` changes a request at most so often, for one batch: with the receiver's clock, and in remote write 1.0.
const ATTEMPTS: u32 = 3;

const PREFIX: &str = "/workspaces/";

/// What is sent.
struct Message {
    /// In words.
    what: &'static str,
    digest: Vec<u8>,
    body: Bytes,
    sent: Sent,
    /// The batch; an empty request has none.
    batch: Option<Batch>,
}

impl Message {
    fn empty() -> Message {
        let sent = Sent { protocol: Protocol::RemoteWriteV1, samples: 0, histograms: 0 };
        let digest = Sha256::digest(EMPTY).to_vec();
        Message { what: "an empty request", digest, body: Bytes::from_static(EMPTY), sent, batch: None }
    }

    fn of(batch: Batch) -> Message {
        let (digest, body) = (batch.digest_bytes().to_vec(), Bytes::copy_from_slice(&batch.body));
        let sent = Sent::from(&batch);
        Message { what: "one sample of preamp_check", digest, body, sent, batch: Some(batch) }
    }

    fn is_empty(&self) -> bool {
        self.batch.is_none()
    }
}

/// What `preamp run` mends by itself, as far as it was done here.
#[derive(Default)]
struct Mended {
    /// What was added to the local clock for signing, in milliseconds.
    clock_ms: Option<i64>,
    /// Why the request was written in remote write 1.0.
    downgrade: Option<Explanation>,
}

/// Sends a request as the exporter does, and says what became of it.
pub(super) async fn write(
    subject: &Subject<'_>,
    caller: &Caller,
    with_sample: bool,
) -> Result<Step, CallError> {
    let sample = if with_sample { sample(subject).await? } else { None };
    if with_sample && sample.is_none() {
        return Ok(Step::fail(
            NAME,
            "no series is made of the sample of preamp_check",
            "check the processors and limits of the file, or leave out --sample",
        ));
    }
    let mut message = sample.map_or_else(Message::empty, Message::of);
    let mut mended = Mended::default();
    for attempt in 1..=ATTEMPTS {
        let response = match send(subject, caller, &message, &mended).await? {
            Ok(response) => response,
            Err(step) => return Ok(step),
        };
        let verdict = subject.exporters.judge(message.sent, &response, attempt, subject.clock.now()).await?;
        match verdict {
            Verdict::FixClock(offset_ms) if mended.clock_ms.is_none() => mended.clock_ms = Some(offset_ms),
            Verdict::Downgrade(why) if mended.downgrade.is_none() => {
                match downgraded(subject, message.batch.take()).await? {
                    Some(batch) => message = Message::of(batch),
                    None => return Ok(refused(&message, &response, &why)),
                }
                mended.downgrade = Some(why);
            }
            verdict => return Ok(conclude(&message, &response, verdict, &mended, subject.settings, caller)),
        }
    }
    Ok(Step::fail(
        NAME,
        format!("{} was not taken in {ATTEMPTS} attempts", message.what),
        "look at the receiver",
    ))
}

/// Signs and sends. The step says why a request cannot be signed.
async fn send(
    subject: &Subject<'_>,
    caller: &Caller,
    message: &Message,
    mended: &Mended,
) -> Result<Result<Response, Step>, CallError> {
    const REMEDY: &str = "check the credentials";
    let now =
        subject.clock.now().saturating_add_signed(mended.clock_ms.unwrap_or(0).saturating_mul(1_000_000));
    let key = match caller {
        Caller::Known(found, _) => {
            match signing_key(subject.settings, found.credentials.clone(), now).await {
                Ok(key) => key,
                Err(problem) => return Ok(Err(Step::fail(NAME, format!("cannot sign: {problem}"), REMEDY))),
            }
        }
        Caller::Anybody | Caller::Unknown => None,
    };
    let head = match subject.exporters.sign(&message.digest, message.sent.protocol, now, key.as_ref()).await?
    {
        Ok(head) => head,
        Err(error) => return Ok(Err(Step::fail(NAME, format!("cannot sign: {error:?}"), REMEDY))),
    };
    Ok(Ok(subject.client.send(head, message.body.clone()).await.response))
}

async fn signing_key(
    settings: &ExporterSettings,
    credentials: preamp_host::credentials::Credentials,
    now: u64,
) -> Result<Option<SigningKey>, String> {
    let Some(scope) = &settings.sigv4 else { return Ok(None) };
    let source = Box::new(Fixed::new(credentials));
    let keys = SigningKeys::new(source, scope.region.clone(), scope.service.clone());
    keys.key(now).await.map(|issued| Some(issued.key.clone())).map_err(|error| error.to_string())
}

/// One sample, as an SDK would send it; nothing if the exporter makes no series of it.
async fn sample(subject: &Subject<'_>) -> Result<Option<Batch>, CallError> {
    let now = subject.clock.now();
    let payload = format!(
        r#"{{"resourceMetrics": [{{"resource": {{"attributes": [
            {{"key": "service.name", "value": {{"stringValue": "preamp"}}}}]}},
          "scopeMetrics": [{{"metrics": [{{"name": "preamp_check",
            "gauge": {{"dataPoints": [{{"timeUnixNano": "{now}", "asInt": "1"}}]}}}}]}}]}}]}}"#
    );
    let accepted = subject.exporters.accept(Bytes::from(payload), Encoding::Json, now).await?;
    Ok(accepted.ok().and_then(|acceptance| acceptance.batches.into_iter().next()))
}

/// The same sample in remote write 1.0.
async fn downgraded(subject: &Subject<'_>, batch: Option<Batch>) -> Result<Option<Batch>, CallError> {
    let Some(batch) = batch else { return Ok(None) };
    let parts = subject.exporters.downgrade(batch).await?;
    Ok(parts.ok().and_then(|parts| parts.into_iter().next()))
}

fn conclude(
    message: &Message,
    response: &Response,
    verdict: Verdict,
    mended: &Mended,
    settings: &ExporterSettings,
    caller: &Caller,
) -> Step {
    let what = message.what;
    match verdict {
        Verdict::Delivered => taken(message, response, mended),
        Verdict::Retry(retry) => {
            let remedy = if settings.retry.enabled {
                "preamp run keeps the data and tries again; if this lasts, look at the receiver"
            } else {
                "look at the receiver; `retry_on_failure.enabled` is false, so preamp run would give the data up"
            };
            Step::wait(NAME, format!("{what} was not taken now: {}", retry.reason), remedy)
        }
        Verdict::FixClock(_) => Step::fail(
            NAME,
            format!(
                "{what} was answered {}: the signature is refused although it bears the receiver's time",
                response.status
            ),
            "check that the secret belongs to the access key id",
        ),
        Verdict::Stop(why) => {
            let remedy = match caller {
                Caller::Known(_, Some(identity)) if response.status == 403 => {
                    format!("{}; {}", why.remedy, policy(settings, identity))
                }
                _ => why.remedy.clone(),
            };
            Step { remedy: Some(remedy), ..refused(message, response, &why) }
        }
        Verdict::Unconfirmed(why)
        | Verdict::Downgrade(why)
        | Verdict::RefreshCredentials(why)
        | Verdict::Halve(Halving { explanation: why, .. })
        | Verdict::PartlyRejected(why)
        | Verdict::Rejected(why) => refused(message, response, &why),
    }
}

/// The request was stored, perhaps after what `preamp run` changes by itself.
fn taken(message: &Message, response: &Response, mended: &Mended) -> Step {
    let detail = format!("{} was taken ({})", message.what, response.status);
    match mended {
        Mended { clock_ms: Some(offset_ms), .. } => Step::warn(
            NAME,
            format!(
                "{detail}, signed with the receiver's time: the clock is off by {offset_ms} ms, which preamp corrects"
            ),
            "set the clock of this machine (NTP)",
        ),
        Mended { downgrade: Some(why), .. } => {
            let detail = format!("{detail} in remote write 1.0, which preamp falls back to: {}", why.detail);
            Step::warn(NAME, detail, why.remedy.clone())
        }
        Mended { .. } => Step::pass(NAME, detail),
    }
}

/// The request was refused, and would be again.
fn refused(message: &Message, response: &Response, why: &Explanation) -> Step {
    let detail = format!("{} was answered {}: {}", message.what, response.status, why.detail);
    let mut remedy = why.remedy.clone();
    // No receiver that docs/receivers.md lists does that, but others may.
    if message.is_empty() && response.status == 400 {
        remedy += "; some receivers refuse only empty requests: `preamp check --sample` shows whether this one does";
    }
    Step::fail(NAME, detail, remedy)
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
