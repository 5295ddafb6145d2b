//! Label names, label values, and what becomes of labels that fall on one name.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::metrics::v1::ScopeMetrics;
use serde_json::json;

use super::{Definition, of_metrics, of_resources};
use crate::differential::options::MESSAGE_V2;
use crate::payloads::{attribute, double_point, gauge, integer, resource, text};

const KEYS: [&str; 20] = [
    "http.method",
    "a..b",
    "a__b",
    "_foo",
    "__foo",
    "__foo__",
    "__a..b__",
    "1x",
    "-x",
    "é",
    "éa",
    "___",
    "____",
    "",
    "a",
    "A.b-C",
    "__replica__",
    "job",
    "日本",
    "a b",
];

pub fn definitions() -> Vec<Definition> {
    let mut all = Vec::new();
    for key in KEYS {
        // On a point, on the resource (and so in target_info), and copied from there.
        all.extend(keyed("", json!({}), key).and_in_v2());
        let utf8 = json!({ "translation_strategy": "NoTranslation", "protobuf_message": MESSAGE_V2 });
        all.push(keyed("NoTranslation: ", utf8, key));
        all.push(keyed("copied: ", json!({ "resource_to_telemetry_conversion": { "enabled": true } }), key));
    }
    all.extend(values().into_iter().map(|(name, value)| {
        let point = double_point(vec![attribute("k", value), text("other", "v")], 1.0);
        of_metrics(&format!("value {name}"), json!({}), vec![gauge("x", "", vec![point])])
    }));
    all.extend(collisions());
    all.extend(scopes());
    all
}

fn keyed(what: &str, options: serde_json::Value, key: &str) -> Definition {
    let own = resource(
        vec![text("service.name", "checkout"), text(key, "of the resource")],
        vec![ScopeMetrics {
            metrics: vec![gauge(
                "x",
                "",
                vec![double_point(vec![text(key, "v")], 1.0), double_point(vec![], 2.0)],
            )],
            ..ScopeMetrics::default()
        }],
    );
    of_resources(&format!("{what}key {key:?}"), options, vec![own])
}

fn values() -> Vec<(&'static str, Value)> {
    let any = |value: Value| AnyValue { value: Some(value) };
    let array = |values: Vec<AnyValue>| Value::ArrayValue(ArrayValue { values });
    let entry = |key: &str, value: Value| KeyValue { value: Some(any(value)), ..text(key, "") };
    let map = |values: Vec<KeyValue>| Value::KvlistValue(KeyValueList { values });
    let string = |text: &str| Value::StringValue(text.to_owned());
    let double = Value::DoubleValue;
    vec![
        ("empty string", string("")),
        ("string", string("é\n\"\\;")),
        ("true", Value::BoolValue(true)),
        ("false", Value::BoolValue(false)),
        ("integer", Value::IntValue(i64::MIN)),
        ("double 1.0", double(1.0)),
        ("double -0", double(-0.0)),
        ("double 1e21", double(1e21)),
        ("double 1e20", double(1e20)),
        ("double 1e-6", double(1e-6)),
        ("double 1e-7", double(1e-7)),
        ("double 1.5e-10", double(1.5e-10)),
        ("double NaN", double(f64::NAN)),
        ("double +Inf", double(f64::INFINITY)),
        ("double -Inf", double(f64::NEG_INFINITY)),
        ("no bytes", Value::BytesValue(vec![])),
        ("bytes", Value::BytesValue(vec![0, 255, 16, 32])),
        ("empty array", array(vec![])),
        ("empty map", map(vec![])),
        ("array with NaN", array(vec![any(Value::IntValue(1)), any(double(f64::NAN))])),
        ("map with characters of HTML", map(vec![entry("k", string("<a>&"))])),
        (
            "map whose keys are sorted",
            map(vec![entry("b", Value::BoolValue(true)), entry("a", double(1e-7))]),
        ),
        ("map with a key twice", map(vec![entry("a", Value::IntValue(1)), entry("a", Value::IntValue(2))])),
        (
            "nested",
            array(vec![
                any(array(vec![any(Value::BytesValue(b"fo".to_vec())), AnyValue { value: None }])),
                any(map(vec![entry("é\u{2028}\u{1}\u{7f}", string("\u{2029}\t\u{8}"))])),
                any(double(1e21)),
                any(Value::BytesValue(vec![])),
            ]),
        ),
    ]
}

fn collisions() -> Vec<Definition> {
    let labelled = |name: &str, options, attributes| {
        of_metrics(name, options, vec![gauge("x", "", vec![double_point(attributes, 1.0)])])
    };
    let keys = |a: &str, b: &str, c: &str| vec![text("a.b", b), text("a_b", c), text("a-b", a)];
    let external = |labels: serde_json::Value| json!({ "external_labels": labels });
    vec![
        labelled("equal values of one name", json!({}), keys("1", "1", "2")),
        labelled("values a, b, a of one name", json!({}), keys("a", "b", "a")),
        labelled("an empty value of one name", json!({}), keys("", "b", "a")),
        labelled("two keys of underscores", json!({}), vec![text("_foo", "1"), text("__foo", "2")]),
        labelled(
            "numbers of one name",
            json!({}),
            vec![integer("a.b", 1), text("a_b", "1"), integer("a b", 2)],
        ),
        labelled("attribute __name__", json!({}), vec![text("__name__", "attribute:no")]),
        labelled(
            "attributes le and quantile of a gauge",
            json!({}),
            vec![text("le", "1"), text("quantile", "2")],
        ),
        labelled("attribute job", json!({}), vec![text("job", "mine"), text("instance", "mine")]),
        labelled(
            "external label of the same name",
            external(json!({ "a.b": "external" })),
            vec![text("a_b", "1")],
        ),
        labelled("external label job beside service.name", external(json!({ "job": "external" })), vec![]),
        labelled("external labels", external(json!({ "_x": "1", "__replica__": "2", "1": "3" })), vec![]),
        labelled(
            "external labels under a strategy that keeps all characters",
            json!({
                "external_labels": { "deployment.env": "1", "_x": "2", "日本": "3" },
                "translation_strategy": "NoUTF8EscapingWithSuffixes",
                "protobuf_message": MESSAGE_V2,
            }),
            vec![],
        ),
        of_resources(
            "external label job makes target_info",
            external(json!({ "job": "external" })),
            vec![resource(
                vec![text("host.name", "h")],
                vec![ScopeMetrics {
                    metrics: vec![gauge("x", "", vec![double_point(vec![], 1.0)])],
                    ..ScopeMetrics::default()
                }],
            )],
        ),
    ]
}

fn scopes() -> Vec<Definition> {
    let scoped = |name: &str, options: serde_json::Value, scope: InstrumentationScope| {
        let attributes = vec![text("otel_scope_name", "of the point"), text("otel.scope.x", "of the point")];
        let metrics = vec![gauge("x", "", vec![double_point(attributes, 1.0)])];
        let scope_metrics =
            ScopeMetrics { scope: Some(scope), metrics, schema_url: "http://schema".to_owned() };
        let attributes = vec![text("service.name", "checkout"), text("host.name", "h")];
        of_resources(name, options, vec![resource(attributes, vec![scope_metrics])])
    };
    let scope = |name: &str, version: &str, attributes: Vec<KeyValue>| InstrumentationScope {
        name: name.to_owned(),
        version: version.to_owned(),
        attributes,
        ..InstrumentationScope::default()
    };
    let external =
        json!({ "external_labels": { "otel_scope_name": "external", "otel_scope_version": "external" } });
    vec![
        scoped("scope", json!({}), scope("lib", "1.2", vec![text("x", "y")])),
        scoped("scope without name", json!({}), scope("", "", vec![text("x", "y"), integer("n.m", 1)])),
        scoped(
            "scope attributes of reserved names",
            json!({}),
            scope(
                "lib",
                "1",
                vec![
                    text("name", "no"),
                    text("version", "no"),
                    text("schema_url", "no"),
                    text("name.", "yes"),
                ],
            ),
        ),
        scoped(
            "scope attribute with an empty value",
            json!({}),
            scope("lib", "", vec![text("x", ""), text("y", "")]),
        ),
        scoped(
            "scope attributes of one name",
            json!({}),
            scope("lib", "", vec![text("a.b", "1"), text("a_b", "2")]),
        ),
        scoped(
            "scope attribute without a name",
            json!({}),
            scope("lib", "", vec![text("", "1"), text("é", "2")]),
        ),
        scoped(
            "disable_scope_info",
            json!({ "disable_scope_info": true }),
            scope("lib", "1", vec![text("x", "y")]),
        ),
        scoped("external labels yield to the scope", external.clone(), scope("lib", "1.2", vec![])),
        scoped("external labels without a scope", external, scope("", "", vec![])),
    ]
}
