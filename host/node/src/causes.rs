//! What went wrong and why, in one line.

use rustls::{AlertDescription, CertificateError, Error as TlsError};
use std::error::Error;
use std::io;

/// An error and what caused it. Errors of libraries name addresses, never header fields.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        // Some say in their own text what caused them.
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// What helps against an error of TLS, if one is among the causes.
pub(crate) fn tls_remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = as_tls(error) {
            return remedy(error);
        }
        next = error.source();
    }
    None
}

/// Errors of input and output wrap those of TLS without naming them as their cause.
fn as_tls<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e TlsError> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => as_tls(wrapped),
        None => error.downcast_ref(),
    }
}

fn remedy(error: &TlsError) -> Option<&'static str> {
    Some(match error {
        TlsError::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => {
                "set tls.ca_file to the certificates of the authority that signed the receiver's"
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => {
                "renew the receiver's certificate, or set this machine's clock"
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "write a name of the certificate into the endpoint, or into tls.server_name_override"
            }
            _ => return None,
        },
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "set tls.cert_file and tls.key_file: the receiver wants a certificate of this side"
        }
        TlsError::AlertReceived(
            AlertDescription::UnknownCA
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateExpired
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => "renew tls.cert_file: the receiver does not take the certificate of this side",
        TlsError::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure)
        | TlsError::PeerIncompatible(_) => {
            "both sides must share a version and a cipher suite: see tls.min_version and tls.cipher_suites"
        }
        TlsError::InvalidMessage(_) => "no TLS is spoken there: write http://, or another port",
        _ => return None,
    })
}
