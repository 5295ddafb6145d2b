//! TLS: whom to trust, who this process is, and how that is kept up to date while files change.

mod client;
mod files;
#[cfg(feature = "receivers")]
mod server;

pub(crate) use client::client;
pub(crate) use files::FromFiles;
#[cfg(feature = "receivers")]
pub(crate) use server::server;

use preamp_config::{Pem, TlsIdentity, TlsProtocol, TlsVersion};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};
use rustls::{RootCertStore, SupportedCipherSuite, SupportedProtocolVersion};
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Why TLS settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Something does not hold what it should.
    #[error("tls.{key}{}: {problem}; {remedy}", InFile(.place))]
    Pem {
        /// The key that names it.
        key: &'static str,
        /// The file, or nothing for a text in the configuration.
        place: Option<std::path::PathBuf>,
        /// What is wrong with it; never what it holds.
        problem: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// The TLS library does not offer what is needed.
    #[error("TLS cannot be set up: {0}")]
    Library(#[from] rustls::Error),
}

struct InFile<'p>(&'p Option<std::path::PathBuf>);

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(path) => write!(f, " {}", path.display()),
            None => Ok(()),
        }
    }
}

/// The library marks the suites of TLS 1.3, which IANA does not.
fn iana_name(suite: &SupportedCipherSuite) -> String {
    format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1)
}

fn provider(protocol: &TlsProtocol) -> Arc<CryptoProvider> {
    let mut provider = ring::default_provider();
    if !protocol.cipher_suites.is_empty() {
        provider.cipher_suites.retain(|suite| protocol.cipher_suites.contains(&iana_name(suite)));
    }
    Arc::new(provider)
}

fn versions(protocol: &TlsProtocol) -> Vec<&'static SupportedProtocolVersion> {
    let known = [(TlsVersion::V1_2, &TLS12), (TlsVersion::V1_3, &TLS13)];
    let taken = known.into_iter().filter(|(version, _)| (protocol.min..=protocol.max).contains(version));
    taken.map(|(_, version)| version).collect()
}

/// What a configuration is made of.
fn sources<'p>(
    identity: Option<&'p TlsIdentity>,
    authorities: Option<&'p Pem>,
) -> impl Iterator<Item = &'p Pem> {
    let pair = identity.map(|identity| [&identity.certificate, &identity.key]);
    pair.into_iter().flatten().chain(authorities)
}

/// Whom to trust: the certificates of authorities.
fn read_roots(key: &'static str, pem: &Pem) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in read_certificates(key, pem)? {
        roots.add(certificate).map_err(|error| unusable(key, pem, error.to_string()))?;
    }
    Ok(roots)
}

/// All certificates, of which there is at least one.
fn read_certificates(key: &'static str, pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = bytes(key, pem)?;
    let read: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    match read {
        Ok(certificates) if certificates.is_empty() => {
            Err(unusable(key, pem, "no certificate in it".to_owned()))
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(key, pem, said(&error))),
    }
}

/// A certificate with those that lead to an authority, and the key that belongs to it.
fn read_identity(
    identity: &TlsIdentity,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
    let certificates = read_certificates(CERTIFICATE, &identity.certificate)?;
    let key = PrivateKeyDer::from_pem_slice(&bytes(KEY, &identity.key)?);
    let key = key.map_err(|error| unusable(KEY, &identity.key, said(&error)))?;
    Ok((certificates, key))
}

/// What stands in a file or in the configuration, overwritten with zeros when it is dropped.
fn bytes(key: &'static str, pem: &Pem) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let read = match pem {
        Pem::File(path) => {
            preamp_base::files::read(path).map_err(|error| unusable(key, pem, error.to_string()))?
        }
        Pem::Text(text) => text.expose().as_bytes().to_vec(),
    };
    Ok(Zeroizing::new(read))
}

/// What is said of a pair that the library does not take.
fn not_a_pair(identity: &TlsIdentity, error: &rustls::Error) -> TlsError {
    unusable(KEY, &identity.key, format!("does not go with tls.{CERTIFICATE}: {error}"))
}

const CERTIFICATE: &str = "cert_file";
const KEY: &str = "key_file";

fn unusable(key: &'static str, pem: &Pem, problem: String) -> TlsError {
    let place = match pem {
        Pem::File(path) => Some(path.clone()),
        Pem::Text(_) => None,
    };
    let remedy = match key {
        CERTIFICATE => {
            "it must hold the certificate of this side, then those that lead to its authority, in PEM"
        }
        KEY => "it must hold the private key of the certificate, unencrypted, in PEM",
        _ => "it must hold the certificates of the authorities to trust, in PEM",
    };
    TlsError::Pem { key, place, problem, remedy }
}

/// What the reader of PEM says, without what it read.
fn said(error: &pem::Error) -> String {
    match error {
        pem::Error::NoItemsFound => "nothing of that kind in it".to_owned(),
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => "a section does not end".to_owned(),
        pem::Error::IllegalSectionStart { .. } => "a section begins wrongly".to_owned(),
        _ => "is no PEM".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::iana_name;
    use preamp_config::CIPHER_SUITES;
    use rustls::crypto::ring;

    #[test]
    fn the_cipher_suites_that_can_be_configured_are_those_of_the_library() {
        let names: Vec<_> = ring::ALL_CIPHER_SUITES.iter().map(iana_name).collect();
        assert_eq!(names, CIPHER_SUITES);
    }
}
