//! What the extensions `basicauth` and `bearertokenauth` give an exporter to show, and the user in a URL.

use super::ids::Component;
use super::senders::{BEARER, TYPES, client_auth, password, token};
use super::settings::{Authorization, Shown};
use super::view::keys::{Key, Text};
use super::view::{Section, View};
use percent_encoding::percent_decode_str;
use preamp_base::Secret;

/// What an extension has to have that an exporter names.
pub(super) const NEEDED: &str =
    "`client_auth` with `username` and `password` for basicauth, `token` or `filename` for bearertokenauth";

/// Reads an extension of these types; `None` if it gives an exporter nothing to show.
pub(super) fn read_authorization(extension: &Component) -> Option<Authorization> {
    if BEARER.contains(&extension.kind) {
        read_token(&extension.view.section(TYPES[0].tables))
    } else {
        read_password(&extension.view.section(TYPES[1].tables))
    }
}

fn read_token(section: &Section) -> Option<Authorization> {
    // Of several the Collector shows the first.
    let listed = section.get(&token::tokens).map(|view| view.list()).unwrap_or_default();
    let given = section.text(&token::token).map(|(token, _)| token);
    let given = given.or_else(|| listed.first().and_then(View::text));
    let token = match section.text(&token::filename) {
        Some((path, _)) => Shown::File(path.into()),
        None => secret(given?.trim()),
    };
    let (header, scheme) = (section.text_or_default(&token::header), section.value(&token::scheme));
    Some(Authorization::Token { header: header.to_ascii_lowercase(), scheme: scheme.to_owned(), token })
}

fn read_password(section: &Section) -> Option<Authorization> {
    let auth = section.within(&password::client_auth)?;
    if let Some(view) = section.get(&password::htpasswd) {
        view.key_error("cannot stand beside `client_auth`: it is for receivers, and that for exporters");
    }
    let username = shown(&auth, &client_auth::username, &client_auth::username_file);
    let password = shown(&auth, &client_auth::password, &client_auth::password_file);
    let Some(username) = username else {
        auth.report_missing(&client_auth::username, "lacks `username` or `username_file`");
        return None;
    };
    if let Some(view) =
        auth.get(&client_auth::username).filter(|view| view.text().is_some_and(|name| name.contains(':')))
    {
        view.error("a name cannot hold a colon, which parts it from the password (RFC 7617)");
    }
    auth.report_unset(&client_auth::password);
    // Some receivers take a token for a name, and ask for no password.
    Some(Authorization::Basic { username, password: password.unwrap_or_else(|| secret("")) })
}

fn shown(section: &Section, given: &Key<Text>, file: &Key<Text>) -> Option<Shown> {
    let given = section.text(given);
    if let Some((path, view)) = section.text(file) {
        if given.is_some() {
            view.warn("stands above the text beside it, which says nothing");
        }
        view.names_file(path.as_ref());
        return Some(Shown::File(path.into()));
    }
    given.map(|(text, _)| secret(text))
}

fn secret(text: &str) -> Shown {
    Shown::Given(Secret::new(text.to_owned()))
}

/// A URL without the user in it, and what that user shows; percent-encoded, as RFC 3986 has it.
pub(super) fn take_user(url: &str) -> (String, Option<Authorization>) {
    let whole = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else { return whole() };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let Some((user, host)) = authority.rsplit_once('@') else { return whole() };
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| secret(&percent_decode_str(text).decode_utf8_lossy());
    let authorization = Authorization::Basic { username: decoded(name), password: decoded(password) };
    (format!("{scheme}://{host}{path}"), Some(authorization))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_taken_out_of_a_url() {
        for (url, rest, user) in [
            ("https://12345:glc_token@h:443/a@b?c", "https://h:443/a@b?c", Some(("12345", "glc_token"))),
            ("https://a%40b:p%3A%2Fq@h", "https://h", Some(("a@b", "p:/q"))),
            ("https://token@h/", "https://h/", Some(("token", ""))),
            ("https://h/x@y", "https://h/x@y", None),
            ("h", "h", None),
        ] {
            let user = user.map(|(name, password)| Authorization::Basic {
                username: secret(name),
                password: secret(password),
            });
            assert_eq!(take_user(url), (rest.to_owned(), user), "{url}");
        }
    }
}
