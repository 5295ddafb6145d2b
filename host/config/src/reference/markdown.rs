//! The reference as tables in Markdown.

use super::words::quoted;
use super::{Section, sections};
use crate::options::Options;
use std::fmt::Write as _;

/// The reference in Markdown: one table for each section. Sections with the same keys share one.
#[must_use]
pub fn markdown(options: &Options) -> String {
    let sections = sections(options);
    let mut text = String::new();
    for (number, section) in sections.iter().enumerate() {
        let earlier = &sections[..number];
        let is_same = |other: &&Section| is_part_of(section, other) && is_part_of(other, section);
        if section.keys.is_empty() || earlier.iter().any(|other| is_same(&other)) {
            continue;
        }
        let _written = write!(text, "### {}\n\n", heading(&section.path));
        let same = sections[number + 1..].iter().filter(is_same).map(|section| &section.path);
        let also: Vec<_> = section.others.iter().chain(same).map(|path| heading(path)).collect();
        if !also.is_empty() {
            let _written = write!(text, "The same: {}.\n\n", also.join(", "));
        }
        if let Some(whole) = earlier.iter().find(|other| is_part_of(section, other)) {
            let names: Vec<_> = section.keys.iter().map(|key| quoted(&key.name)).collect();
            let _written = write!(text, "These keys of {}: {}.\n\n", heading(&whole.path), names.join(", "));
            continue;
        }
        if let Some(base) = &section.base {
            let _written = write!(text, "All keys of {}, and:\n\n", heading(base));
        }
        text.push_str("| key | type | default | since | meaning |\n|---|---|---|---|---|\n");
        for key in &section.keys {
            let own = if key.is_own { "*Preamp's own.* " } else { "" };
            let cells = [&key.form, &key.default, &format!("{own}{}", key.meaning)]
                .map(|cell| cell.replace('|', "\\|"));
            let [form, default, meaning] = cells;
            let _written =
                writeln!(text, "| `{}` | {form} | {default} | {} | {meaning} |", key.name, key.since);
        }
        text.push('\n');
    }
    text
}

/// Whether all keys of a section are keys of another.
fn is_part_of(part: &Section, whole: &Section) -> bool {
    part.keys.iter().all(|key| whole.keys.iter().any(|other| other.is_like(key)))
}

fn heading(path: &str) -> String {
    if path.is_empty() { "The file".to_owned() } else { format!("`{path}`") }
}
