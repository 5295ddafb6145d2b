//! What must hold whatever comes in. The fuzz targets and the deterministic run in the tests share it.

use std::cell::RefCell;

use preamp::Exporter;
use preamp::types::{Batch, Encoding, Header, Protocol, Response, Sent, Verdict};

/// 2026-01-15T23:59:30Z in nanoseconds.
const NOW: u64 = 1_768_521_570_000_000_000;

/// The limit of a body is small, so that small payloads are cut too.
const LIMIT: u32 = 2_000;

fn exporter(profile: &str) -> Exporter {
    Exporter::open(&format!(
        r#"{{"endpoint":"https://localhost/","profile":"{profile}","max_batch_size_bytes":{LIMIT},
            "partitions":3,"sigv4":{{"region":"eu-west-1","service":"aps"}},
            "external_labels":{{"cluster":"c"}},"resource_to_telemetry_conversion":{{"enabled":true}}}}"#
    ))
    .expect("the configuration is valid")
}

/// A payload is refused, or becomes batches that are whole, counted, within their limits, and the same every
/// time.
#[allow(dead_code)]
pub fn accept(payload: &[u8]) {
    // One exporter sees all payloads, the other only this: what came before must make no difference.
    thread_local!(static SEASONED: RefCell<Exporter> = RefCell::new(exporter("prometheus")));
    let mut first = exporter("prometheus");
    let accepted = first.accept(payload, Encoding::Protobuf, NOW);
    let again = SEASONED.with_borrow_mut(|seasoned| seasoned.accept(payload, Encoding::Protobuf, NOW));
    assert_eq!(accepted, again, "not the same twice");
    let Ok(acceptance) = accepted else { return };
    let points: u64 = acceptance.batches.iter().map(|batch| u64::from(batch.points)).sum();
    assert_eq!(acceptance.accepted_points, points);
    for batch in &acceptance.batches {
        check(&first, batch);
    }
    for partition in 0..3 {
        let batches: Vec<_> =
            acceptance.batches.iter().filter(|batch| batch.partition == partition).cloned().collect();
        let series: u32 = batches.iter().map(|batch| batch.series).sum();
        let merged = first.merge(batches).expect("batches of one partition merge");
        assert_eq!(series, merged.iter().map(|batch| batch.series).sum::<u32>());
    }
}

fn check(exporter: &Exporter, batch: &Batch) {
    let lines = exporter.explain(batch).expect("a batch can be read");
    // A label value may hold a line feed, which is escaped, so lines are samples and histograms.
    assert_eq!(lines.lines().count() as u32, batch.samples + batch.histograms);
    assert!(batch.uncompressed_size <= LIMIT || batch.series == 1, "a batch is over the limit");
    assert!(batch.first <= batch.last);
    if let Ok((one, two)) = exporter.halve(batch) {
        assert_eq!((one.series + two.series, one.points + two.points), (batch.series, batch.points));
    }
    let middle = batch.first.midpoint(batch.last);
    let pruned = exporter.prune(batch.clone(), middle).expect("a batch can be pruned");
    let parts = [pruned.kept, pruned.expired];
    let total = |of: fn(&Batch) -> u32| parts.iter().flatten().map(of).sum::<u32>();
    assert_eq!(
        (batch.samples, batch.histograms),
        (total(|part| part.samples), total(|part| part.histograms))
    );
}

/// Any answer gets a verdict, and what is shown to people is short and printable.
#[allow(dead_code)]
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
    thread_local!(static EXPORTERS: [Exporter; 2] = ["aps", "prometheus"].map(exporter));
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
        Verdict::RefreshCredentials(why)
        | Verdict::Halve(why)
        | Verdict::Downgrade(why)
        | Verdict::PartlyRejected(why)
        | Verdict::Rejected(why)
        | Verdict::Stop(why) => {
            assert!(!why.reason.is_empty() && !why.remedy.is_empty());
            assert!(why.detail.chars().count() <= 300, "{}", why.detail);
            assert!(!why.detail.chars().any(char::is_control), "{:?}", why.detail);
        }
    }
}
