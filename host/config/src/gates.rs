//! Feature gates (`--feature-gates`), as the Collector takes them: those of its exporter and of its translation. A gate
//! that is not known is an error, since what it asks for would not happen.

use super::diagnostic::Diagnostic;
use super::settings::ExporterSettings;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Gates that were switched on or off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureGates(BTreeMap<&'static str, bool>);

/// A gate that the Collector has.
struct Gate {
    id: &'static str,
    effect: Effect,
}

/// What a gate does here.
enum Effect {
    /// It switches an option of the component on.
    Sets(&'static str),
    /// This key of the exporter cannot be used with it.
    Forbids { pointer: &'static str, instead: &'static str },
    /// The client's keys stand under `http` only.
    NestsClient,
    /// What it asks for is done in any case.
    Always,
    /// It changes nothing, for this reason.
    Nothing(&'static str),
    /// It is always on: this is what to do for the behaviour from before.
    Stable(&'static str),
}

const GATES: [Gate; 8] = [
    Gate {
        id: "pkg.prometheus.KeepIdentifyingResourceAttributes",
        effect: Effect::Sets("keep_identifying_resource_attributes"),
    },
    Gate {
        id: "pkg.translator.prometheus.CorrectUCUMUnits",
        effect: Effect::Nothing(
            "the Collector's remote-write exporter does not look at it either (contrib 0.165)",
        ),
    },
    Gate {
        id: "pkg.translator.prometheus.PermissiveLabelSanitization",
        effect: Effect::Stable("set `label_names: contrib-0.156` for the label names from before"),
    },
    Gate {
        id: "exporter.prometheusremotewrite.DisableResourceToTelemetryConversion",
        effect: Effect::Forbids {
            pointer: "/resource_to_telemetry_conversion",
            instead: "use `resource_constant_labels`",
        },
    },
    Gate {
        id: "exporter.prometheusremotewritexporter.EnableMultipleWorkers",
        effect: Effect::Nothing("preamp sends one request at a time for each partition: set `num_consumers`"),
    },
    Gate { id: "exporter.prometheusremotewritexporter.RetryOn429", effect: Effect::Always },
    Gate { id: "exporter.prometheusremotewritexporter.enableSendingRW2", effect: Effect::Always },
    Gate {
        id: "exporter.prometheusremotewritexporter.removeTopLevelHTTPSettings",
        effect: Effect::NestsClient,
    },
];

impl FeatureGates {
    /// Reads a list as the Collector does: ids with commas between them, `-` in front of those that are switched off, and
    /// perhaps `+` in front of others.
    ///
    /// # Errors
    ///
    /// An unknown gate, or one that cannot be switched off.
    pub fn parse(list: &str) -> Result<FeatureGates, String> {
        let mut gates = FeatureGates::default();
        for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (id, is_on) = match item.strip_prefix('-') {
                Some(id) => (id, false),
                None => (item.strip_prefix('+').unwrap_or(item), true),
            };
            let Some(gate) = GATES.iter().find(|gate| gate.id == id) else {
                let known: Vec<_> = GATES.iter().map(|gate| gate.id).collect();
                return Err(format!("no such feature gate {id:?}; known are {}", known.join(", ")));
            };
            if let (Effect::Stable(before), false) = (&gate.effect, is_on) {
                return Err(format!(
                    "the feature gate {id:?} is stable and cannot be switched off: {before}"
                ));
            }
            gates.0.insert(gate.id, is_on);
        }
        Ok(gates)
    }

    /// Adds gates, which count over those before.
    pub fn add(&mut self, later: &FeatureGates) {
        self.0.extend(later.0.iter().map(|(id, is_on)| (*id, *is_on)));
    }

    /// The options of the component that are switched on.
    pub fn options(&self) -> impl Iterator<Item = &'static str> {
        self.on().filter_map(|gate| match gate.effect {
            Effect::Sets(option) => Some(option),
            _ => None,
        })
    }

    fn on(&self) -> impl Iterator<Item = &'static Gate> {
        GATES.iter().filter(|gate| self.0.get(gate.id) == Some(&true))
    }

    /// Applies them to an exporter. `find` tells where a part of the component's configuration stands, given a message.
    pub(super) fn apply(
        &self,
        exporter: &mut ExporterSettings,
        find: &dyn Fn(&str, &str) -> Diagnostic,
    ) -> Applied {
        let mut applied = Applied::default();
        let options = serde_json::from_str(&exporter.component_json);
        let mut options: Map<String, Value> = options.unwrap_or_default();
        for Gate { id, effect } in self.on() {
            match effect {
                Effect::Sets(option) => {
                    options.entry(*option).or_insert(true.into());
                }
                Effect::Forbids { pointer, instead } => {
                    let section = options.get(pointer.trim_start_matches('/'));
                    let is_used = section
                        .and_then(Value::as_object)
                        .is_some_and(|section| section.values().any(|value| value.as_bool() == Some(true)));
                    if is_used {
                        let message = format!("is disabled by the feature gate {id}: {instead}");
                        applied.errors.push(find(pointer, &message));
                    }
                }
                Effect::NestsClient => {
                    let found = find("/endpoint", "");
                    if found.path.contains('.') && !found.path.ends_with(".http.endpoint") {
                        let message =
                            format!("cannot stand here with the feature gate {id}: move it under `http`");
                        applied.errors.push(Diagnostic { message, ..found });
                    }
                }
                Effect::Always => {}
                Effect::Nothing(why) => {
                    applied.warnings.push(of_gate(id, &format!("changes nothing: {why}")))
                }
                Effect::Stable(_) => applied.warnings.push(of_gate(id, "is always on: leave it out")),
            }
        }
        exporter.component_json = Value::Object(options).to_string();
        applied
    }
}

/// What came of applying gates.
#[derive(Default)]
pub(super) struct Applied {
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
}

fn of_gate(id: &str, message: &str) -> Diagnostic {
    Diagnostic {
        file: "--feature-gates".to_owned(),
        place: None,
        path: id.to_owned(),
        message: message.to_owned(),
        is_warning: true,
    }
}
