//! Feature gates, and the keys of metadata.

use super::{environment, with_exporter};
use crate::{FeatureGates, Loaded, Request, Source, load};

const KEEP: &str = "pkg.prometheus.KeepIdentifyingResourceAttributes";

fn loaded(exporter: &str, gates: &str) -> Result<Loaded, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f");
    std::fs::write(&path, with_exporter(exporter)).unwrap();
    let feature_gates = FeatureGates::parse(gates).unwrap();
    let request = Request { sources: vec![Source::File(path)], feature_gates, ..Request::default() };
    load(&request, &environment).map_err(|errors| errors.to_string())
}

#[test]
fn gates_are_read_as_the_collector_reads_them() {
    let options = |list: &str| FeatureGates::parse(list).map(|gates| gates.options().collect::<Vec<_>>());
    let keep = vec!["keep_identifying_resource_attributes"];
    assert_eq!(options(KEEP), Ok(keep.clone()));
    assert_eq!(options(&format!("+{KEEP}, ,-exporter.prometheusremotewritexporter.RetryOn429")), Ok(keep));
    assert_eq!(options(&format!("-{KEEP}")), Ok(vec![]));
    assert_eq!(options(""), Ok(vec![]));
    let unknown = options("pkg.prometheus.Other").unwrap_err();
    assert!(
        unknown.contains("no such feature gate \"pkg.prometheus.Other\"") && unknown.contains(KEEP),
        "{unknown}"
    );
    let stable = options("-pkg.translator.prometheus.PermissiveLabelSanitization").unwrap_err();
    assert!(stable.contains("label_names: contrib-0.156"), "{stable}");
    let mut gates = FeatureGates::parse(KEEP).unwrap();
    gates.add(&FeatureGates::parse(&format!("-{KEEP}")).unwrap());
    assert_eq!(gates.options().count(), 0);
}

#[test]
fn gates_change_what_the_exporter_is_told() {
    let set = |exporter, gates| {
        let json = loaded(exporter, gates).unwrap().settings.exporter.component_json;
        json.contains(r#""keep_identifying_resource_attributes":true"#)
    };
    assert!(set("", KEEP));
    assert!(!set("", ""));
    // What stands in the file counts over it.
    assert!(!set("keep_identifying_resource_attributes: false", KEEP));
}

#[test]
fn gates_refuse_what_the_collector_refuses_with_them() {
    let gate = "exporter.prometheusremotewrite.DisableResourceToTelemetryConversion";
    let error = loaded("resource_to_telemetry_conversion: {enabled: true}", gate).unwrap_err();
    assert!(error.contains("resource_to_telemetry_conversion: is disabled by the feature gate"), "{error}");
    assert!(loaded("resource_to_telemetry_conversion: {enabled: false}", gate).is_ok());
    let gate = "exporter.prometheusremotewritexporter.removeTopLevelHTTPSettings";
    let error = loaded("", gate).unwrap_err();
    assert!(error.contains(".endpoint: cannot stand here with the feature gate"), "{error}");
}

#[test]
fn gates_without_an_effect_are_warned_of() {
    for gate in [
        "pkg.translator.prometheus.CorrectUCUMUnits",
        "pkg.translator.prometheus.PermissiveLabelSanitization",
        "exporter.prometheusremotewritexporter.EnableMultipleWorkers",
    ] {
        let warnings = loaded("", gate).unwrap().warnings;
        assert!(warnings.iter().any(|warning| warning.path == gate), "{warnings:?}");
    }
    let loaded = loaded("", "exporter.prometheusremotewritexporter.enableSendingRW2").unwrap();
    assert!(!loaded.warnings.iter().any(|warning| warning.file == "--feature-gates"));
}

#[test]
fn metadata_of_requests_is_not_forwarded_and_reserved_names_are_refused() {
    let warnings = loaded("include_metadata_keys: [X-Tenant]", "").unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.message.contains("joins payloads")), "{warnings:?}");
    for name in ["content-type", "User-Agent", "CONTENT-ENCODING", "x-prometheus-remote-write-version"] {
        let error = loaded(&format!("include_metadata_keys: [a, {name}]"), "").unwrap_err();
        assert!(error.contains("is set by the exporter itself"), "{error}");
    }
    assert!(loaded("include_metadata_keys: []", "").unwrap().warnings.is_empty());
}
