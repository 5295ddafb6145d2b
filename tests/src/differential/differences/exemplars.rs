//! Differences of exemplars.

use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use serde_json::json;

use super::Difference;
use crate::canonical::Canonical;
use crate::differential::Case;
use crate::differential::visit::points;

/// An exemplar without a value says nothing, and is left out.
pub struct WithoutValue;

impl Difference for WithoutValue {
    fn heading(&self) -> &'static str {
        "Exemplars without a value are left out"
    }

    fn feed(&self, case: &mut Case) -> usize {
        let mut found = 0;
        for exemplars in case.metrics_mut().flat_map(points).filter_map(|point| point.exemplars()) {
            let before = exemplars.len();
            exemplars.retain(|exemplar| exemplar.value.is_some());
            found += before - exemplars.len();
        }
        found
    }
}

/// The labels of an exemplar are sorted, and none stands twice, in 1.0 as well as in 2.0.
pub struct Labels;

impl Difference for Labels {
    fn heading(&self) -> &'static str {
        "Labels of exemplars are in order, and none stands twice"
    }

    fn feed(&self, case: &mut Case) -> usize {
        if case.options.is_v2() {
            return 0;
        }
        let mut found = 0;
        for exemplar in case.metrics_mut().flat_map(points).filter_map(|point| point.exemplars()).flatten() {
            for (key, id) in [("trace_id", &exemplar.trace_id), ("span_id", &exemplar.span_id)] {
                let before = exemplar.filtered_attributes.len();
                let has_id = id.iter().any(|byte| *byte != 0);
                exemplar.filtered_attributes.retain(|attribute| !(has_id && attribute.key == key));
                found += before - exemplar.filtered_attributes.len();
            }
        }
        found
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, _further: Vec<Canonical>) -> anyhow::Result<usize> {
        let mut found = 0;
        for exemplar in answer.series.iter_mut().flat_map(|series| &mut series.exemplars) {
            let before = exemplar.labels.clone();
            exemplar.labels.sort_by(|a, b| a.0.cmp(&b.0));
            found += usize::from(exemplar.labels != before);
        }
        Ok(found)
    }
}

/// Remote write 2.0 carries the exemplars of classic histograms too, as 1.0 does.
pub struct OfBuckets;

impl Difference for OfBuckets {
    fn heading(&self) -> &'static str {
        "Buckets carry exemplars in 2.0"
    }

    /// What the classic histograms become in 1.0.
    fn ask(&self, case: &Case) -> Vec<Case> {
        let mut in_v1 = case.clone();
        let mut exemplars = 0;
        for metric in in_v1.metrics_mut() {
            match &mut metric.data {
                Some(Data::Histogram(_)) => {
                    exemplars +=
                        points(metric).iter_mut().filter_map(|point| point.exemplars()).flatten().count();
                }
                _ => metric.data = None,
            }
        }
        in_v1.options.0.remove("protobuf_message");
        in_v1.options.0.remove("convert_explicit_histograms_to_nhcb");
        in_v1.options.set("target_info", json!({ "enabled": false }));
        let asks = case.options.is_v2() && case.options.writes_classic_histograms() && exemplars > 0;
        if asks { vec![in_v1] } else { Vec::new() }
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let mut found = 0;
        for mut bucket in further.into_iter().flat_map(|canonical| canonical.series) {
            if let Some(series) = answer.series.iter_mut().find(|series| series.labels == bucket.labels) {
                found += bucket.exemplars.len();
                series.exemplars.append(&mut bucket.exemplars);
            }
        }
        Ok(found)
    }
}
