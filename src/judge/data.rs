//! Refusals of samples and series, and of requests as a whole: what receivers say with status 400, 409, 422
//! and 429. `docs/receivers.md` has each text with its source.

use super::answer::Answer;

/// A kind of refusal, told from what the receiver says.
pub(super) struct Class {
    pub(super) reason: &'static str,
    /// Any of these, in lower case, stands in the answer.
    texts: &'static [&'static str],
    pub(super) effect: Effect,
    /// A receiver that has stored the request refuses a repeat of it in these words.
    pub(super) stored_if_repeated: bool,
    pub(super) remedy: &'static str,
}

/// What is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Some of its series.
    Series,
    /// The request as a whole, which could not be read: none of its parts can be taken.
    Request,
    /// The request as a whole, for its size.
    Size,
    /// Whatever is sent: the address or the account is wrong.
    Sender,
    /// Nobody knows: the receiver says nothing that a receiver of remote write is known to say.
    Unknown,
}

pub(super) const SERIES_LIMIT: &str = "series-limit";

/// Where texts of two classes begin at the same place, the first class counts.
const CLASSES: [Class; 13] = [
    Class {
        reason: "invalid",
        texts: &[
            "invalid sample",
            "invalid label",
            "invalid metric name",
            "missing metric name",
            "no metric name",
            "is not unique",
            "duplicate label",
            "label set contains a label with empty",
            "not sorted",
            "out of order labels",
            "native-histogram",
            "native histogram sample",
            "native histogram bucket",
            "invalid native histogram",
            "histogram's",
            "histogram has a",
            "histogram spans",
            "histogram custom",
        ],
        effect: Effect::Series,
        stored_if_repeated: false,
        remedy: "the receiver does not take such a series: report its name and labels as a fault of this \
                 exporter",
    },
    Class {
        reason: "out-of-order",
        texts: &["out of order", "out-of-order"],
        effect: Effect::Series,
        stored_if_repeated: true,
        remedy: "send each series from one place only, or widen the receiver's out-of-order window \
                 (AMP: workspace configuration, 60 s by default)",
    },
    Class {
        reason: "duplicate-sample",
        texts: &[
            "duplicate sample",
            "repeated timestamp",
            "new value for timestamp",
            "new-value-for-timestamp",
            "duplicate-timestamp",
            "same timestamp, but a different value",
        ],
        effect: Effect::Series,
        stored_if_repeated: true,
        remedy: "two sources write the same series: give them labels that differ, such as \
                 service.instance.id or external_labels",
    },
    Class {
        reason: "too-old",
        texts: &["too old", "too-old", "out of bounds", "greater_than_max_sample_age", "too far in the past"],
        effect: Effect::Series,
        stored_if_repeated: true,
        remedy: "send sooner: the receiver takes samples up to a certain age only (AMP: 1 hour); look for \
                 delays before this exporter, and at max_sample_age",
    },
    Class {
        reason: SERIES_LIMIT,
        texts: &[
            "series limit",
            "series_limit",
            "max-series-per",
            "max-active-series",
            "too many series",
            "series exceeds limit",
        ],
        effect: Effect::Series,
        stored_if_repeated: false,
        remedy: "send fewer series (fewer label values), or have the limit raised (AMP: quota L-5A151448; \
                 CloudWatch AWS/Usage ActiveSeries shows the use)",
    },
    Class {
        reason: "label-limit",
        texts: &[
            "too many labels",
            "number of labels exceeds the limit",
            "label value too long",
            "label name too long",
            "label value length exceeds",
            "label name length exceeds",
            "label names and label values size",
            "labels size bytes exceeded",
            "label_value_too_long",
            "label-value-too-long",
            "label-name-too-long",
            "max-label-names-per",
        ],
        effect: Effect::Series,
        stored_if_repeated: false,
        remedy: "send fewer or shorter labels (fewer resource attributes as labels), or have the limit \
                 raised (AMP: quota L-CDA4AB0F)",
    },
    Class {
        reason: "invalid",
        texts: &["too far in", "too new", "too-far-in-future"],
        effect: Effect::Series,
        stored_if_repeated: false,
        remedy: "correct the clock of the program that made the samples: they lie in the future",
    },
    Class {
        reason: "invalid",
        texts: &["snappy", "proto: ", "unmarshal", "unexpected eof", "failed to decode", "decompress"],
        effect: Effect::Request,
        stored_if_repeated: false,
        remedy: "the receiver could not read the body: look for a proxy that alters it, else report a fault \
                 of this exporter",
    },
    Class {
        reason: "too-large",
        texts: &[
            "max-write-message-size",
            "message size",
            "message larger than max",
            "too big unpacked request",
            "request too large",
            "body too large",
            "entity too large",
        ],
        effect: Effect::Size,
        stored_if_repeated: false,
        remedy: TOO_LARGE_REMEDY,
    },
    Class {
        reason: NOT_FOUND,
        texts: &[
            "unsupported path",
            "unsupported url",
            "unknown path",
            "unexpected path",
            "invalid path",
            "path not served",
            "no such path",
            "missing route",
            "no route",
            "unknown route",
            "no such host",
            "unknown host",
            "invalid host",
            "page not found",
            "method not allowed",
        ],
        effect: Effect::Sender,
        stored_if_repeated: false,
        remedy: "",
    },
    Class {
        reason: NOT_FOUND,
        texts: &["http request to an https server", "http request was sent to https port"],
        effect: Effect::Sender,
        stored_if_repeated: false,
        remedy: "begin the endpoint with https://: the receiver speaks TLS on this port",
    },
    Class {
        reason: "account",
        texts: &[
            "tenant id",
            "org id",
            "auth error",
            "x-scope-orgid",
            "too many ha clusters",
            "too-many-ha-clusters",
            "high-availability (ha) clusters",
            "request-blocked",
            "suspended",
            "payment",
            "subscription",
        ],
        effect: Effect::Sender,
        stored_if_repeated: false,
        remedy: "see to the account or tenant that the detail names: its id in the headers or the path of the \
                 endpoint, its limits and its plan",
    },
    Class {
        reason: CONFLICT,
        texts: &["alreadyexists", "conflict"],
        effect: Effect::Series,
        stored_if_repeated: true,
        remedy: "the receiver has other samples of these series at this time: its log says which; send each \
                 series from one place only",
    },
];

/// Thanos says no more where its replicas refused different samples.
pub(super) const CONFLICT: &str = "conflict";

/// What is wrong if the receiver does not know the address.
pub(super) const NOT_FOUND: &str = "not-found";

pub(super) const TOO_LARGE_REMEDY: &str =
    "set max_batch_size_bytes to what the receiver takes (AMP: under 1,000,000 bytes)";

const UNKNOWN: Class = Class {
    reason: "invalid",
    texts: &[],
    effect: Effect::Unknown,
    stored_if_repeated: false,
    remedy: "the detail says what the receiver did not take; if it refuses everything, check the address and the \
             account",
};

/// The kind of refusal, if the answer tells.
///
/// The text that stands first decides: receivers say what is wrong and then quote the series, whose
/// labels may say anything.
pub(super) fn known_class(answer: &Answer) -> Option<&'static Class> {
    let position = |class: &Class| match class.effect {
        // What is quoted of a series may say anything of addresses and accounts.
        Effect::Sender => answer.find_before_series(class.texts),
        _ => answer.find(class.texts),
    };
    let found = CLASSES.iter().filter_map(|class| Some((position(class)?, class)));
    // A conflict is what Thanos says first of all of them.
    found.min_by_key(|(position, class)| (class.reason == CONFLICT, *position)).map(|(_, class)| class)
}

/// The kind of refusal, [`Effect::Unknown`] if the answer does not tell.
pub(super) fn class(answer: &Answer) -> &'static Class {
    known_class(answer).unwrap_or(&UNKNOWN)
}

/// Whether the receiver says that it does not know the version of the protocol or its message.
pub(super) fn is_refusal_of_version(answer: &Answer) -> bool {
    const TEXTS: [&str; 6] = [
        "io.prometheus.write.v2",
        "content type",
        "content-type",
        "protobuf message",
        "remote-write-version",
        "remote write version",
    ];
    answer.find(&TEXTS).is_some()
}

/// All texts that decide something.
#[cfg(test)]
pub(super) fn all_texts() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().flat_map(|class| class.texts).copied()
}
