//! `extensions.sigv4auth`: for which AWS region and service requests are signed, and with whose
//! credentials.

mod credentials;

use super::definition::Type;
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
}

/// The keys that say what requests are signed for: region and service.
type Scope = [Key<Text>; 2];

/// Reads an extension of type `sigv4auth`.
pub(super) fn read_sigv4auth<'d>(view: &View<'d>) -> Sigv4Auth<'d> {
    let section = view.section(TYPES[0].tables);
    let credentials = read_credentials(&section);
    Sigv4Auth { section, keys: [scope::region, scope::service], credentials }
}

/// Reads `aws_auth` of the exporter that old collectors of AWS have.
pub(super) fn read_aws_auth(section: Section) -> Sigv4Auth {
    let credentials = read_role_alone(section.text(&aws_auth::role_arn));
    Sigv4Auth { section, keys: [aws_auth::region, aws_auth::service], credentials }
}

impl<'d> Sigv4Auth<'d> {
    /// What to sign for when requests go to `host`, which stands in `endpoint`; `None` after it was reported that this
    /// can neither be read nor inferred.
    pub fn scope(&self, host: &str, endpoint: &View) -> Option<SigV4> {
        let shown = if endpoint.is_hidden() { HIDDEN } else { host };
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
        let inferred = [host_region, is_aps(host).then_some("aps")];
        let given = [region, service].map(|given| given.map(|(text, _)| text));
        let scope = [given[0].or(inferred[0]), given[1].or(inferred[1])];
        let [Some(region), Some(service)] = scope else {
            let missing = self.keys.iter().zip(scope).filter(|(_, value)| value.is_none());
            let missing: Vec<_> = missing.map(|(key, _)| key.definition.name).collect();
            self.section.view().error(format!(
                "lacks {}, and the endpoint's host {shown} does not tell",
                missing.join(" and ")
            ));
            return None;
        };
        for (key, value) in self.keys.iter().zip([region, service]) {
            // What is inferred from a host that comes from elsewhere is not shown either.
            if !endpoint.is_hidden() {
                self.section.note(key, &value);
            }
        }
        Some(SigV4 {
            region: region.to_owned(),
            service: service.to_owned(),
            credentials: self.credentials.clone(),
        })
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

fn is_aps_label(label: &str) -> bool {
    ["aps-workspaces", "aps-workspaces-fips"].contains(&label.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

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
