//! Verifies AWS Signature Version 4 with `scratchstack-aws-signature`, which shares no code with Preamp's signer,
//! and adds what AWS does on top: five minutes of clock tolerance, a token that belongs to the key, and a signature
//! over every `x-amz-*` header.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use http::Request;
use http::header::AUTHORIZATION;
use http::request::Parts;
use scratchstack_aws_signature::{
    GetSigningKeyRequest, GetSigningKeyResponse, KSecretKey, KeyLengthError, SignatureError,
    SignatureOptions, VecSignedHeaderRequirements, service_for_signing_key_fn, sigv4_validate_request,
};

use crate::answer::Answer;
use crate::options::{Session, Signer};

const TIMESTAMP: &str = "%Y%m%dT%H%M%SZ";
const TOLERANCE: TimeDelta = TimeDelta::minutes(5);

/// Checks requests against the identities that are known.
pub(crate) struct Verifier {
    region: String,
    service: String,
    identities: Arc<Identities>,
}

/// Shared with the verifying library, which asks for keys.
type Identities = RwLock<Vec<Identity>>;

struct Identity {
    access_key_id: String,
    secret: KSecretKey,
    session_token: Option<String>,
    expires: Option<SystemTime>,
}

impl Verifier {
    /// Fails when the secret key is not 40 characters long, the only length the verifying library takes.
    pub(crate) fn new(signer: Signer) -> Result<Self, KeyLengthError> {
        let Signer { access_key_id, secret_access_key, session_token, region, service } = signer;
        let verifier = Self { region, service, identities: Arc::default() };
        verifier.know(Session { access_key_id, secret_access_key, session_token, expires: None })?;
        Ok(verifier)
    }

    /// Lets one more identity in. Fails as [`Verifier::new`] does.
    pub(crate) fn know(&self, session: Session) -> Result<(), KeyLengthError> {
        let Session { access_key_id, secret_access_key, session_token, expires } = session;
        let secret = secret_access_key.parse()?;
        let identity = Identity { access_key_id, secret, session_token, expires };
        self.identities.write().unwrap_or_else(PoisonError::into_inner).push(identity);
        Ok(())
    }

    /// Fails with the 403 AWS would answer. `body` is hashed here: a hash that was sent is never believed.
    pub(crate) async fn verify(&self, parts: &Parts, body: &Bytes, now: SystemTime) -> Result<(), Answer> {
        let instant = DateTime::<Utc>::from(now);
        check_skew(parts, instant)?;
        let mut request = Request::new(body.clone());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.clone();
        *request.headers_mut() = parts.headers.clone();
        let required =
            VecSignedHeaderRequirements::new(&["host", "x-amz-date"], &["content-type"], &["x-amz-"]);
        let identities = Arc::clone(&self.identities);
        let find_key = move |wanted: GetSigningKeyRequest| {
            let key = signing_key(&identities, &wanted, now);
            async move { key.map_err(Into::into) }
        };
        let mut keys = service_for_signing_key_fn(find_key);
        sigv4_validate_request(
            request,
            &self.region,
            &self.service,
            &mut keys,
            instant,
            &required,
            SignatureOptions::default(),
        )
        .await
        .map(|_| ())
        .map_err(|error| forbidden(&SignatureError::from(error)))
    }
}

/// The derived key for a request of a known identity.
fn signing_key(
    identities: &Identities,
    wanted: &GetSigningKeyRequest,
    now: SystemTime,
) -> Result<GetSigningKeyResponse, SignatureError> {
    let identities = identities.read().unwrap_or_else(PoisonError::into_inner);
    let known = identities.iter().find(|identity| {
        wanted.access_key() == identity.access_key_id
            && wanted.session_token() == identity.session_token.as_deref()
    });
    let Some(identity) = known else {
        let message = "The security token included in the request is invalid.";
        return Err(SignatureError::InvalidClientTokenId(message.to_owned()));
    };
    if identity.expires.is_some_and(|end| end <= now) {
        let message = "The security token included in the request is expired";
        return Err(SignatureError::ExpiredToken(message.to_owned()));
    }
    let key = identity.secret.to_ksigning(wanted.request_date(), wanted.region(), wanted.service());
    GetSigningKeyResponse::builder()
        .signing_key(key)
        .build()
        .map_err(|error| SignatureError::InternalServiceError(error.into()))
}

/// Whose signature a request claims to bear: the access key id.
pub(crate) fn claimed(parts: &Parts) -> Option<&str> {
    let authorization = parts.headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split('/').next()
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
