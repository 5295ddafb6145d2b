//! The side that connects.

use super::{FromFiles, TlsError, not_a_pair, provider, read_identity, read_roots, sources, versions};
use hyper_rustls::ConfigBuilderExt;
use preamp_config::ClientTls;
use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier,
};
use std::sync::Arc;

/// The TLS configuration of a client, without application protocols, as its files are at each moment.
///
/// # Errors
/// When a file cannot be used.
pub(crate) fn client(tls: &ClientTls) -> Result<FromFiles<ClientConfig>, TlsError> {
    let sources = sources(tls.identity.as_ref(), tls.ca.as_ref());
    let tls = tls.clone();
    FromFiles::new(sources, move || client_config(&tls))
}

fn client_config(tls: &ClientTls) -> Result<ClientConfig, TlsError> {
    let provider = provider(&tls.protocol);
    let algorithms = provider.signature_verification_algorithms;
    let builder =
        ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions(&tls.protocol))?;
    let builder = if tls.insecure_skip_verify {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(TrustAnyone { algorithms }))
    } else {
        trusting(tls, builder)?
    };
    let Some(identity) = &tls.identity else { return Ok(builder.with_no_client_auth()) };
    let (certificates, key) = read_identity(identity)?;
    builder.with_client_auth_cert(certificates, key).map_err(|error| not_a_pair(identity, &error))
}

/// Trusts the authorities of the file, or else those of the system.
fn trusting(
    tls: &ClientTls,
    builder: ConfigBuilder<ClientConfig, WantsVerifier>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    if let Some(ca) = &tls.ca {
        let mut roots = read_roots("ca_file", ca)?;
        if tls.include_system_ca_certs_pool {
            let system = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(system);
        }
        return Ok(builder.with_root_certificates(roots));
    }
    match builder.clone().with_native_roots() {
        Ok(builder) => Ok(builder),
        Err(error) => {
            // Plain http, such as to a proxy on the same machine, needs no certificates.
            tracing::warn!(
                %error,
                "no certificate authorities on this system, so https will fail: install them (package \
                 ca-certificates) or set tls.ca_file"
            );
            Ok(builder.with_root_certificates(RootCertStore::empty()))
        }
    }
}

/// Takes any certificate, but still wants the handshake signed with it.
#[derive(Debug)]
struct TrustAnyone {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for TrustAnyone {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
