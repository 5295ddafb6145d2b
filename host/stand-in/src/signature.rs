//! Verifies AWS Signature Version 4 with `scratchstack-aws-signature`, which shares no code with Preamp's signer,
//! and adds what AWS does on top: five minutes of clock tolerance, a token that belongs to the key, and a signature
//! over every `x-amz-*` header.

use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::Request;
use http::request::Parts;
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, KeyLengthError, SignatureError,
    SignatureOptions, VecSignedHeaderRequirements, service_for_signing_key_fn, sigv4_validate_request,
};

use crate::answer::Answer;
use crate::options::Signer;

const TIMESTAMP: &str = "%Y%m%dT%H%M%SZ";
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Checks requests against one identity.
pub(crate) struct Verifier {
    signer: Signer,
    secret: KSecretKey,
}

impl Verifier {
    /// Fails when the secret key is not 40 characters long, the only length the verifying library takes.
    pub(crate) fn new(signer: Signer) -> Result<Self, KeyLengthError> {
        let secret = signer.secret_access_key.parse()?;
        Ok(Self { signer, secret })
    }

    /// Fails with the 403 AWS would answer. `body` is hashed here: a hash that was sent is never believed.
    pub(crate) async fn verify(&self, parts: &Parts, body: &Bytes, now: SystemTime) -> Result<(), Answer> {
        let now = DateTime::<Utc>::from(now);
        check_skew(parts, now)?;
        let mut request = Request::new(body.clone());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        let required =
            VecSignedHeaderRequirements::new(&["host", "x-amz-date"], &["content-type"], &["x-amz-"]);
        let signer = self.signer.clone();
        let secret = self.secret;
        let find_key = move |wanted: GetSigningKeyRequest| {
            let key = signing_key(&signer, &secret, &wanted);
            async move { key.map_err(Into::into) }
        };
        let mut keys = service_for_signing_key_fn(find_key);
        let scope = (self.signer.region.as_str(), self.signer.service.as_str());
        sigv4_validate_request(
            request,
            scope.0,
            scope.1,
            &mut keys,
            now,
            &required,
            SignatureOptions::default(),
        )
        .await
        .map(|_| ())
        .map_err(|error| forbidden(&SignatureError::from(error)))
    }
}

/// The derived key for a request of the known identity.
fn signing_key(
    signer: &Signer,
    secret: &KSecretKey,
    wanted: &GetSigningKeyRequest,
) -> Result<GetSigningKeyResponse, SignatureError> {
    let known = wanted.access_key() == signer.access_key_id
        && wanted.session_token() == signer.session_token.as_deref();
    if !known {
        let message = "The security token included in the request is invalid.";
        return Err(SignatureError::InvalidClientTokenId(message.to_owned()));
    }
    let key = secret.to_ksigning(wanted.request_date(), wanted.region(), wanted.service());
    GetSigningKeyResponse::builder()
        .signing_key(key)
        .build()
        .map_err(|error| SignatureError::InternalServiceError(error.into()))
}

/// The library allows a quarter of an hour of skew, AWS only five minutes. A request without a readable
/// `x-amz-date` is left for the library to refuse.
fn check_skew(parts: &Parts, now: DateTime<Utc>) -> Result<(), Answer> {
    let sent = parts.headers.get("x-amz-date").and_then(|value| value.to_str().ok());
    let Some(sent) = sent.and_then(|text| NaiveDateTime::parse_from_str(text, TIMESTAMP).ok()) else {
        return Ok(());
    };
    let (sent, earliest, latest) = (sent.and_utc(), now - TOLERANCE, now + TOLERANCE);
    let text = |instant: DateTime<Utc>| instant.format(TIMESTAMP).to_string();
    let message = if sent < earliest {
        format!(
            "Signature expired: {} is now earlier than {} ({} - 5 min.)",
            text(sent),
            text(earliest),
            text(now)
        )
    } else if sent > latest {
        format!(
            "Signature not yet current: {} is still later than {} ({} + 5 min.)",
            text(sent),
            text(latest),
            text(now)
        )
    } else {
        return Ok(());
    };
    Err(Answer::forbidden("InvalidSignatureException", &message))
}

/// The class and text AWS answers with; every class is a 403 here.
fn forbidden(error: &SignatureError) -> Answer {
    let class = match error {
        SignatureError::MissingAuthenticationToken(_) => return missing_token(),
        SignatureError::InvalidClientTokenId(_) => "UnrecognizedClientException",
        SignatureError::ExpiredToken(_) => "ExpiredTokenException",
        SignatureError::IncompleteSignature(_) => "IncompleteSignatureException",
        SignatureError::SignatureDoesNotMatch(_) => "InvalidSignatureException",
        _ => "AccessDeniedException",
    };
    Answer::forbidden(class, &error.to_string())
}

/// What the front says to an unsigned request, and to one for a path it does not know.
pub(crate) fn missing_token() -> Answer {
    Answer::forbidden("MissingAuthenticationTokenException", "Missing Authentication Token")
}
