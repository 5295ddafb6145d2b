//! What a receiver's answer means for the batch that was sent: the rules of remote write, the dialects of
//! its receivers, and AWS' ways to refuse a sender.
//!
//! | status | verdict |
//! | --- | --- |
//! | 2xx | delivered; with a page for people: unconfirmed; to 2.0 with fewer samples than were sent: partly rejected, without counts: downgrade |
//! | none, 1xx, 408, 425, 499, 5xx | retry after a growing pause, Retry-After being the least |
//! | 429 | the same; slowly if the limit on series is reached, which heals only as series end |
//! | 400, 409, 422 that refuse series | partly rejected if this receiver stores the valid part with this status, else halve |
//! | the same for a limit of series, or for no known reason | partly rejected in that case too, else halve, to see whether some series are refused, or everything |
//! | 400, 409, 422, to 2.0, with counts | partly rejected, or rejected if nothing was stored |
//! | 400 for the version, 406, 415, to 2.0 | downgrade |
//! | 400, 409, 422 for the address or the account, or with a page | stop |
//! | 401, 403 | fix the clock, refresh the credentials, or stop |
//! | 413, and 400 for the size | halve |
//! | 3xx, 402, 404, 405, 406, 407, 410, 415, other 4xx | stop: address, account or protocol are wrong |
//!
//! Which receiver it is the configuration or its address says. An answer that is unmistakably another's is
//! taken for that: `err-mimir-…` is Mimir's wherever it comes from.

mod access;
mod answer;
mod data;
mod pause;
mod written;

use crate::config::{Config, Profile};
use answer::{Answer, header, readable};
use data::Effect;
use preamp_contract::{Explanation, HalveCause, Halving, Instant, Protocol, Response, Retry, Sent, Verdict};
use written::Written;

/// How long a batch waits, at the least, when the receiver has too many series.
const SERIES_LIMIT_PAUSE_MS: u64 = 5 * 60 * 1000;

/// Says what the answer to what was sent means.
///
/// `attempt` is 1 for the first answer to a batch; `now` is the local time the answer came, not
/// corrected by an earlier [`Verdict::FixClock`]. A host that gets the same offset again although it
/// signs with it should treat that as [`Verdict::RefreshCredentials`].
pub fn judge(config: &Config, sent: &Sent, response: &Response, attempt: u32, now: Instant) -> Verdict {
    let written = match sent.protocol {
        Protocol::RemoteWriteV1 => None,
        Protocol::RemoteWriteV2 => Written::read(response),
    };
    Case { config, sent, response, written, answer: Answer::read(response), attempt, now }.verdict()
}

/// All that a verdict depends on.
struct Case<'a> {
    config: &'a Config,
    sent: &'a Sent,
    response: &'a Response,
    /// What the receiver says it stored, if it speaks 2.0.
    written: Option<Written>,
    answer: Answer,
    attempt: u32,
    now: Instant,
}

impl Case<'_> {
    fn verdict(&self) -> Verdict {
        match self.response.status {
            200..=299 => self.success(),
            300..=399 => self.redirect(),
            400 | 409 | 422 => self.bad_request(),
            401 | 403 => access::judge(self),
            404 | 405 | 410 => Verdict::Stop(self.not_found()),
            406 | 415 if self.is_v2() => self.downgrade(),
            406 | 415 => Verdict::Stop(self.explain(
                "unsupported-protocol",
                "the receiver does not take this version of remote write: check that the endpoint is a \
                 remote-write receiver",
            )),
            407 => Verdict::Stop(self.explain(
                "unauthenticated",
                "a proxy on the way wants credentials: let it pass this host, or go around it",
            )),
            408 | 425 => self.retry("", 0),
            413 => Verdict::Halve(Halving {
                why: HalveCause::TooLarge,
                explanation: self.explain("too-large", data::TOO_LARGE_REMEDY),
            }),
            429 => self.throttled(),
            402 => Verdict::Stop(self.explain(
                "account",
                "the receiver wants to be paid first: see to the plan of the account; the endpoint and its \
                 credentials say which",
            )),
            499 => self.retry("the receiver or a proxy gave the request up", 0),
            400..=499 => Verdict::Stop(self.explain(
                "unexpected-status",
                "no receiver of remote write is known to answer so: check the endpoint, and look for a proxy or \
                 gateway on the way",
            )),
            500 if self.is_old_prometheus_refusing_series() => self.refused(),
            _ => self.retry("", 0),
        }
    }

    /// The receiver does not know the address.
    fn not_found(&self) -> Explanation {
        self.explain(data::NOT_FOUND, self.config.profile.traits().not_found_remedy)
    }

    fn is_v2(&self) -> bool {
        self.sent.protocol == Protocol::RemoteWriteV2
    }

    fn success(&self) -> Verdict {
        match &self.written {
            None if self.is_v2() => self.downgrade(),
            None if self.answer.is_page => Verdict::Unconfirmed(self.explain(
                "unconfirmed",
                "a page for people came back, which no receiver of remote write answers with: check that the \
                 endpoint is a receiver, and that no login page or gateway stands before it",
            )),
            Some(written) if !written.is_all_of(self.sent) => Verdict::PartlyRejected(self.explain(
                "partial-write",
                "the receiver took the request but not all of it: its log says what it left out",
            )),
            _ => Verdict::Delivered,
        }
    }

    /// Also for a 2xx without counts: the fields of 2.0 mean nothing to a receiver of 1.0, which sees
    /// an empty request and is content with it.
    fn downgrade(&self) -> Verdict {
        Verdict::Downgrade(self.explain(
            "unsupported-protocol",
            "set protobuf_message to prometheus.WriteRequest: the receiver does not take remote write 2.0",
        ))
    }

    fn redirect(&self) -> Verdict {
        let remedy = "write the final address into the endpoint: a signed request cannot be redirected";
        let mut explanation = self.explain("redirect", remedy);
        // What follows the question mark may be a secret.
        if let Some(target) = header(self.response, "location").and_then(|url| url.split('?').next()) {
            explanation.detail = readable(&["to", target].join(" "));
        }
        Verdict::Stop(explanation)
    }

    /// Also for the statuses with which some receivers refuse samples in place of 400.
    fn bad_request(&self) -> Verdict {
        // AWS front ends answer throttling and refusals of the sender with 400 too, told by the type.
        let has_error_type = header(self.response, "x-amzn-errortype").is_some();
        if has_error_type && self.answer.find(&["throttling", "toomanyrequests"]).is_some() {
            self.throttled()
        } else if has_error_type && access::is_refusal_of_sender(&self.answer) {
            access::judge(self)
        } else if self.is_v2() && self.written.is_none() && data::is_refusal_of_version(&self.answer) {
            self.downgrade()
        } else if self.answer.is_page {
            Verdict::Stop(self.explain(
                data::NOT_FOUND,
                "a page for people came back, which no receiver of remote write answers with: check the endpoint, \
                 and look for a proxy or gateway on the way",
            ))
        } else {
            self.refused()
        }
    }

    /// Samples or series were refused, or the request as a whole.
    fn refused(&self) -> Verdict {
        let class = data::class(&self.answer);
        let explanation = Explanation {
            stored_if_repeated: class.stored_if_repeated,
            ..self.explain(class.reason, class.remedy)
        };
        let halve = |why, explanation| Verdict::Halve(Halving { why, explanation });
        match class.effect {
            Effect::Request => Verdict::Rejected(explanation),
            Effect::Size => halve(HalveCause::TooLarge, explanation),
            Effect::Sender => Verdict::Stop(match class.remedy {
                "" => self.not_found(),
                _ => explanation,
            }),
            Effect::Unknown if self.answer.names_path(&self.config.endpoint.path) => {
                Verdict::Stop(self.not_found())
            }
            Effect::Series | Effect::Unknown => match &self.written {
                Some(written) if !written.is_nothing() => Verdict::PartlyRejected(explanation),
                Some(_) if class.effect == Effect::Series => Verdict::Rejected(explanation),
                None if self.valid_part_is_stored(class.effect) => Verdict::PartlyRejected(explanation),
                // A limit may be reached for a few new series, or for whatever is sent.
                _ if class.effect == Effect::Unknown || class.reason == data::SERIES_LIMIT => {
                    halve(HalveCause::Unknown, explanation)
                }
                _ => halve(HalveCause::BadSeries, explanation),
            },
        }
    }

    /// Whether the receiver has stored what it did not refuse, by the dialect that the configuration names,
    /// or the one that the answer shows.
    fn valid_part_is_stored(&self, effect: Effect) -> bool {
        let status = self.response.status;
        let stores = |profile: Profile| profile.traits().stores_valid_part.contains(&status);
        effect == Effect::Series && stores(self.config.profile) || self.shown_profile().is_some_and(stores)
    }

    /// The receiver that the answer shows itself to be from.
    fn shown_profile(&self) -> Option<Profile> {
        let class = data::class(&self.answer);
        Profile::ALL.into_iter().find(|profile| {
            let traits = profile.traits();
            self.answer.find(traits.own_texts).is_some()
                || class.effect == Effect::Series && traits.own_statuses.contains(&self.response.status)
        })
    }

    /// Prometheus before 3.0 answers 500 for some samples that it will never take, such as those too
    /// old for the out-of-order window; retried as they are, they would hold up the others for ever.
    fn is_old_prometheus_refusing_series(&self) -> bool {
        self.config.profile == Profile::Prometheus
            && self.shown_profile().is_none()
            && data::known_class(&self.answer).is_some_and(|class| {
                class.effect == Effect::Series
                    && ![data::SERIES_LIMIT, data::CONFLICT].contains(&class.reason)
            })
    }

    fn throttled(&self) -> Verdict {
        if data::known_class(&self.answer).is_some_and(|class| class.reason == data::SERIES_LIMIT) {
            self.too_many_series()
        } else if self.answer.find(&["ingestion rate"]).is_some() {
            self.retry("too many samples a second (AMP: quota L-F4BCE0BA)", 0)
        } else if self.answer.find(&["rate exceeded"]).is_some() {
            self.retry("too many requests a second (AMP: quota L-4340E931)", 0)
        } else {
            self.retry("", 0)
        }
    }

    /// What Cortex knows of a request is stored when a new series of it is one too many. Held until there is room for
    /// that one, the request would keep the others waiting, for ever if nobody raises the limit. Other receivers with
    /// such a limit take nothing at all while it is reached.
    fn too_many_series(&self) -> Verdict {
        match self.valid_part_is_stored(Effect::Series) {
            true => self.refused(),
            false => self.retry("too many active series", SERIES_LIMIT_PAUSE_MS),
        }
    }

    /// Retry after the pause that is due, but not sooner than the receiver asks or `floor_ms` says.
    /// `hint` explains what the receiver says, if that needs explaining.
    fn retry(&self, hint: &str, floor_ms: u64) -> Verdict {
        let mut reason = match self.response.status {
            0 => "no answer".to_owned(),
            status => format!("status {status}"),
        };
        for part in [hint, &self.answer.detail] {
            if !part.is_empty() {
                reason.push_str(": ");
                reason.push_str(part);
            }
        }
        let due = pause::backoff(self.config.backoff, self.attempt);
        let asked = pause::retry_after(self.response, self.now);
        Verdict::Retry(Retry { after: due.max(asked).max(floor_ms), reason })
    }

    fn explain(&self, reason: &'static str, remedy: &str) -> Explanation {
        let detail = match &self.written {
            Some(written) if !written.is_all_of(self.sent) => {
                readable(&[&written.describe(self.sent), ": ", &self.answer.detail].concat())
            }
            _ => self.answer.detail.clone(),
        };
        Explanation { reason: reason.into(), detail, remedy: remedy.to_owned(), stored_if_repeated: false }
    }
}

#[cfg(test)]
mod tests;
