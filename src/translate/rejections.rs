//! What could not be translated, grouped by reason: nothing is dropped in silence.

use preamp_contract::Rejection;

/// Why points are not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A sum or histogram since the last report; Prometheus knows only totals.
    DeltaTemporality,
    /// A sum or histogram that does not say since when.
    UnspecifiedTemporality,
    /// A delta that is not newer than the last of its series.
    DeltaOutOfOrder,
    /// A delta that covers a time which the one before has counted.
    DeltaOverlap,
    /// A delta that cannot be added up.
    InvalidDelta,
    /// A delta of a new series, when there are as many as may be.
    DeltaSeriesLimit,
    /// An exponential histogram coarser than native histograms can be.
    UnsupportedScale,
    /// A histogram whose bounds are not ascending numbers.
    InvalidBounds,
    /// An exponential histogram without a sum, which a native one must have.
    NoSum,
    /// A number without a value.
    NoValue,
    /// A point without a time.
    NoTime,
    /// A time in another unit than nanoseconds.
    WrongTimeUnit,
    /// A second value of a series at one time.
    DuplicateSample,
    /// A metric without data.
    NoData,
    /// A metric name of which nothing is left.
    InvalidName,
    /// An attribute key of which nothing is left.
    InvalidLabel,
    /// A label value that is not UTF-8.
    InvalidUtf8,
    /// Older than the receiver takes.
    TooOld,
    /// Further ahead of now than the receiver takes.
    TooFarInTheFuture,
    /// More labels, or longer ones, than the receiver takes.
    LabelLimit,
}

impl Reason {
    /// The identifier in the contract.
    pub fn id(self) -> &'static str {
        match self {
            Reason::DeltaTemporality => "delta-temporality",
            Reason::UnspecifiedTemporality => "unspecified-temporality",
            Reason::DeltaOutOfOrder => "delta-out-of-order",
            Reason::DeltaOverlap => "delta-overlap",
            Reason::InvalidDelta => "invalid-delta",
            Reason::DeltaSeriesLimit => "delta-series-limit",
            Reason::UnsupportedScale => "unsupported-scale",
            Reason::InvalidBounds => "invalid-bounds",
            Reason::NoSum => "no-sum",
            Reason::NoValue => "no-value",
            Reason::NoTime => "no-time",
            Reason::WrongTimeUnit => "wrong-time-unit",
            Reason::DuplicateSample => "duplicate-sample",
            Reason::NoData => "no-data",
            Reason::InvalidName => "invalid-name",
            Reason::InvalidLabel => "invalid-label",
            Reason::InvalidUtf8 => "invalid-utf8",
            Reason::TooOld => "too-old",
            Reason::TooFarInTheFuture => "too-far-in-the-future",
            Reason::LabelLimit => "label-limit",
        }
    }

    /// Whether such points would be taken at another time.
    pub fn is_because_of_time(self) -> bool {
        matches!(self, Reason::TooOld | Reason::TooFarInTheFuture)
    }

    /// What to change.
    pub fn remedy(self) -> &'static str {
        match self {
            Reason::DeltaTemporality => {
                "set the temporality preference of the SDK to cumulative, or set delta to accumulate"
            }
            Reason::DeltaOutOfOrder => {
                "have one process write each series, told apart by service.instance.id, and send its points in order"
            }
            Reason::DeltaOverlap => {
                "have one process write each series, told apart by service.instance.id, and start each delta where the last one ended"
            }
            Reason::InvalidDelta => {
                "send finite values that only grow for monotonic sums, and exponential histograms of scales from -10 to 20"
            }
            Reason::DeltaSeriesLimit => {
                "drop attributes with many values at the source, or raise delta_max_series"
            }
            Reason::UnspecifiedTemporality => "set the aggregation temporality to cumulative at the source",
            Reason::UnsupportedScale => {
                "raise the minimal scale of the SDK's exponential histograms to -4, or set exponential_histograms to classic"
            }
            Reason::InvalidBounds => {
                "give the histogram bounds that ascend, or leave convert_explicit_histograms_to_nhcb off"
            }
            Reason::NoSum => {
                "have the SDK record the sum of exponential histograms, or set exponential_histograms to classic"
            }
            Reason::NoValue => {
                "set as_int or as_double of the point, or the flag no_recorded_value if the series has ended"
            }
            Reason::NoTime => "set time_unix_nano of the point at the source, in nanoseconds since 1970",
            Reason::WrongTimeUnit => "set time_unix_nano in nanoseconds since 1970 at the source",
            Reason::DuplicateSample => {
                "tell the two apart by an attribute or another name, leave disable_scope_info off, or send bounds and quantiles once"
            }
            Reason::NoData => "send metrics with at least one data point of a known type",
            Reason::InvalidName => "name the metric with at least one ASCII letter or digit",
            Reason::InvalidLabel => "name the attribute with at least one ASCII letter or digit",
            Reason::InvalidUtf8 => "send attribute values as UTF-8 text, or as bytes values",
            Reason::TooFarInTheFuture => {
                "set the clock of the sender, or raise max_sample_future if the receiver takes later samples"
            }
            Reason::LabelLimit => {
                "drop attributes at the source, or raise max_labels_per_series and max_labels_bytes if the receiver takes more"
            }
            Reason::TooOld => {
                "send points sooner, or raise max_sample_age if the receiver takes older samples"
            }
        }
    }
}

/// The rejections of one payload, in the order they were first met.
#[derive(Default)]
pub struct Rejections {
    groups: Vec<(Reason, Rejection)>,
}

impl Rejections {
    /// Counts points; `example` is asked for only the first time.
    pub fn add(&mut self, reason: Reason, points: u64, example: impl FnOnce() -> String) {
        if let Some((_, group)) = self.groups.iter_mut().find(|(other, _)| *other == reason) {
            group.points += points;
            return;
        }
        let rejection = Rejection {
            reason: reason.id().into(),
            points,
            example: example(),
            remedy: reason.remedy().into(),
            because_of_time: reason.is_because_of_time(),
        };
        self.groups.push((reason, rejection));
    }

    /// All of them; none are left behind.
    pub fn take(&mut self) -> Vec<Rejection> {
        self.groups.drain(..).map(|(_, rejection)| rejection).collect()
    }
}
