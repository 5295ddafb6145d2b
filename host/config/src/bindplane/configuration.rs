//! Which resources of a file count: those that its configuration names, or the only destination.

use super::envelope::{Envelope, Kind, Resource};
use super::{DESTINATION, SOURCE};
use crate::view::View;

/// The kind that connects sources with destinations.
pub(super) const CONFIGURATION: &str = "Configuration";

const CHOOSE: &str = "choose one with --destination NAME";

/// What is to run.
pub(super) struct Chosen<'d> {
    /// What receives; a destination alone has none.
    pub source: Option<Resource<'d>>,
    pub destination: Resource<'d>,
}

/// Chooses what is to run; `None` after it was reported that nothing can be.
pub(super) fn choose<'d>(documents: Vec<View<'d>>, wanted: Option<&str>) -> Option<Chosen<'d>> {
    let resources: Vec<Envelope<'d>> = documents.into_iter().map(Envelope::new).collect();
    match resources.iter().find(|resource| resource.kind() == Some(CONFIGURATION)) {
        Some(configuration) => connected(configuration, &resources, wanted),
        None => alone(&resources, wanted).map(|destination| Chosen { source: None, destination }),
    }
}

/// The destination of a file that has no configuration.
fn alone<'d>(resources: &[Envelope<'d>], wanted: Option<&str>) -> Option<Resource<'d>> {
    if let ([only], None) = (resources, wanted) {
        return only.open(&DESTINATION);
    }
    let is_ours = |resource: &&Envelope| {
        let kind = resource.kind().is_none_or(|kind| kind == DESTINATION.kind);
        kind && resource.type_name() == Some(DESTINATION.type_name)
    };
    let (ours, others): (Vec<_>, Vec<_>) = resources.iter().partition(is_ours);
    for other in others {
        other.view().warn(format!("is no destination of type {}, and ignored", DESTINATION.type_name));
    }
    let chosen: Vec<_> =
        ours.iter().filter(|resource| wanted.is_none_or(|name| resource.is_called(name))).collect();
    match (chosen.as_slice(), wanted) {
        ([only], _) => only.open(&DESTINATION),
        ([], Some(name)) => {
            let first = resources.first()?.view();
            let hint = first.suggest(name, ours.iter().filter_map(|resource| resource.shown_name()));
            first.error(format!("no destination `{name}` is in this file; {hint}"));
            None
        }
        ([], None) => {
            resources
                .first()?
                .view()
                .error(format!("holds no destination of type {}", DESTINATION.type_name));
            None
        }
        ([_, second, ..], _) => {
            let names: Vec<_> = chosen.iter().filter_map(|resource| resource.shown_name()).collect();
            second.view().error(format!("is one of several destinations, {}: {CHOOSE}", names.join(", ")));
            None
        }
    }
}

/// What a configuration connects.
fn connected<'d>(
    configuration: &Envelope<'d>,
    resources: &[Envelope<'d>],
    wanted: Option<&str>,
) -> Option<Chosen<'d>> {
    let listed =
        |key: &str| configuration.part(key).map(|view| view.short_list("entries")).unwrap_or_default();
    let sources: Vec<_> =
        listed("sources").into_iter().map(|item| resolve(item, &SOURCE, resources)).collect();
    let destinations = listed("destinations").into_iter().map(|item| resolve(item, &DESTINATION, resources));
    let is_wanted = |found: &Option<Envelope>| match (found, wanted) {
        (Some(found), Some(name)) => found.is_called(name),
        _ => true,
    };
    let destinations: Vec<_> = destinations.filter(is_wanted).collect();
    for second in sources.iter().flatten().skip(1) {
        second.view().error("a second source is not supported by this version of preamp yet");
    }
    for second in destinations.iter().flatten().skip(1) {
        second
            .view()
            .error(format!("a second destination is not supported by this version of preamp yet: {CHOOSE}"));
    }
    let Some(destination) = destinations.into_iter().next() else {
        let view = configuration.part("destinations").unwrap_or_else(|| configuration.view().clone());
        view.error(match wanted {
            Some(name) => format!("names no destination `{name}`"),
            None => format!("names no destination of type {}", DESTINATION.type_name),
        });
        return None;
    };
    // Both are opened before either may end this, so that all that is wrong is reported.
    let source = sources.into_iter().next().map(|source| source?.open(&SOURCE));
    let destination = destination?.open(&DESTINATION)?;
    match source {
        Some(None) => None,
        source => Some(Chosen { source: source.flatten(), destination }),
    }
}

/// What stands in a configuration's list: a resource, or the name of one; `None` after it was reported that there
/// is none of that name.
fn resolve<'d>(item: View<'d>, kind: &Kind, resources: &[Envelope<'d>]) -> Option<Envelope<'d>> {
    if item.entry("type").is_some() {
        return Some(Envelope::new(item));
    }
    let Some(reference) = item.entry("name").or_else(|| item.entry("id")) else {
        item.error(format!("expected a {0} with `type` and `parameters`, or the `name` of one", kind.noun));
        return None;
    };
    // Bindplane may put the version of the resource behind a colon.
    let text = reference.text()?;
    let name = text.split_once(':').map_or(text, |(name, _version)| name);
    let of_kind = || resources.iter().filter(|resource| resource.kind() == Some(kind.kind));
    let found = of_kind().find(|resource| resource.is_called(name));
    if found.is_none() {
        let known = of_kind().filter_map(|resource| resource.shown_name());
        let word = if reference.is_hidden() { "" } else { name };
        let hint = reference.suggest(word, known);
        reference.error(format!("no {} {} is in this file; {hint}", kind.noun, reference.quoted(name)));
    }
    found.map(|found| Envelope::new(found.view().clone()))
}
