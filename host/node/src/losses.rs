//! Log lines about points that end other than delivered, or are not taken: one a minute for each reason, with all that
//! happened since the last one, so that nothing is lost in silence and no fault fills the log.

use preamp_config::KeyNames;
use preamp_contract::Batch;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long the first events of a reason are gathered: a request that is halved down to its bad series has many.
const GATHERING: Duration = Duration::from_secs(1);

/// The least time between two lines about one reason.
const INTERVAL: Duration = Duration::from_secs(60);

/// The most reasons that are told apart; a receiver that thinks up new ones makes no more lines than that.
const REASONS_MAX: usize = 100;

/// What all other reasons go by.
const OTHERS: &str = "others";

/// The longest example, in bytes.
const EXAMPLE_BYTES_MAX: usize = 500;

/// How points end, or why they are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// The receiver refused them for good.
    Refused,
    /// The receiver refused a part of their request for good.
    PartlyRefused,
    /// They cannot be written for the receiver.
    Unwritable,
    /// An attempt failed, and `retry_on_failure` is off.
    NotRetried,
    /// They were tried for as long as the configuration says.
    MaxElapsedTime,
    /// They are older than the receiver takes.
    TooOld,
    /// They made room for others.
    Evicted,
    /// They cannot become series.
    Untranslatable,
    /// There was no room for them; their sender keeps them.
    QueueFull,
    /// Their payload was not taken now; its sender keeps it.
    Postponed,
    /// Their payload is none that can be taken.
    Unusable,
}

impl Fate {
    /// What a line says.
    fn message(self) -> &'static str {
        match self {
            Self::Refused => "the receiver refused points for good",
            Self::PartlyRefused => "the receiver refused a part of requests for good",
            Self::Unwritable => "points cannot be written for the receiver",
            Self::NotRetried => "points were given up: retry_on_failure is off",
            Self::MaxElapsedTime => "points were given up: retry_on_failure.max_elapsed_time is over",
            Self::TooOld => "points became too old to be sent",
            Self::Evicted => "the queue is full: the oldest points are dropped (drop_oldest_on_overflow)",
            Self::Untranslatable => "data points cannot be translated",
            Self::QueueFull => "the queue is full: payloads are refused, and their senders asked to retry",
            Self::Postponed => "payloads are refused for now, and their senders asked to retry",
            Self::Unusable => "payloads are refused for good",
        }
    }

    /// Whether nobody has the points any more who would send them.
    fn is_loss(self) -> bool {
        !matches!(self, Self::QueueFull | Self::Postponed | Self::Unusable)
    }

    /// Whether what is counted beside points came in, rather than what goes out.
    fn is_at_intake(self) -> bool {
        matches!(self, Self::Untranslatable | Self::QueueFull | Self::Postponed | Self::Unusable)
    }
}

/// A series that shows what a line is about.
#[derive(Clone, Debug, Default)]
pub(crate) enum Example {
    /// There is none.
    #[default]
    None,
    /// In words.
    Text(String),
    /// One of a batch, that the detail names if it can be.
    Of(Arc<Batch>),
}

/// What is known of an event beside its numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    /// Where the points are now, if anywhere: `quarantined`.
    pub state: Option<&'static str>,
    /// What was said by whoever refused them.
    pub detail: String,
    /// What helps, with the keys of a Collector file.
    pub remedy: String,
    /// A series.
    pub example: Example,
}

/// What one line is about.
#[derive(Debug)]
pub(crate) struct Loss {
    pub fate: Fate,
    pub reason: String,
    /// Since the last line.
    pub points: u64,
    /// Payloads that came in, or batches that go out, since the last line.
    pub units: u64,
    /// The time that these numbers are of.
    pub during: Duration,
    pub words: Words,
}

#[derive(Debug)]
struct Entry {
    points: u64,
    units: u64,
    words: Words,
    /// When the first of these happened.
    since: Instant,
}

/// Events of one reason.
#[derive(Debug, Default)]
struct Reason {
    /// What no line has told of yet.
    untold: Option<Entry>,
    told: Option<Instant>,
}

impl Reason {
    /// From when on there is a line, if there is anything to tell.
    fn is_due(&self) -> Option<Instant> {
        let entry = self.untold.as_ref()?;
        let gathered = entry.since + GATHERING;
        Some(self.told.map_or(gathered, |told| gathered.max(told + INTERVAL)))
    }

    /// Whether there was no line for so long that there may be one, whatever is still to be gathered.
    fn may_be_told(&self) -> bool {
        self.told.is_none_or(|told| told.elapsed() >= INTERVAL)
    }
}

/// The key that a limit of the queue comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitKey {
    /// Where it stands in the user's file.
    pub key: String,
    /// What it is now.
    pub value: u64,
}

/// Gathers what happened until it is time for a line.
#[derive(Debug, Default)]
pub struct LossLog {
    names: KeyNames,
    limits: BTreeMap<&'static str, LimitKey>,
    reasons: Mutex<BTreeMap<(Fate, String), Reason>>,
    /// Whether there may be something to tell.
    has_untold: AtomicBool,
    added: Notify,
}

impl LossLog {
    /// One whose remedies name the keys of the user's file; `limits` are those of the queue, by their names in metrics.
    #[must_use]
    pub fn new(names: KeyNames, limits: BTreeMap<&'static str, LimitKey>) -> Self {
        LossLog { names, limits, ..Self::default() }
    }

    /// What helps if a limit of the queue is reached.
    pub(crate) fn remedy_of_limit(&self, limit: &str) -> String {
        const CAUSE: &str = "look why the receiver is slow or away (see its answers in this log)";
        match (limit, self.limits.get(limit)) {
            ("disk", Some(LimitKey { key, value })) => {
                format!("free the disk of the queue, or lower {key} (now {value}); {CAUSE}")
            }
            ("disk", None) => {
                format!("free the disk of the queue, or keep the queue on a larger one; {CAUSE}")
            }
            ("memory", _) => format!(
                "give the process more memory, or have senders send more points in each request; {CAUSE}"
            ),
            (_, Some(LimitKey { key, value })) => {
                format!("{CAUSE}; to hold more meanwhile, raise {key} (now {value})")
            }
            (_, None) => CAUSE.to_owned(),
        }
    }

    /// What keys are called in the user's file.
    #[must_use]
    pub fn names(&self) -> &KeyNames {
        &self.names
    }

    /// Notes points, in one payload or batch. `words` is asked for only if this is the first event since the last line.
    pub(crate) fn add(&self, fate: Fate, reason: &str, points: u64, words: impl FnOnce() -> Words) {
        let mut reasons = self.reasons();
        let mut key = (fate, reason.to_owned());
        if reasons.len() >= REASONS_MAX && !reasons.contains_key(&key) {
            // What was told long ago is as good as new.
            reasons.retain(|_, reason| {
                reason.untold.is_some() || reason.told.is_some_and(|told| told.elapsed() < INTERVAL)
            });
            if reasons.len() >= REASONS_MAX {
                key.1 = OTHERS.to_owned();
            }
        }
        let entry = &mut reasons.entry(key).or_default().untold;
        if entry.is_none() {
            self.has_untold.store(true, Ordering::Relaxed);
            self.added.notify_one();
        }
        let entry =
            entry.get_or_insert_with(|| Entry { points: 0, units: 0, words: words(), since: Instant::now() });
        entry.points += points;
        entry.units += 1;
    }

    /// Waits until there is something to tell, and takes it.
    pub(crate) async fn due(&self) -> Vec<Loss> {
        loop {
            let added = self.added.notified();
            let first = self.reasons().values().filter_map(Reason::is_due).min();
            match first {
                Some(due) if due <= Instant::now() => {
                    return self.take(|_, reason| reason.is_due() <= Some(Instant::now()));
                }
                Some(due) => {
                    tokio::select! {
                        () = added => {}
                        () = tokio::time::sleep_until(due) => {}
                    }
                }
                None => added.await,
            }
        }
    }

    /// Takes all that was not told yet.
    pub(crate) fn rest(&self) -> Vec<Loss> {
        self.take(|_, _| true)
    }

    /// Whether there may be something to tell.
    pub(crate) fn has_untold(&self) -> bool {
        self.has_untold.load(Ordering::Relaxed)
    }

    /// Takes all about which there may be a line now.
    pub(crate) fn gathered(&self) -> Vec<Loss> {
        self.take(|_, reason| reason.may_be_told())
    }

    /// Logs what was not taken in, or came in and cannot be used: its sender is about to be answered.
    pub(crate) fn tell_of_intake(&self) {
        if self.has_untold() {
            let told = self.take(|fate, reason| fate.is_at_intake() && reason.may_be_told());
            told.iter().for_each(|loss| loss.log(&self.names, None));
        }
    }

    fn take(&self, is_due: impl Fn(Fate, &Reason) -> bool) -> Vec<Loss> {
        let now = Instant::now();
        let mut due = Vec::new();
        let mut reasons = self.reasons();
        for ((fate, reason), entry) in &mut *reasons {
            if !is_due(*fate, entry) {
                continue;
            }
            if let Some(Entry { points, units, words, since }) = entry.untold.take() {
                let during = now.duration_since(entry.told.unwrap_or(since));
                entry.told = Some(now);
                due.push(Loss { fate: *fate, reason: reason.clone(), points, units, during, words });
            }
        }
        let has_untold = reasons.values().any(|reason| reason.untold.is_some());
        self.has_untold.store(has_untold, Ordering::Relaxed);
        due
    }

    /// Nothing panics half-way through a change of it.
    fn reasons(&self) -> MutexGuard<'_, BTreeMap<(Fate, String), Reason>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loss {
    /// Logs it. `explained` is the batch of the example, in the notation of the Prometheus text format.
    pub(crate) fn log(&self, names: &KeyNames, explained: Option<&str>) {
        let Loss { fate, reason, points, units, during, words: Words { state, detail, remedy, example } } =
            self;
        let example = match (example, explained) {
            (Example::Text(text), _) => Some(shortened(text)),
            (_, Some(explained)) => series(explained, detail, *fate == Fate::PartlyRefused),
            _ => None,
        };
        let (payloads, batches) =
            if fate.is_at_intake() { (Some(*units), None) } else { (None, Some(*units)) };
        // Of a payload that nobody looked into they are not known.
        let points = (*points > 0 || fate.is_loss()).then_some(*points);
        let seconds = during.as_secs();
        let detail = (!detail.is_empty()).then_some(&**detail);
        let remedy = names.in_file(remedy);
        let remedy = (!remedy.is_empty()).then_some(&*remedy);
        let message = fate.message();
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(points, payloads, batches, seconds, %reason, state, detail, example, remedy, "{message}")
            };
        }
        match fate.is_loss() {
            true => log!(error),
            false => log!(warn),
        }
    }
}

/// The series of an explained batch that a detail names, or else the first one, unless it must be named.
fn series<'e>(explained: &'e str, detail: &str, must_be_named: bool) -> Option<&'e str> {
    let mut lines = explained.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let is_named = |line: &&str| {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
        !name.is_empty() && detail.split(|c| !is_of_name(c)).any(|word| word == name)
    };
    let first = if must_be_named { None } else { lines.clone().next() };
    lines.find(is_named).or(first).map(shortened)
}

fn shortened(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXAMPLE_BYTES_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(losses: &[Loss]) -> Vec<(Fate, &str, u64, u64)> {
        losses.iter().map(|loss| (loss.fate, &*loss.reason, loss.points, loss.units)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_reason_is_told_once_a_minute_with_all_that_happened() {
        let log = LossLog::default();
        let start = Instant::now();
        for _ in 0..3 {
            log.add(Fate::Refused, "invalid", 5, Words::default);
        }
        log.add(Fate::TooOld, "too-old", 7, Words::default);
        assert_eq!(
            told(&log.due().await),
            [(Fate::Refused, "invalid", 15, 3), (Fate::TooOld, "too-old", 7, 1)]
        );
        assert_eq!(start.elapsed(), GATHERING);
        // One that comes right after it is told a minute later, though nothing else happens.
        log.add(Fate::Refused, "invalid", 2, Words::default);
        let later = log.due().await;
        assert_eq!(told(&later), [(Fate::Refused, "invalid", 2, 1)]);
        assert_eq!((start.elapsed(), later[0].during), (GATHERING + INTERVAL, INTERVAL));
        log.add(Fate::Refused, "invalid", 1, Words::default);
        assert_eq!(told(&log.rest()), [(Fate::Refused, "invalid", 1, 1)], "the end does not wait");
        assert_eq!(told(&log.rest()), []);
    }

    #[tokio::test(start_paused = true)]
    async fn reasons_without_end_are_few_lines() {
        let log = LossLog::default();
        for reason in 0..1_000 {
            log.add(Fate::Refused, &reason.to_string(), 1, Words::default);
        }
        let losses = log.due().await;
        assert_eq!(losses.len(), REASONS_MAX + 1);
        assert_eq!(losses.iter().map(|loss| loss.points).sum::<u64>(), 1_000);
    }

    #[test]
    fn the_example_is_the_series_that_the_receiver_names() {
        let explained = "# TYPE a counter\na{x=\"1\"} 1 5\nb{x=\"2\"} 2 5\n";
        assert_eq!(series(explained, "out of order: series={__name__=\"b\"}", true), Some("b{x=\"2\"} 2 5"));
        assert_eq!(series(explained, "no", false), Some("a{x=\"1\"} 1 5"));
        assert_eq!(series(explained, "no", true), None);
    }
}
