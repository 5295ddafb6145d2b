//! What requests show of their sender: extensions, header fields, the user of a URL, and Prometheus' keys.

use super::{errors, read, warnings, with_exporter};
use crate::{Authorization, Shown, Source, load};
use preamp_base::Secret;

fn given(text: &str) -> Shown {
    Shown::Given(Secret::new(text.to_owned()))
}

fn basic(username: Shown, password: Shown) -> Authorization {
    Authorization::Basic { username, password }
}

fn token(header: &str, scheme: &str, token: Shown) -> Authorization {
    Authorization::Token { header: header.to_owned(), scheme: scheme.to_owned(), token }
}

/// A file whose exporter names an extension.
fn authenticated(extension: &str, keys: &str) -> String {
    let text = with_exporter(&format!("auth: {{authenticator: {extension}}}"));
    let text = text.replace("service: {", &format!("service: {{extensions: [{extension}], "));
    format!("{text}extensions: {{{extension}: {keys}}}\n")
}

fn authorization(text: &str) -> Option<Authorization> {
    let loaded = read(text).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(loaded.warnings, [], "{text}");
    assert!(!format!("{:?}", loaded.settings).contains("pa55"), "a secret is shown");
    loaded.settings.exporter.client.authorization
}

#[test]
fn extensions_give_an_exporter_what_it_shows() {
    let file = |path: &str| Shown::File(path.into());
    for (extension, keys, expected) in [
        ("basicauth/a", "{client_auth: {username: u, password: pa55}}", basic(given("u"), given("pa55"))),
        ("basic_auth", "{client_auth: {username: u}}", basic(given("u"), given(""))),
        ("basicauth", "{client_auth: {username: u, password_file: /p}}", basic(given("u"), file("/p"))),
        ("basicauth", "{client_auth: {username_file: /u, password_file: /p}}", basic(file("/u"), file("/p"))),
        ("bearertokenauth", "{token: pa55}", token("authorization", "Bearer", given("pa55"))),
        ("bearertokenauth", "{tokens: [pa55, b]}", token("authorization", "Bearer", given("pa55"))),
        ("bearer_token_auth/x", "{filename: /t, scheme: '', header: X-Key}", token("x-key", "", file("/t"))),
    ] {
        assert_eq!(authorization(&authenticated(extension, keys)), Some(expected), "{extension} {keys}");
    }
    let of_environment =
        authenticated("basicauth", "{client_auth: {username: u, password: '${env:SECRET}'}}");
    assert_eq!(authorization(&of_environment), Some(basic(given("u"), given("hunter2"))));
}

#[test]
fn an_extension_that_gives_nothing_is_no_authenticator() {
    for (extension, keys, message) in [
        (
            "basicauth",
            "{htpasswd: {inline: 'a:b'}}",
            "gives an exporter nothing to show: it needs `client_auth`",
        ),
        ("basicauth", "{client_auth: {password: p}}", "lacks `username` or `username_file`"),
        ("basicauth", "{client_auth: {username: 'a:b'}}", "cannot hold a colon"),
        (
            "basicauth",
            "{client_auth: {username: a}, htpasswd: {inline: 'a:b'}}",
            "cannot stand beside `client_auth`",
        ),
        (
            "basicauth",
            "{client_auth: {username: a, password: '${env:NONE}'}}",
            "the environment variable NONE is not set",
        ),
        ("bearertokenauth", "{}", "gives an exporter nothing to show"),
    ] {
        let said = errors(&authenticated(extension, keys));
        assert!(said.iter().any(|error| error.contains(message)), "{message}: {said:?}");
    }
    let off = authenticated("bearertokenauth", "{token: t}").replace("extensions: [bearertokenauth], ", "");
    assert!(errors(&off)[0].contains("is not switched on"), "{:?}", errors(&off));
}

#[test]
fn a_user_of_the_url_and_a_header_are_taken_where_nothing_else_authenticates() {
    let with_user = with_exporter("").replace("http://localhost", "http://12345:pa55%2F@localhost");
    assert_eq!(authorization(&with_user), Some(basic(given("12345"), given("pa55/"))));
    let exporter = read(&with_user).unwrap().settings.exporter;
    assert_eq!(exporter.endpoint, "http://localhost:9090/api/v1/write");
    assert!(!exporter.component_json.contains("pa55"));
    assert_eq!(authorization(&with_exporter("headers: {authorization: 'Bearer pa55'}")), None);
    for (text, message) in [
        (
            authenticated("sigv4auth", "{region: eu-west-1, service: aps}")
                .replace("http://localhost", "http://u:pa55@localhost"),
            "endpoint: holds a user, but requests are signed with AWS credentials",
        ),
        (
            authenticated("sigv4auth", "{region: eu-west-1, service: aps}")
                .replace("    auth:", "    headers: [{name: AUTHORIZATION, value: pa55}]\n    auth:"),
            "requests are signed with AWS credentials, and the signature stands in the same field",
        ),
        (
            authenticated("bearertokenauth", "{token: t}")
                .replace("    auth:", "    headers: {Authorization: pa55}\n    auth:"),
            "the extension in `auth.authenticator` sets the same field",
        ),
        (
            with_exporter("headers: {Authorization: pa55}")
                .replace("http://localhost", "http://u:pa55@localhost"),
            "the header `Authorization` says the same: keep one of the two",
        ),
        (
            with_exporter("").replace("http://localhost", "http://u:pa55/x@localhost"),
            "in a user or password, write `/` as %2F",
        ),
    ] {
        let said = errors(&text);
        assert!(said.iter().any(|error| error.contains(message)), "{message}: {said:?}");
        assert!(!said.concat().contains("pa55"), "{said:?}");
    }
}

#[test]
fn the_keys_of_prometheus_become_extensions() {
    let with = |keys: &str| format!("remote_write:\n  - url: http://localhost:9090/w\n    {keys}\n");
    let file = |path: &str| Shown::File(path.into());
    for (keys, expected) in [
        ("basic_auth: {username: 123, password: pa55}", basic(given("123"), given("pa55"))),
        ("basic_auth: {username: u, password: a$b}", basic(given("u"), given("a$b"))),
        ("basic_auth: {username_file: /u, password_file: /p}", basic(file("/u"), file("/p"))),
        ("authorization: {credentials: pa55}", token("authorization", "Bearer", given("pa55"))),
        ("authorization: {type: Token, credentials_file: /t}", token("authorization", "Token", file("/t"))),
        ("bearer_token: pa55", token("authorization", "Bearer", given("pa55"))),
        ("bearer_token_file: /t", token("authorization", "Bearer", file("/t"))),
    ] {
        assert_eq!(authorization(&with(keys)), Some(expected), "{keys}");
    }
    for (keys, message) in [
        ("bearer_token: a\n    basic_auth: {username: u}", "has more than one of sigv4, basic_auth"),
        ("authorization: {type: basic, credentials: a}", "write it as `basic_auth`"),
        ("basic_auth: {username: u, password_ref: a}", "known to Prometheus, but not supported"),
    ] {
        let said = errors(&with(keys));
        assert!(said.iter().any(|error| error.contains(message)), "{message}: {said:?}");
    }
}

#[test]
fn prometheus_takes_any_scalar_for_a_text_and_fills_in_variables_of_labels() {
    let text = "\
global: {external_labels: {cluster: one, replica: 0, canary: true, az: 1.10, port: $PORT, both: 'a-${PORT}-$$', none: }}
remote_write: [{url: 'http://localhost/w', headers: {X-Scope-OrgID: 42, X-On: true}}]
";
    let loaded = read(text).unwrap();
    assert_eq!(loaded.warnings, []);
    let component: serde_json::Value =
        serde_json::from_str(&loaded.settings.exporter.component_json).unwrap();
    assert_eq!(
        component["external_labels"],
        serde_json::json!({"cluster": "one", "replica": "0", "canary": "true", "az": "1.10", "port": "4317", "both": "a-4317-$"})
    );
    assert_eq!(component["headers"], serde_json::json!({"X-Scope-OrgID": "42", "X-On": "true"}));
}

#[test]
fn scrape_jobs_are_an_error_unless_they_are_left_out_on_purpose() {
    let text = "remote_write: [{url: 'http://h/w'}]\nscrape_configs: [{job_name: a}]\n";
    let said = errors(text);
    assert!(
        said.len() == 1 && said[0].starts_with("f:2:1: scrape_configs: ") && said[0].contains("--otlp-only"),
        "{said:?}"
    );
    assert!(
        errors(&text.replace("scrape_configs: [{job_name: a}]", "scrape_config_files: [a.yml]"))[0]
            .contains("--otlp-only")
    );
    assert_eq!(warnings(&text.replace("[{job_name: a}]", "[]")), [""; 0]);
    let source = Source::of_config(&format!("yaml:{text}")).unwrap();
    let request = crate::Request { otlp_only: true, ..source.into() };
    let loaded = load(&request, &|_| None).unwrap();
    assert!(loaded.warnings[0].message.contains("as --otlp-only says"), "{:?}", loaded.warnings);
}
