//! `extensions.bearertokenauth` and `extensions.basicauth`: who may send.

use super::ids::Component;
use super::keys::{Key, ignored, read};
use super::settings::{Proof, Senders, Tokens};
use super::view::View;
use preamp_base::Secret;
use std::path::PathBuf;

/// The types, each with the name it is going to have.
pub(super) const BEARER: [&str; 2] = ["bearertokenauth", "bearer_token_auth"];
pub(super) const BASIC: [&str; 2] = ["basicauth", "basic_auth"];

const TOKEN: &[Key] = &[read("header"), read("scheme"), read("token"), read("tokens"), read("filename")];

const PASSWORD: &[Key] = &[
    read("htpasswd"),
    ignored("client_auth", "preamp's exporter shows no name and password of an extension"),
];

const HTPASSWD: &[Key] = &[read("file"), read("inline")];

/// Whether a type says who may send.
pub(super) fn is_of_senders(kind: &str) -> bool {
    BEARER.contains(&kind) || BASIC.contains(&kind)
}

/// Reads an extension of these types; `None` if it does not say who may send, as that of an exporter need not.
pub(super) fn read_senders(extension: &Component) -> Option<Senders> {
    let is_of_tokens = BEARER.contains(&extension.kind);
    let proof = if is_of_tokens { read_token(&extension.view) } else { read_password(&extension.view) };
    Some(Senders { extension: extension.id.to_owned(), proof: proof? })
}

/// What an extension has to have that says who may send.
pub(super) const NEEDED: &str =
    "`token`, `tokens` or `filename` for bearertokenauth, `htpasswd` with `file` or `inline` for basicauth";

fn read_token(view: &View) -> Option<Proof> {
    let section = view.section(&[TOKEN]);
    let header = section.text("header").map_or("authorization", |(name, _)| name);
    if header.parse::<http::HeaderName>().is_err()
        && let Some(view) = section.get("header")
    {
        view.error("is no name of a header field");
    }
    let scheme = section.get("scheme").and_then(|view| view.text()).unwrap_or("Bearer");
    let listed = section.get("tokens").map(|view| view.list()).unwrap_or_default();
    let listed = listed.iter().filter_map(|view| view.text());
    let tokens: Vec<_> = section.text("token").map(|(token, _)| token).into_iter().chain(listed).collect();
    let tokens = match section.text("filename") {
        Some((path, view)) => {
            if !tokens.is_empty() {
                view.warn("stands above `token` and `tokens`, which say nothing beside it");
            }
            view.names_file(path.as_ref());
            Tokens::File(path.into())
        }
        None => Tokens::Given(tokens.into_iter().map(|token| Secret::new(token.trim().to_owned())).collect()),
    };
    if matches!(&tokens, Tokens::Given(tokens) if tokens.iter().all(|token| token.expose().is_empty())) {
        return None;
    }
    Some(Proof::Token { header: header.to_ascii_lowercase(), scheme: scheme.to_owned(), tokens })
}

fn read_password(view: &View) -> Option<Proof> {
    let htpasswd = view.section(&[PASSWORD]).get("htpasswd").map(|view| view.section(&[HTPASSWD]));
    let text = |key| htpasswd.as_ref().and_then(|section| section.text(key));
    let file = text("file").map(|(path, view)| {
        view.names_file(path.as_ref());
        PathBuf::from(path)
    });
    let inline = text("inline").map(|(text, _)| Secret::new(text.to_owned()));
    (file.is_some() || inline.is_some()).then_some(Proof::Password { file, inline })
}
