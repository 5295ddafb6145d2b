//! The reference of all keys, and the tables of docs/configuration.md, which are made of it.

use super::{FULL, options};
use crate::definition::Class;
use crate::yaml::{self, Entry, Node, Value};
use crate::{key_references, markdown, schema};
use std::collections::BTreeSet;
use std::path::Path;

/// Between these lines the tables stand.
const BEGIN: &str = "<!-- made by `preamp config keys --markdown` -->\n\n";
const END: &str = "<!-- end -->\n";

/// Makes the tables anew where this variable is set.
const WRITE: &str = "PREAMP_WRITE_DOCS";

#[test]
fn the_tables_of_the_documentation_are_those_of_the_definitions() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = text.split_once(BEGIN).unwrap();
    let (tables, tail) = rest.split_once(END).unwrap();
    let made = markdown(&options());
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, [head, BEGIN, &made, END, tail].concat()).unwrap();
        return;
    }
    let different = tables.lines().zip(made.lines()).find(|(stands, made)| stands != made);
    assert!(
        tables == made,
        "docs/configuration.md is behind the definitions of keys ({different:?}): make it anew with\n\
         {WRITE}=1 cargo test -p preamp-config the_tables_of_the_documentation"
    );
}

#[test]
fn every_key_is_explained() {
    let keys = key_references(&options());
    assert!(keys.len() > 250, "{}", keys.len());
    for key in keys {
        assert!(key.meaning.ends_with('.'), "{}: {:?}", key.path(), key.meaning);
        assert!(!key.meaning.contains("  "), "{}: {:?}", key.path(), key.meaning);
    }
}

#[test]
fn every_key_of_the_full_file_is_in_the_reference_and_in_the_schema() {
    let paths: BTreeSet<_> = key_references(&options()).iter().map(|key| key.path()).collect();
    let schema = schema(&options()).to_string();
    let mut found = 0;
    collect(&yaml::parse(FULL).0.unwrap(), "", &mut |path, key| {
        assert!(paths.contains(path), "{path}");
        assert!(schema.contains(&format!("\"{key}\":")), "{key}");
        found += 1;
    });
    assert!(found > 140, "{found}");
}

/// Tells of each key that is not the operator's own, by its path in the reference.
fn collect(node: &Node, path: &str, tell: &mut impl FnMut(&str, &str)) {
    const COMPONENTS: [&str; 5] = ["receivers", "processors", "exporters", "extensions", "service.pipelines"];
    match &node.value {
        Value::Map(entries) => {
            for Entry { key, value, .. } in entries {
                let is_id = COMPONENTS.contains(&path);
                let name = key.split('/').next().filter(|_| is_id).unwrap_or(key);
                let below = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
                if !is_id {
                    tell(&below, key);
                }
                let is_free =
                    ["headers", "external_labels"].contains(&name) || below == "service.telemetry.resource";
                if !is_free {
                    collect(value, &below, tell);
                }
            }
        }
        Value::List(items) => items.iter().for_each(|item| collect(item, &format!("{path}[]"), tell)),
        _ => {}
    }
}

#[test]
fn every_option_of_the_component_is_a_key_or_is_set_by_the_host() {
    // What the host sets, or makes of keys of its own.
    const OF_HOST: [&str; 8] = [
        "digest",
        "endpoint",
        "headers",
        "max_payload_bytes",
        "partitions",
        "retry_on_failure",
        "sigv4",
        "user_agent",
    ];
    let known = options();
    let options = crate::exporter::OPTIONS.iter().map(|key| crate::reference::option_of(key));
    let ours: BTreeSet<_> = options.chain(OF_HOST).map(str::to_owned).collect();
    let component: BTreeSet<_> =
        known.property(&[]).unwrap()["properties"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(ours, component);
}

/// What helps is said in the names of the file that people write, and not in those of the component's JSON.
#[test]
fn remedies_of_the_core_name_keys_that_a_file_takes() {
    let renamed = crate::exporter::OPTIONS.iter().filter_map(|key| match key.class {
        Class::Option(option) if option != key.name => Some(option),
        _ => None,
    });
    let renamed: Vec<_> = renamed.chain(["sigv4.region", "sigv4 section"]).collect();
    assert!(renamed.contains(&"max_sample_age_ms"), "{renamed:?}");
    for folder in ["translate", "judge"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src").join(folder);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for file in files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")) {
            let text = std::fs::read_to_string(&file).unwrap();
            for option in &renamed {
                let said = [format!(" {option} "), format!(" {option}\""), format!(" {option},")];
                assert!(!said.iter().any(|said| text.contains(said)), "{} names {option}", file.display());
            }
        }
    }
}
