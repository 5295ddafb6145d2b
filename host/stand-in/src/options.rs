//! What a stand-in is asked to be.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{StatusCode, Uri};

use crate::fault::Script;

/// The path of the only workspace there is.
pub const WORKSPACE_PATH: &str = "/workspaces/ws-b226cc2a-a446-46a9-933a-ac50479a5568/api/v1/remote_write";

/// How Cortex names the tenant of that workspace in its error texts.
pub(crate) const TENANT: &str = "111122223333_ws-b226cc2a-a446-46a9-933a-ac50479a5568";

/// Where the stand-in takes the time from; tests put their own here.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// One stand-in. [`Options::signed`] and [`Options::unsigned`] give the behaviour of an AMP workspace with
/// default quotas; change fields from there.
#[derive(Clone)]
pub struct Options {
    /// Who may write.
    pub authentication: Authentication,
    /// AMP's quotas.
    pub limits: Limits,
    /// What goes wrong, and when.
    pub faults: Script,
    /// Who stores the samples.
    pub storage: Storage,
    /// The wall clock.
    pub clock: Clock,
    /// What remote write 2.0, which AMP does not document, is answered with. The specification of 2.0 wants 415;
    /// receivers that are older than it tend to 400.
    pub version_2_status: StatusCode,
}

/// Who may write to the workspace.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Requests must be signed with AWS Signature Version 4.
    SigV4(Signer),
    /// Nothing is checked. For senders that are configured without signing.
    None,
}

/// The identity that is known from the start, and the scope that all signatures must have.
#[derive(Clone)]
pub struct Signer {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key, 40 characters as AWS issues them.
    pub secret_access_key: String,
    /// Session token. When there is one, requests must carry it; when there is none, they must not.
    pub session_token: Option<String>,
    /// Region of the credential scope.
    pub region: String,
    /// Service of the credential scope: `aps` for AMP.
    pub service: String,
}

impl Signer {
    /// An identity that lasts, without a session, for AMP in a region.
    #[must_use]
    pub fn of_amp(access_key_id: &str, secret_access_key: &str, region: &str) -> Self {
        Signer {
            access_key_id: access_key_id.to_owned(),
            secret_access_key: secret_access_key.to_owned(),
            session_token: None,
            region: region.to_owned(),
            service: "aps".to_owned(),
        }
    }
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("access_key_id", &self.access_key_id)
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

/// One more identity, for [`crate::StandIn::know`]: what AWS would issue to whoever assumes a role.
#[derive(Clone)]
pub struct Session {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key, 40 characters as AWS issues them.
    pub secret_access_key: String,
    /// Session token. When there is one, requests must carry it; when there is none, they must not.
    pub session_token: Option<String>,
    /// From when on it is refused as expired.
    pub expires: Option<SystemTime>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("access_key_id", &self.access_key_id)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// The quotas of a workspace, as the AMP user guide states them ("Quotas", "Workspace configuration").
#[derive(Clone, Debug)]
pub struct Limits {
    /// A body of this many bytes or more is refused, before and after decompression.
    pub body_bytes: usize,
    /// A sample older than this is refused.
    pub sample_age: Duration,
    /// How much older than the newest sample of its series a sample may be. Zero wants strict order.
    pub out_of_order_window: Duration,
    /// A series with more labels is refused.
    pub labels: usize,
    /// Metadata of more metrics is silently dropped.
    pub metadata: usize,
    /// Samples of further series than these are refused with 429, and those of the others stored. Only of those kept in
    /// memory.
    pub series: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1_000_000,
            sample_age: Duration::from_secs(3600),
            out_of_order_window: Duration::from_secs(60),
            labels: 150,
            metadata: 20_000,
            series: 50_000_000,
        }
    }
}

/// Where samples end up.
#[derive(Clone, Debug)]
pub enum Storage {
    /// In memory, for [`crate::StandIn::series`]; samples are judged by Cortex' rules of order.
    Memory,
    /// In a Prometheus with its remote-write receiver, which judges the order; the absolute URL.
    Prometheus(Uri),
}

impl Options {
    /// A workspace that wants signatures of one identity.
    #[must_use]
    pub fn signed(signer: Signer) -> Self {
        Self { authentication: Authentication::SigV4(signer), ..Self::unsigned() }
    }

    /// A workspace that takes requests from everybody.
    #[must_use]
    pub fn unsigned() -> Self {
        Self {
            authentication: Authentication::None,
            limits: Limits::default(),
            faults: Script::default(),
            storage: Storage::Memory,
            clock: Arc::new(SystemTime::now),
            version_2_status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        }
    }
}
