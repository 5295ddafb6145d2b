//! Where the signer's credentials come from: `assume_role`, and preamp's own keys for what Prometheus
//! has in its `sigv4` section.

use crate::definition::Sort;
use crate::settings::{AssumeRole, AwsCredentials, BaseCredentials};
use crate::view::keys::{Key, Text, keys};
use crate::view::{Section, View};
use preamp_base::Secret;
use std::time::Duration;

keys! {
    /// The keys that preamp adds to the extension.
    pub(super) mod own {
        /// The profile of AWS' shared configuration files whose credentials are used.
        profile: Text.says("environment, profile, web identity, container or instance, as in all AWS tools").own(),
        /// The id of a key pair. It needs `secret_key`; prefer the environment, a profile or a role.
        access_key: Text.own(),
        /// The secret of the key pair.
        secret_key: Text.sort(Sort::Secret).own(),
        /// Asks STS at its FIPS endpoint.
        use_fips_sts_endpoint: Flag.says("as `AWS_USE_FIPS_ENDPOINT` says").own(),
    }
}

keys! {
    /// The keys of `assume_role`.
    pub(super) mod assume_role {
        /// The ARN of the role.
        arn: Text,
        /// The name of the session, as it shows in CloudTrail.
        session_name: Text.says("a name made by preamp"),
        /// The region of STS.
        sts_region: Text.says("the region of the signature"),
        /// What the role's trust policy may ask for (`sts:ExternalId`).
        external_id: Text,
        /// A file with an OIDC token, in place of the caller's own credentials.
        web_identity_token_file: Text.sort(Sort::Path),
        /// How long a session lasts: 15m to 12h, and no longer than the role allows.
        session_duration: Time.says("as STS sees fit, an hour"),
        /// How long before its end a session counts as ended.
        expiry_window: Time.or(Duration::ZERO),
    }
}

/// What STS takes as the length of a session.
const SESSION_DURATION: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(12 * 60 * 60)];

/// Reads where credentials come from.
pub(super) fn read_credentials(signer: &Section) -> AwsCredentials {
    AwsCredentials {
        base: read_base(signer),
        assume_role: signer.within(&super::signer::assume_role).and_then(|section| read_role(&section)),
        use_fips_sts_endpoint: signer.given(&own::use_fips_sts_endpoint).unwrap_or_default(),
    }
}

fn read_base(signer: &Section) -> BaseCredentials {
    let profile = signer.text(&own::profile);
    match (signer.text(&own::access_key), signer.text(&own::secret_key)) {
        (Some((id, view)), Some((secret, _))) => {
            if let Some((_, profile)) = profile {
                profile.key_error("cannot stand beside `access_key`: keep one of the two");
            }
            view.warn(
                "a key pair in a file never changes and is easily read by others: prefer the environment, a \
                 profile or a role",
            );
            BaseCredentials::Keys {
                access_key_id: id.to_owned(),
                secret_access_key: Secret::new(secret.to_owned()),
            }
        }
        (Some((_, view)), None) => {
            view.key_error("needs `secret_key` beside it");
            BaseCredentials::Chain
        }
        (None, Some((_, view))) => {
            view.key_error("needs `access_key` beside it");
            BaseCredentials::Chain
        }
        (None, None) => {
            profile.map_or(BaseCredentials::Chain, |(name, _)| BaseCredentials::Profile(name.to_owned()))
        }
    }
}

fn read_role(section: &Section) -> Option<AssumeRole> {
    let token_file = section.text(&assume_role::web_identity_token_file);
    let session_name = checked(section, &assume_role::session_name, 2..=64, "_=,.@-");
    let external_id = checked(section, &assume_role::external_id, 2..=1224, "_=,.@:/-+");
    let session_duration = read_session_duration(section);
    let expiry_window = section.value(&assume_role::expiry_window);
    let Some((arn, arn_view)) = section.text(&assume_role::arn) else {
        if let Some((_, view)) = token_file {
            view.key_error("needs `arn` beside it, the role that the token is for");
        } else if let Some(key) = assume_role::TABLE.iter().find_map(|key| section.at(key)) {
            key.warn("does nothing without `arn`: no role is assumed");
        }
        return None;
    };
    check_role(arn, &arn_view);
    if let (Some((_, token)), Some(external_id)) = (&token_file, section.get(&assume_role::external_id)) {
        external_id.warn(format!(
            "is ignored: STS takes no external id with a web identity ({})",
            token.location().path
        ));
    }
    Some(AssumeRole {
        arn: arn.to_owned(),
        session_name,
        sts_region: section.text(&assume_role::sts_region).map(|(region, _)| region.to_owned()),
        external_id,
        web_identity_token_file: token_file.map(|(path, _)| path.into()),
        session_duration,
        expiry_window,
    })
}

/// Reads a role of which nothing but the ARN is said.
pub(super) fn read_role_alone(arn: Option<(&str, View)>) -> AwsCredentials {
    let role = arn.map(|(arn, view)| {
        check_role(arn, &view);
        AssumeRole {
            arn: arn.to_owned(),
            session_name: None,
            sts_region: None,
            external_id: None,
            web_identity_token_file: None,
            session_duration: None,
            expiry_window: Duration::ZERO,
        }
    });
    AwsCredentials { assume_role: role, ..AwsCredentials::default() }
}

/// A text that STS takes: so many letters, digits and characters of `others`.
fn checked(
    section: &Section,
    key: &Key<Text>,
    length: std::ops::RangeInclusive<usize>,
    others: &str,
) -> Option<String> {
    let (text, view) = section.text(key)?;
    let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '+' || others.contains(c);
    if !text.chars().all(is_taken) || !length.contains(&text.len()) {
        view.error(format!(
            "STS takes {} to {} letters, digits and characters of +{others} here",
            length.start(),
            length.end()
        ));
    }
    Some(text.to_owned())
}

fn read_session_duration(section: &Section) -> Option<Duration> {
    let duration = section.given(&assume_role::session_duration)?;
    let [shortest, longest] = SESSION_DURATION;
    if !duration.is_zero()
        && !(shortest..=longest).contains(&duration)
        && let Some(view) = section.get(&assume_role::session_duration)
    {
        view.error("STS gives sessions of 15m to 12h, and of no more than the role's own limit");
    }
    // The Collector passes a zero on as the default of STS.
    (!duration.is_zero()).then_some(duration)
}

fn check_role(arn: &str, view: &View) {
    if !is_role(arn) {
        view.error(format!("{} is no ARN of a role: write arn:aws:iam::ACCOUNT:role/NAME", view.shown()));
    }
}

/// Whether a text has the form of a role's ARN, in any partition.
fn is_role(arn: &str) -> bool {
    let parts: Vec<_> = arn.splitn(6, ':').collect();
    matches!(parts.as_slice(), ["arn", partition, "iam", "", account, resource]
        if !partition.is_empty()
            && account.len() == 12
            && account.bytes().all(|b| b.is_ascii_digit())
            && resource.strip_prefix("role/").is_some_and(|name| !name.is_empty()))
}
