//! The pairing of `extensions.sigv4auth` with the exporter.

use super::*;
use crate::{AssumeRole, AwsCredentials, BaseCredentials};
use std::time::Duration;

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
    let other = signed("", AMP).replace("sigv4auth", "oauth2client/x");
    assert_eq!(
        errors(&other),
        [
            "f:6:27: exporters.prometheusremotewrite.auth.authenticator: the authenticator `oauth2client` is \
             known to the Collector, but not supported by this version of preamp yet; it takes sigv4auth, basicauth or \
             bearertokenauth",
            "f:9:16: service.extensions[0]: the extension type `oauth2client` is not supported by this version of preamp \
             yet; there are sigv4auth, sigv4_auth, bearertokenauth, bearer_token_auth, basicauth, basic_auth, \
             health_check, healthcheckv2, file_storage, nats",
        ]
    );
}

const ROLE: &str = "arn:aws:iam::123456789012:role/writer";

#[test]
fn roles_are_read() {
    let keys = format!(
        "{{assume_role: {{arn: \"{ROLE}\", session_name: preamp@host, sts_region: us-east-2, external_id: a/b, \
         session_duration: 30m, expiry_window: 10s}}, use_fips_sts_endpoint: true, profile: writer}}"
    );
    let loaded = read(&signed(&keys, AMP)).unwrap();
    let credentials = loaded.settings.exporter.sigv4.unwrap().credentials;
    let role = AssumeRole {
        arn: ROLE.to_owned(),
        session_name: Some("preamp@host".to_owned()),
        sts_region: Some("us-east-2".to_owned()),
        external_id: Some("a/b".to_owned()),
        web_identity_token_file: None,
        session_duration: Some(Duration::from_secs(30 * 60)),
        expiry_window: Duration::from_secs(10),
    };
    let base = BaseCredentials::Profile("writer".to_owned());
    assert_eq!(credentials, AwsCredentials { base, assume_role: Some(role), use_fips_sts_endpoint: true });
    assert_eq!(loaded.warnings, []);
}

#[test]
fn wrong_roles_are_said() {
    const AT: &str = "extensions.sigv4auth.assume_role";
    for (keys, problem) in [
        ("{arn: some_role}", ".arn: \"some_role\" is no ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME"),
        ("{arn: ARN, session_name: a b}", ".session_name: STS takes 2 to 64 letters"),
        ("{arn: ARN, external_id: x}", ".external_id: STS takes 2 to 1224 letters"),
        ("{arn: ARN, session_duration: 14m}", ".session_duration: STS gives sessions of 15m to 12h"),
        ("{web_identity_token_file: /token}", ".web_identity_token_file: needs `arn` beside it"),
    ] {
        let shown = errors(&signed(&format!("{{assume_role: {}}}", keys.replace("ARN", ROLE)), AMP));
        assert!(shown.len() == 1 && shown[0].contains(&format!("{AT}{problem}")), "{keys}: {shown:?}");
    }
    assert!(errors(&signed("{assume_role: {}}", AMP)).is_empty());
    let ineffective = warnings(&signed("{assume_role: {session_name: preamp}}", AMP));
    assert!(ineffective[0].contains(".session_name: does nothing without `arn`"), "{ineffective:?}");
}

#[test]
fn key_pairs_stand_together_and_alone() {
    let keys = |keys: &str| signed(keys, AMP);
    let half = errors(&keys("{access_key: AKIDEXAMPLE}"));
    assert!(half[0].contains("sigv4auth.access_key: needs `secret_key` beside it"), "{half:?}");
    let other_half = errors(&keys("{secret_key: hunter2}"));
    assert!(other_half[0].contains("sigv4auth.secret_key: needs `access_key` beside it"), "{other_half:?}");
    assert!(!other_half[0].contains("hunter2"));
    let both = errors(&keys("{access_key: AKIDEXAMPLE, secret_key: hunter2, profile: p}"));
    assert!(both[0].contains("sigv4auth.profile: cannot stand beside `access_key`"), "{both:?}");
}

#[test]
fn unsigned_or_unencrypted_requests_to_amp_are_warned_of() {
    let unsigned = signed("", AMP).replace("    auth: {authenticator: sigv4auth}\n", "");
    let shown = warnings(&unsigned);
    assert!(shown[0].starts_with("f:2:3: extensions.sigv4auth: no exporter names it"), "{shown:?}");
    assert!(shown[1].starts_with("f:5:5: exporters.prometheusremotewrite.endpoint: Amazon"), "{shown:?}");
    assert!(warnings(&signed("", &AMP.replace("https", "http")))[0].contains("without encryption"));
}
