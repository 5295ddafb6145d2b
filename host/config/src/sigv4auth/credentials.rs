//! Where the signer's credentials come from: `assume_role`, and preamp's own keys for what Prometheus
//! has in its `sigv4` section.

use crate::keys::{Key, read};
use crate::settings::{AssumeRole, AwsCredentials, BaseCredentials};
use crate::view::{Section, View};
use preamp_base::Secret;
use std::time::Duration;

/// The keys that preamp adds to the extension.
pub(super) const OWN: &[Key] =
    &[read("profile"), read("access_key"), read("secret_key"), read("use_fips_sts_endpoint")];

const ASSUME_ROLE: &[Key] = &[
    read("arn"),
    read("session_name"),
    read("sts_region"),
    read("external_id"),
    read("web_identity_token_file"),
    read("session_duration"),
    read("expiry_window"),
];

/// What STS takes as the length of a session.
const SESSION_DURATION: [Duration; 2] = [Duration::from_secs(15 * 60), Duration::from_secs(12 * 60 * 60)];

/// Reads where credentials come from.
pub(super) fn read_credentials(signer: &Section) -> AwsCredentials {
    AwsCredentials {
        base: read_base(signer),
        assume_role: signer.get("assume_role").and_then(|view| read_role(&view)),
        use_fips_sts_endpoint: signer
            .get("use_fips_sts_endpoint")
            .and_then(|view| view.boolean())
            .unwrap_or_default(),
    }
}

fn read_base(signer: &Section) -> BaseCredentials {
    let profile = signer.text("profile");
    match (signer.text("access_key"), signer.text("secret_key")) {
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

fn read_role(view: &View) -> Option<AssumeRole> {
    let section = view.section(&[ASSUME_ROLE]);
    let token_file = section.text("web_identity_token_file");
    let session_name = checked(&section, "session_name", 2..=64, "_=,.@-");
    let external_id = checked(&section, "external_id", 2..=1224, "_=,.@:/-+");
    let session_duration = section.get("session_duration").and_then(read_session_duration);
    let expiry_window = section.get("expiry_window").and_then(|view| view.duration());
    let Some((arn, arn_view)) = section.text("arn") else {
        if let Some((_, view)) = token_file {
            view.key_error("needs `arn` beside it, the role that the token is for");
        } else if let Some(key) = ASSUME_ROLE.iter().find_map(|key| section.get(key.name)) {
            key.warn("does nothing without `arn`: no role is assumed");
        }
        return None;
    };
    check_role(arn, &arn_view);
    if let (Some((_, token)), Some(external_id)) = (&token_file, section.get("external_id")) {
        external_id.warn(format!(
            "is ignored: STS takes no external id with a web identity ({})",
            token.location().path
        ));
    }
    Some(AssumeRole {
        arn: arn.to_owned(),
        session_name,
        sts_region: section.text("sts_region").map(|(region, _)| region.to_owned()),
        external_id,
        web_identity_token_file: token_file.map(|(path, _)| path.into()),
        session_duration,
        expiry_window: expiry_window.unwrap_or_default(),
    })
}

/// Reads a role of which nothing but the ARN is said.
pub(super) fn read_role_alone(signer: &Section) -> AwsCredentials {
    let role = signer.text("role_arn").map(|(arn, view)| {
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
    key: &str,
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

fn read_session_duration(view: View) -> Option<Duration> {
    let duration = view.duration()?;
    let [shortest, longest] = SESSION_DURATION;
    if !duration.is_zero() && !(shortest..=longest).contains(&duration) {
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
