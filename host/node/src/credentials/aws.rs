//! Credentials of AWS: the caller's own, as all AWS tools find them, and the role it assumes.

use super::{Credentials, CredentialsError, CredentialsSource, Fetch, Secret};
use crate::causes::with_causes;
use crate::secret_file;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::credential_feature::AwsCredentialFeature;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::config::SharedHttpClient;
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::types::Credentials as RoleCredentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use preamp_base::clock::{nanos, since_epoch};
use preamp_config::{AssumeRole, AwsCredentials, BaseCredentials, SigV4};
use std::error::Error;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a session is called if the configuration does not say: seen in CloudTrail.
const SESSION_NAME: &str = "preamp";

/// Finds credentials anew at each fetch, so that changed files and variables count: a fetch happens about
/// once an hour, and keeps nothing but connections.
#[derive(Debug)]
pub struct Aws {
    from: AwsCredentials,
    /// The region that requests are signed for, where STS is asked unless something else is said.
    region: Region,
    http: SharedHttpClient,
}

/// Credentials, and where they come from in words such as `environment variables`.
#[derive(Debug)]
pub struct ResolvedCredentials {
    /// The credentials.
    pub credentials: Credentials,
    /// Their source.
    pub source: String,
}

/// Whom AWS takes a caller for.
#[derive(Debug)]
pub struct Identity {
    /// The ARN of the user, or of the session of a role.
    pub arn: String,
    /// The number of the AWS account.
    pub account: String,
}

impl Aws {
    /// Looks where the configuration says. Asks nobody yet.
    #[must_use]
    pub fn new(sigv4: &SigV4) -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
        Self { from: sigv4.credentials.clone(), region: Region::new(sigv4.region.clone()), http }
    }

    /// The credentials of this moment, and where they come from.
    ///
    /// # Errors
    /// When there are none, with what was looked for, and what to do about it.
    pub async fn find(&self) -> Result<ResolvedCredentials, CredentialsError> {
        let Some(role) = &self.from.assume_role else { return own(&self.config().await).await };
        let (credentials, source) = match &role.web_identity_token_file {
            Some(path) => {
                let token = read_token(path).await?;
                let unsigned = self.loader().no_credentials().load().await;
                let source = format!("a web identity ({})", path.display());
                (self.identify(role, &unsigned, token).await?, source)
            }
            None => {
                let config = self.config().await;
                // What is wrong with the caller's own credentials is not said of the role.
                let own = own(&config).await?;
                (self.assume(role, &config, own.credentials).await?, own.source)
            }
        };
        Ok(ResolvedCredentials {
            credentials,
            source: format!("the role {}, assumed with {source}", role.arn),
        })
    }

    /// Whom AWS takes a caller with these credentials for (`sts:GetCallerIdentity`), which needs no permission.
    ///
    /// # Errors
    /// When STS does not say.
    pub async fn identity(&self, credentials: Credentials) -> Result<Identity, CredentialsError> {
        let config = self.loader().no_credentials().load().await;
        let region = self.from.assume_role.as_ref().and_then(|role| role.sts_region.clone());
        let sts = self.sts(region, &config).credentials_provider(credentials.into_provider());
        let answer = aws_sdk_sts::Client::from_conf(sts.build()).get_caller_identity().send().await;
        let answer = answer.map_err(|error| CredentialsError {
            problem: format!("STS does not say who this is: {}", reason(&error)),
            remedy: if error.code().is_some() {
                "renew the credentials where they come from"
            } else {
                "let this machine reach STS (in a VPC: an endpoint for sts), or read nothing into this if all else \
                 passes"
            }
            .to_owned(),
        })?;
        let (arn, account) = (answer.arn.unwrap_or_default(), answer.account.unwrap_or_default());
        Ok(Identity { arn, account })
    }

    /// The configuration of AWS tools on this system, with the caller's own credentials.
    async fn config(&self) -> SdkConfig {
        let loader = self.loader();
        let loader = match &self.from.base {
            BaseCredentials::Chain => loader,
            BaseCredentials::Profile(name) => {
                let parts = ProviderConfig::with_default_region().await.with_http_client(self.http.clone());
                let profile = ProfileFileCredentialsProvider::builder().configure(&parts).profile_name(name);
                loader.profile_name(name).credentials_provider(profile.build())
            }
            BaseCredentials::Keys { access_key_id, secret_access_key } => {
                let secret = secret_access_key.expose();
                let mut keys =
                    aws_credential_types::Credentials::new(access_key_id, secret, None, None, "File");
                keys.set_property(vec![AwsCredentialFeature::CredentialsCode]);
                loader.credentials_provider(keys)
            }
        };
        loader.load().await
    }

    fn loader(&self) -> aws_config::ConfigLoader {
        // Not the chain's own last resort, the instance: where there is none, that takes seconds.
        let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
            .or_else(ProfileFileRegionProvider::new())
            .or_else(self.region.clone());
        let loader =
            aws_config::defaults(BehaviorVersion::latest()).http_client(self.http.clone()).region(region);
        if self.from.use_fips_sts_endpoint { loader.use_fips(true) } else { loader }
    }

    fn sts(&self, region: Option<String>, config: &SdkConfig) -> aws_sdk_sts::config::Builder {
        let region = region.map_or_else(|| self.region.clone(), Region::new);
        aws_sdk_sts::config::Builder::from(config).region(region)
    }

    async fn assume(
        &self,
        role: &AssumeRole,
        config: &SdkConfig,
        caller: Credentials,
    ) -> Result<Credentials, CredentialsError> {
        let sts = self.sts(role.sts_region.clone(), config).credentials_provider(caller.into_provider());
        let request = aws_sdk_sts::Client::from_conf(sts.build())
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(session_name(role))
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(seconds(role.session_duration));
        let given = request.send().await.map_err(|error| not_assumed(role, "sts:AssumeRole", &error))?;
        of_role(role, given.credentials)
    }

    async fn identify(
        &self,
        role: &AssumeRole,
        config: &SdkConfig,
        token: Secret,
    ) -> Result<Credentials, CredentialsError> {
        let request = aws_sdk_sts::Client::from_conf(self.sts(role.sts_region.clone(), config).build())
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(session_name(role))
            .web_identity_token(token.expose())
            .set_duration_seconds(seconds(role.session_duration));
        let action = "sts:AssumeRoleWithWebIdentity";
        let given = request.send().await.map_err(|error| not_assumed(role, action, &error))?;
        of_role(role, given.credentials)
    }
}

impl CredentialsSource for Aws {
    fn fetch(&self) -> Fetch<'_> {
        Box::pin(async { self.find().await.map(|found| found.credentials) })
    }
}

impl Credentials {
    fn into_provider(self) -> SharedCredentialsProvider {
        let expires = self.expires.map(|end| UNIX_EPOCH + Duration::from_nanos(end));
        let token = self.session_token.map(|token| token.expose().to_owned());
        let secret = self.secret_access_key.expose();
        SharedCredentialsProvider::new(aws_credential_types::Credentials::new(
            self.access_key_id,
            secret,
            token,
            expires,
            "Caller",
        ))
    }
}

/// The caller's own credentials.
async fn own(config: &SdkConfig) -> Result<ResolvedCredentials, CredentialsError> {
    let Some(provider) = config.credentials_provider() else { return Err(super::none_given()) };
    let found = provider.provide_credentials().await.map_err(|error| CredentialsError {
        problem: format!("no AWS credentials: {}", with_causes(&error)),
        remedy: "give the process credentials by environment variables, a profile, a web identity, or the role of \
                 its container or instance; the principal needs the action aps:RemoteWrite"
            .to_owned(),
    })?;
    let features = found.get_property::<Vec<AwsCredentialFeature>>().map_or(&[][..], Vec::as_slice);
    let source = features.iter().rev().find_map(source).unwrap_or("the configuration of AWS tools");
    let credentials = Credentials {
        access_key_id: found.access_key_id().to_owned(),
        secret_access_key: Secret::new(found.secret_access_key().to_owned()),
        session_token: found.session_token().map(|token| Secret::new(token.to_owned())),
        expires: found.expiry().map(since_epoch),
    };
    Ok(ResolvedCredentials { credentials, source: source.to_owned() })
}

/// Where the SDK found credentials, for those of its marks that tell.
fn source(feature: &AwsCredentialFeature) -> Option<&'static str> {
    use AwsCredentialFeature as Feature;
    Some(match feature {
        Feature::CredentialsCode => "the keys in the file",
        Feature::CredentialsEnvVars => "environment variables",
        Feature::CredentialsProfile => "a profile",
        Feature::CredentialsSso | Feature::CredentialsProfileSso => "a session of SSO",
        Feature::CredentialsProcess | Feature::CredentialsProfileProcess => "the program of a profile",
        Feature::CredentialsHttp => "the container",
        Feature::CredentialsImds => "the instance",
        Feature::CredentialsStsAssumeRole => "the role of a profile",
        Feature::CredentialsEnvVarsStsWebIdToken
        | Feature::CredentialsProfileStsWebIdToken
        | Feature::CredentialsStsAssumeRoleWebId => "a web identity",
        _ => return None,
    })
}

fn of_role(role: &AssumeRole, given: Option<RoleCredentials>) -> Result<Credentials, CredentialsError> {
    let Some(given) = given else {
        return Err(CredentialsError {
            problem: format!("STS gave no credentials for the role {}", role.arn),
            remedy: "check what answers in place of STS (AWS_ENDPOINT_URL_STS)".to_owned(),
        });
    };
    let end = SystemTime::try_from(given.expiration).map_or(0, since_epoch);
    Ok(Credentials {
        access_key_id: given.access_key_id,
        secret_access_key: Secret::new(given.secret_access_key),
        session_token: Some(Secret::new(given.session_token)),
        expires: Some(end.saturating_sub(nanos(role.expiry_window))),
    })
}

async fn read_token(path: &std::path::Path) -> Result<Secret, CredentialsError> {
    match secret_file::read(path).await {
        Ok(token) => Ok(Secret::new(token.expose().trim().to_owned())),
        Err(error) => Err(CredentialsError {
            problem: format!("the web identity token {} {error}", path.display()),
            remedy: "check `web_identity_token_file`, and that the process may read it".to_owned(),
        }),
    }
}

fn not_assumed<E>(role: &AssumeRole, action: &str, error: &SdkError<E>) -> CredentialsError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    CredentialsError {
        problem: format!("the role {} cannot be assumed: {}", role.arn, reason(error)),
        remedy: format!(
            "check that the role exists, that its trust policy lets this caller in, and that {action} is allowed"
        ),
    }
}

/// Why STS did not do what was asked.
fn reason<E>(error: &SdkError<E>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match (error.code(), error.message()) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => with_causes(error),
    }
}

fn session_name(role: &AssumeRole) -> &str {
    role.session_name.as_deref().unwrap_or(SESSION_NAME)
}

fn seconds(duration: Option<Duration>) -> Option<i32> {
    duration.and_then(|duration| i32::try_from(duration.as_secs()).ok())
}
