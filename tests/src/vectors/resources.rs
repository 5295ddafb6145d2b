//! What becomes of resources: `job`, `instance`, `target_info`, and attributes copied to points.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality::{Cumulative, Delta, Unspecified};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use serde_json::json;

use super::{Definition, of_resources};
use crate::payloads::{RECENT_NS, double_point, gauge, integer, resource, sum, text};

pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for (name, attributes) in [
        (
            "service",
            vec![
                text("service.name", "n"),
                text("service.namespace", "ns"),
                text("service.instance.id", "i"),
            ],
        ),
        ("empty namespace", vec![text("service.name", "n"), text("service.namespace", "")]),
        ("namespace without name", vec![text("service.namespace", "ns"), text("host", "h")]),
        ("instance without name", vec![text("service.instance.id", "i"), text("host", "h")]),
        (
            "empty service name",
            vec![text("service.name", ""), text("service.instance.id", "i"), text("a", "b")],
        ),
        (
            "service names that are numbers",
            vec![integer("service.name", 1), integer("service.instance.id", 2)],
        ),
        ("attribute job", vec![text("job", "j"), text("host", "h")]),
        ("neither job nor instance", vec![text("host", "h")]),
        ("only an empty attribute", vec![text("service.name", "n"), text("host", "")]),
        ("no attributes", vec![]),
        ("keys that fall on one name", vec![text("service.name", "n"), text("a..b", "1"), text("a_b", "2")]),
    ] {
        all.extend(
            of_resources(&format!("resource: {name}"), json!({}), vec![with_gauge(&attributes)]).and_in_v2(),
        );
        let kept = json!({ "keep_identifying_resource_attributes": true });
        all.push(of_resources(
            &format!("resource, identifying attributes kept: {name}"),
            kept,
            vec![with_gauge(&attributes)],
        ));
    }
    all.extend(target_infos());
    all.extend(copied());
    all
}

fn shop() -> Vec<KeyValue> {
    vec![
        text("service.name", "n"),
        text("service.instance.id", "i"),
        text("host.name", "h"),
        integer("cores", 4),
    ]
}

fn with(attributes: &[KeyValue], metrics: Vec<Metric>) -> ResourceMetrics {
    resource(attributes.to_vec(), vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }])
}

fn with_gauge(attributes: &[KeyValue]) -> ResourceMetrics {
    let attributed = double_point(vec![text("host.name", "of the point"), text("a", "1")], 2.0);
    with(attributes, vec![gauge("x", "", vec![double_point(vec![], 1.0), attributed])])
}

fn target_infos() -> Vec<Definition> {
    let of =
        |name: &str, options, resources| of_resources(&format!("target_info: {name}"), options, resources);
    let at = |time: u64, metric: fn(&str, &str, Vec<_>) -> Metric| {
        let mut point = double_point(vec![], 1.0);
        point.time_unix_nano = time;
        metric("x", "", vec![point])
    };
    let delta: fn(&str, &str, Vec<_>) -> Metric = |name, unit, points| sum(name, unit, points, Delta, true);
    let unspecified: fn(&str, &str, Vec<_>) -> Metric =
        |name, unit, points| sum(name, unit, points, Unspecified, true);
    let newer = RECENT_NS + 5_000_000_000;
    vec![
        of("disabled", json!({ "target_info": { "enabled": false } }), vec![with_gauge(&shop())]),
        of("namespace is not changed", json!({ "namespace": "my.app" }), vec![with_gauge(&shop())]),
        of(
            "external labels",
            json!({ "external_labels": { "host_name": "e", "e": "e" } }),
            vec![with_gauge(&shop())],
        ),
        of("only delta metrics", json!({}), vec![with(&shop(), vec![at(RECENT_NS, delta)])]),
        of("only unspecified temporality", json!({}), vec![with(&shop(), vec![at(RECENT_NS, unspecified)])]),
        of(
            "the newest is a delta",
            json!({}),
            vec![with(&shop(), vec![at(RECENT_NS, gauge), at(newer, delta)])],
        ),
        of("all times 0", json!({}), vec![with(&shop(), vec![at(0, gauge)])]),
        of("no points", json!({}), vec![with(&shop(), vec![gauge("x", "", vec![])])]),
        of("no metrics", json!({}), vec![with(&shop(), vec![])]),
        of(
            "two equal resources",
            json!({}),
            vec![with_gauge(&shop()), with(&shop(), vec![at(newer, gauge)])],
        ),
        of(
            "two resources of one job",
            json!({}),
            vec![
                with_gauge(&shop()),
                with_gauge(&[
                    text("service.name", "n"),
                    text("service.instance.id", "other"),
                    text("k", "v"),
                ]),
            ],
        ),
        of("no resource", json!({}), vec![ResourceMetrics { resource: None, ..with_gauge(&[]) }]),
        of(
            "a name that cannot be",
            json!({}),
            vec![with_gauge(&[text("service.name", "n"), text("____", "v")])],
        ),
        of(
            "a sum beside it",
            json!({}),
            vec![with(&shop(), vec![sum("y", "1", vec![double_point(vec![], 3.0)], Cumulative, false)])],
        ),
    ]
}

fn copied() -> Vec<Definition> {
    let conversion = |exclude: bool| {
        json!({
            "resource_to_telemetry_conversion": { "enabled": true, "exclude_service_attributes": exclude },
        })
    };
    let constant = |included: &[&str], excluded: &[&str]| {
        json!({
            "resource_constant_labels": { "included": included, "excluded": excluded },
        })
    };
    [
        ("all", conversion(false)),
        ("all but service", conversion(true)),
        ("of a glob", constant(&["host.*"], &[])),
        ("of all but a glob", constant(&[], &["service.*"])),
        ("of one character", constant(&["core?"], &[])),
        ("excluded wins", constant(&["*"], &["host.name", "*.id"])),
        ("dots are no wildcards", constant(&["host?name", "service.n*"], &["host_name"])),
        ("none", constant(&[], &[])),
    ]
    .into_iter()
    .flat_map(|(name, options)| {
        of_resources(&format!("copied: {name}"), options, vec![with_gauge(&shop())]).and_in_v2()
    })
    .collect()
}
