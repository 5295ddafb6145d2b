//! `extensions.bearertokenauth` and `extensions.basicauth`: who may send to a receiver. What they give an exporter to show
//! is read by `crate::authorization`.

use super::definition::{Sort, Type};
use super::ids::Component;
use super::settings::{Proof, Senders, Tokens};
use super::view::View;
use super::view::keys::{Key, Text, keys};
use preamp_base::Secret;
use std::path::PathBuf;

/// The types, each with the name it is going to have.
pub(super) const BEARER: [&str; 2] = ["bearertokenauth", "bearer_token_auth"];
pub(super) const BASIC: [&str; 2] = ["basicauth", "basic_auth"];

/// The same with their keys.
pub(super) const TYPES: &[Type] =
    &[Type::new(&BEARER, &[token::TABLE]), Type::new(&BASIC, &[password::TABLE])];

keys! {
    /// The keys of `bearertokenauth`.
    pub(super) mod token {
        /// The field of the request that holds the token.
        header: Text.or("Authorization"),
        /// What stands before the token there.
        scheme: Text.or("Bearer"),
        /// A token that is accepted; the one that an exporter shows.
        token: Text.sort(Sort::Secret),
        /// Tokens that are accepted. An exporter shows the first.
        tokens: Texts.sort(Sort::Secret),
        /// A file with a token on each line, of which an exporter shows the first. `token` and `tokens` say nothing beside
        /// it. It is read again when it changes.
        filename: Text.sort(Sort::Path),
    }
}

keys! {
    /// The keys of `basicauth`.
    pub(super) mod password {
        /// The users that a receiver accepts.
        htpasswd: Sub.of(&[htpasswd::TABLE]),
        /// The user that an exporter shows. One of the two may stand in an extension.
        client_auth: Sub.of(&[client_auth::TABLE]),
    }
}

keys! {
    /// The keys of `client_auth` of `basicauth`.
    pub(super) mod client_auth {
        /// The name.
        username: Text,
        /// The password.
        password: Text.sort(Sort::Secret),
        /// A file with the name, which stands above `username`. It is read again when it changes.
        username_file: Text.sort(Sort::Path),
        /// A file with the password, which stands above `password`. It is read again when it changes.
        password_file: Text.sort(Sort::Path),
    }
}

keys! {
    /// The keys of `htpasswd`.
    mod htpasswd {
        /// A file of `NAME:PASSWORD` lines; passwords plain, `{SHA}` or `{SSHA}`.
        file: Text.sort(Sort::Path),
        /// The same, in the configuration itself. It comes after the file.
        inline: Text.sort(Sort::Secret),
    }
}

/// Whether a type says who sends: to a receiver, or of an exporter.
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
    let section = view.section(TYPES[0].tables);
    let header = section.text_or_default(&token::header);
    if header.parse::<http::HeaderName>().is_err()
        && let Some(view) = section.get(&token::header)
    {
        view.error("is no name of a header field");
    }
    let scheme = section.value(&token::scheme);
    let listed = section.get(&token::tokens).map(|view| view.list()).unwrap_or_default();
    let listed = listed.iter().filter_map(|view| view.text());
    let tokens: Vec<_> =
        section.text(&token::token).map(|(token, _)| token).into_iter().chain(listed).collect();
    let tokens = match section.text(&token::filename) {
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
    let htpasswd = view.section(TYPES[1].tables).within(&password::htpasswd);
    let text = |key: &Key<Text>| htpasswd.as_ref().and_then(|section| section.text(key));
    let file = text(&htpasswd::file).map(|(path, view)| {
        view.names_file(path.as_ref());
        PathBuf::from(path)
    });
    let inline = text(&htpasswd::inline).map(|(text, _)| Secret::new(text.to_owned()));
    (file.is_some() || inline.is_some()).then_some(Proof::Password { file, inline })
}
