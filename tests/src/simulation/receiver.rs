//! A receiver of remote write 1.0, in memory: it takes nothing out of order, and some series not at all.

use crate::remote_write::read;
use std::collections::BTreeMap;

/// What becomes of the rest when something of a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Nothing of the request is stored: Prometheus.
    RollsBack,
    /// The rest is stored: Cortex, Mimir and AMP.
    StoresTheRest,
    /// The rest is stored, and the address does not say whose dialect it is: Mimir behind any name.
    ShowsItself,
    /// The rest is stored, and the status is 409: Thanos Receive.
    Conflicts,
    /// Nothing of the request is stored, and nobody knows the words.
    Unintelligible,
}

impl Dialect {
    /// The profile that the configuration has then.
    #[must_use]
    pub fn profile(self) -> &'static str {
        match self {
            Dialect::RollsBack | Dialect::ShowsItself | Dialect::Unintelligible => "prometheus",
            Dialect::StoresTheRest => "aps",
            Dialect::Conflicts => "thanos",
        }
    }

    /// Whether the rest of a request is stored.
    #[must_use]
    pub fn stores_the_rest(self) -> bool {
        !matches!(self, Dialect::RollsBack | Dialect::Unintelligible)
    }

    /// A refusal as a receiver says it. A repeat is told from others in words that are known.
    fn says(self, text: String, is_repeat: bool) -> (u16, String) {
        match self {
            Dialect::RollsBack | Dialect::StoresTheRest => (400, text),
            Dialect::ShowsItself => (400, format!("failed pushing to ingester: user=1: {text}")),
            Dialect::Conflicts => (409, format!("store locally for endpoint 10.0.0.1:10901: {text}")),
            Dialect::Unintelligible if is_repeat => (400, text),
            Dialect::Unintelligible => (400, "computer says no".to_owned()),
        }
    }
}

/// A time in milliseconds since 1970, and the bits of a value.
pub type Stored = BTreeMap<i64, u64>;

/// The labels of a series in one text.
#[must_use]
pub fn notation(labels: &[(String, String)]) -> String {
    labels.iter().map(|(name, value)| format!("{name}=\"{value}\",")).collect()
}

/// The receiver.
pub struct Receiver {
    dialect: Dialect,
    /// Series with a label like this are refused.
    bad: Option<String>,
    /// The largest body taken, before compression.
    pub largest: usize,
    /// What is stored, by the labels of the series.
    pub stored: BTreeMap<String, Stored>,
    /// How many requests came, and something that differs if they do.
    pub requests: u64,
    pub trace: u64,
}

impl Receiver {
    /// One that has nothing yet.
    #[must_use]
    pub fn new(dialect: Dialect, bad: Option<String>) -> Self {
        Receiver { dialect, bad, largest: usize::MAX, stored: BTreeMap::new(), requests: 0, trace: 0 }
    }

    /// Whether a series is one that it does not take.
    #[must_use]
    pub fn is_bad(&self, series: &str) -> bool {
        self.bad.as_ref().is_some_and(|bad| series.contains(bad))
    }

    /// Takes a request, and answers with a status and a text.
    pub fn write(&mut self, body: &[u8]) -> (u16, String) {
        self.requests += 1;
        for byte in body {
            self.trace = (self.trace ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        let Some(series) = read(body) else {
            return (400, "snappy: corrupt input".to_owned());
        };
        if snap::raw::decompress_len(body).is_ok_and(|bytes| bytes > self.largest) {
            return (413, String::new());
        }
        let count = series.len();
        let mut changed: BTreeMap<String, Stored> = BTreeMap::new();
        let mut refused: Option<(String, bool)> = None;
        for (labels, samples) in series {
            let labels = notation(&labels);
            if self.is_bad(&labels) {
                refused.get_or_insert_with(|| {
                    let text = "received a series whose label value length exceeds the limit, series";
                    (format!("{text}: {labels}"), false)
                });
                continue;
            }
            let stored = changed
                .entry(labels.clone())
                .or_insert_with(|| self.stored.get(&labels).cloned().unwrap_or_default());
            for (time, value) in samples {
                let newest = stored.last_key_value().map(|(time, value)| (*time, *value));
                match newest {
                    Some((newest, _)) if time < newest => {
                        refused.get_or_insert_with(|| {
                            (format!("out of order sample. timestamp={time}, series={labels}"), true)
                        });
                    }
                    Some((newest, bits)) if time == newest && bits != value.to_bits() => {
                        refused.get_or_insert_with(|| {
                            (format!("duplicate sample for timestamp {time}, series={labels}"), true)
                        });
                    }
                    _ => {
                        stored.insert(time, value.to_bits());
                    }
                }
            }
        }
        if refused.is_none() || self.dialect.stores_the_rest() {
            self.stored.extend(changed);
        }
        tracing::debug!(request = self.requests, series = count, ?refused, "a request came");
        refused.map_or((200, String::new()), |(text, is_repeat)| self.dialect.says(text, is_repeat))
    }
}
