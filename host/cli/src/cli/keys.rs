//! `preamp config`: the reference of all keys, and the JSON Schema of a file.

use crate::embedded;
use anyhow::bail;
use clap::{Args, Subcommand};
use preamp_base::printable;
use preamp_config::{KeyReference, Options, key_references, markdown, schema};
use preamp_wasm::Component;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print the JSON Schema (draft 2020-12) of a Collector file.
    ///
    /// Editors complete and check a file by it. A file that preamp takes fits the schema; the other way round `preamp
    /// validate` checks more: what refers to what, and what cannot stand together.
    Schema,
    /// List the keys: type, default, version and meaning.
    Keys(KeysArgs),
}

#[derive(Args, Debug)]
pub(super) struct KeysArgs {
    /// Only keys that have all of these words in their path or meaning.
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
    /// As the tables of docs/configuration.md, all of them.
    #[arg(long, conflicts_with_all = ["json", "words"])]
    markdown: bool,
}

/// Does what was asked for.
pub(super) fn config(command: &ConfigCommand) -> anyhow::Result<()> {
    let options = options(&embedded::load()?)?;
    let text = match command {
        ConfigCommand::Schema => serde_json::to_string_pretty(&schema(&options))? + "\n",
        ConfigCommand::Keys(args) if args.markdown => markdown(&options),
        ConfigCommand::Keys(args) => keys(args, &options)?,
    };
    Ok(printable::stdout().write_all(text.as_bytes())?)
}

/// The options of the component, as it describes them.
pub(super) fn options(component: &Component) -> anyhow::Result<Options> {
    Ok(Options::read(&preamp_wasm::describe(component)?)?)
}

fn keys(args: &KeysArgs, options: &Options) -> anyhow::Result<String> {
    let words: Vec<_> = args.words.iter().map(|word| word.to_lowercase()).collect();
    let keys: Vec<_> = key_references(options).into_iter().filter(|key| has_words(key, &words)).collect();
    if keys.is_empty() {
        bail!(
            "no key has {} in its path or meaning; without a word `preamp config keys` lists all",
            words.join(" and ")
        );
    }
    if args.json {
        let keys: Vec<_> = keys.iter().map(as_json).collect();
        return Ok(serde_json::to_string_pretty(&keys)? + "\n");
    }
    Ok(keys.iter().map(as_text).collect())
}

fn has_words(key: &KeyReference, words: &[String]) -> bool {
    let text = format!("{} {}", key.path(), key.meaning).to_lowercase();
    words.iter().all(|word| text.contains(word))
}

/// A key in two lines.
fn as_text(key: &KeyReference) -> String {
    let mut text = key.path();
    if !key.form.is_empty() {
        let _written = write!(text, "  {}", key.form);
    }
    if !key.default.is_empty() {
        let _written = write!(text, "  [{}]", key.default.replace('`', ""));
    }
    let own = if key.is_own { "Preamp's own. " } else { "" };
    let _written = writeln!(text, "\n    {own}{} Since {}.", key.meaning, key.since);
    text
}

fn as_json(key: &KeyReference) -> serde_json::Value {
    json!({
        "key": key.path(),
        "class": key.class.name(),
        "own": key.is_own,
        "type": key.form,
        "default": key.default.replace('`', ""),
        "since": key.since,
        "meaning": key.meaning,
    })
}
