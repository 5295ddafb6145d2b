//! What became of a payload, and the answer that its sender gets.

use preamp_answer::{Code, ExportMetricsServiceResponse, Failure, RETRY_AFTER, media_type, rejection_line};
use preamp_contract::{Batch, Encoding, Explanation, Header, Rejection, Verdict};
use preamp_deliver::BatchOutcome;
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest pause that a sender is asked for. It asks again sooner than a held delivery would.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// What became of a payload, in points, and the OTLP/HTTP answer, ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// HTTP status.
    pub status: u16,
    /// Header fields: Content-Type, and Retry-After if the payload is to be sent again.
    pub headers: Vec<Header>,
    /// The body.
    pub body: Vec<u8>,
    /// Points that the receiver has.
    pub delivered: u64,
    /// Points of requests that the receiver stored in part.
    pub partly_rejected: u64,
    /// Points that nobody will ever take.
    pub rejected: u64,
    /// Points whose end is open. The sender was asked to send the payload again.
    pub unsettled: u64,
    /// Why the payload or points of it were refused, or are held, by reason, for a log. Empty if all were delivered.
    pub explanations: Vec<Explanation>,
}

impl Outcome {
    fn new(status: u16, encoding: Encoding, body: Vec<u8>) -> Self {
        let content_type = header("content-type", media_type(encoding));
        Outcome {
            status,
            headers: vec![content_type],
            body,
            delivered: 0,
            partly_rejected: 0,
            rejected: 0,
            unsettled: 0,
            explanations: Vec::new(),
        }
    }

    /// Nothing was taken.
    pub(super) fn failure(failure: &Failure, encoding: Encoding) -> Self {
        let mut outcome = Outcome::new(failure.code.http_status(), encoding, failure.body(encoding));
        outcome.explanations = vec![explanation_of(failure)];
        if let Some(after) = failure.retry_after {
            outcome.headers.push(header("retry-after", &after.as_secs().max(1).to_string()));
        }
        outcome
    }

    /// The payload is neither protobuf nor JSON.
    pub(super) fn unsupported_media_type() -> Self {
        let text = "Content-Type must be application/x-protobuf or application/json";
        let mut outcome = Outcome::new(415, Encoding::Protobuf, text.as_bytes().to_vec());
        outcome.headers = vec![header("content-type", "text/plain; charset=utf-8")];
        outcome.explanations = vec![explanation("invalid", text.to_owned(), FOR_THE_SENDER)];
        outcome
    }
}

/// What helps when nothing of a payload was taken.
const FOR_THE_SENDER: &str = "nothing of this payload was taken: change what its sender sends";

fn explanation_of(failure: &Failure) -> Explanation {
    let (reason, remedy) = match failure.code {
        Code::Unavailable => ("unavailable", "its sender is to send it again"),
        Code::ResourceExhausted => ("too-large", FOR_THE_SENDER),
        _ => ("invalid", FOR_THE_SENDER),
    };
    explanation(reason, failure.message.clone(), remedy)
}

fn explanation(reason: &'static str, detail: String, remedy: &str) -> Explanation {
    Explanation { reason: reason.into(), detail, remedy: remedy.to_owned(), stored_if_repeated: false }
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.to_owned() }
}

/// Points by what became of them.
#[derive(Default)]
pub(super) struct Tally {
    accepted: u64,
    delivered: u64,
    partly_rejected: u64,
    /// Before anything was sent, and after.
    rejected_at_once: u64,
    refused_later: u64,
    /// What the sender is told of points that were not taken.
    lines: Vec<String>,
    /// What an operator is told of them.
    explained: Vec<Explanation>,
    /// Points of requests that the receiver refused, by reason.
    refused: BTreeMap<String, (u64, Explanation)>,
    /// Why delivery does not go on, if it does not.
    held: Option<Explanation>,
}

impl Tally {
    /// So many points were accepted, and the others rejected.
    pub(super) fn begin(&mut self, accepted: u64, rejections: &[Rejection]) {
        self.accepted = accepted;
        self.rejected_at_once = rejections.iter().map(|rejection| rejection.points).sum();
        self.lines = rejections.iter().map(rejection_line).collect();
        let explained =
            rejections.iter().map(|Rejection { reason, points, example, remedy, .. }| Explanation {
                reason: reason.clone(),
                detail: format!("{points} points, the first: {example}"),
                remedy: remedy.to_string(),
                stored_if_repeated: false,
            });
        self.explained = explained.collect();
    }

    /// Notes a verdict that holds delivery up.
    pub(super) fn note(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Stop(why) | Verdict::RefreshCredentials(why) => self.held = Some(why.clone()),
            Verdict::Delivered => self.held = None,
            _ => {}
        }
    }

    /// Delivery is held for this reason.
    pub(super) fn hold(&mut self, why: Explanation) {
        self.held = Some(why);
    }

    /// A batch or a part of one came to its end.
    pub(super) fn settle(&mut self, batch: &Batch, outcome: BatchOutcome) {
        let points = u64::from(batch.points);
        match outcome {
            BatchOutcome::Delivered | BatchOutcome::PresumedDelivered(_) => self.delivered += points,
            BatchOutcome::PartlyRejected(why) => {
                self.partly_rejected += points;
                self.refuse(points, why);
            }
            BatchOutcome::Refused(why) => {
                self.refused_later += points;
                self.refuse(points, why);
            }
            BatchOutcome::TooOld => {
                self.reject("too-old", points, "too old for the receiver when they were sent");
            }
            BatchOutcome::Unwritable => self.reject(
                "unsupported-protocol",
                points,
                "cannot be written in remote write 1.0, and the receiver takes no other",
            ),
            // The policy of a passage retries, without a limit, and nothing makes room for others.
            BatchOutcome::RetryDisabled | BatchOutcome::MaxElapsedTime | BatchOutcome::Evicted => {
                self.reject("unavailable", points, "given up");
            }
        }
    }

    fn refuse(&mut self, points: u64, why: Explanation) {
        let (known, _) = self.refused.entry(why.reason.to_string()).or_insert_with(|| (0, why));
        *known += points;
    }

    fn reject(&mut self, reason: &'static str, points: u64, why: &str) {
        self.refused_later += points;
        let line = format!("{points} points {why}");
        self.explained.push(explanation(reason, line.clone(), "they are lost"));
        self.lines.push(line);
    }

    /// The end: everything is settled.
    pub(super) fn outcome(&self, encoding: Encoding) -> Outcome {
        let mut lines = self.lines.clone();
        for (reason, (points, Explanation { detail, remedy, .. })) in &self.refused {
            lines.push(format!(
                "{reason}: {points} points of requests that the receiver refused: {detail}; {remedy}"
            ));
        }
        let response = match lines.is_empty() {
            true => ExportMetricsServiceResponse::accepted(),
            false => ExportMetricsServiceResponse::partial(self.rejected(), lines.join("\n")),
        };
        self.counted(Outcome::new(200, encoding, response.body(encoding)))
    }

    /// The end of a passage that was given up, in a pause of so many milliseconds.
    pub(super) fn given_up(&self, encoding: Encoding, pause: Option<u64>) -> Outcome {
        let why = match &self.held {
            Some(Explanation { reason, detail, remedy, .. }) => format!("{reason}: {detail}; {remedy}"),
            None => "the receiver cannot be reached, or takes nothing now".to_owned(),
        };
        let after = pause.map_or(RETRY_AFTER, Duration::from_millis).clamp(RETRY_AFTER, RETRY_AFTER_MAX);
        let message = format!("not everything was delivered: {why}. Send it again");
        let failure = Failure { code: Code::Unavailable, message, retry_after: Some(after) };
        let mut outcome = self.counted(Outcome::failure(&failure, encoding));
        if self.held.is_none() {
            outcome.explanations.push(explanation_of(&Failure { message: why, ..failure }));
        }
        outcome
    }

    fn counted(&self, outcome: Outcome) -> Outcome {
        let Tally { delivered, partly_rejected, .. } = *self;
        let unsettled = self.accepted.saturating_sub(delivered + partly_rejected + self.refused_later);
        let refused = self.refused.values().map(|(_, why)| why.clone());
        let explanations = self.explained.iter().cloned().chain(refused).chain(self.held.clone()).collect();
        Outcome { delivered, partly_rejected, rejected: self.rejected(), unsettled, explanations, ..outcome }
    }

    fn rejected(&self) -> u64 {
        self.rejected_at_once + self.refused_later
    }
}
