//! Makes one component of the parts of a gateway (`wit/edge`): the same bytes for the same parts and configuration.

mod settings;

use wac_graph::types::Package;
use wac_graph::{CompositionGraph, EncodeOptions, PackageId, PlugError};

/// The parts of a gateway beside its configuration, as components.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'p> {
    /// Takes requests and sends some: the part with the network.
    pub driver: &'p [u8],
    /// Derives signing keys: the part with the secret.
    pub credentials: &'p [u8],
    /// Translates and decides: the part without any import.
    pub core: &'p [u8],
}

/// Why a gateway could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A part is no component, or not the one it should be.
    #[error("the part `{0}` of the gateway is no component: {1}")]
    Part(&'static str, String),
    /// The parts do not fit each other.
    #[error("the parts of the gateway do not fit each other: {0}")]
    Composition(String),
}

/// Composes a gateway. `configuration` is the text that the core is opened with.
///
/// # Errors
///
/// When a part is no component, or does not fit the others.
pub fn gateway(parts: &Parts<'_>, configuration: &str) -> Result<Vec<u8>, BundleError> {
    let mut graph = CompositionGraph::new();
    let socket = register(&mut graph, "driver", parts.driver.to_vec())?;
    let settings = settings::component(configuration);
    let plugs =
        [("credentials", parts.credentials.to_vec()), ("core", parts.core.to_vec()), ("settings", settings)];
    let plugs: Vec<_> =
        plugs.into_iter().map(|(name, bytes)| register(&mut graph, name, bytes)).collect::<Result<_, _>>()?;
    wac_graph::plug(&mut graph, plugs, socket).map_err(|error| match error {
        PlugError::NoPlugHappened => BundleError::Composition("the driver imports none of them".to_owned()),
        PlugError::GraphError { source } => BundleError::Composition(format!("{source:#}")),
    })?;
    // The name and version of the composing library are no part of what a gateway is.
    let options = EncodeOptions { define_components: true, validate: false, processor: None };
    graph.encode(options).map_err(|error| BundleError::Composition(error.to_string()))
}

fn register(
    graph: &mut CompositionGraph,
    name: &'static str,
    bytes: Vec<u8>,
) -> Result<PackageId, BundleError> {
    let package = Package::from_bytes(&format!("preamp:{name}"), None, bytes, graph.types_mut())
        .map_err(|error| BundleError::Part(name, format!("{error:#}")))?;
    graph.register_package(package).map_err(|error| BundleError::Part(name, error.to_string()))
}

#[cfg(test)]
mod tests;
