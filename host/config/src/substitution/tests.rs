use super::*;
use crate::Diagnostics;
use crate::diagnostic::Findings;

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "TEXT" => "plain",
        "NUMBER" => "5",
        "ZEROS" => "0123",
        "FLAG" => "true",
        "LIST" => "[a, b]",
        "EMPTY" => "",
        "NAME" => "TEXT",
        "CHAIN" => "<${env:TEXT}>",
        "LOOP" => "${LOOP}",
        "TWICE" => "${TWICE}${TWICE}",
        "NOT_YAML" => "[a",
        "DOLLARS" => "a$$b",
        _ => return None,
    };
    Some(value.to_owned())
}

/// Expands one value; the node and what was reported.
fn expand(value: &str) -> (Node, Vec<String>, Vec<String>) {
    let mut node = yaml::parse(&format!("'{value}'")).0.unwrap();
    let report = Report::new(vec!["f".to_owned()]);
    substitute([&mut node], &variables, &report);
    let messages = |list: Diagnostics| list.0.into_iter().map(|d| d.message).collect();
    let Findings { errors, warnings, .. } = report.finish();
    (node, messages(errors), messages(warnings))
}

#[test]
fn expands_in_text() {
    for (value, expected) in [
        ("a${env:TEXT}b", "aplainb"),
        ("a${TEXT}b${NUMBER}", "aplainb5"),
        ("a ${env:NONE:-fallback}", "a fallback"),
        ("a ${env:EMPTY:-fallback}", "a "),
        ("$TEXT", "$TEXT"),
        ("$${env:TEXT}", "${env:TEXT}"),
        ("$$${env:TEXT}", "$plain"),
        ("$${TEXT} ${TEXT}", "${TEXT} plain"),
        ("a$$b$", "a$b$"),
        (" ${env:${env:NAME}}", " plain"),
        (" ${env:NONE:-${TEXT}}", " plain"),
        (" ${CHAIN}", " <plain>"),
        (" ${DOLLARS}", " a$b"),
    ] {
        let (node, errors, _) = expand(value);
        assert_eq!((node.text.as_str(), errors.len()), (expected, 0), "{value}");
        assert!(matches!(node.value, Value::Text));
    }
}

#[test]
fn a_single_reference_keeps_its_type_and_its_text() {
    let value = |text| expand(text).0.value;
    assert!(matches!(value("${env:NUMBER}"), Value::Integer(5)));
    assert!(matches!(value("${env:FLAG}"), Value::Boolean(true)));
    assert!(matches!(value("${LIST}"), Value::List(items) if items.len() == 2));
    assert!(matches!(value("${env:NONE:-7}"), Value::Integer(7)));
    assert!(matches!(value("${NOT_YAML}"), Value::Text));
    assert!(matches!(value("${env:EMPTY}"), Value::Null));
    assert_eq!(expand("${ZEROS}").0.text, "0123");
    assert!(expand("${TEXT}").0.from_environment);
    assert!(!expand("$${TEXT}").0.from_environment);
}

#[test]
fn a_file_and_a_text_stand_for_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "secret-${TEXT}\n").unwrap();
    let (node, errors, _) = expand(&format!("${{file:{}}}", path.display()));
    assert_eq!((node.text.as_str(), node.from_environment, errors.len()), ("secret-plain", true, 0));
    assert_eq!(expand(&format!("a ${{file:{}}} b", path.display())).0.text, "a secret-plain b");
    assert!(matches!(expand("${yaml:[1, 2]}").0.value, Value::List(items) if items.len() == 2));
}

#[test]
fn what_was_written_is_kept_and_expanded_once() {
    let mut node = expand("$$${TEXT}$$").0;
    assert_eq!((node.text.as_str(), node.written.as_deref()), ("$plain$", Some("$$${TEXT}$$")));
    let report = Report::new(vec!["f".to_owned()]);
    substitute([&mut node], &variables, &report);
    assert_eq!(node.text, "$plain$");
}

#[test]
fn an_unset_variable_is_null_with_a_warning() {
    let (node, errors, warnings) = expand("${env:NONE}");
    assert!(matches!(node.value, Value::Null) && errors.is_empty());
    assert_eq!(warnings, ["the environment variable NONE is not set"]);
    assert_eq!(expand("a${NONE}").0.text, "a");
}

#[test]
fn what_cannot_be_expanded_is_an_error() {
    for (value, words) in [
        ("${env:TEXT", "closing"),
        ("${env:1A}", "no name"),
        ("${}", "no name"),
        ("${file:/no/such/file}", "/no/such/file cannot be read: No such file"),
        ("${https://example.com/x}", "${file:PATH}"),
        ("${vault:x}", "`env:` is expected"),
        ("${NONE:-x}", "${env:NONE:-x}"),
        ("${LOOP}", "inside each other"),
        ("${TWICE}", "inside each other"),
    ] {
        let (_, errors, _) = expand(value);
        assert!(errors.len() == 1 && errors[0].contains(words), "{value}: {errors:?}");
    }
}
