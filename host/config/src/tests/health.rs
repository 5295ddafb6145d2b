//! The extensions that tell whether the process is well.

use super::{errors, read, warnings, with_service};
use crate::{Health, HealthAnswer};
use std::time::Duration;

fn with_health(id: &str, keys: &str) -> String {
    with_service(&format!("extensions: [{id}]")) + &format!("extensions:\n  {id}: {keys}\n")
}

fn health(id: &str, keys: &str) -> Option<Health> {
    read(&with_health(id, keys)).unwrap().settings.health
}

#[test]
fn both_styles_have_the_defaults_of_the_collector() {
    let plain =
        |path: &str| HealthAnswer::Available { path: path.to_owned(), healthy: None, unhealthy: None };
    for id in ["health_check", "healthcheckv2/a"] {
        let health = health(id, "").unwrap();
        assert_eq!((health.endpoint.as_str(), health.answer), ("localhost:13133", plain("/")));
        assert_eq!(health.id, id);
    }
    let other =
        health("health_check", "{endpoint: ':1', path: /well, response_body: {healthy: yes!}}").unwrap();
    let HealthAnswer::Available { path, healthy, unhealthy } = other.answer else { panic!("{other:?}") };
    assert_eq!((path.as_str(), healthy.as_deref(), unhealthy), ("/well", Some("yes!"), None));
    assert_eq!(other.endpoint, ":1");
    for (keys, path, recovery) in [
        ("{use_v2: true, http: {}}", "/status", None),
        (
            "{use_v2: true, http: {status: {path: /s}}, component_health: {include_recoverable_errors: true}}",
            "/s",
            Some(300),
        ),
        (
            "{use_v2: true, http: {}, component_health: {include_recoverable_errors: true, recovery_duration: 9s}}",
            "/status",
            Some(9),
        ),
    ] {
        let recovery = recovery.map(Duration::from_secs);
        let expected = HealthAnswer::Status { path: path.to_owned(), recovery };
        assert_eq!(health("healthcheckv2", keys).unwrap().answer, expected);
    }
    assert_eq!(health("healthcheckv2", "{use_v2: true, http: {status: {enabled: false}}}"), None);
    assert!(warnings(&with_health("health_check", "{use_v2: true}"))[0].contains("it needs `http`"));
}

#[test]
fn what_is_wrong_is_said() {
    for (keys, message) in [
        ("{endpoint: x}", "extensions.health_check.endpoint: expected host:port"),
        ("{pth: /}", "extensions.health_check.pth: unknown key; did you mean `path`?"),
        ("{response_body: {healty: x}}", "unknown key; did you mean `healthy`?"),
        ("{auth: {authenticator: x}}", "extensions.health_check.auth: known to the Collector"),
        ("{use_v2: true, http: {config: {enabled: true}}}", "http.config.enabled: known to the Collector"),
        ("{grpc: {}}", "extensions.health_check.grpc: known to the Collector"),
        ("{tls: {cert_file: /x}}", "extensions.health_check.tls"),
    ] {
        let errors = errors(&with_health("health_check", keys));
        assert!(errors.iter().any(|error| error.contains(message)), "{message}: {errors:?}");
    }
    let two = with_service("extensions: [health_check, health_check/b]")
        + "extensions: {health_check: , health_check/b: }\n";
    assert!(errors(&two)[0].contains("health_check/b: a second one that tells of health"));
}
