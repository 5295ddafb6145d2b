//! What a receiver repeats of the header fields that it was sent. Their values may be secrets, so none of them gets
//! into a log line, a quarantine or what a command prints, whatever the receiver says.

use preamp_base::Secret;
use preamp_contract::{Explanation, Halving, Retry, Verdict};
use serde_json::Value;
use std::cmp::Reverse;

/// What stands in place of a value.
const HIDDEN: &str = "(hidden)";

/// Shorter values are no secrets, but words and numbers that stand in many texts.
const LENGTH_MIN: usize = 4;

/// The values of the header fields of a configuration, the longest first.
pub(super) struct Echoes(Vec<Secret>);

impl Echoes {
    /// Those of a component's configuration (JSON).
    pub(super) fn of(configuration: &str) -> Self {
        let options: Value = serde_json::from_str(configuration).unwrap_or_default();
        let headers = options.get("headers").and_then(Value::as_object);
        let values = headers.into_iter().flat_map(|headers| headers.values()).filter_map(Value::as_str);
        let mut forms: Vec<String> = values.flat_map(forms).filter(|form| form.len() >= LENGTH_MIN).collect();
        forms.sort_unstable_by_key(|form| Reverse(form.len()));
        forms.dedup();
        Self(forms.into_iter().map(Secret::new).collect())
    }

    /// The same verdict, in words that hold no such value.
    pub(super) fn hide(&self, verdict: Verdict) -> Verdict {
        if self.0.is_empty() {
            return verdict;
        }
        let explained = |why: Explanation| Explanation { detail: self.hidden(&why.detail), ..why };
        match verdict {
            Verdict::Delivered | Verdict::FixClock(_) => verdict,
            Verdict::Unconfirmed(why) => Verdict::Unconfirmed(explained(why)),
            Verdict::Retry(retry) => Verdict::Retry(Retry { reason: self.hidden(&retry.reason), ..retry }),
            Verdict::RefreshCredentials(why) => Verdict::RefreshCredentials(explained(why)),
            Verdict::Halve(Halving { why, explanation }) => {
                Verdict::Halve(Halving { why, explanation: explained(explanation) })
            }
            Verdict::Downgrade(why) => Verdict::Downgrade(explained(why)),
            Verdict::PartlyRejected(why) => Verdict::PartlyRejected(explained(why)),
            Verdict::Rejected(why) => Verdict::Rejected(explained(why)),
            Verdict::Stop(why) => Verdict::Stop(explained(why)),
        }
    }

    fn hidden(&self, text: &str) -> String {
        let secrets = || self.0.iter().map(Secret::expose);
        let mut hidden = secrets().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN));
        // What is said is cut at some length, maybe in the middle of one.
        let cut = hidden.strip_suffix('…').unwrap_or(&hidden);
        if let Some(begun) = secrets().filter_map(|secret| begun(cut, secret)).max() {
            let start = cut.len() - begun;
            let end = cut.len();
            hidden.replace_range(start..end, HIDDEN);
        }
        hidden
    }
}

/// How a value may be repeated: whole, without the scheme of authentication before it, as it stands in JSON.
fn forms(value: &str) -> Vec<String> {
    let words = value.split_whitespace();
    let whole = words.clone().collect::<Vec<_>>().join(" ");
    let credentials = words.skip(1).collect::<Vec<_>>().join(" ");
    let in_json = |text: &str| {
        let quoted = Value::from(text).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    vec![in_json(&whole), in_json(&credentials), value.trim().to_owned(), whole, credentials]
}

/// How many bytes of a secret a text ends with, if that is enough to be more than chance.
fn begun(text: &str, secret: &str) -> Option<usize> {
    let ends = secret.char_indices().map(|(at, _)| at).rev();
    ends.take_while(|at| *at >= LENGTH_MIN).find(|at| text.ends_with(&secret[..*at]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"{"headers": {"authorization": "Bearer to\"ken-4711", "x-scope-orgid": "7", "x-key": "  k e  y  "}}"#;

    fn hidden(text: &str) -> String {
        let why = Explanation {
            reason: "".into(),
            detail: text.to_owned(),
            remedy: String::new(),
            stored_if_repeated: false,
        };
        match Echoes::of(CONFIGURATION).hide(Verdict::Stop(why)) {
            Verdict::Stop(why) => why.detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_are_hidden_in_every_form() {
        for (said, shown) in [
            ("401: no such user: Bearer to\"ken-4711!", "401: no such user: (hidden)!"),
            ("401: to\"ken-4711 is unknown", "401: (hidden) is unknown"),
            (r#"401: {"token": "to\"ken-4711"}"#, r#"401: {"token": "(hidden)"}"#),
            ("403: k e y", "403: (hidden)"),
            ("403: k e  y", "403: (hidden)"),
            ("429: tenant 7 sends too much", "429: tenant 7 sends too much"),
            ("503: out of order", "503: out of order"),
        ] {
            assert_eq!(hidden(said), shown, "{said}");
        }
    }

    #[test]
    fn values_that_were_cut_are_hidden_too() {
        assert_eq!(hidden("no: Bearer to\"ken-4…"), "no: (hidden)…");
        assert_eq!(hidden("no: to\"ken"), "no: (hidden)");
        assert_eq!(hidden("no: to"), "no: to");
    }

    #[test]
    fn reasons_to_retry_are_hidden_as_well() {
        let retry = Retry { reason: "503: to\"ken-4711".to_owned(), after: 5 };
        let Verdict::Retry(Retry { reason, after }) = Echoes::of(CONFIGURATION).hide(Verdict::Retry(retry))
        else {
            panic!()
        };
        assert_eq!((reason.as_str(), after), ("503: (hidden)", 5));
    }
}
