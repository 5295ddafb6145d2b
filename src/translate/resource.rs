//! Labels from above the points: resource, scope and configuration; and `target_info`.

use super::base::{Base, BaseLabel, ExtraLabel};
use super::bases::Source;
use super::duplicates::{Candidate, Parts};
use super::exemplar::Exemplars;
use super::expansion::{Expansion, Repeated, TooFar};
use super::family::family_identity;
use super::glob;
use super::label::push_label_name;
use super::sink::{Metadata, MetricType, Sample, Sink};
use super::{MetadataUse, Translator, Unreadable, Walk, time_ms};
use crate::config::{LabelStyle, ResourceLabels, Translation};
use crate::otlp::metric::number as field;
use crate::otlp::value::Attribute;
use crate::otlp::wire::{Fields, Malformed};
use std::convert::Infallible;

const SERVICE_NAME: &[u8] = b"service.name";
const SERVICE_NAMESPACE: &[u8] = b"service.namespace";
const SERVICE_INSTANCE_ID: &[u8] = b"service.instance.id";

/// For names that are the same in every style.
const PLAIN: LabelStyle = LabelStyle::Utf8;

/// More attributes than most resources have.
const USUAL_ATTRIBUTES: usize = 16;

/// A resource: its attributes, and what they make of `job` and `instance`.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource<'a> {
    message: &'a [u8],
    /// The attributes with a value that `target_info` carries: all but those that make `job` and `instance`,
    /// unless these are kept.
    informing: Vec<Attribute<'a>>,
    /// Those with a value that become labels of every series.
    converted: Vec<Attribute<'a>>,
    scratch: Vec<u8>,
    job: Vec<u8>,
    instance: Vec<u8>,
}

impl<'a> Resource<'a> {
    /// Reads a `Resource` message.
    pub fn read(message: &'a [u8], options: &BaseOptions) -> Result<Resource<'a>, Malformed> {
        let room = if message.is_empty() { 0 } else { USUAL_ATTRIBUTES };
        let mut resource = Resource { message, informing: Vec::with_capacity(room), ..Resource::default() };
        let mut has_namespace = false;
        let (mut name, mut namespace) = (Vec::new(), Vec::new());
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            if part.number != field::RESOURCE_ATTRIBUTES {
                continue;
            }
            let attribute = Attribute::read(part.bytes()?, &mut resource.scratch)?;
            let value = attribute.value.resolve(&resource.scratch);
            match attribute.key {
                SERVICE_NAME => name = value.to_vec(),
                SERVICE_NAMESPACE => {
                    has_namespace = true;
                    namespace = value.to_vec();
                }
                SERVICE_INSTANCE_ID => resource.instance = value.to_vec(),
                _ => {}
            }
            if attribute.value.is_empty() {
                continue;
            }
            if options.is_converted(attribute.key) {
                resource.converted.push(attribute.clone());
            }
            if options.keeps_identifying || !is_service(attribute.key) {
                resource.informing.push(attribute);
            }
        }
        if !name.is_empty() {
            if has_namespace {
                resource.job = namespace;
                resource.job.push(b'/');
            }
            resource.job.extend_from_slice(&name);
        }
        Ok(resource)
    }

    /// The attributes that stand on every point as if it had them itself.
    pub fn converted(&self) -> &[Attribute<'a>] {
        &self.converted
    }

    /// What the base labels of a scope come from.
    pub fn base_source<'s>(&self, scope: &'s [u8], has_scope_attributes: bool) -> Source<'s>
    where
        'a: 's,
    {
        Source { resource: self.message, scope, has_scope_attributes }
    }

    /// What the values of the attributes that are no strings refer to.
    pub fn scratch(&self) -> &[u8] {
        &self.scratch
    }
}

fn is_service(key: &[u8]) -> bool {
    matches!(key, SERVICE_NAME | SERVICE_NAMESPACE | SERVICE_INSTANCE_ID)
}

/// What base labels depend on besides the payload.
#[derive(Clone, Debug)]
pub(super) struct BaseOptions {
    external: Vec<BaseLabel>,
    label_style: LabelStyle,
    keeps_identifying: bool,
    scope_labels: bool,
    resource_labels: ResourceLabels,
}

impl BaseOptions {
    /// Takes what it needs from the configuration.
    pub fn new(translation: &Translation) -> BaseOptions {
        let mut external = Vec::new();
        for (name, value) in &translation.external_labels {
            push(&mut external, name.as_bytes(), value.as_bytes(), translation.external_style, true);
        }
        BaseOptions {
            external,
            label_style: translation.label_style,
            keeps_identifying: translation.keeps_identifying,
            scope_labels: translation.scope_labels,
            resource_labels: translation.resource_labels.clone(),
        }
    }

    fn is_converted(&self, key: &[u8]) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| glob::matches(pattern, key));
        match &self.resource_labels {
            ResourceLabels::Identity => false,
            ResourceLabels::All => true,
            ResourceLabels::AllButService => !is_service(key),
            ResourceLabels::Matching { included, excluded } => {
                (included.is_empty() || any(included)) && !any(excluded)
            }
        }
    }

    /// The base labels of a scope, an `InstrumentationScope` message.
    pub fn scope_base(&self, resource: &Resource, scope: &[u8]) -> Result<Base, Malformed> {
        let mut labels = self.target_labels(resource);
        if self.scope_labels {
            let scope = Scope::read(scope)?;
            scope.push_identity(&mut labels);
            scope.push_attributes(&mut labels, self.label_style);
        }
        Ok(Base::new(labels))
    }

    /// External labels, `job` and `instance`.
    fn target_labels(&self, resource: &Resource) -> Vec<BaseLabel> {
        let mut labels = self.external.clone();
        push(&mut labels, b"job", &resource.job, PLAIN, false);
        push(&mut labels, b"instance", &resource.instance, PLAIN, false);
        labels
    }
}

/// The parts of an `InstrumentationScope` message.
#[derive(Default)]
pub(super) struct Scope<'a> {
    pub name: &'a [u8],
    version: &'a [u8],
    /// All attributes with a value.
    attributes: Vec<Attribute<'a>>,
    scratch: Vec<u8>,
}

impl<'a> Scope<'a> {
    pub fn read(message: &'a [u8]) -> Result<Scope<'a>, Malformed> {
        let mut scope = Scope::default();
        let mut fields = Fields::of(message);
        while let Some(part) = fields.next_field()? {
            match part.number {
                field::SCOPE_NAME => scope.name = part.bytes()?,
                field::SCOPE_VERSION => scope.version = part.bytes()?,
                field::SCOPE_ATTRIBUTES => {
                    let attribute = Attribute::read(part.bytes()?, &mut scope.scratch)?;
                    if !attribute.value.is_empty() {
                        scope.attributes.push(attribute);
                    }
                }
                _ => {}
            }
        }
        Ok(scope)
    }

    /// `otel_scope_name` and `otel_scope_version`.
    fn push_identity(&self, labels: &mut Vec<BaseLabel>) {
        push(labels, b"otel_scope_name", self.name, PLAIN, false);
        push(labels, b"otel_scope_version", self.version, PLAIN, false);
    }

    fn push_attributes(&self, labels: &mut Vec<BaseLabel>, style: LabelStyle) {
        for attribute in &self.attributes {
            if !matches!(attribute.key, b"name" | b"version" | b"schema_url") {
                let key = [b"otel_scope_", attribute.key].concat();
                push(labels, &key, attribute.value.resolve(&self.scratch), style, false);
            }
        }
    }
}

/// Adds a label unless its value is empty, which in Prometheus is the same as no label.
fn push(labels: &mut Vec<BaseLabel>, key: &[u8], value: &[u8], style: LabelStyle, yields: bool) {
    let mut name = Vec::new();
    if !value.is_empty() && push_label_name(key, style, &mut name) {
        labels.push(BaseLabel { name, value: value.to_vec(), yields });
    }
}

impl<S: Sink> Walk<'_, '_, S> {
    /// Writes `target_info`, which carries the attributes of a resource, at the time of its newest
    /// point.
    pub(super) fn target_info(&mut self) -> Result<(), TooFar> {
        let is_bare = self.resource.informing.is_empty();
        if is_bare && !self.translator.base_options.keeps_identifying {
            return Ok(());
        }
        let Translator { labels, base_options, .. } = &mut *self.translator;
        let base = || Ok::<_, Infallible>(Base::new(base_options.target_labels(&self.resource)));
        let Ok(()) = labels.set_base(self.resource.base_source(b"", false), base);
        let info = Info {
            name: b"target_info",
            help: b"Target metadata",
            attributes: &self.resource.informing,
            scratch: &self.resource.scratch,
            time: self.newest,
        };
        let (translator, sink) = (&mut *self.translator, &mut *self.sink);
        info.write(translator, sink, &mut self.gate.expansion, self.oldest)
    }

    /// Writes `otel_scope_info`, which carries the attributes of a scope, at the time of its newest
    /// point. (OpenTelemetry specification before 1.50, "Prometheus and OpenMetrics Compatibility",
    /// instrumentation scope.)
    pub(super) fn scope_info(&mut self, message: &[u8], time: u64) -> Result<(), Unreadable> {
        let scope = Scope::read(message)?;
        let source = self.resource.base_source(message, false);
        let (resource_bytes, scope_bytes) = source.size();
        self.gate.expansion.scope(resource_bytes, scope_bytes)?;
        let Translator { labels, base_options, .. } = &mut *self.translator;
        let base = || {
            let mut labels = base_options.target_labels(&self.resource);
            scope.push_identity(&mut labels);
            Ok::<_, Infallible>(Base::new(labels))
        };
        let Ok(()) = labels.set_base(source, base);
        let info = Info {
            name: b"otel_scope_info",
            help: b"Instrumentation scope metadata",
            attributes: &scope.attributes,
            scratch: &scope.scratch,
            time,
        };
        if !scope.name.is_empty() || !scope.attributes.is_empty() {
            info.write(self.translator, self.sink, &mut self.gate.expansion, self.oldest)?;
        }
        Ok(())
    }
}

/// A series that carries labels besides the base labels at hand, and 1 as its value.
struct Info<'i> {
    name: &'static [u8],
    help: &'static [u8],
    attributes: &'i [Attribute<'i>],
    scratch: &'i [u8],
    /// Nanoseconds since the Unix epoch; 0 if there was no point.
    time: u64,
}

impl Info<'_> {
    fn write(
        self,
        translator: &mut Translator,
        sink: &mut impl Sink,
        expansion: &mut Expansion,
        oldest: i64,
    ) -> Result<(), TooFar> {
        let time = time_ms(self.time);
        if self.time == 0 || time < oldest {
            return Ok(());
        }
        let Translator { labels, namer, metadata, metric_name, scratch, duplicates, .. } = translator;
        namer.write_unchanged(self.name, metric_name);
        scratch.clear();
        scratch.extend_from_slice(self.scratch);
        // Attributes that cannot be labels mean that there is no such series; points were judged one
        // by one.
        let Ok((labels, identity)) = labels.labels(self.attributes, 0, ExtraLabel::None, scratch) else {
            return Ok(());
        };
        if !labels.iter().any(|label| matches!(label.name, b"job" | b"instance")) {
            return Ok(());
        }
        let identity = identity.wrapping_add(family_identity(metric_name));
        let (metric, name) = (self.name, metric_name.as_slice());
        // Two equal resources say the same, and one of them is enough.
        if !duplicates.is_new(&Candidate { name, labels: &labels, identity, time, parts: Parts::default() }) {
            return Ok(());
        }
        let about = if *metadata == MetadataUse::Inline { 32 + name.len() + self.help.len() } else { 0 };
        expansion.series(&Repeated { metric, name, about, labels: &labels, series: 1, texts: 0 })?;
        let about = Metadata { name: metric_name, kind: MetricType::Gauge, help: self.help, unit: b"" };
        sink.family((*metadata == MetadataUse::Inline).then_some(&about));
        sink.begin(identity, 0);
        let sample = Sample { value: 1.0, time, start: 0 };
        sink.series(&labels, metric_name, None, sample, Exemplars::default());
        sink.end();
        Ok(())
    }
}
