//! `tls` of the exporter and of the receivers, the proxy, and how connections are kept.

use super::*;
use crate::{ClientSettings, Connections, TlsVersion};
use std::time::Duration;

fn client(keys: &str) -> ClientSettings {
    read(&with_exporter(keys))
        .unwrap_or_else(|problems| panic!("{keys}: {problems}"))
        .settings
        .exporter
        .client
}

#[test]
fn a_client_trusts_and_is_somebody() {
    let tls = client(
        "tls: {ca_file: /ca.pem, include_system_ca_certs_pool: true, cert_file: /cert.pem, key_pem: secret-key, \
         server_name_override: other.example, min_version: \"1.3\", cipher_suites: [TLS_AES_128_GCM_SHA256]}",
    )
    .tls;
    assert_eq!(file_of(tls.ca.as_ref()), Some("/ca.pem".as_ref()));
    assert!(tls.include_system_ca_certs_pool && !tls.insecure_skip_verify);
    let identity = tls.identity.as_ref().unwrap();
    assert_eq!(file_of(Some(&identity.certificate)), Some("/cert.pem".as_ref()));
    assert!(matches!(&identity.key, Pem::Text(text) if text.expose() == "secret-key"));
    assert!(!format!("{tls:?}").contains("secret-key"), "{tls:?}");
    assert_eq!(tls.server_name.as_deref(), Some("other.example"));
    assert_eq!((tls.protocol.min, tls.protocol.max), (TlsVersion::V1_3, TlsVersion::V1_3));
    assert_eq!(tls.protocol.cipher_suites, ["TLS_AES_128_GCM_SHA256"]);
}

#[test]
fn wrong_tls_is_said() {
    for (keys, at, problem) in [
        ("cert_file: Cargo.toml", "cert_file", "needs the key of the certificate beside it: `key_file`"),
        ("key_pem: a", "key_pem", "needs the certificate of the key beside it"),
        ("ca_file: Cargo.toml, ca_pem: b", "ca_pem", "cannot stand beside `ca_file`: keep one of the two"),
        ("max_version: \"1.1\"", "max_version", "preamp speaks TLS 1.2 and newer only: write 1.2 or 1.3"),
        ("min_version: \"2\"", "min_version", "\"2\" is no version of TLS"),
        ("min_version: \"1.3\", max_version: \"1.2\"", "max_version", "is below `min_version`"),
        (
            "cipher_suites: [TLS_AES_128_GCM_SHA257]",
            "cipher_suites[0]",
            "did you mean `TLS_AES_128_GCM_SHA256`?",
        ),
    ] {
        let shown = errors(&with_exporter(&format!("tls: {{{keys}}}")));
        assert!(shown.len() == 1 && shown[0].contains(&format!("tls.{at}: ")), "{keys}: {shown:?}");
        assert!(shown[0].contains(problem), "{keys}: {shown:?}");
    }
    let old = warnings(&with_exporter("tls: {min_version: \"1.0\"}"));
    assert!(old[0].contains("preamp speaks TLS 1.2 and newer only"), "{old:?}");
}

#[test]
fn receivers_speak_tls_with_who_has_a_certificate() {
    let text = with_protocols(
        "grpc: {tls: {cert_file: /c, key_file: /k, client_ca_file: /ca}}\nhttp: {tls: {enabled: false}}",
    );
    let receiver = read(&text).unwrap().settings.receiver;
    let tls = receiver.grpc.unwrap().tls.unwrap();
    assert_eq!(file_of(tls.client_ca.as_ref()), Some("/ca".as_ref()));
    assert!(receiver.http.unwrap().tls.is_none());
    for (keys, problem) in [
        ("{}", "tls: lacks `cert_file` and `key_file`"),
        ("{cert_file: /c}", "tls.cert_file: needs the key of the certificate beside it"),
        ("{cert_file: /c, key_file: /k, ca_file: /ca}", "tls.ca_file: is whom a client trusts"),
        ("{cert_fiel: /c, key_file: /k}", "did you mean `cert_file`?"),
    ] {
        let shown = errors(&with_protocols(&format!("http: {{tls: {keys}}}")));
        assert!(shown.iter().any(|shown| shown.contains(problem)), "{keys}: {shown:?}");
    }
}

#[test]
fn a_proxy_is_spoken_to_by_http() {
    let proxy = client("proxy_url: http://user:secret@proxy:3128").proxy_url.unwrap();
    assert_eq!(proxy.expose(), "http://user:secret@proxy:3128");
    assert!(!format!("{proxy:?}").contains("secret@"));
    for url in ["socks5://user:secret@proxy:1080", "https://proxy", "user:secret@", "/secret"] {
        let shown = errors(&with_exporter(&format!("proxy_url: {url}")));
        assert!(shown.len() == 1 && shown[0].contains("write http://HOST:PORT"), "{url}: {shown:?}");
        assert!(!shown[0].contains("secret"), "{shown:?}");
    }
}

#[test]
fn connections_are_kept_as_the_file_says() {
    let kept = client(
        "max_idle_conns: 7\nmax_idle_conns_per_host: 3\nidle_conn_timeout: 90s\nforce_attempt_http2: false\n\
         http2_read_idle_timeout: 10s\nhttp2_ping_timeout: 2s",
    )
    .connections;
    let expected = Connections {
        idle_timeout: Some(Duration::from_secs(90)),
        max_idle: 3,
        offers_http2: false,
        http2_read_idle_timeout: Some(Duration::from_secs(10)),
        http2_ping_timeout: Duration::from_secs(2),
    };
    assert_eq!(kept, expected);
    assert_eq!(client("max_idle_conns: 0\nhttp2_ping_timeout: 0s").connections, Connections::default());
    assert_eq!(client("idle_conn_timeout: 0s").connections.idle_timeout, None);
    assert_eq!(client("disable_keep_alives: true").connections.max_idle, 0);
}
