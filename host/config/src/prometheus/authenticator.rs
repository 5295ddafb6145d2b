//! How an entry of `remote_write` is authenticated: `sigv4`, `basic_auth`, `authorization`, or a bearer token.

use super::as_text;
use super::keys::{TYPE, authorization, basic_auth, remote_write, sigv4};
use crate::draft::{BASIC_AUTH, BEARER_AUTH, Draft, SERVICE, SIGNER};
use crate::view::Section;
use crate::view::keys::{Key, Other};
use crate::yaml::Node;

/// The extension that an entry comes to, with its id. More than one way is reported, as Prometheus does.
pub(super) fn read(draft: Draft, entry: &Section) -> Option<(&'static str, Node)> {
    let signer = entry.within(&remote_write::sigv4).map(|section| (SIGNER, signer(draft, &section)));
    let basic = entry.within(&remote_write::basic_auth).map(|section| (BASIC_AUTH, basic(draft, &section)));
    let token =
        entry.within(&remote_write::authorization).map(|section| (BEARER_AUTH, token(draft, &section)));
    let bearer = [("token", &remote_write::bearer_token), ("filename", &remote_write::bearer_token_file)];
    let bearer =
        bearer.into_iter().filter_map(|(key, of)| Some((BEARER_AUTH, draft.within(key, part(entry, of)?))));
    let mut ways = [signer, basic, token].into_iter().flatten().chain(bearer);
    let first = ways.next();
    if ways.next().is_some() {
        entry.view().error(
            "has more than one of sigv4, basic_auth, authorization, bearer_token and bearer_token_file: keep one of them",
        );
    }
    first
}

/// The text at a key, whatever scalar it is written as.
fn part(section: &Section, key: &Key<Other>) -> Option<Node> {
    section.get(key).map(|view| as_text(view.carried()))
}

fn basic(draft: Draft, section: &Section) -> Node {
    let part = |key: &Key<Other>| part(section, key);
    draft.within(
        "client_auth",
        draft.section([
            ("username", part(&basic_auth::username)),
            ("username_file", part(&basic_auth::username_file)),
            ("password", part(&basic_auth::password)),
            ("password_file", part(&basic_auth::password_file)),
        ]),
    )
}

fn token(draft: Draft, section: &Section) -> Node {
    let scheme = section.at(&TYPE);
    if let Some(view) =
        scheme.as_ref().filter(|view| view.text().is_some_and(|kind| kind.eq_ignore_ascii_case("basic")))
    {
        view.error("Prometheus takes no Basic here: write it as `basic_auth`");
    }
    draft.section([
        ("scheme", scheme.map(|view| view.carried())),
        ("token", part(section, &authorization::credentials)),
        ("filename", part(section, &authorization::credentials_file)),
    ])
}

fn signer(draft: Draft, section: &Section) -> Node {
    let part = |key: &Key<Other>| part(section, key);
    if let (Some(external_id), None) = (section.get(&sigv4::external_id), section.get(&sigv4::role_arn)) {
        external_id.key_error("says nothing without `role_arn`, the role to assume");
    }
    let role = part(&sigv4::role_arn)
        .map(|arn| draft.section([("arn", Some(arn)), ("external_id", part(&sigv4::external_id))]));
    draft.section([
        ("region", part(&sigv4::region)),
        ("service", Some(part(&sigv4::service_name).unwrap_or_else(|| draft.text(SERVICE)))),
        ("access_key", part(&sigv4::access_key)),
        ("secret_key", part(&sigv4::secret_key)),
        ("profile", part(&sigv4::profile)),
        ("use_fips_sts_endpoint", part(&sigv4::use_fips_sts_endpoint)),
        ("assume_role", role),
    ])
}
