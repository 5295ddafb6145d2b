//! What the reference calls forms and defaults.

use crate::definition::{Form, Literal, Sort, Unit};

pub(super) fn count(min: i64, max: i64, unit: Unit) -> String {
    // Bounds that no one comes near say nothing.
    const FAR: i64 = 1_000_000;
    match unit {
        Unit::Bytes => "bytes".to_owned(),
        Unit::Mebibytes => "int, in MiB".to_owned(),
        Unit::Percent => "int, in percent".to_owned(),
        Unit::Things if max <= FAR => format!("int, {min} to {max}"),
        Unit::Things => "int".to_owned(),
    }
}

pub(super) fn text(sort: Sort) -> &'static str {
    match sort {
        Sort::Plain => "text",
        Sort::Address => "host:port",
        Sort::Url => "URL",
        Sort::Path => "path",
        Sort::Id => "component id",
        Sort::Permissions => "octal text",
        Sort::Secret => "secret text",
    }
}

/// A default as it would stand in a file, and a large number of bytes in its largest unit too.
pub(super) fn shown(literal: Literal, form: Form) -> String {
    const UNITS: [(i64, &str); 2] = [(1 << 30, "GiB"), (1 << 20, "MiB")];
    let text = quoted(&literal.text());
    let Literal::Count(bytes @ 1..) = literal else { return text };
    let unit = UNITS.into_iter().find(|(unit, _)| bytes % unit == 0);
    match (form, unit) {
        (Form::Count { unit: Unit::Bytes, .. }, Some((unit, name))) => {
            format!("{text} ({} {name})", bytes / unit)
        }
        _ => text,
    }
}

pub(super) fn quoted(text: &str) -> String {
    if text.is_empty() { "`\"\"`".to_owned() } else { format!("`{text}`") }
}
