//! The pairing of `extensions.sigv4auth` with the exporter.

use super::*;

/// A file that signs; the extension stands in line 2, the endpoint in line 5.
fn signed(extension: &str, endpoint: &str) -> String {
    format!(
        "extensions:
  sigv4auth: {extension}
exporters:
  prometheusremotewrite:
    endpoint: {endpoint}
    auth: {{authenticator: sigv4auth}}
receivers: {{otlp: {{protocols: {{http: }}}}}}
service:
  extensions: [sigv4auth]
  pipelines: {{metrics: {{receivers: [otlp], exporters: [prometheusremotewrite]}}}}
"
    )
}

const AMP: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";
const PROXY: &str = "https://proxy.example.com/api/v1/remote_write";

fn scope(extension: &str, endpoint: &str) -> (String, String) {
    let sigv4 = read(&signed(extension, endpoint)).unwrap().settings.exporter.sigv4.unwrap();
    (sigv4.region, sigv4.service)
}

#[test]
fn the_scope_is_read_or_inferred() {
    let pair = |region: &str, service: &str| (region.to_owned(), service.to_owned());
    assert_eq!(scope("", AMP), pair("eu-west-1", "aps"));
    let vpc = "https://vpce-1.aps-workspaces.us-east-2.vpce.amazonaws.com/workspaces/w/api/v1/remote_write";
    assert_eq!(scope("{}", vpc), pair("us-east-2", "aps"));
    assert_eq!(scope("{region: eu-west-1}", AMP), pair("eu-west-1", "aps"));
    assert_eq!(scope("{region: r, service: s}", PROXY), pair("r", "s"));
    assert!(warnings(&signed("{region: eu-west-1}", AMP)).is_empty());
    let renamed = signed("", AMP).replace("sigv4auth", "sigv4_auth");
    assert!(read(&renamed).unwrap().settings.exporter.sigv4.is_some());
}

#[test]
fn a_scope_that_nothing_tells_is_an_error() {
    assert_eq!(
        errors(&signed("{service: aps}", PROXY)),
        [
            "f:2:14: extensions.sigv4auth: lacks region, and the endpoint's host proxy.example.com does not tell"
        ]
    );
    assert_eq!(
        errors(&signed("", PROXY)),
        [
            "f:2:3: extensions.sigv4auth: lacks region and service, and the endpoint's host proxy.example.com does \
          not tell"
        ]
    );
}

#[test]
fn a_region_other_than_the_hosts_is_named_with_it() {
    let warnings = warnings(&signed("{region: us-west-2}", AMP));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].starts_with("f:2:15: extensions.sigv4auth.region: the region \"us-west-2\" differs"));
    assert!(warnings[0].contains("eu-west-1"));
}

#[test]
fn the_url_of_a_workspace_is_corrected() {
    let base = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1";
    for tail in ["", "/", "/api/v1/query", "/api/v1/remote_write/", "/api/v1/remote_write?x=1"] {
        assert_eq!(
            errors(&signed("", &format!("{base}{tail}"))),
            [format!(
                "f:5:15: exporters.prometheusremotewrite.endpoint: is not the remote-write URL of the workspace: \
                 write {AMP}"
            )]
        );
    }
    for tail in
        ["", "/", "/workspaces", "/workspaces/", "/workspaces//api/v1/remote_write", "/api/v1/remote_write"]
    {
        let url = format!("https://aps-workspaces.eu-west-1.amazonaws.com{tail}");
        let errors = errors(&signed("", &url));
        assert!(errors.len() == 1 && errors[0].contains("names no workspace"), "{tail}: {errors:?}");
    }
}

#[test]
fn the_authenticator_must_be_a_signer_that_is_switched_on() {
    let off = signed("", AMP).replace("  extensions: [sigv4auth]\n", "");
    assert_eq!(
        errors(&off),
        [
            "f:6:27: exporters.prometheusremotewrite.auth.authenticator: the extension `sigv4auth` is not switched \
          on: list it in `service.extensions`"
        ]
    );
    let misspelt = signed("", AMP).replace("authenticator: sigv4auth", "authenticator: sigv4auht");
    assert_eq!(
        errors(&misspelt),
        [
            "f:6:27: exporters.prometheusremotewrite.auth.authenticator: no extension `sigv4auht` is defined; did \
          you mean `sigv4auth`?"
        ]
    );
    let other = signed("", AMP).replace("sigv4auth", "basicauth/x");
    assert_eq!(
        errors(&other),
        [
            "f:6:27: exporters.prometheusremotewrite.auth.authenticator: the authenticator `basicauth` is known \
             to the Collector, but not supported by this version of preamp yet; it takes sigv4auth",
            "f:9:16: service.extensions[0]: the extension type `basicauth` is not supported by this version of \
             preamp yet; there are sigv4auth, sigv4_auth",
        ]
    );
}

#[test]
fn roles_are_not_dropped() {
    assert_eq!(
        errors(&signed("{assume_role: {arn: x}}", AMP)),
        [
            "f:2:15: extensions.sigv4auth.assume_role: known to the Collector, but not supported by this version of \
          preamp yet; leave it out"
        ]
    );
    assert!(errors(&signed("{assume_role: {}}", AMP)).is_empty());
}

#[test]
fn unsigned_or_unencrypted_requests_to_amp_are_warned_of() {
    let unsigned = signed("", AMP).replace("    auth: {authenticator: sigv4auth}\n", "");
    let shown = warnings(&unsigned);
    assert!(shown[0].starts_with("f:2:3: extensions.sigv4auth: no exporter names it"), "{shown:?}");
    assert!(shown[1].starts_with("f:5:5: exporters.prometheusremotewrite.endpoint: Amazon"), "{shown:?}");
    assert!(warnings(&signed("", &AMP.replace("https", "http")))[0].contains("without encryption"));
}
