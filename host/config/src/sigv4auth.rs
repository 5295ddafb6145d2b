//! `extensions.sigv4auth`: for which AWS region and service requests are signed, and with whose
//! credentials.

mod credentials;
mod partition;

use super::definition::Type;
use super::placeholder::{self, Kind};
use super::settings::{AwsCredentials, SigV4};
use super::view::keys::{Key, Text, keys};
use super::view::{HIDDEN, Section, View};
use credentials::{assume_role, own, read_credentials, read_role_alone};

/// The name of the type, and the one it is going to have.
pub(super) const SIGV4AUTH: [&str; 2] = ["sigv4auth", "sigv4_auth"];

/// The same with its keys.
pub(super) const TYPES: &[Type] = &[Type::new(&SIGV4AUTH, &[scope::TABLE, signer::TABLE, own::TABLE])];

keys! {
    /// What requests are signed for.
    mod scope {
        /// The AWS region that requests are signed for.
        region: Text.says("that of the endpoint's host"),
        /// The AWS service that requests are signed for.
        service: Text.says("`aps` for hosts of AMP"),
    }
}

keys! {
    /// Whose credentials sign.
    mod signer {
        /// The role that is assumed.
        assume_role: Sub.of(&[assume_role::TABLE]),
    }
}

keys! {
    /// The keys of `aws_auth` in the exporter that old collectors of AWS have.
    pub(super) mod aws_auth {
        /// The AWS region that requests are signed for.
        region: Text.says("that of the endpoint's host"),
        /// The AWS service that requests are signed for.
        service: Text.says("`aps` for hosts of AMP"),
        /// The ARN of the role that is assumed.
        role_arn: Text,
    }
}

/// The extension as it stands in the file; what it leaves out is inferred from the endpoint.
pub(super) struct Sigv4Auth<'d> {
    section: Section<'d>,
    /// The keys of the scope.
    keys: Scope,
    credentials: AwsCredentials,
    /// Where the role stands that is assumed.
    role: Option<View<'d>>,
    /// Where the region of STS stands.
    sts_region: Option<View<'d>>,
}

/// The keys that say what requests are signed for: region and service.
type Scope = [Key<Text>; 2];

/// Reads an extension of type `sigv4auth`.
pub(super) fn read_sigv4auth<'d>(view: &View<'d>) -> Sigv4Auth<'d> {
    let section = view.section(TYPES[0].tables);
    let credentials = read_credentials(&section);
    let role = section.within(&signer::assume_role);
    let of_role = |key: &Key<Text>| role.as_ref().and_then(|role| role.get(key));
    let (role, sts_region) = (of_role(&assume_role::arn), of_role(&assume_role::sts_region));
    [&role, &sts_region].into_iter().flatten().for_each(|view| placeholder::warn(view, Kind::OfAws));
    let keys = [scope::region, scope::service];
    check_scope(&section, &keys);
    Sigv4Auth { section, keys, credentials, role, sts_region }
}

/// Reads `aws_auth` of the exporter that old collectors of AWS have.
pub(super) fn read_aws_auth(section: Section) -> Sigv4Auth {
    let credentials = read_role_alone(section.text(&aws_auth::role_arn));
    let role = section.get(&aws_auth::role_arn);
    role.iter().for_each(|view| placeholder::warn(view, Kind::OfAws));
    let keys = [aws_auth::region, aws_auth::service];
    check_scope(&section, &keys);
    Sigv4Auth { section, keys, credentials, role, sts_region: None }
}

impl<'d> Sigv4Auth<'d> {
    /// What to sign for when requests go to `host`, which stands in `endpoint`; `None` after it was reported that this
    /// can neither be read nor inferred.
    pub fn scope(&self, host: &str, endpoint: &View) -> Option<SigV4> {
        let shown = if endpoint.is_hidden() { HIDDEN } else { host };
        // Of a host that manages workspaces it was warned; it says as much.
        let data_plane = data_plane(host);
        let host = data_plane.as_deref().unwrap_or(host);
        let [region, service] = self.keys.each_ref().map(|key| self.section.text(key));
        let host_region = aps_region(host);
        if let (Some((region, view)), Some(host_region)) = (&region, host_region)
            && *region != host_region
        {
            view.warn(format!(
                "the region {} differs from that of the endpoint {shown}: Amazon Managed Prometheus refuses \
                 signatures for another region",
                view.shown()
            ));
        }
        if [&region, &service].into_iter().flatten().any(|(text, _)| !is_scope_part(text)) {
            // That was reported when they were read.
            return None;
        }
        let inferred = [host_region, is_aps(host).then_some("aps")];
        let given = [region, service].map(|given| given.map(|(text, _)| text));
        let scope = [given[0].or(inferred[0]), given[1].or(inferred[1])];
        let [Some(region), Some(service)] = scope else {
            let missing = self.keys.iter().zip(scope).filter(|(_, value)| value.is_none());
            let missing: Vec<_> = missing.map(|(key, _)| key).collect();
            let names: Vec<_> = missing.iter().map(|key| key.definition.name).collect();
            let message =
                format!("lacks {}, and the endpoint's host {shown} does not tell", names.join(" and "));
            match missing.first() {
                Some(key) => self.section.report_missing(key, &message),
                None => self.section.view().error(message),
            }
            return None;
        };
        for (key, value) in self.keys.iter().zip([region, service]) {
            // What is inferred from a host that comes from elsewhere is not shown either.
            if !endpoint.is_hidden() {
                self.section.note(key, &value);
            }
        }
        self.warn_of_partitions(region, host, endpoint);
        Some(SigV4 {
            region: region.to_owned(),
            service: service.to_owned(),
            credentials: self.credentials.clone(),
        })
    }

    /// Warns of what is of another partition than the region: credentials of one are unknown in the other.
    fn warn_of_partitions(&self, region: &str, host: &str, endpoint: &View) {
        let partition = partition::of_region(region);
        let own_region = if self.section.view().is_hidden() { "of the signature" } else { region };
        if let Some(view) = &self.role
            && let Some((other, rest)) = view.text().and_then(partition::of_arn)
            && other != partition
        {
            let right = if view.may_quote(rest) {
                format!("arn:{partition}:{rest}")
            } else {
                format!("arn:{partition}:…")
            };
            view.warn(format!(
                "is a role of another partition than the region {own_region}, which is in {partition}: its credentials are \
                 unknown there; write {right}"
            ));
        }
        if let Some(view) = &self.sts_region
            && view.text().is_some_and(|other| partition::of_region(other) != partition)
        {
            view.warn(format!(
                "is in another partition than the region {own_region}, which is in {partition}: credentials of one are \
                 unknown in the other; write {own_region}"
            ));
        }
        if let Some(domain) = partition::domain(partition)
            && is_aps(host)
            && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
            && !host.ends_with(&format!(".{domain}"))
        {
            endpoint.warn(format!(
                "hosts of the partition {partition} end in .{domain}: the signature is for {own_region}"
            ));
        }
    }

    /// The parts of the scope that stand in the file, and where.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, View<'d>)> {
        self.keys.iter().filter_map(|key| Some((key.definition.name, self.section.get(key)?)))
    }

    /// The extension itself.
    pub fn view(&self) -> &View<'d> {
        self.section.view()
    }
}

/// Whether a host is one of Amazon Managed Service for Prometheus, VPC endpoints included.
pub(super) fn is_aps(host: &str) -> bool {
    host.split('.').any(is_aps_label)
}

/// The region in the name of an AMP host: the label that follows the service's.
fn aps_region(host: &str) -> Option<&str> {
    let mut labels = host.split('.').skip_while(|label| !is_aps_label(label)).skip(1);
    labels.next().filter(|label| !label.is_empty())
}

/// The host for remote write in place of one that manages workspaces (`aps.REGION.amazonaws.com`), if it is such a one.
pub(super) fn data_plane(host: &str) -> Option<String> {
    if !(host.ends_with(".amazonaws.com")
        || host.ends_with(".amazonaws.com.cn")
        || host.ends_with(".api.aws"))
    {
        return None;
    }
    let right = |label: &str| match label {
        "aps" => Some("aps-workspaces"),
        "aps-fips" => Some("aps-workspaces-fips"),
        _ => None,
    };
    let mut is_one = false;
    let labels = host.split('.').map(|label| {
        right(label).map_or(label, |right| {
            is_one = true;
            right
        })
    });
    let host = labels.collect::<Vec<_>>().join(".");
    is_one.then_some(host)
}

/// Reports what AWS calls no region and no service.
fn check_scope(section: &Section, keys: &Scope) {
    for key in keys {
        if let Some((_, view)) = section.text(key).filter(|(text, _)| !is_scope_part(text)) {
            view.error(match placeholder::find(view.text().unwrap_or_default(), Kind::OfAws) {
                Some(found) => placeholder::message(&view, found),
                None => format!("is no {} of AWS: letters, digits and hyphens", key.definition.name),
            });
        } else if let Some((_, view)) = section.text(key) {
            placeholder::warn(&view, Kind::OfAws);
        }
    }
}

fn is_scope_part(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_aps_label(label: &str) -> bool {
    ["aps-workspaces", "aps-workspaces-fips"].contains(&label.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_host_for_remote_write() {
        for (host, right) in [
            ("aps.eu-west-2.amazonaws.com", Some("aps-workspaces.eu-west-2.amazonaws.com")),
            ("aps-fips.us-east-1.api.aws", Some("aps-workspaces-fips.us-east-1.api.aws")),
            ("aps-workspaces.eu-west-2.amazonaws.com", None),
            ("aps.example.com", None),
        ] {
            assert_eq!(data_plane(host).as_deref(), right, "{host}");
        }
    }

    #[test]
    fn knows_the_region_of_amp_hosts() {
        for (host, region) in [
            ("aps-workspaces.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("APS-Workspaces.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("aps-workspaces-fips.us-east-1.api.aws", Some("us-east-1")),
            ("vpce-0a1.aps-workspaces.eu-north-1.vpce.amazonaws.com", Some("eu-north-1")),
            ("aps-workspaces", None),
            ("aps-workspaces-other.eu-west-1.example.com", None),
            ("localhost", None),
        ] {
            assert_eq!(aps_region(host), region, "{host}");
        }
    }
}
