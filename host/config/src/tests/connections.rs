//! Who may connect, for how long, and who may send.

use super::*;
use crate::{Hosts, OtlpReceiver, Proof, Serving, Tokens};
use std::time::Duration;

fn receiver(keys: &str) -> OtlpReceiver {
    read(&with_protocols(keys)).unwrap_or_else(|errors| panic!("{errors}")).settings.receiver
}

fn seconds(seconds: u64) -> Option<Duration> {
    Some(Duration::from_secs(seconds))
}

#[test]
fn every_key_of_the_full_file_arrives() {
    let settings = read(FULL).unwrap().settings;
    let (grpc, http) = (settings.receiver.grpc.unwrap(), settings.receiver.http.unwrap());
    let expected = Serving {
        idle_timeout: seconds(11),
        max_age: seconds(12),
        max_age_grace: seconds(13),
        ping_interval: seconds(14),
        ping_timeout: Duration::from_secs(15),
        max_concurrent_streams: 7,
        max_connections: 70,
        max_connections_per_address: Some(5),
        ..Serving::default()
    };
    assert_eq!(grpc.serving, expected);
    let expected = Serving {
        read_timeout: seconds(16),
        read_header_timeout: seconds(17),
        write_timeout: seconds(18),
        idle_timeout: seconds(19),
        keeps_alive: false,
        hosts: Hosts::Named(vec!["otlp.example.com".to_owned()]),
        ..Serving::default()
    };
    assert_eq!(http.serving, expected);
    let (grpc, http) = (grpc.senders.unwrap(), http.senders.unwrap());
    assert_eq!(
        (grpc.extension.as_str(), http.extension.as_str()),
        ("basicauth/edge", "bearertokenauth/edge")
    );
    let Proof::Password { file, inline } = grpc.proof else { panic!("{grpc:?}") };
    assert_eq!((file, inline.unwrap().expose()), (Some("/etc/htpasswd".into()), "me:hunter2"));
    let Proof::Token { header, scheme, tokens: Tokens::Given(tokens) } = http.proof else {
        panic!("{http:?}")
    };
    assert_eq!((header.as_str(), scheme.as_str()), ("x-token", "Token"));
    assert_eq!(tokens.iter().map(|token| token.expose()).collect::<Vec<_>>(), ["hunter2", "two"]);
}

#[test]
fn what_is_not_said_has_limits_all_the_same() {
    let OtlpReceiver { grpc, http, .. } = receiver("grpc:\nhttp:");
    for listener in [grpc.unwrap(), http.unwrap()] {
        assert_eq!((&listener.serving, listener.senders), (&Serving::default(), None));
        assert!(listener.serving.idle_timeout.is_some() && listener.serving.read_header_timeout.is_some());
    }
}

#[test]
fn a_time_of_0_is_what_it_is_in_the_collector_and_warned_about() {
    let keys = "http: {read_timeout: 0s, read_header_timeout: 0s, write_timeout: 0s, idle_timeout: 0s}";
    let serving = receiver(keys).http.unwrap().serving;
    let times =
        [serving.read_timeout, serving.read_header_timeout, serving.write_timeout, serving.idle_timeout];
    assert_eq!(times, [None; 4]);
    let told = warnings(&with_protocols(keys));
    assert_eq!(told.len(), 4, "{told:?}");
    assert!(told.iter().all(|warning| warning.contains("0 sets no limit")), "{told:?}");
    let keys = "http: {read_timeout: 9s, read_header_timeout: 0s, idle_timeout: 0s}";
    let serving = receiver(keys).http.unwrap().serving;
    assert_eq!([serving.read_header_timeout, serving.idle_timeout], [seconds(9); 2], "as in Go");
    assert_eq!(warnings(&with_protocols(keys)), [""; 0]);
    let keys = "grpc: {max_concurrent_streams: 0, keepalive: {server_parameters: {time: 0s, max_connection_idle: 0s}}}";
    assert_eq!(receiver(keys).grpc.unwrap().serving, Serving::default(), "as in gRPC for Go");
    let keys = "grpc: {keepalive: {enforcement_policy: {min_time: 1s}}}";
    assert!(warnings(&with_protocols(keys))[0].contains("enforcement_policy: is ignored"));
}

#[test]
fn what_cannot_be_meant_is_said() {
    for (keys, expected) in [
        (
            "http: {max_connections: 0}",
            "31: P.http.max_connections: expected a whole number from 1 to 1000000, found 0",
        ),
        (
            "http: {allowed_hosts: [\"a:80\"]}",
            "30: P.http.allowed_hosts[0]: expected the name of a host, without a port, or \"*\"; found \"a:80\"",
        ),
        (
            "http: {auth: {authenticator: oidc}}",
            "36: P.http.auth.authenticator: no extension `oidc` is defined; there are none",
        ),
        ("grpc: {auth: {}}", "20: P.grpc.auth: lacks `authenticator`, the id of an extension"),
        (
            "grpc: {keepalive: {server_parameters: {tiem: 1s}}}",
            "46: P.grpc.keepalive.server_parameters.tiem: unknown key; did you mean `time`?",
        ),
    ] {
        let expected = format!("f:4:{}", expected.replace("P.", "receivers.otlp.protocols."));
        assert_eq!(errors(&with_protocols(keys)), [expected], "{keys}");
    }
    assert_eq!(receiver("http: {allowed_hosts: ['*']}").http.unwrap().serving.hosts, Hosts::Any);
}

/// A file whose receiver asks an extension.
fn asking(extension: &str, keys: &str) -> String {
    let text = with_protocols(&format!("http: {{auth: {{authenticator: {extension}}}}}"));
    let text = text.replace("service: {", &format!("service: {{extensions: [{extension}], "));
    format!("extensions: {{{extension}: {keys}}}\n{text}")
}

#[test]
fn senders_are_asked_by_extensions_that_say_who_they_are() {
    let proof = |extension, keys| {
        let loaded = read(&asking(extension, keys)).unwrap_or_else(|errors| panic!("{errors}"));
        loaded.settings.receiver.http.unwrap().senders.unwrap().proof
    };
    let Proof::Token { header, scheme, tokens } =
        proof("bearertokenauth", "{token: t, filename: /run/tokens}")
    else {
        panic!("no token")
    };
    assert_eq!((header.as_str(), scheme.as_str()), ("authorization", "Bearer"));
    assert_eq!(tokens, Tokens::File("/run/tokens".into()));
    assert!(matches!(
        proof("basic_auth/x", "{htpasswd: {inline: 'a:b'}}"),
        Proof::Password { file: None, .. }
    ));
    for (extension, keys) in [
        ("bearertokenauth", "{}"),
        ("bearertokenauth", "{token: ''}"),
        ("basicauth", "{client_auth: {username: a, password: b}}"),
        ("basicauth", "{htpasswd: {}}"),
    ] {
        let told = errors(&asking(extension, keys));
        assert!(told.len() == 1 && told[0].contains("does not say who may send"), "{told:?}");
    }
    let told = errors(&asking("sigv4auth", "{}"));
    assert!(told[0].contains("it takes bearertokenauth or basicauth"), "{told:?}");
    let off = asking("basicauth", "{htpasswd: {inline: 'a:b'}}").replace("extensions: [basicauth], ", "");
    assert!(errors(&off)[0].contains("is not switched on"), "{:?}", errors(&off));
    let unused =
        asking("basicauth", "{htpasswd: {inline: 'a:b'}}").replace("auth: {authenticator: basicauth}", "");
    assert!(warnings(&unused)[0].contains("it does nothing"), "{:?}", warnings(&unused));
}
