//! What is wrong with a configuration file, and where.

use super::form::FileForm;
use super::place::Place;
use super::yaml::Node;
use preamp_base::files;
use preamp_base::printable::Line;
use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::Path;

/// The most problems of a kind that are told, and that are kept to choose from.
const TOLD_MAX: usize = 50;
const KEPT_MAX: usize = 1000;

/// The longest message, in bytes: what it quotes may be of any length.
const MESSAGE_BYTES_MAX: usize = 2000;

/// The most words that one is compared to, and the longest that is compared, in bytes.
const KNOWN_MAX: usize = 100;
const WORD_BYTES_MAX: usize = 100;

/// How many names are given where none is near.
const NAMED: usize = 3;

/// How many are listed, if that is all of them.
const LISTED_MAX: usize = 12;

/// One problem of a configuration file. Displayed as `file:line:column: path.in.file: message`, in one line that a
/// terminal shows as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The file, as it was named by whoever asked for it, or what else the text came from.
    pub file: String,
    /// Where in the file; `None` if the file could not be read at all.
    pub place: Option<Place>,
    /// The keys that lead to the place, joined by dots; empty for the file as a whole.
    pub path: String,
    /// What is wrong and what is expected instead.
    pub message: String,
    /// Whether the file can be used all the same.
    pub is_warning: bool,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Line(&self.file).fmt(f)?;
        if let Some(Place { line, column, .. }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", Line(&self.path))?;
        }
        write!(f, ": {}", Line(&self.message))
    }
}

/// What is said about a file, in the order of the places. Displayed one a line. As an error it holds at least one
/// problem that keeps the file from being used; the warnings stand beside it, so that one pass shows everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// The first of them, and how many there are beside those and `more`: a file of a few megabytes can hold as many
    /// problems, and nobody reads them.
    #[must_use]
    pub fn told(self, more: usize) -> Diagnostics {
        let Diagnostics(mut told) = self;
        let more = more + told.len().saturating_sub(TOLD_MAX);
        told.truncate(TOLD_MAX);
        if let (Some(last), 1..) = (told.last().cloned(), more) {
            told.push(Diagnostic {
                path: String::new(),
                message: format!("and {more} more problems"),
                ..last
            });
        }
        Diagnostics(told)
    }
}

impl FromIterator<Diagnostic> for Diagnostics {
    /// Puts diagnostics in the order of their places.
    fn from_iter<I: IntoIterator<Item = Diagnostic>>(diagnostics: I) -> Self {
        let mut diagnostics: Vec<_> = diagnostics.into_iter().collect();
        diagnostics.sort_by_key(|diagnostic| diagnostic.place);
        Diagnostics(diagnostics)
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            if diagnostic.is_warning {
                f.write_str("warning: ")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects the problems of a configuration while it is read.
pub(super) struct Report {
    sources: Vec<String>,
    errors: RefCell<Notes>,
    warnings: RefCell<Notes>,
    missing: RefCell<Notes>,
    /// `None` where nobody wants to know.
    defaults: Option<RefCell<Vec<Taken>>>,
    form: Cell<FileForm>,
}

/// What holds where the document says nothing, as its reader took it.
pub(super) struct Taken {
    /// The part of the document that it belongs to ([`Node::identity`]).
    pub part: usize,
    /// The keys of the sections that lead there from that part and are not in the document.
    pub sections: Vec<&'static str>,
    pub key: &'static str,
    pub value: Node,
}

/// Problems of one kind: each once, however often its place is read.
#[derive(Default)]
struct Notes {
    kept: Vec<Diagnostic>,
    /// How many more there were.
    more: usize,
}

/// All that was found.
pub(super) struct Findings {
    /// What keeps the file from being used.
    pub errors: Diagnostics,
    /// What the operator should know.
    pub warnings: Diagnostics,
    /// Files that it names and that cannot be read on this machine.
    pub missing: Diagnostics,
    /// The names of the texts.
    pub sources: Vec<String>,
}

impl Report {
    /// Starts without problems; `sources` are the names of the texts.
    pub fn new(sources: Vec<String>) -> Report {
        Report {
            sources,
            errors: RefCell::default(),
            warnings: RefCell::default(),
            missing: RefCell::default(),
            defaults: None,
            form: Cell::default(),
        }
    }

    /// Notes the form of a file, where it is not that of the Collector.
    pub fn is_of(&self, form: FileForm) {
        self.form.set(form);
    }

    /// The form of the file, or of the last of several that is not that of the Collector.
    pub fn form(&self) -> FileForm {
        self.form.get()
    }

    /// The same, which keeps the defaults that were taken too.
    pub fn with_defaults(self) -> Report {
        Report { defaults: Some(RefCell::default()), ..self }
    }

    /// Notes what holds where the document says nothing.
    pub fn default(&self, default: impl FnOnce() -> Taken) {
        if let Some(defaults) = &self.defaults {
            defaults.borrow_mut().push(default());
        }
    }

    /// The defaults that were taken so far, in their order.
    pub fn take_defaults(&self) -> Vec<Taken> {
        self.defaults.as_ref().map(RefCell::take).unwrap_or_default()
    }

    /// Notes what keeps the file from being used.
    pub fn error(&self, place: Place, path: &str, message: impl Into<String>) {
        self.note(&self.errors, place, path, message.into(), false);
    }

    /// Notes what the operator should know, though the file can be used.
    pub fn warn(&self, place: Place, path: &str, message: impl Into<String>) {
        self.note(&self.warnings, place, path, message.into(), true);
    }

    /// Notes that a file is named which must be there when the configuration is used. The name of one that is hidden
    /// is not told.
    pub fn file(&self, place: Place, path: &str, file: &Path, is_hidden: bool) {
        if let Err(error) = files::open(file) {
            let file = if is_hidden { "the file".to_owned() } else { file.display().to_string() };
            self.note(&self.missing, place, path, format!("{file} {error}"), false);
        }
    }

    /// What was found, each in the order of the places.
    pub fn finish(self) -> Findings {
        Findings {
            errors: self.errors.into_inner().told(),
            warnings: self.warnings.into_inner().told(),
            missing: self.missing.into_inner().told(),
            sources: self.sources,
        }
    }

    fn note(&self, notes: &RefCell<Notes>, place: Place, path: &str, mut message: String, is_warning: bool) {
        let mut notes = notes.borrow_mut();
        if notes.kept.len() >= KEPT_MAX {
            notes.more += 1;
            return;
        }
        if message.len() > MESSAGE_BYTES_MAX {
            message.truncate(message.floor_char_boundary(MESSAGE_BYTES_MAX));
            message.push('…');
        }
        let file = name_of(&self.sources, place);
        let diagnostic = Diagnostic { file, place: Some(place), path: path.to_owned(), message, is_warning };
        if !notes.kept.contains(&diagnostic) {
            notes.kept.push(diagnostic);
        }
    }

    /// Whether so much was noted that what is said from here on is only counted.
    pub fn is_full(&self) -> bool {
        [&self.errors, &self.warnings].iter().any(|notes| notes.borrow().kept.len() >= KEPT_MAX)
    }
}

impl Notes {
    fn told(self) -> Diagnostics {
        self.kept.into_iter().collect::<Diagnostics>().told(self.more)
    }
}

/// What the text is called that a place is in.
pub(super) fn name_of(sources: &[String], place: Place) -> String {
    sources.get(place.source).cloned().unwrap_or_default()
}

/// The end of a message about a word that is not among those known: the one that is meant if one is near, else all of
/// them, or the three nearest of many. Of an empty word, which nothing is near to, the first three are named.
pub(super) fn suggest<'c>(word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
    suggest_of(word, known, LISTED_MAX)
}

/// The same about a key: of those that are known the three nearest are named, however few there are.
pub(super) fn suggest_key<'c>(word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
    suggest_of(word, known, NAMED)
}

fn suggest_of<'c>(word: &str, known: impl IntoIterator<Item = &'c str>, listed_max: usize) -> String {
    let mut known = known.into_iter();
    let compared: Vec<&str> = known.by_ref().take(KNOWN_MAX).collect();
    let word = comparable(if word.len() > WORD_BYTES_MAX { "" } else { word });
    let near = compared
        .iter()
        // Words of other lengths cannot be near, and comparing letters costs more than counting them.
        .filter(|candidate| candidate.len().abs_diff(word.len()) <= tolerance(candidate))
        .map(|candidate| (strsim::osa_distance(&word, &comparable(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= tolerance(candidate))
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, candidate)) = near {
        return format!("did you mean `{candidate}`?");
    }
    match compared.len() + known.count() {
        0 => "there are none".to_owned(),
        all if all <= listed_max => format!("there are {}", compared.join(", ")),
        all if word.is_empty() => {
            format!("there are {} and {} more", compared[..NAMED].join(", "), all - NAMED)
        }
        _ => format!("the nearest are {}", nearest(&word, compared)),
    }
}

/// The names that are nearest to a word of which none is near: first those that share a part of it with it.
fn nearest(word: &str, mut known: Vec<&str>) -> String {
    let parts: Vec<_> = word.split('_').filter(|part| part.len() > 1).collect();
    let shared = |candidate: &str| parts.iter().filter(|part| candidate.contains(**part)).count();
    // Farther from 1 is nearer: the least comes first.
    known.sort_by_cached_key(|candidate| {
        let candidate = comparable(candidate);
        let distance = 1.0 - strsim::sorensen_dice(word, &candidate);
        (usize::MAX - shared(&candidate), (distance * 1e6) as u64)
    });
    known.truncate(NAMED);
    known.join(", ")
}

/// Names are compared in one case, and with one way to part words.
fn comparable(text: &str) -> String {
    text.to_ascii_lowercase().replace('-', "_")
}

/// How many letters may differ.
fn tolerance(candidate: &str) -> usize {
    candidate.len().div_ceil(3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_file_place_path_and_message() {
        let mut diagnostic = Diagnostic {
            file: "a.yaml".to_owned(),
            place: Some(Place { source: 0, line: 3, column: 7 }),
            path: "exporters.x/y.endpoint".to_owned(),
            message: "is required".to_owned(),
            is_warning: false,
        };
        assert_eq!(diagnostic.to_string(), "a.yaml:3:7: exporters.x/y.endpoint: is required");
        diagnostic.place = None;
        diagnostic.path.clear();
        assert_eq!(diagnostic.to_string(), "a.yaml: is required");
    }

    #[test]
    fn suggests_what_is_near_or_names_the_nearest() {
        assert_eq!(suggest("endpiont", ["endpoint", "timeout"]), "did you mean `endpoint`?");
        assert_eq!(suggest("Time-Out", ["endpoint", "timeout"]), "did you mean `timeout`?");
        assert_eq!(suggest("external-labels", ["external_labels"]), "did you mean `external_labels`?");
        assert_eq!(suggest("bogus", ["endpoint", "timeout"]), "there are endpoint, timeout");
        assert_eq!(suggest("bogus", []), "there are none");
        let known = ["endpoint", "retry_on_failure", "headers", "max_queue_bytes", "tls"];
        assert_eq!(
            suggest_key("queue_capacity_bytes", known),
            "the nearest are max_queue_bytes, retry_on_failure, endpoint"
        );
        assert_eq!(suggest_key("", known), "there are endpoint, retry_on_failure, headers and 2 more");
    }

    #[test]
    fn reports_in_the_order_of_places() {
        let report = Report::new(vec!["f".to_owned(), "g".to_owned()]);
        for (source, line) in [(1, 1), (0, 3), (0, 1), (0, 2), (0, 1)] {
            report.error(Place { source, line, column: 1 }, "", "x");
        }
        let Findings { errors, warnings, .. } = report.finish();
        assert_eq!(errors.to_string(), "f:1:1: x\nf:2:1: x\nf:3:1: x\ng:1:1: x");
        assert!(warnings.0.is_empty());
    }
}
