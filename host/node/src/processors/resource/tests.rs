use super::actions::{Attribute, Value};
use super::{ATTRIBUTES_MAX, Actions, Output, Problem};
use crate::memory_budget::Full;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use preamp_config::{AttributeAction, AttributeKeys, AttributeType, AttributeValue, Change};
use preamp_contract::Encoding;
use prost::Message as _;

fn action(key: &str, change: Change) -> AttributeAction {
    AttributeAction { keys: AttributeKeys::One(key.to_owned()), change }
}

fn set(key: &str, value: &str, inserts: bool, updates: bool) -> AttributeAction {
    action(key, Change::Set { inserts, updates, value: AttributeValue::String(value.to_owned()) })
}

fn text(key: &str, value: &str) -> Attribute<()> {
    Attribute { key: key.to_owned(), value: Value::String(value.to_owned()) }
}

fn applied(actions: &[AttributeAction], attributes: &[Attribute<()>]) -> Vec<Attribute<()>> {
    let mut attributes = attributes.to_vec();
    Actions::new(actions).apply(&mut attributes);
    attributes
}

#[test]
fn actions_do_what_the_collector_says() {
    let before = [text("a", "1"), text("b", "x-y")];
    let of = |attribute: &str, default: Option<&str>| {
        let default = default.map(|text| Box::new(AttributeValue::String(text.to_owned())));
        let value = AttributeValue::Of { attribute: attribute.to_owned(), default };
        Change::Set { inserts: true, updates: true, value }
    };
    let matching =
        |pattern: &str, change| AttributeAction { keys: AttributeKeys::Matching(pattern.to_owned()), change };
    // SHA-256 of "1".
    let hashed = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b";
    let int = Attribute { key: "a".to_owned(), value: Value::Int(1) };
    for (actions, after) in [
        (vec![set("a", "2", true, false)], vec![text("a", "1"), text("b", "x-y")]),
        (vec![set("a", "2", false, true)], vec![text("a", "2"), text("b", "x-y")]),
        (vec![set("c", "2", false, true)], before.to_vec()),
        (vec![set("c", "2", true, true)], vec![text("a", "1"), text("b", "x-y"), text("c", "2")]),
        (vec![action("c", of("b", None))], vec![text("a", "1"), text("b", "x-y"), text("c", "x-y")]),
        (vec![action("c", of("z", None))], before.to_vec()),
        (vec![action("a", of("z", Some("d")))], vec![text("a", "d"), text("b", "x-y")]),
        (vec![action("a", Change::Delete)], vec![text("b", "x-y")]),
        (vec![matching("^[ab]$", Change::Delete)], vec![]),
        (vec![action("a", Change::Hash)], vec![text("a", hashed), text("b", "x-y")]),
        (vec![action("a", Change::Convert(AttributeType::Int))], vec![int, text("b", "x-y")]),
        (vec![action("b", Change::Convert(AttributeType::Int))], before.to_vec()),
        (
            vec![action("b", Change::Extract("(?P<l>.*)-(?P<a>.*)".to_owned()))],
            vec![text("a", "y"), text("b", "x-y"), text("l", "x")],
        ),
    ] {
        assert_eq!(applied(&actions, &before), after, "{actions:?}");
    }
}

/// Rewrites a payload where there is room for everything.
fn rewritten(actions: &Actions, payload: &Bytes, encoding: Encoding) -> Result<Bytes, Problem> {
    actions.rewrite(payload, encoding, Output::new(payload.len(), &mut |_| Ok(())))
}

fn any(value: any_value::Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn request(attributes: Vec<KeyValue>) -> ExportMetricsServiceRequest {
    let resource = Resource { attributes, dropped_attributes_count: 7, ..Resource::default() };
    let scope_metrics = vec![ScopeMetrics { schema_url: "s".to_owned(), ..ScopeMetrics::default() }];
    let with = ResourceMetrics { resource: Some(resource), scope_metrics, schema_url: "r".to_owned() };
    ExportMetricsServiceRequest { resource_metrics: vec![with, ResourceMetrics::default()] }
}

fn pair(key: &str, value: Option<AnyValue>) -> KeyValue {
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}

#[test]
fn of_a_protobuf_payload_only_the_resources_change() {
    let number = || pair("n", any(any_value::Value::IntValue(-5)));
    let bytes = || pair("o", any(any_value::Value::BytesValue(vec![1, 2])));
    let team = |name: &str| pair("team", any(any_value::Value::StringValue(name.to_owned())));
    let payload = Bytes::from(request(vec![number(), team("a"), bytes()]).encode_to_vec());
    let actions = Actions::new(&[set("team", "b", true, true)]);
    let rewritten = self::rewritten(&actions, &payload, Encoding::Protobuf).unwrap();
    let mut expected = request(vec![number(), team("b"), bytes()]);
    // A resource that is not there is one without attributes.
    expected.resource_metrics[1].resource =
        Some(Resource { attributes: vec![team("b")], ..Resource::default() });
    assert_eq!(ExportMetricsServiceRequest::decode(rewritten).unwrap(), expected);
    for broken in [&b"\x0a\xff"[..], b"\x0a\x02\x0a\x05", b"\x07"] {
        let broken = Bytes::copy_from_slice(broken);
        assert_eq!(self::rewritten(&actions, &broken, Encoding::Protobuf), Err(Problem::Unreadable));
    }
}

#[test]
fn of_a_json_payload_only_the_resources_change() {
    let payload = Bytes::from_static(
        br#"{"resourceMetrics":[{"resource":{"attributes":[{"key":"n","value":{"intValue":"5"}},
        {"key":"l","value":{"arrayValue":{"values":[]}}}],"x":1.0},"scopeMetrics":[{"v":0.10000000000000001}]},{}]}"#,
    );
    let actions =
        Actions::new(&[set("team", "b", true, true), action("n", Change::Convert(AttributeType::Double))]);
    let rewritten = self::rewritten(&actions, &payload, Encoding::Json).unwrap();
    let team = r#"{"key":"team","value":{"stringValue":"b"}}"#;
    let expected = format!(
        r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{{"key":"n","value":{{"doubleValue":5.0}}}},{}{team}],"x":1.0}},{}{{"resource":{{"attributes":[{team}]}}}}]}}"#,
        r#"{"key":"l","value":{"arrayValue":{"values":[]}}},"#,
        r#""scopeMetrics":[{"v":0.10000000000000001}]},"#,
    );
    assert_eq!(std::str::from_utf8(&rewritten).unwrap(), expected);
    for broken in ["{", "[]", r#"{"resourceMetrics":7}"#] {
        let broken = Bytes::from_static(broken.as_bytes());
        assert_eq!(
            self::rewritten(&actions, &broken, Encoding::Json),
            Err(Problem::Unreadable),
            "{broken:?}"
        );
    }
}

#[test]
fn what_is_set_on_millions_of_resources_is_bounded() {
    let actions = Actions::new(&[set("team", &"x".repeat(1000), true, true)]);
    let protobuf = Bytes::from(b"\x0a\x00".repeat(100_000));
    let json = Bytes::from(format!(r#"{{"resourceMetrics":[{}{{}}]}}"#, "{},".repeat(100_000)));
    for (payload, encoding) in [(protobuf, Encoding::Protobuf), (json, Encoding::Json)] {
        let limit = 2 * payload.len() + (16 << 20);
        assert_eq!(rewritten(&actions, &payload, encoding), Err(Problem::TooLarge(limit)));
        let mut room = 1 << 20;
        let mut grow = |bytes: usize| {
            room = usize::checked_sub(room, bytes).ok_or(Full)?;
            Ok(())
        };
        let full = actions.rewrite(&payload, encoding, Output::new(payload.len(), &mut grow));
        assert!(matches!(full, Err(Problem::NoRoom(_))), "{full:?}");
    }
}

#[test]
fn a_resource_of_too_many_attributes_is_refused() {
    let actions = Actions::new(&[set("team", "a", true, true)]);
    for more in [0, 1] {
        let attributes = (0..ATTRIBUTES_MAX + more).map(|n| pair(&n.to_string(), None)).collect();
        let protobuf = Bytes::from(request(attributes).encode_to_vec());
        let many = vec![r#"{"key":"a"}"#; ATTRIBUTES_MAX + more].join(",");
        let json =
            Bytes::from(format!(r#"{{"resourceMetrics":[{{"resource":{{"attributes":[{many}]}}}}]}}"#));
        for (payload, encoding) in [(protobuf, Encoding::Protobuf), (json, Encoding::Json)] {
            let result = rewritten(&actions, &payload, encoding);
            assert_eq!(result.err(), (more > 0).then_some(Problem::TooManyAttributes));
        }
    }
}
