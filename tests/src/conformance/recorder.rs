//! Plays a case against the core, and keeps a record of each call.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail, ensure};
use preamp_core::Exporter;
use preamp_core::passage::{Passage, Route};
use preamp_core::types::{Header, Response};

use super::vector::{Base64, Call, Expected, Key, Outcome, Vector, instant};
use crate::payloads::NOW_NS;

/// The field Content-Type of protobuf.
pub(super) const PROTOBUF: &str = "application/x-protobuf";

/// The field Content-Type of JSON.
pub(super) const JSON: &str = "application/json";

/// When the first payload comes, in milliseconds since 1970.
pub(super) const NOW_MS: u64 = NOW_NS / 1_000_000;

/// How long the receiver takes for an answer, in milliseconds.
const ANSWER_MS: u64 = 20;

/// Credentials of a socket.
#[derive(Clone, Copy)]
pub(super) struct Credentials {
    pub(super) access_key_id: &'static str,
    pub(super) secret_access_key: &'static str,
    pub(super) session_token: Option<&'static str>,
}

/// Those that do not end.
pub(super) const LASTING: Credentials = Credentials {
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    session_token: None,
};

/// What the receiver answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    status: u16,
    body: String,
    headers: Vec<(&'static str, String)>,
    has_date: bool,
}

/// An answer in plain text.
pub(super) fn text(status: u16, body: &str) -> Answer {
    Answer { status, body: body.to_owned(), headers: Vec::new(), has_date: true }
}

/// The answer that everything was stored.
pub(super) fn stored() -> Answer {
    text(200, "")
}

/// No answer, for this reason.
pub(super) fn lost(why: &str) -> Answer {
    text(0, why).without_date()
}

/// An answer of AWS' front: an error type and a message.
pub(super) fn front(status: u16, error_type: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "message": message }).to_string();
    text(status, &body).with("content-type", "application/json").with("x-amzn-errortype", error_type)
}

impl Answer {
    /// With a header field more.
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Without the time of the receiver.
    pub(super) fn without_date(self) -> Self {
        Self { has_date: false, ..self }
    }
}

/// The core, driven as a socket drives it.
pub struct Recorder {
    exporter: Exporter,
    route: Route,
    passage: Option<Passage>,
    calls: Vec<Call>,
    /// The local time, in milliseconds since 1970.
    pub(super) now: u64,
    /// How far the receiver's clock is ahead of the local one, in milliseconds.
    pub(super) ahead: i64,
    /// What keys are derived from; nothing if there are no credentials now.
    pub(super) credentials: Option<Credentials>,
    /// What keys are derived from once the receiver has refused one.
    pub(super) newer: Option<Credentials>,
    /// For how many pauses there is patience when there is no answer to come.
    pub(super) patience: usize,
}

impl Recorder {
    /// Opens an exporter, and plays.
    pub(super) fn play(
        name: &str,
        configuration: String,
        play: fn(&mut Recorder) -> anyhow::Result<()>,
    ) -> anyhow::Result<Vector> {
        let (problems, calls) = match Exporter::open(&configuration) {
            Err(problems) => (problems, Vec::new()),
            Ok(exporter) => {
                let mut recorder = Recorder {
                    exporter,
                    route: Route::default(),
                    passage: None,
                    calls: Vec::new(),
                    now: NOW_MS,
                    ahead: 0,
                    credentials: Some(LASTING),
                    newer: None,
                    patience: 0,
                };
                play(&mut recorder)?;
                (Vec::new(), recorder.calls)
            }
        };
        ensure!(problems.is_empty() != calls.is_empty(), "{problems:?}");
        let problems = problems.into_iter().map(|problem| (problem.path, problem.message)).collect();
        Ok(Vector { name: name.to_owned(), configuration, problems, calls })
    }

    /// Delivers a payload of protobuf that is not packed; see [`Recorder::bring_to_its_end`].
    pub(super) fn deliver(&mut self, payload: &[u8], answers: &[Answer]) -> anyhow::Result<Outcome> {
        self.pass(payload, PROTOBUF, "");
        self.bring_to_its_end(answers)
    }

    /// Begins a passage.
    pub(super) fn pass(&mut self, payload: &[u8], content_type: &str, content_encoding: &str) {
        let Recorder { exporter, route, .. } = self;
        let now = instant(self.now);
        self.passage = Some(Passage::begin(exporter, route, payload, content_type, content_encoding, now));
        self.calls.push(Call::Pass {
            at: self.now,
            content_type: content_type.to_owned(),
            content_encoding: content_encoding.to_owned(),
            payload: Base64(payload.to_vec()),
        });
    }

    /// Does what the passage wants. It is given up in a pause after all answers, once patience is over.
    pub(super) fn bring_to_its_end(&mut self, answers: &[Answer]) -> anyhow::Result<Outcome> {
        let (mut answers, mut patience) = (answers.iter(), self.patience);
        loop {
            match self.next()? {
                Expected::Send(_) => {
                    let answer = answers.next().context("a request more than there are answers")?;
                    self.answer(answer)?;
                }
                Expected::Key { date, region, service, is_refused } => {
                    let credentials = self.newer.filter(|_| is_refused).or(self.credentials);
                    self.give_key(credentials.map(|credentials| key(credentials, &date, &region, &service)))?;
                }
                Expected::Wait(pause) => {
                    if answers.len() == 0 {
                        if patience == 0 {
                            return self.give_up();
                        }
                        patience -= 1;
                    }
                    self.now += pause;
                }
                Expected::Done(outcome) => {
                    ensure!(answers.len() == 0, "{} answers are left", answers.len());
                    return Ok(outcome);
                }
            }
        }
    }

    /// Gives a key if one is wanted, and takes the request, which has no answer yet.
    pub(super) fn begin_sending(&mut self) -> anyhow::Result<()> {
        while let Expected::Key { date, region, service, .. } = self.next()? {
            self.give_key(self.credentials.map(|credentials| key(credentials, &date, &region, &service)))?;
        }
        Ok(())
    }

    fn passage(&mut self) -> anyhow::Result<(&mut Passage, &mut Exporter, &mut Route)> {
        let Recorder { passage, exporter, route, .. } = self;
        Ok((passage.as_mut().context("no passage was begun")?, exporter, route))
    }

    /// What to do next.
    pub(super) fn next(&mut self) -> anyhow::Result<Expected> {
        ensure!(self.calls.len() < 500, "this does not end");
        let at = self.now;
        let (passage, exporter, route) = self.passage()?;
        let expect = Expected::from(passage.next(exporter, route, instant(at)));
        self.calls.push(Call::Next { at, expect: expect.clone() });
        Ok(expect)
    }

    /// Answers a request after a while.
    pub(super) fn answer(&mut self, answer: &Answer) -> anyhow::Result<()> {
        self.now += ANSWER_MS;
        let at = self.now;
        let Answer { status, body, headers, has_date } = answer.clone();
        let mut headers: Vec<_> = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if has_date {
            headers.push(("date".to_owned(), http_date(at.saturating_add_signed(self.ahead))));
        }
        let fields = headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() });
        let response = Response { status, headers: fields.collect(), body: body.clone().into_bytes() };
        let (passage, exporter, route) = self.passage()?;
        passage.answered(exporter, route, &response, instant(at));
        self.calls.push(Call::Answered { at, status, headers, body: Base64(body.into_bytes()) });
        Ok(())
    }

    /// Gives a key, or none.
    pub(super) fn give_key(&mut self, key: Option<Key>) -> anyhow::Result<()> {
        let at = self.now;
        let (passage, _, route) = self.passage()?;
        passage.give_key(route, key.as_ref().map(Key::derive), instant(at));
        self.calls.push(Call::GiveKey { at, key });
        Ok(())
    }

    /// Ends the passage.
    pub(super) fn give_up(&mut self) -> anyhow::Result<Outcome> {
        let (passage, ..) = self.passage()?;
        let outcome = Outcome::from(passage.give_up());
        self.calls.push(Call::GiveUp { expect: Expected::Done(outcome.clone()) });
        Ok(outcome)
    }

    /// All calls so far.
    pub(super) fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// How many requests there were.
    pub(super) fn sent(&self) -> usize {
        let is_request = |call: &&Call| matches!(call, Call::Next { expect: Expected::Send(_), .. });
        self.calls.iter().filter(is_request).count()
    }
}

impl Outcome {
    /// Checks the status, and the points: delivered, rejected in part or whole, and unsettled.
    pub(super) fn is(&self, status: u16, delivered: u64, refused: u64, unsettled: u64) -> anyhow::Result<()> {
        let points = (self.delivered, self.partly_rejected + self.rejected, self.unsettled);
        if (self.status, points) == (status, (delivered, refused, unsettled)) {
            return Ok(());
        }
        bail!("{}: {self:?}", String::from_utf8_lossy(&self.body.0))
    }

    /// Checks that an explanation names the reason.
    pub(super) fn because_of(self, reason: &str) -> anyhow::Result<()> {
        ensure!(self.explanations.iter().any(|why| why.reason == reason), "{:?}", self.explanations);
        Ok(())
    }

    /// Checks that the sender is told so.
    pub(super) fn says(&self, text: &str) -> anyhow::Result<()> {
        let body = String::from_utf8_lossy(&self.body.0);
        ensure!(body.contains(text), "{body}");
        Ok(())
    }
}

/// A key for a scope.
pub(super) fn key(credentials: Credentials, date: &str, region: &str, service: &str) -> Key {
    Key {
        access_key_id: credentials.access_key_id.to_owned(),
        secret_access_key: credentials.secret_access_key.to_owned(),
        session_token: credentials.session_token.map(str::to_owned),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
    }
}

/// A time as the field Date has it (RFC 9110, section 5.6.7).
pub(super) fn http_date(ms: u64) -> String {
    let time = time::OffsetDateTime::from(UNIX_EPOCH + Duration::from_millis(ms));
    let form = time::macros::format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    time.format(form).unwrap_or_default()
}
