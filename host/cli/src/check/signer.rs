//! What requests are signed for, with whose credentials, and who that is.

use super::{Caller, Step, Subject};
use preamp_config::{Authorization, ExporterSettings, SigV4};
use preamp_host::credentials::{Aws, ResolvedCredentials, masked};
use std::time::Duration;

/// What no source of credentials takes longer than, nor STS.
const PATIENCE: Duration = Duration::from_secs(30);

/// The region and service that requests are signed for.
pub(super) fn scope(settings: &ExporterSettings) -> Step {
    Step::pass(
        "signature",
        match &settings.sigv4 {
            None => shown(settings).to_owned(),
            Some(SigV4 { region, service, .. }) => format!("for the service {service} in {region}"),
        },
    )
}

/// What requests show where they are not signed.
fn shown(settings: &ExporterSettings) -> &'static str {
    match &settings.client.authorization {
        None => "requests are not signed",
        Some(Authorization::Basic { .. }) => "requests are not signed; they show a user and a password",
        Some(Authorization::Token { .. }) => "requests are not signed; they show a token",
    }
}

/// Finds credentials and asks who they are, if requests are signed.
pub(super) async fn caller(subject: &Subject<'_>, report: &mut impl FnMut(Step)) -> Caller {
    let Some(sigv4) = &subject.settings.sigv4 else {
        report(Step::skip("credentials", "requests are not signed"));
        return Caller::Anybody;
    };
    let aws = Aws::new(sigv4);
    let Ok(found) = tokio::time::timeout(PATIENCE, aws.find()).await else {
        let problem = format!("no answer within {} s", PATIENCE.as_secs());
        report(Step::fail(
            "credentials",
            problem,
            "check what should give them: an instance, a container, STS",
        ));
        return Caller::Unknown;
    };
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            report(Step::fail("credentials", error.problem, error.remedy));
            return Caller::Unknown;
        }
    };
    report(describe(&found, subject.clock.now()));
    let asked = tokio::time::timeout(PATIENCE, aws.identity(found.credentials.clone())).await;
    let identity = match asked {
        Ok(Ok(identity)) => {
            report(Step::pass("identity", format!("{} of account {}", identity.arn, identity.account)));
            Some(identity)
        }
        Ok(Err(error)) => {
            report(Step::warn("identity", error.problem, error.remedy));
            None
        }
        Err(_elapsed) => {
            let problem = format!("no answer of STS within {} s", PATIENCE.as_secs());
            report(Step::warn("identity", problem, "let this machine reach STS, or read nothing into this"));
            None
        }
    };
    Caller::Known(found, identity)
}

fn describe(ResolvedCredentials { credentials, source }: &ResolvedCredentials, now: u64) -> Step {
    let id = masked(&credentials.access_key_id);
    let Some(end) = credentials.expires else {
        return Step::pass("credentials", format!("{id} from {source}, which do not say that they end"));
    };
    let left = end.saturating_sub(now) / 1_000_000_000;
    if left == 0 {
        let problem = format!("{id} from {source} are past their end");
        return Step::fail(
            "credentials",
            problem,
            "renew them where they come from, and check this machine's clock",
        );
    }
    Step::pass(
        "credentials",
        format!("{id} from {source}, good for another {} min {} s", left / 60, left % 60),
    )
}
