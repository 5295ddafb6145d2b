//! Refusals of the sender: status 401 and 403, and AWS error types that mean the same.

use super::answer::Answer;
use super::{Case, pause};
use preamp_contract::Verdict;

/// What may help.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Help {
    /// A new signature, which every attempt makes.
    SignAgain,
    /// Newer credentials.
    Refresh,
    /// Only the operator.
    Operator,
}

/// A kind of refusal, told from the AWS error type or message.
struct Class {
    /// Any of these, in lower case, stands in the answer.
    texts: &'static [&'static str],
    reason: &'static str,
    /// A wrong local clock leads to this refusal too.
    or_clock: bool,
    help: Help,
    remedy: &'static str,
}

/// The special before the general: AWS puts many messages under one error type.
const CLASSES: [Class; 9] = [
    Class {
        texts: &[
            "signature expired",
            "signature not yet current",
            "requesttimetooskewed",
            "requestexpired",
            "request has expired",
        ],
        reason: "signature",
        or_clock: true,
        help: Help::SignAgain,
        remedy: "the signature was too old or too new on arrival",
    },
    Class {
        texts: &["expiredtoken", "token included in the request is expired", "token has expired"],
        reason: "unauthenticated",
        or_clock: false,
        help: Help::Refresh,
        remedy: "the session has ended: renew the temporary credentials",
    },
    Class {
        texts: &[
            "unrecognizedclient",
            "invalidclienttokenid",
            "invalidaccesskeyid",
            "token included in the request is invalid",
        ],
        reason: "unauthenticated",
        or_clock: false,
        help: Help::Refresh,
        remedy: "AWS does not know the access key here: check the access key id and its session token, that \
                 they belong to the partition of the endpoint, and that the region is enabled for the account",
    },
    Class {
        texts: &["credential should be scoped"],
        reason: "signature",
        or_clock: false,
        help: Help::Operator,
        remedy: "have the signer (sigv4auth) sign for the region of the endpoint, and for the service aps",
    },
    Class {
        texts: &["missingauthenticationtoken", "missing authentication token"],
        reason: "unauthenticated",
        or_clock: false,
        help: Help::Operator,
        remedy: "the request was signed, so the address is wrong or a proxy drops the Authorization field: \
                 the path must be /workspaces/WORKSPACE/api/v1/remote_write",
    },
    Class {
        texts: &["incompletesignature"],
        reason: "signature",
        or_clock: false,
        help: Help::Operator,
        remedy: "look for a proxy that alters the Authorization field",
    },
    Class {
        texts: &[
            "signaturedoesnotmatch",
            "invalidsignature",
            "signature we calculated does not match",
            "authfailure",
        ],
        reason: "signature",
        or_clock: true,
        help: Help::Refresh,
        remedy: "check that the secret belongs to the access key id, and that no proxy alters host, path or \
                 headers",
    },
    Class {
        texts: &["not authorized to perform"],
        reason: "forbidden",
        or_clock: false,
        help: Help::Operator,
        remedy: "allow the action named in the detail on the resource named there, in a policy of the caller \
                 (such as AmazonPrometheusRemoteWriteAccess) or of the workspace",
    },
    Class {
        texts: &["accessdenied", "access denied"],
        reason: "forbidden",
        or_clock: true,
        help: Help::Operator,
        remedy: "allow aps:RemoteWrite on the workspace to the caller; check the workspace id, and policies \
                 of the VPC endpoint and the organisation",
    },
];

const UNSIGNED_REMEDY: &str = "the receiver does not take what requests show of their sender: check the user, \
                               password or token that the configuration gives, or sign with AWS credentials (sigv4auth)";
const UNKNOWN_REMEDY: &str = "check credentials, workspace id and region; the answer is none that AMP is known to give, so \
     also look for a proxy or firewall on the way";

/// Whether an answer of another status is, by its error type, a refusal of the sender.
pub(super) fn is_refusal_of_sender(answer: &Answer) -> bool {
    class(answer).is_some()
}

pub(super) fn judge(case: &Case) -> Verdict {
    let class = class(&case.answer);
    let by_status = if case.response.status == 403 { "forbidden" } else { "unauthenticated" };
    let reason = class.map_or(by_status, |class| class.reason);
    if case.config.sigv4.is_none() {
        return Verdict::Stop(case.explain(reason, UNSIGNED_REMEDY));
    }
    let Some(class) = class else {
        return Verdict::RefreshCredentials(case.explain(reason, UNKNOWN_REMEDY));
    };
    if class.or_clock
        && let Some(offset) = pause::clock_skew(case.response, case.now)
    {
        return Verdict::FixClock(offset);
    }
    match class.help {
        Help::SignAgain => case.retry(class.remedy, 0),
        Help::Refresh => Verdict::RefreshCredentials(case.explain(reason, class.remedy)),
        Help::Operator => Verdict::Stop(case.explain(reason, class.remedy)),
    }
}

fn class(answer: &Answer) -> Option<&'static Class> {
    CLASSES.iter().find(|class| answer.find(class.texts).is_some())
}
