//! The side that is connected to.

use super::{FromFiles, TlsError, not_a_pair, provider, read_identity, read_roots, sources, versions};
use preamp_config::ServerTls;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;

/// The TLS configuration of a server that speaks these application protocols, as its files are at each moment.
///
/// # Errors
/// When a file cannot be used.
pub(crate) fn server(
    tls: &ServerTls,
    protocols: &'static [&'static str],
) -> Result<FromFiles<ServerConfig>, TlsError> {
    let sources = sources(Some(&tls.identity), tls.client_ca.as_ref());
    let tls = tls.clone();
    FromFiles::new(sources, move || server_config(&tls, protocols))
}

fn server_config(tls: &ServerTls, protocols: &[&str]) -> Result<ServerConfig, TlsError> {
    let provider = provider(&tls.protocol);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(&tls.protocol))?;
    let builder = match &tls.client_ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let roots = Arc::new(read_roots("client_ca_file", ca)?);
            let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
            let unverifiable = |error| rustls::Error::General(format!("client_ca_file: {error}"));
            builder.with_client_cert_verifier(verifier.map_err(unverifiable)?)
        }
    };
    let (certificates, key) = read_identity(&tls.identity)?;
    let mut config =
        builder.with_single_cert(certificates, key).map_err(|error| not_a_pair(&tls.identity, &error))?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Ok(config)
}
