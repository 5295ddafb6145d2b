//! Keys that stand in the wrong section: where they belong.

use crate::definition::{Definition, Form, Tables};

/// The most places that are named; a key that is in more of them belongs nowhere in particular.
const PLACES_MAX: usize = 3;

/// How deep in sections a key is looked for.
const DEPTH_MAX: usize = 3;

/// What other programs call a thing, and what stands for it here.
const FOREIGN: &[(&str, &str)] = &[
    ("sigv4", "sign with the extension `sigv4auth`, and name it in `auth.authenticator`"),
    ("basic_auth", "use the extension `basicauth` with `client_auth`, and name it in `auth.authenticator`"),
    ("authorization", "use the extension `bearertokenauth`, and name it in `auth.authenticator`"),
    ("bearer_token", "use the extension `bearertokenauth`, and name it in `auth.authenticator`"),
    (
        "bearer_token_file",
        "use the extension `bearertokenauth` with `filename`, and name it in `auth.authenticator`",
    ),
    ("role_arn", "write it as `assume_role.arn`"),
    ("queue_config", "write it as `remote_write_queue`"),
    ("remote_timeout", "write it as `timeout`"),
    ("tls_config", "write it as `tls`"),
    ("url", "write it as `endpoint`"),
];

/// The end of a message about a key that is not in `tables`, the keys of its section, but in a section below or beside,
/// or in the one `around`.
pub(super) fn find(name: &str, tables: Tables, around: Tables) -> Option<String> {
    let mut places = Vec::new();
    below(name, tables, &mut Vec::new(), &mut places);
    if places.is_empty() && keys(around).any(|key| key.name == name) {
        return Some("it belongs one level up".to_owned());
    }
    if places.is_empty() {
        below(name, around, &mut Vec::new(), &mut places);
    }
    if (1..=PLACES_MAX).contains(&places.len()) {
        let places: Vec<_> = places.iter().map(|place| format!("`{place}`")).collect();
        return Some(format!("it belongs under {}", places.join(" or ")));
    }
    let is_known = |foreign: &str| keys(tables).any(|key| foreign.contains(&format!("`{}", key.name)));
    let foreign = FOREIGN.iter().find(|(foreign, here)| *foreign == name && is_known(here));
    foreign.map(|(_, here)| (*here).to_owned())
}

fn keys(tables: Tables) -> impl Iterator<Item = &'static Definition> {
    tables.iter().copied().flatten()
}

/// Finds the sections of these keys that have a key of this name.
fn below(name: &str, tables: Tables, path: &mut Vec<&'static str>, found: &mut Vec<String>) {
    if path.len() >= DEPTH_MAX {
        return;
    }
    for key in keys(tables) {
        let Form::Section(within) = key.form else { continue };
        path.push(key.name);
        if keys(within).any(|key| key.name == name) {
            found.push(path.join("."));
        }
        below(name, within, path, found);
        path.pop();
    }
}
