//! Whether a configuration works, one step after the other: from the address to the receiver's answer. Each
//! step says what was found, and if that is not well, what helps.

mod queue;
mod receiver;
mod signer;
mod write;

use preamp_base::Clock;
use preamp_config::ExporterSettings;
use preamp_host::credentials::{Identity, ResolvedCredentials};
use preamp_host::delivery::HttpClient;
use preamp_wasm::{CallError, ExporterPool};
use serde::Serialize;

/// How far to go.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Nobody is connected to.
    pub is_offline: bool,
    /// One sample is written in place of an empty request.
    pub writes_sample: bool,
}

/// What is checked, and with what.
pub struct Subject<'s> {
    /// The exporter.
    pub settings: &'s ExporterSettings,
    /// The component, opened with the exporter's configuration.
    pub exporters: &'s ExporterPool,
    /// The client that the exporter sends with.
    pub client: &'s HttpClient,
    /// What time it is.
    pub clock: &'s Clock,
}

/// How a step came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StepOutcome {
    /// All well.
    Pass,
    /// It works, and something should be seen to.
    Warn,
    /// This keeps metrics from arriving now, and may pass without a change: `preamp run` would try again.
    Wait,
    /// This keeps metrics from arriving until something is changed.
    Fail,
    /// Not done: it was not asked for, or a step before it failed.
    Skip,
}

/// What all steps together say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Conclusion {
    /// Metrics would arrive.
    Arrive,
    /// Metrics would not arrive now. It may pass without a change.
    Wait,
    /// Metrics would not arrive.
    Fail,
}

impl Conclusion {
    /// The conclusion of steps. One that fails counts over one that waits.
    #[must_use]
    pub fn of(steps: &[Step]) -> Conclusion {
        let has = |outcome| steps.iter().any(|step| step.outcome == outcome);
        match () {
            () if has(StepOutcome::Fail) => Conclusion::Fail,
            () if has(StepOutcome::Wait) => Conclusion::Wait,
            () => Conclusion::Arrive,
        }
    }
}

/// One step.
#[derive(Clone, Debug, Serialize)]
pub struct Step {
    /// What was looked at, in one word.
    #[serde(rename = "step")]
    pub name: &'static str,
    /// How it came out.
    pub outcome: StepOutcome,
    /// What was found; never a secret.
    pub detail: String,
    /// What helps, if it did not pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

impl Step {
    /// A step that passed.
    #[must_use]
    pub fn pass(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, outcome: StepOutcome::Pass, detail: detail.into(), remedy: None }
    }

    /// A step that keeps metrics from arriving.
    #[must_use]
    pub fn fail(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { name, outcome: StepOutcome::Fail, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// A step that keeps metrics from arriving now.
    fn wait(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: StepOutcome::Wait, ..Self::fail(name, detail, remedy) }
    }

    fn warn(name: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { outcome: StepOutcome::Warn, ..Self::fail(name, detail, remedy) }
    }

    fn skip(name: &'static str, why: &str) -> Self {
        Self { outcome: StepOutcome::Skip, ..Self::pass(name, why) }
    }
}

/// Takes the steps in their order, and hands each to `report` when it is done.
///
/// # Errors
/// When the component fails, which is a fault of this program and none of the configuration.
pub async fn check(
    subject: &Subject<'_>,
    extent: Extent,
    mut report: impl FnMut(Step),
) -> Result<(), CallError> {
    report(receiver::address(subject.settings));
    report(receiver::profile(subject.exporters.limits()));
    report(signer::scope(subject.settings));
    if extent.is_offline {
        return Ok(());
    }
    queue::look(&subject.settings.queue).await.into_iter().for_each(&mut report);
    let route = receiver::route(subject);
    let names = receiver::names(subject.settings, &route).await;
    let is_known = names.outcome == StepOutcome::Pass;
    report(names);
    let mut is_reached = false;
    if is_known {
        let greeting = receiver::greet(subject, &route).await;
        is_reached = greeting.connection.outcome == StepOutcome::Pass;
        report(greeting.connection);
        greeting.clock.into_iter().for_each(&mut report);
    } else {
        report(Step::skip("connection", "the name is not known"));
    }
    let caller = signer::caller(subject, &mut report).await;
    match caller {
        _ if !is_reached => report(Step::skip("write", "the receiver was not reached")),
        Caller::Unknown => report(Step::skip("write", "requests cannot be signed without credentials")),
        caller => report(write::write(subject, &caller, extent.writes_sample).await?),
    }
    Ok(())
}

/// Who sends.
enum Caller {
    /// Nobody in particular: requests are not signed.
    Anybody,
    /// Somebody with credentials, and whom AWS takes him for if it says so.
    Known(ResolvedCredentials, Option<Identity>),
    /// Requests are to be signed, and there are no credentials.
    Unknown,
}
