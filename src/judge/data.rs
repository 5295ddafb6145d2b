//! Refusals of samples and series: status 400, and the limits behind status 429.

use super::answer::Answer;

/// A kind of refusal, told from what the receiver says.
pub(super) struct Class {
    pub(super) reason: &'static str,
    /// Any of these, in lower case, stands in the answer.
    texts: &'static [&'static str],
    /// The request as a whole could not be read, so none of its parts can be taken.
    pub(super) whole_request: bool,
    /// A receiver that has stored the request refuses a repeat of it in these words.
    pub(super) stored_if_repeated: bool,
    pub(super) remedy: &'static str,
}

pub(super) const SERIES_LIMIT: &str = "series-limit";

/// The texts are those of Cortex (which answers behind AMP), Mimir and Prometheus.
const CLASSES: [Class; 8] = [
    Class {
        reason: "out-of-order",
        texts: &["out of order", "out-of-order"],
        whole_request: false,
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
        whole_request: false,
        stored_if_repeated: true,
        remedy: "two sources write the same series: give them labels that differ, such as \
                 service.instance.id or external_labels",
    },
    Class {
        reason: "too-old",
        texts: &["too old", "out of bounds", "greater_than_max_sample_age"],
        whole_request: false,
        stored_if_repeated: true,
        remedy: "send sooner: the receiver takes samples up to a certain age only (AMP: 1 hour); look for \
                 delays before this exporter, and at max_sample_age_ms",
    },
    Class {
        reason: SERIES_LIMIT,
        texts: &["series limit", "series_limit", "max-series-per"],
        whole_request: false,
        stored_if_repeated: false,
        remedy: "send fewer series (fewer label values), or have the limit raised (AMP: quota L-5A151448; \
                 CloudWatch AWS/Usage ActiveSeries shows the use)",
    },
    Class {
        reason: "label-limit",
        texts: &[
            "too many labels",
            "label value too long",
            "label name too long",
            "label names and label values size",
            "label_value_too_long",
            "label-value-too-long",
            "label-name-too-long",
            "max-label-names-per-series",
        ],
        whole_request: false,
        stored_if_repeated: false,
        remedy: "send fewer or shorter labels (fewer resource attributes as labels), or have the limit \
                 raised (AMP: quota L-CDA4AB0F)",
    },
    Class {
        reason: "invalid",
        texts: &["too far in", "too new"],
        whole_request: false,
        stored_if_repeated: false,
        remedy: "correct the clock of the program that made the samples: they lie in the future",
    },
    Class {
        reason: "invalid",
        texts: &[
            "invalid sample",
            "invalid label",
            "invalid metric name",
            "missing metric name",
            "is not unique",
            "duplicate label",
            "not sorted",
        ],
        whole_request: false,
        stored_if_repeated: false,
        remedy: "the receiver does not take such a series: report its name and labels as a fault of this \
                 exporter",
    },
    Class {
        reason: "invalid",
        texts: &["snappy: ", "proto: ", "unmarshal", "unexpected eof", "failed to decode", "decompress"],
        whole_request: true,
        stored_if_repeated: false,
        remedy: "the receiver could not read the body: look for a proxy that alters it, else report a fault \
                 of this exporter",
    },
];

const UNKNOWN: Class = Class {
    reason: "invalid",
    texts: &[],
    whole_request: false,
    stored_if_repeated: false,
    remedy: "the detail says what the receiver did not take",
};

/// The kind of refusal, if the answer tells.
///
/// The text that stands first decides: receivers say what is wrong and then quote the series, whose
/// labels may say anything.
pub(super) fn known_class(answer: &Answer) -> Option<&'static Class> {
    let found = CLASSES.iter().filter_map(|class| Some((answer.find(class.texts)?, class)));
    found.min_by_key(|(position, _)| *position).map(|(_, class)| class)
}

/// The kind of refusal, `invalid` if the answer does not tell.
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
