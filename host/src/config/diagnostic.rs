//! What is wrong with a configuration file, and where.

use std::cell::RefCell;
use std::fmt;
use std::fs::File;
use std::path::Path;

/// A position in one of the texts that a configuration is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Which of the texts, in their order, from 0.
    pub(super) source: usize,
    /// The line, from 1.
    pub line: usize,
    /// The character within the line, from 1.
    pub column: usize,
}

impl Place {
    /// Where a text begins.
    pub(super) const fn start_of(source: usize) -> Place {
        Place { source, line: 1, column: 1 }
    }
}

/// One problem of a configuration file. Displayed as `file:line:column: path.in.file: message`.
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
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(Place { line, column, .. }) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// What is said about a file, in the order of the places. Displayed one a line. As an error it is
/// never empty: all the problems that keep the file from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(pub Vec<Diagnostic>);

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
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Collects the problems of a configuration while it is read.
pub(super) struct Report {
    sources: Vec<String>,
    errors: RefCell<Vec<Diagnostic>>,
    warnings: RefCell<Vec<Diagnostic>>,
    missing: RefCell<Vec<Diagnostic>>,
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
        }
    }

    /// Notes what keeps the file from being used.
    pub fn error(&self, place: Place, path: &str, message: impl Into<String>) {
        note(&self.errors, self.diagnostic(place, path, message.into()));
    }

    /// Notes what the operator should know, though the file can be used.
    pub fn warn(&self, place: Place, path: &str, message: impl Into<String>) {
        note(&self.warnings, self.diagnostic(place, path, message.into()));
    }

    /// Notes that a file is named which must be there when the configuration is used.
    pub fn file(&self, place: Place, path: &str, file: &Path) {
        if let Err(error) = File::open(file) {
            let problem = format!("{} cannot be read: {error}", file.display());
            note(&self.missing, self.diagnostic(place, path, problem));
        }
    }

    /// What was found, each in the order of the places.
    pub fn finish(self) -> Findings {
        let in_order = |list: RefCell<Vec<Diagnostic>>| list.into_inner().into_iter().collect();
        Findings {
            errors: in_order(self.errors),
            warnings: in_order(self.warnings),
            missing: in_order(self.missing),
            sources: self.sources,
        }
    }

    fn diagnostic(&self, place: Place, path: &str, message: String) -> Diagnostic {
        Diagnostic { file: name_of(&self.sources, place), place: Some(place), path: path.to_owned(), message }
    }
}

/// What the text is called that a place is in.
pub(super) fn name_of(sources: &[String], place: Place) -> String {
    sources.get(place.source).cloned().unwrap_or_default()
}

/// Notes a problem once, however often its place is read.
fn note(list: &RefCell<Vec<Diagnostic>>, diagnostic: Diagnostic) {
    let mut list = list.borrow_mut();
    if !list.contains(&diagnostic) {
        list.push(diagnostic);
    }
}

/// The end of a message about a word that is not among those known: the nearest one if one is near,
/// else all of them.
pub(super) fn suggest<'c>(word: &str, known: impl IntoIterator<Item = &'c str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let comparable = |text: &str| text.to_ascii_lowercase().replace('-', "_");
    let word = comparable(word);
    let near = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &comparable(candidate)), *candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().div_ceil(3))
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "there are none".to_owned(),
        None => format!("there are {}", known.join(", ")),
    }
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
        };
        assert_eq!(diagnostic.to_string(), "a.yaml:3:7: exporters.x/y.endpoint: is required");
        diagnostic.place = None;
        diagnostic.path.clear();
        assert_eq!(diagnostic.to_string(), "a.yaml: is required");
    }

    #[test]
    fn suggests_what_is_near_and_lists_what_is_not() {
        assert_eq!(suggest("endpiont", ["endpoint", "timeout"]), "did you mean `endpoint`?");
        assert_eq!(suggest("Time-Out", ["endpoint", "timeout"]), "did you mean `timeout`?");
        assert_eq!(suggest("external-labels", ["external_labels"]), "did you mean `external_labels`?");
        assert_eq!(suggest("bogus", ["endpoint", "timeout"]), "there are endpoint, timeout");
        assert_eq!(suggest("bogus", []), "there are none");
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
