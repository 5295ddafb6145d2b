//! `extensions.sigv4auth`: for which AWS region and service requests are signed, and with whose
//! credentials.

mod credentials;

use super::keys::{Key, read};
use super::settings::{AwsCredentials, SigV4};
use super::view::{Section, View};
use credentials::{OWN, read_credentials, read_role_alone};

const SIGV4AUTH: &[Key] = &[read("region"), read("service"), read("assume_role")];

const AWS_AUTH: &[Key] = &[read("region"), read("service"), read("role_arn")];

/// The extension as it stands in the file; what it leaves out is inferred from the endpoint.
pub(super) struct Sigv4Auth<'d> {
    section: Section<'d>,
    region: Option<&'d str>,
    service: Option<&'d str>,
    credentials: AwsCredentials,
}

/// Reads an extension of type `sigv4auth`.
pub(super) fn read_sigv4auth<'d>(view: &View<'d>) -> Sigv4Auth<'d> {
    let section = view.section(&[SIGV4AUTH, OWN]);
    let text = |key| section.text(key).map(|(text, _)| text);
    Sigv4Auth {
        region: text("region"),
        service: text("service"),
        credentials: read_credentials(&section),
        section,
    }
}

/// Reads `aws_auth` of the exporter that old collectors of AWS have.
pub(super) fn read_aws_auth<'d>(view: &View<'d>) -> Sigv4Auth<'d> {
    let section = view.section(&[AWS_AUTH]);
    let text = |key| section.text(key).map(|(text, _)| text);
    Sigv4Auth {
        region: text("region"),
        service: text("service"),
        credentials: read_role_alone(&section),
        section,
    }
}

impl<'d> Sigv4Auth<'d> {
    /// What to sign for when requests go to `host`; `None` after it was reported that this can
    /// neither be read nor inferred.
    ///
    /// `shown` is the host as messages may name it.
    pub fn scope(&self, host: &str, shown: &str) -> Option<SigV4> {
        let host_region = aps_region(host);
        if let (Some(region), Some(host_region), Some(view)) = (self.region, host_region, self.part("region"))
            && region != host_region
        {
            view.warn(format!(
                "the region {} differs from that of the endpoint {shown}: Amazon Managed Prometheus refuses \
                 signatures for another region",
                view.shown()
            ));
        }
        let service = self.service.or(is_aps(host).then_some("aps"));
        match (self.region.or(host_region), service) {
            (Some(region), Some(service)) => Some(SigV4 {
                region: region.to_owned(),
                service: service.to_owned(),
                credentials: self.credentials.clone(),
            }),
            (region, service) => {
                let missing: Vec<_> = [("region", region), ("service", service)]
                    .into_iter()
                    .filter_map(|(name, value)| value.is_none().then_some(name))
                    .collect();
                self.section.view().error(format!(
                    "lacks {}, and the endpoint's host {shown} does not tell",
                    missing.join(" and ")
                ));
                None
            }
        }
    }

    /// Where a part of the scope stands in the file, if it does.
    pub fn part(&self, key: &str) -> Option<View<'d>> {
        self.section.get(key)
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
