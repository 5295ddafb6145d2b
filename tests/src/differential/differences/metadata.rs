//! Differences of metadata.

use anyhow::Context as _;
use serde_json::json;

use super::Difference;
use crate::canonical::{Canonical, Metadata};
use crate::differential::Case;

/// Each metric of a case alone, without `target_info`.
fn alone(case: &Case) -> Vec<Case> {
    let only = |wanted: usize| {
        let mut only = case.clone();
        only.options.set("target_info", json!({ "enabled": false }));
        let scopes =
            only.payload.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
        let mut at = 0..;
        scopes.for_each(|scope| scope.metrics.retain(|_| at.next() == Some(wanted)));
        only
    };
    (0..case.clone().metrics_mut().count()).map(only).collect()
}

/// Equal metadata is sent once in 1.0, and only that of metrics of which a series is sent.
pub struct Once;

impl Difference for Once {
    fn heading(&self) -> &'static str {
        "Metadata of 1.0 once, and only for what is sent"
    }

    fn ask(&self, case: &Case) -> Vec<Case> {
        if case.options.sends_metadata() { alone(case) } else { Vec::new() }
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let before = answer.metadata.len();
        let sent = further.into_iter().filter(|metric| !metric.series.is_empty());
        let mut seen: Vec<Metadata> = Vec::new();
        for metadata in sent.flat_map(|metric| metric.metadata) {
            if !seen.contains(&metadata) {
                seen.push(metadata);
            }
        }
        answer.metadata = seen;
        Ok(before - answer.metadata.len())
    }
}

/// Where metrics of different metadata share a series, 2.0 says of each sample what its own metric is.
pub struct OfEach;

impl Difference for OfEach {
    fn heading(&self) -> &'static str {
        "Series of equal labels stay apart"
    }

    fn ask(&self, case: &Case) -> Vec<Case> {
        let several = case.clone().metrics_mut().filter(|metric| metric.data.is_some()).count() > 1;
        if case.options.is_v2() && several { alone(case) } else { Vec::new() }
    }

    fn apply(&self, _case: &Case, answer: &mut Canonical, further: Vec<Canonical>) -> anyhow::Result<usize> {
        let mut found = 0;
        for metric in further.into_iter().flat_map(|canonical| canonical.series) {
            let series = answer.series.iter_mut().find(|series| series.labels == metric.labels);
            let series = series.context("a metric has other series alone than among others")?;
            if metric.metadata < series.metadata {
                series.metadata = metric.metadata;
                found += 1;
            }
        }
        Ok(found)
    }
}
