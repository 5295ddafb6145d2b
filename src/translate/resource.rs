//! Labels from above the points: resource, scope and configuration; and `target_info`.

use super::base::{Base, BaseLabel, ExtraLabel};
use super::label::push_sanitized;
use super::sink::{Sample, Sink};
use super::{NANOS_PER_MILLI, Translator, Unreadable, Walk, family_identity};
use crate::config::{Config, ResourceLabels};
use crate::otlp::metric::number as field;
use crate::otlp::value::Attribute;
use crate::otlp::wire::{Fields, Malformed};

const SERVICE_NAME: &[u8] = b"service.name";
const SERVICE_NAMESPACE: &[u8] = b"service.namespace";
const SERVICE_INSTANCE_ID: &[u8] = b"service.instance.id";

/// A resource: its attributes, and what they make of `job` and `instance`.
#[derive(Clone, Debug, Default)]
pub(super) struct Resource<'a> {
    /// All attributes with a value, strings of the payload or owned texts.
    attributes: Vec<Attribute<'a>>,
    /// Those that become labels of every series.
    converted: Vec<Attribute<'a>>,
    scratch: Vec<u8>,
    job: Vec<u8>,
    instance: Vec<u8>,
}

impl<'a> Resource<'a> {
    /// Reads a `Resource` message.
    pub fn read(message: &'a [u8], options: &BaseOptions) -> Result<Resource<'a>, Malformed> {
        let mut resource = Resource::default();
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
            if !attribute.value.is_empty() {
                resource.attributes.push(attribute);
            }
        }
        if !name.is_empty() {
            if has_namespace {
                resource.job = namespace;
                resource.job.push(b'/');
            }
            resource.job.extend_from_slice(&name);
        }
        let is_converted = |attribute: &&Attribute| match options.resource_labels {
            ResourceLabels::Identity => false,
            ResourceLabels::All => true,
            ResourceLabels::AllButService => !is_service(attribute.key),
        };
        resource.converted = resource.attributes.iter().filter(is_converted).cloned().collect();
        Ok(resource)
    }

    /// The attributes that stand on every point as if it had them itself.
    pub fn converted(&self) -> &[Attribute<'a>] {
        &self.converted
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
    scope_labels: bool,
    resource_labels: ResourceLabels,
}

impl BaseOptions {
    /// Takes what it needs from the configuration.
    pub fn new(config: &Config) -> BaseOptions {
        let mut external = Vec::new();
        for (name, value) in &config.external_labels {
            push(&mut external, name.as_bytes(), value.as_bytes(), true);
        }
        BaseOptions {
            external,
            scope_labels: !config.disable_scope_info,
            resource_labels: config.resource_labels,
        }
    }

    /// The base labels of a scope, an `InstrumentationScope` message.
    pub fn scope_base(&self, resource: &Resource, scope: &[u8]) -> Result<Base, Malformed> {
        let mut labels = self.target_labels(resource);
        if self.scope_labels {
            push_scope_labels(&mut labels, scope)?;
        }
        Ok(Base::new(labels))
    }

    /// External labels, `job` and `instance`.
    fn target_labels(&self, resource: &Resource) -> Vec<BaseLabel> {
        let mut labels = self.external.clone();
        push(&mut labels, b"job", &resource.job, false);
        push(&mut labels, b"instance", &resource.instance, false);
        labels
    }
}

fn push_scope_labels(labels: &mut Vec<BaseLabel>, scope: &[u8]) -> Result<(), Malformed> {
    let mut attributes = Vec::new();
    let mut fields = Fields::of(scope);
    while let Some(part) = fields.next_field()? {
        match part.number {
            field::SCOPE_NAME => push(labels, b"otel_scope_name", part.bytes()?, false),
            field::SCOPE_VERSION => push(labels, b"otel_scope_version", part.bytes()?, false),
            field::SCOPE_ATTRIBUTES => attributes.push(part.bytes()?),
            _ => {}
        }
    }
    for attribute in attributes {
        let mut scratch = Vec::new();
        let attribute = Attribute::read(attribute, &mut scratch)?;
        if !matches!(attribute.key, b"name" | b"version" | b"schema_url") {
            let key = [b"otel_scope_", attribute.key].concat();
            push(labels, &key, attribute.value.resolve(&scratch), false);
        }
    }
    Ok(())
}

/// Adds a label unless its value is empty, which in Prometheus is the same as no label.
fn push(labels: &mut Vec<BaseLabel>, key: &[u8], value: &[u8], yields: bool) {
    let mut name = Vec::new();
    if !value.is_empty() && push_sanitized(key, &mut name) {
        labels.push(BaseLabel { name, value: value.to_vec(), yields });
    }
}

impl<S: Sink> Walk<'_, '_, S> {
    /// Writes `target_info`, which carries the attributes of a resource: one sample of 1 at the time
    /// of its newest point.
    pub(super) fn target_info(&mut self) -> Result<(), Unreadable> {
        let time = (self.newest / NANOS_PER_MILLI) as i64;
        let attributes: Vec<_> =
            self.resource.attributes.iter().filter(|attribute| !is_service(attribute.key)).cloned().collect();
        if self.newest == 0 || time < self.oldest || attributes.is_empty() {
            return Ok(());
        }
        let Translator { labels, base_options, namer, metric_name, scratch, .. } = &mut *self.translator;
        labels.set_base(Base::new(base_options.target_labels(&self.resource)));
        namer.write_unchanged(b"target_info", metric_name);
        scratch.clear();
        scratch.extend_from_slice(&self.resource.scratch);
        // A resource whose attributes cannot be labels has no target_info; its points were judged
        // one by one.
        let Ok((labels, identity)) = labels.labels(&attributes, 0, ExtraLabel::None, scratch) else {
            return Ok(());
        };
        if !labels.iter().any(|label| matches!(label.name, b"job" | b"instance")) {
            return Ok(());
        }
        self.sink.begin(identity.wrapping_add(family_identity(metric_name)), 0);
        self.sink.series(&labels, metric_name, None, Sample { value: 1.0, time });
        self.sink.end();
        Ok(())
    }
}
