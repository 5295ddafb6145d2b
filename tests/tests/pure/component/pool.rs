//! The pool of instances: what it takes, what it refuses, what a trap costs, and what can be found
//! in the memory of the component.

mod guest_memory;

use bytes::Bytes;
use guest_memory::occurrences;
use preamp_base::Secret;
use preamp_contract::{
    Acceptance, BatchError, Encoding, Header, Protocol, Refusal, Response, Sent, SignError, Verdict,
};
use preamp_host::credentials::{Credentials, Fixed, SigningKeys};
use preamp_tests::built::load;
use preamp_tests::payloads::{self, NOW_NS};
use preamp_wasm::{CallError, ExporterPool, OpenError, PoolLimits};

const ENDPOINT: &str = "https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1/api/v1/remote_write";

const SENT: Sent = Sent { protocol: Protocol::RemoteWriteV1, samples: 1, histograms: 0 };

fn configuration() -> String {
    serde_json::json!({
        "endpoint": ENDPOINT,
        "partitions": 2,
        "sigv4": {"region": "eu-west-1", "service": "aps"},
    })
    .to_string()
}

fn open(limits: PoolLimits) -> ExporterPool {
    let component = load().expect("run `./build.sh host` first");
    ExporterPool::open(&component, &configuration(), limits).expect("a valid configuration")
}

async fn accept(exporters: &ExporterPool, points: usize) -> Acceptance {
    let payload = Bytes::from(payloads::requests(points));
    let accepted = exporters.accept(payload, Encoding::Protobuf, NOW_NS).await;
    accepted.expect("no trap").expect("no refusal")
}

#[test]
fn all_problems_of_a_configuration_come_at_once_each_with_its_place() {
    let component = load().expect("the component");
    let wrong = r#"{"endpoint": "ftp://x/", "partitions": 0, "bogus": 1}"#;
    let Err(error) = ExporterPool::open(&component, wrong, PoolLimits::default()) else {
        panic!("a wrong configuration was taken");
    };
    let OpenError::Configuration(problems) = error else { panic!("{error}") };
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, ["/bogus", "/endpoint", "/partitions"]);
}

#[tokio::test]
async fn every_function_of_the_contract_is_reached() {
    let exporters = open(PoolLimits::default());
    let acceptance = accept(&exporters, 200).await;
    assert_eq!(
        (acceptance.accepted_points, acceptance.batches.len()),
        (200, 2),
        "one batch for each partition"
    );
    let [first, second] = acceptance.batches.as_slice() else { panic!("{acceptance:?}") };

    let mixed = exporters.merge(vec![first.clone(), second.clone()]).await.expect("no trap");
    assert!(matches!(mixed, Err(BatchError::MixedPartitions(..))), "{mixed:?}");
    let (left, right) = exporters.halve(first.clone()).await.expect("no trap").expect("many series");
    assert_eq!(left.series + right.series, first.series);
    let merged = exporters.merge(vec![left, right]).await.expect("no trap").expect("one partition");
    assert_eq!(merged.iter().map(|batch| batch.samples).sum::<u32>(), first.samples);
    let text = exporters.explain(first.clone()).await.expect("no trap").expect("readable");
    assert_eq!(text.lines().count(), first.samples as usize, "{text}");
    let pruned = exporters.prune(first.clone(), first.last + 1).await.expect("no trap").expect("readable");
    assert!(pruned.kept.is_none() && pruned.expired.as_ref() == Some(first), "{pruned:?}");
    let unsigned = exporters.sign(first.digest_bytes(), Protocol::RemoteWriteV1, NOW_NS, None).await;
    assert_eq!(unsigned, Ok(Err(SignError::KeyRequired)));
    let answer = Response { status: 200, headers: vec![], body: vec![] };
    assert_eq!(exporters.judge(SENT, &answer, 1, NOW_NS).await, Ok(Verdict::Delivered));
    let json = exporters.accept(Bytes::from_static(b"{}"), Encoding::Json, NOW_NS).await.expect("no trap");
    assert_eq!(json.expect("a request without points").accepted_points, 0);
}

#[tokio::test]
async fn a_payload_above_the_limit_never_reaches_the_component() {
    let exporters = open(PoolLimits { payload_bytes_max: 1_000, ..PoolLimits::default() });
    let refused = exporters.accept(Bytes::from(vec![0; 1_001]), Encoding::Protobuf, NOW_NS).await;
    assert_eq!(refused, Ok(Err(Refusal::TooLarge(1_000))));
    assert_eq!(exporters.stats().calls, 0);
}

#[tokio::test]
async fn a_trap_costs_its_call_and_its_instance_only() {
    let limit = 4 << 20;
    let exporters = open(PoolLimits { memory_bytes_max: limit, ..PoolLimits::default() });
    let before = accept(&exporters, 10).await;
    for traps in 1..=20 {
        let poison = Bytes::from(payloads::requests(20_000));
        let failed = exporters.accept(poison, Encoding::Protobuf, NOW_NS).await;
        assert_eq!(failed, Err(CallError::OutOfMemory { limit_bytes: limit }));
        assert_eq!(accept(&exporters, 10).await, before, "another answer after a trap");
        let stats = exporters.stats();
        assert_eq!((stats.traps, stats.created, stats.instances), (traps, traps + 1, 1), "{stats:?}");
    }
}

#[tokio::test]
async fn a_result_that_is_too_large_costs_its_call_only() {
    let limit = 10_000;
    let exporters = open(PoolLimits { result_bytes_max: limit, ..PoolLimits::default() });
    let before = accept(&exporters, 10).await;
    let large = Bytes::from(payloads::requests(2_000));
    let failed = exporters.accept(large, Encoding::Protobuf, NOW_NS).await;
    assert_eq!(failed, Err(CallError::ResultTooLarge { limit_bytes: limit }));
    assert_eq!(accept(&exporters, 10).await, before, "another answer after that");
}

#[tokio::test]
async fn instances_that_wait_hold_to_their_share() {
    let exporters = open(PoolLimits { idle_bytes_max: 100_000, ..PoolLimits::default() });
    let before = accept(&exporters, 10).await;
    assert_eq!(accept(&exporters, 10).await, before);
    let stats = exporters.stats();
    assert_eq!((stats.recycled, stats.instances), (2, 0), "{stats:?}");
}

#[tokio::test]
async fn an_instance_that_has_grown_is_replaced() {
    let exporters = open(PoolLimits { recycle_above_bytes: 4 << 20, ..PoolLimits::default() });
    let before = accept(&exporters, 10).await;
    assert_eq!(exporters.stats().recycled, 0);
    assert_eq!(accept(&exporters, 20_000).await.accepted_points, 20_000);
    let stats = exporters.stats();
    assert_eq!((stats.recycled, stats.instances), (1, 0), "{stats:?}");
    assert_eq!(accept(&exporters, 10).await, before);
    assert_eq!(exporters.stats().created, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_share_few_instances_and_get_the_same_bytes() {
    let parallel_calls = 2;
    let exporters = open(PoolLimits { parallel_calls, ..PoolLimits::default() });
    let expected = accept(&exporters, 500).await;
    let calls = (0..64).map(|_| {
        let exporters = exporters.clone();
        tokio::spawn(async move { accept(&exporters, 500).await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.expect("no panic"), expected);
    }
    let stats = exporters.stats();
    assert!(stats.created <= parallel_calls as u64, "{stats:?}");
    assert_eq!((stats.calls, stats.traps), (65, 0));
}

#[tokio::test]
async fn the_secret_key_never_enters_the_component() {
    // Made up for this test alone, so that nothing else in this process can hold them.
    const ACCESS_KEY_ID: &str = "AKIACONTROLOFTHISTEST";
    const SECRET: &str = "sEcReTtHaTmUsTnOtBeFoUnDiNaNyGuEsT+/0123";
    let keys = SigningKeys::new(
        Box::new(Fixed::new(Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Secret::new(SECRET.to_owned()),
            session_token: None,
            expires: None,
        })),
        "eu-west-1".to_owned(),
        "aps".to_owned(),
    );
    let exporters = open(PoolLimits::default());
    let acceptance = accept(&exporters, 100).await;
    let key = keys.key(NOW_NS).await.expect("credentials");
    for batch in &acceptance.batches {
        let signed = exporters.sign(batch.digest_bytes(), batch.protocol, NOW_NS, Some(&key.key)).await;
        let request = signed.expect("no trap").expect("the key fits");
        assert!(request.headers.iter().any(|header| header.name == "authorization"), "{request:?}");
        let date = Header { name: "date".to_owned(), value: "Fri, 16 Jan 2026 00:00:00 GMT".to_owned() };
        let answer = Response { status: 403, headers: vec![date], body: b"{\"message\":\"no\"}".to_vec() };
        exporters.judge(SENT, &answer, 1, NOW_NS).await.expect("no trap");
    }

    // The pool keeps the instances, so what the calls left in their memories is still there. The
    // controls show that the memories looked at are those that the calls went through.
    assert!(occurrences(ACCESS_KEY_ID.as_bytes()) > 0, "the access key id is not found");
    assert!(occurrences(ENDPOINT.as_bytes()) > 0, "the configuration is not found");
    assert_eq!(occurrences(SECRET.as_bytes()), 0, "the secret key is in the component");
    assert_eq!(occurrences(format!("AWS4{SECRET}").as_bytes()), 0, "the secret key is in the component");
}
