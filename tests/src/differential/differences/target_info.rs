//! Differences of `target_info`.

use opentelemetry_proto::tonic::common::v1::KeyValue;

use super::Difference;
use super::labels::is_empty_text;
use crate::differential::Case;

/// A resource attribute whose value is the empty text is as good as absent.
pub struct EmptyAttributes;

impl Difference for EmptyAttributes {
    fn heading(&self) -> &'static str {
        "Resource attributes with an empty value count as absent"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let resources = case.payload.resource_metrics.iter_mut();
        let mut found = 0;
        for resource in resources.filter_map(|metrics| metrics.resource.as_mut()) {
            let before = resource.attributes.len();
            // An empty namespace still shows in `job`, if there is a name.
            let is_name = |one: &KeyValue| one.key == "service.name" && !is_empty_text(one.value.as_ref());
            let has_name = resource.attributes.iter().any(is_name);
            let counts = |key: &str| has_name && key == "service.namespace";
            resource.attributes.retain(|one| counts(&one.key) || !is_empty_text(one.value.as_ref()));
            found += before - resource.attributes.len();
        }
        found
    }
}
