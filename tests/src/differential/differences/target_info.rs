//! Differences of `target_info`.

use serde_json::json;

use super::Difference;
use super::labels::is_empty_text;
use crate::canonical::{Canonical, Series};
use crate::differential::Case;
use crate::differential::options::{MESSAGE_V2, Options};

/// The labels of `target_info` are named as all others, in remote write 1.0 as well as in 2.0.
pub struct Labels;

impl Difference for Labels {
    fn heading(&self) -> &'static str {
        "target_info names labels as all series do"
    }

    fn ask(&self, case: &Case) -> Vec<Case> {
        let resources = case.payload.resource_metrics.iter().filter_map(|metrics| metrics.resource.as_ref());
        let mut keys = resources.flat_map(|resource| &resource.attributes).map(|attribute| &attribute.key);
        let asks =
            !case.options.is_v2() && case.options.writes_target_info() && keys.any(|key| may_differ(key));
        if !asks {
            return Vec::new();
        }
        let mut in_v2 = case.clone();
        in_v2.options.set("protobuf_message", json!(MESSAGE_V2));
        vec![in_v2]
    }

    fn apply(&self, case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let Some(in_v2) = further.into_iter().next() else { return Ok(0) };
        let name = name(&case.options);
        let is_target_info = |series: &Series| series.label("__name__") == Some(&name);
        let written: Vec<Series> = in_v2.series.into_iter().filter(is_target_info).collect();
        let (replaced, others) = std::mem::take(&mut answer.series).into_iter().partition(is_target_info);
        let replaced = Canonical { series: replaced, metadata: Vec::new() }.sorted();
        let series = written.into_iter().map(|series| Series { metadata: None, ..series }).collect();
        let written = Canonical { series, metadata: Vec::new() }.sorted();
        let differs = usize::from(written != replaced);
        answer.series = others;
        answer.series.extend(written.series);
        Ok(differs)
    }
}

/// What the series is called.
pub(super) fn name(options: &Options) -> String {
    let prefix = Some(options.namespace()).filter(|namespace| !namespace.is_empty());
    prefix.map(|namespace| format!("{namespace}_")).unwrap_or_default() + "target_info"
}

/// Whether the two ways to make a label name of a key may differ: it has two characters in a row that
/// are neither letters nor digits, or begins with one.
fn may_differ(key: &str) -> bool {
    let plain: Vec<bool> = key.chars().map(|c| c.is_ascii_alphanumeric()).collect();
    plain.first() == Some(&false) || plain.windows(2).any(|pair| pair == [false, false])
}

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
            // An empty namespace still shows in `job`.
            let counts = |key: &str| key == "service.namespace";
            resource.attributes.retain(|one| counts(&one.key) || !is_empty_text(one.value.as_ref()));
            found += before - resource.attributes.len();
        }
        found
    }
}
