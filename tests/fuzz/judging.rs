//! Answers of receivers.

use preamp_core::Exporter;
use preamp_core::types::{Halving, Header, Protocol, Response, Sent, Verdict};

fn of_profile(profile: &str) -> Exporter {
    let json = format!(
        r#"{{"endpoint":"https://localhost/","profile":"{profile}","sigv4":{{"region":"eu-west-1","service":"aps"}}}}"#
    );
    Exporter::open(&json).expect("the configuration is valid")
}

/// Any answer gets a verdict, and what is shown to people is short and printable.
pub fn judge(answer: &[u8]) {
    let Some((head, rest)) = answer.split_first_chunk::<14>() else { return };
    let [s0, s1, a0, a1, a2, a3, now @ ..] = *head;
    let attempt = u32::from_le_bytes([a0, a1, a2, a3]);
    let mut parts = rest.split(|byte| *byte == 0);
    let mut text = || String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let names = ["retry-after", "date", "content-type", "x-amzn-errortype"];
    let headers = names.map(|name| Header { name: name.to_owned(), value: text() }).to_vec();
    let body = text().into_bytes();
    let response = Response { status: u16::from_le_bytes([s0, s1]), headers, body };
    const PROFILES: [&str; 5] = ["aps", "prometheus", "mimir", "thanos", "victoriametrics"];
    thread_local!(static EXPORTERS: [Exporter; 5] = PROFILES.map(of_profile));
    EXPORTERS.with(|exporters| {
        exporters.iter().for_each(|exporter| check_verdict(exporter, &response, attempt, now))
    });
}

fn check_verdict(exporter: &Exporter, response: &Response, attempt: u32, now: [u8; 8]) {
    let now = u64::from_le_bytes(now);
    for protocol in [Protocol::RemoteWriteV1, Protocol::RemoteWriteV2] {
        let sent = Sent { protocol, samples: 2, histograms: 1 };
        let verdict = exporter.judge(&sent, response, attempt, now);
        assert_eq!(verdict, exporter.judge(&sent, response, attempt, now), "not the same twice");
        check_explanation(verdict, response);
    }
}

fn check_explanation(verdict: Verdict, response: &Response) {
    match verdict {
        Verdict::Delivered => assert_eq!(response.status / 100, 2),
        Verdict::Retry(retry) => assert!(retry.after > 0 && retry.after <= 24 * 3_600_000),
        Verdict::FixClock(_) => {}
        Verdict::Halve(Halving { explanation: why, .. })
        | Verdict::RefreshCredentials(why)
        | Verdict::Downgrade(why)
        | Verdict::Unconfirmed(why)
        | Verdict::PartlyRejected(why)
        | Verdict::Rejected(why)
        | Verdict::Stop(why) => {
            assert!(!why.reason.is_empty() && !why.remedy.is_empty());
            assert!(why.detail.chars().count() <= 300, "{}", why.detail);
            assert!(!why.detail.chars().any(char::is_control), "{:?}", why.detail);
        }
    }
}
