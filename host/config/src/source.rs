//! The texts that a configuration is made of, and where they come from.

use super::substitution::{Environment, variable_name};
use preamp_base::files::{FileError, read_text};
use std::fmt;
use std::path::{Path, PathBuf};

/// What separates the keys of a path in `yaml:` sources and settings.
const PATH_SEPARATOR: &str = "::";

/// The most keys in a path: more than any configuration has.
const PATH_KEYS_MAX: usize = 32;

/// Where a part of a configuration comes from. Of several, later ones count over earlier ones.
#[derive(Clone, PartialEq, Eq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// YAML as it stands on the command line.
    Yaml(String),
    /// An environment variable that holds YAML.
    Variable(String),
    /// One value: the keys that lead to it, and YAML.
    Setting(String, String),
}

impl Source {
    /// Reads what the Collector's `--config` takes: a path, `file:PATH`, `env:NAME` or `yaml:TEXT`.
    ///
    /// # Errors
    ///
    /// Another scheme, or a name that none can have.
    pub fn of_config(text: &str) -> Result<Source, String> {
        let Some((scheme, rest)) = text.split_once(':') else { return Ok(Source::File(text.into())) };
        match scheme {
            "file" => Ok(Source::File(rest.into())),
            "yaml" => Ok(Source::Yaml(rest.to_owned())),
            "env" => Ok(Source::Variable(variable_name(rest)?.to_owned())),
            "http" | "https" => {
                Err("preamp fetches no configuration: save it in a file and name that".to_owned())
            }
            _ => Ok(Source::File(text.into())),
        }
    }

    /// Reads what the Collector's `--set` takes: `KEY.KEY=VALUE`. Where a key holds a dot, `::` stands
    /// between the keys instead.
    ///
    /// # Errors
    ///
    /// There is no `=`, or a key is empty.
    pub fn of_set(text: &str) -> Result<Source, String> {
        let Some((keys, value)) = text.split_once('=') else {
            return Err(
                "expected KEY.KEY=VALUE, such as exporters.prometheusremotewrite.timeout=10s".to_owned()
            );
        };
        let separator = if keys.contains(PATH_SEPARATOR) { PATH_SEPARATOR } else { "." };
        if keys.split(separator).any(str::is_empty) {
            return Err(format!("a key of `{keys}` is empty"));
        }
        Ok(Source::Setting(keys.replace(separator, PATH_SEPARATOR), value.to_owned()))
    }

    /// The file, if it is one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match self {
            Source::File(path) => Some(path),
            _ => None,
        }
    }

    /// The text, or why there is none.
    pub(super) fn text(&self, environment: Environment) -> Result<String, String> {
        match self {
            Source::File(path) => read_text(path).map_err(|error| match error {
                FileError::Kind(_) => format!("{error}, or in a variable, and say --config env:NAME"),
                error => error.to_string(),
            }),
            Source::Yaml(text) | Source::Setting(_, text) => Ok(text.clone()),
            Source::Variable(name) => environment(name).ok_or_else(|| "the variable is not set".to_owned()),
        }
    }

    /// The keys that lead to where the text belongs, from the outermost.
    pub(super) fn keys(&self) -> Vec<&str> {
        match self {
            Source::Setting(keys, _) => keys_of(keys),
            _ => Vec::new(),
        }
    }

    /// Whether this is one value, and not a whole configuration.
    pub(super) fn is_setting(&self) -> bool {
        matches!(self, Source::Setting(..))
    }

    /// Whether the text stands on the command line.
    pub(super) fn is_on_command_line(&self) -> bool {
        matches!(self, Source::Yaml(_) | Source::Setting(..))
    }

    /// Whether keys may be paths.
    pub(super) fn has_paths(&self) -> bool {
        matches!(self, Source::Yaml(_))
    }
}

impl fmt::Debug for Source {
    /// Without the text, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Source {
    /// What it is called in messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::File(path) => path.display().fmt(f),
            Source::Yaml(_) => f.write_str("--config yaml:"),
            Source::Variable(name) => write!(f, "--config env:{name}"),
            Source::Setting(keys, _) => write!(f, "--set {}", keys.replace(PATH_SEPARATOR, ".")),
        }
    }
}

/// The keys in a key that is a path.
pub(super) fn keys_of(path: &str) -> Vec<&str> {
    path.splitn(PATH_KEYS_MAX, PATH_SEPARATOR).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_named_as_in_the_collector() {
        for (text, source) in [
            ("a.yaml", Source::File("a.yaml".into())),
            ("file:/etc/a.yaml", Source::File("/etc/a.yaml".into())),
            ("C:\\a.yaml", Source::File("C:\\a.yaml".into())),
            ("yaml:a::b: 1", Source::Yaml("a::b: 1".to_owned())),
            ("env:CONFIG", Source::Variable("CONFIG".to_owned())),
        ] {
            assert_eq!(Source::of_config(text), Ok(source), "{text}");
        }
        assert!(Source::of_config("env:1").unwrap_err().contains("no name"));
        assert!(Source::of_config("https://example.com/a.yaml").unwrap_err().contains("save it in a file"));
    }

    #[test]
    fn settings_have_keys_and_a_value() {
        let setting = |keys: &str, value: &str| Ok(Source::Setting(keys.to_owned(), value.to_owned()));
        assert_eq!(Source::of_set("a.b=c=d"), setting("a::b", "c=d"));
        assert_eq!(Source::of_set("a::b.c=1"), setting("a::b.c", "1"));
        assert!(Source::of_set("a.b").unwrap_err().contains("KEY.KEY=VALUE"));
        assert!(Source::of_set("a..b=1").unwrap_err().contains("is empty"));
    }
}
