//! Answers to remote write 2.0.

use super::*;

const SENT: Sent = Sent { protocol: Protocol::RemoteWriteV2, samples: 5, histograms: 2 };

fn verdict(config: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Verdict {
    let response = answered(status, headers, body.as_bytes());
    judge(&Config::read(config).unwrap(), &SENT, &response, 1, NOW)
}

/// Header fields with these counts of samples and histograms, and no exemplars.
fn written<'a>(samples: &'a str, histograms: &'a str) -> [(&'static str, &'a str); 3] {
    [
        ("X-Prometheus-Remote-Write-Samples-Written", samples),
        ("x-prometheus-remote-write-histograms-written", histograms),
        ("x-prometheus-remote-write-exemplars-written", "0"),
    ]
}

#[test]
fn a_success_must_say_what_was_written() {
    for config in [AMP, PROMETHEUS] {
        for (headers, expected) in [
            (&written("5", "2")[..], "delivered"),
            (&written("6", "2"), "delivered"),
            (&written("4", "2"), "partly-rejected partial-write"),
            (&written("5", "1"), "partly-rejected partial-write"),
            (&written("0", "0"), "partly-rejected partial-write"),
            // What is missing beside others was not written.
            (&written("5", "2")[..1], "partly-rejected partial-write"),
            (&written("x", "2"), "partly-rejected partial-write"),
            (&[], "downgrade unsupported-protocol"),
            (&[("x-prometheus-remote-write-samples-written", "many")], "downgrade unsupported-protocol"),
        ] {
            assert_eq!(summary(verdict(config, 204, headers, "")), expected, "{headers:?}");
        }
    }
    let partly = detail(verdict(PROMETHEUS, 200, &written("4", "0"), "see the log"));
    assert_eq!(partly, "4 of 5 samples and 0 of 2 native histograms were stored: see the log");
}

#[test]
fn a_receiver_of_the_old_protocol_is_recognised() {
    for (status, body, expected) in [
        (415, "", "downgrade unsupported-protocol"),
        (406, "", "downgrade unsupported-protocol"),
        (
            415,
            "io.prometheus.write.v2.Request protobuf message is not accepted by this server",
            "downgrade unsupported-protocol",
        ),
        (400, "unsupported content-type application/x-protobuf", "downgrade unsupported-protocol"),
        (400, "unknown X-Prometheus-Remote-Write-Version 2.0.0", "downgrade unsupported-protocol"),
        (400, "out of order sample", "halve out-of-order"),
        (503, "io.prometheus.write.v2.Request", "retry"),
        (413, "", "halve too-large"),
    ] {
        assert_eq!(summary(verdict(PROMETHEUS, status, &[], body)), expected, "{status} {body}");
    }
    // The same answers to 1.0 are no reason to change the protocol.
    assert_eq!(summary(prometheus(415, "")), "stop unsupported-protocol");
    assert_eq!(summary(prometheus(400, "unsupported content-type")), "find-out invalid");
}

/// Unlike with 1.0, Prometheus keeps what was valid, and says how much that was.
#[test]
fn a_refusal_with_counts_is_of_a_part() {
    let body = "out of order sample";
    let partly = verdict(PROMETHEUS, 400, &written("3", "2"), body);
    assert_eq!(summary(partly.clone()), "partly-rejected out-of-order");
    let expected = "3 of 5 samples and 2 of 2 native histograms were stored: out of order sample";
    assert_eq!(detail(partly), expected);
    assert_eq!(summary(verdict(PROMETHEUS, 400, &written("0", "0"), body)), "rejected out-of-order");
    // Its text may speak of anything.
    let label = "invalid label content-type";
    assert_eq!(summary(verdict(PROMETHEUS, 400, &written("1", "0"), label)), "partly-rejected invalid");
    assert_eq!(summary(verdict(PROMETHEUS, 500, &written("0", "0"), "")), "retry");
}
