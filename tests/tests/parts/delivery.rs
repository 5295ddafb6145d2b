//! Delivery under fire: the real component, a receiver that refuses, stalls and breaks off, and a
//! ledger that must account for every point at the end of each test.

mod fallback;
mod overflow;
mod patience;
mod recorder;
mod rig;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use amp_stand_in::{Fault, Script, StandIn};
use preamp_base::Clock;
use preamp_config::Retry;
use preamp_host::credentials::{CredentialsError, CredentialsSource, Fetch, Fixed};
use preamp_host::intake::PayloadOutcome;
use recorder::Recorder;
use rig::{
    PATIENCE, Rig, SECRET_ACCESS_KEY, Setup, a_minute_ago, credentials, open_stand_in, payload,
    signed_stand_in,
};

fn right_credentials() -> Option<Box<dyn CredentialsSource>> {
    Some(Box::new(Fixed::new(credentials(SECRET_ACCESS_KEY))))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_survived_and_each_point_is_stored_once_and_in_order() {
    const SERIES: usize = 60;
    const TICKS: u32 = 30;
    let faults = [
        Fault::IngestionRate(0),
        Fault::RateExceeded,
        Fault::Unavailable,
        Fault::TooLarge,
        Fault::ExpiredToken,
        Fault::CutBeforeBody,
        Fault::CutAfterBody,
        Fault::LoseAnswer,
        Fault::Hang(Duration::from_secs(5)),
        Fault::TooLarge,
    ];
    let mut options = signed_stand_in();
    options.faults = Script::steps(faults.into_iter().flat_map(|fault| [Some(fault), None]));
    let stand_in = StandIn::start(options).await.expect("a port");
    let setup = Setup {
        partitions: 4,
        timeout: Duration::from_millis(500),
        credentials: right_credentials(),
        ..Setup::default()
    };
    let rig = Rig::start(&stand_in.url(), setup);
    let start = a_minute_ago();
    for tick in 0..TICKS {
        rig.accept(payload(SERIES, start, tick)).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ledger = rig.finish().await;

    let report = stand_in.report();
    let points = SERIES as u64 * u64::from(TICKS);
    assert_eq!((ledger.accepted, ledger.delivered), (points, points), "{ledger:?}");
    assert_eq!(report.samples_stored, points, "{report:?}");
    // Where several times of a series were in the request whose answer was lost, the receiver has a later one by the
    // repeat, and refuses the earlier ones that it has, too.
    assert!(report.samples_refused.keys().all(|why| *why == "sample-out-of-order"), "{report:?}");
    assert_eq!(report.faults.values().sum::<u64>(), faults.len() as u64, "{report:?}");
    assert!(report.samples_repeated > 0, "the lost answer must have led to a resend: {report:?}");
    let series = stand_in.series();
    assert_eq!(series.len(), SERIES);
    assert!(series.values().all(|samples| samples.len() == TICKS as usize));
    for verdict in ["retry", "halve", "refresh_credentials", "delivered"] {
        let counted = format!(r#"verdict="{verdict}""#);
        assert!(rig.metrics.encode().contains(&counted), "no verdict {verdict}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_in_flight_per_partition_and_series_keep_their_order() {
    const PARTITIONS: u32 = 4;
    const TICKS: u32 = 100;
    let receiver = Recorder::start(Box::new(|number, _| {
        let status = if number % 5 == 0 { 503 } else { 200 };
        (status, Duration::from_millis(number * 7 % 11))
    }));
    let rig = Rig::start(&receiver.url(), Setup { partitions: PARTITIONS, ..Setup::default() });
    let start = a_minute_ago();
    for tick in 0..TICKS {
        rig.accept(payload(40, start, tick)).await;
    }
    let ledger = rig.finish().await;

    let seen = receiver.seen();
    assert_eq!(ledger.delivered, 40 * u64::from(TICKS), "{ledger:?}");
    assert_eq!(seen.shared.len(), 0, "series in two requests at the same time: {:?}", seen.shared);
    assert_eq!(seen.most_in_flight, PARTITIONS as usize, "partitions do not wait for each other");
    assert_eq!(seen.stored.len(), 40);
    for (labels, samples) in &seen.stored {
        let values: Vec<_> = samples.iter().map(|sample| sample.1).collect();
        assert_eq!(values, (0..TICKS).map(f64::from).collect::<Vec<_>>(), "{labels:?}");
    }
    assert!(
        seen.requests < u64::from(PARTITIONS * TICKS),
        "waiting batches were not merged: {}",
        seen.requests
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_of_one_partition_does_not_block_the_others() {
    let healed = Arc::new(AtomicBool::new(false));
    let is_healed = Arc::clone(&healed);
    let receiver = Recorder::start(Box::new(move |_, series| {
        let of_shelf_0 =
            series.iter().flat_map(|(labels, _)| labels).any(|(name, value)| name == "shelf" && value == "0");
        let status = if of_shelf_0 && !is_healed.load(Ordering::Relaxed) { 503 } else { 200 };
        (status, Duration::ZERO)
    }));
    let rig = Rig::start(&receiver.url(), Setup { partitions: 8, ..Setup::default() });
    let start = a_minute_ago();
    for tick in 0..20 {
        rig.accept(payload(200, start, tick)).await;
    }
    rig.wait_until("only the partition of shelf 0 holds data", || {
        let waiting = rig.queue.statistics();
        waiting.partitions.iter().filter(|partition| partition.batches > 0).count() == 1
    })
    .await;
    let ledger = rig.metrics.ledger.snapshot();
    assert!(ledger.delivered > 0 && ledger.queued > 0 && ledger.balances(), "{ledger:?}");

    healed.store(true, Ordering::Relaxed);
    assert_eq!(rig.finish().await.delivered, 200 * 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_refuses_a_payload_whole() {
    let open = Arc::new(AtomicBool::new(false));
    let is_open = Arc::clone(&open);
    let receiver = Recorder::start(Box::new(move |_, _| {
        (if is_open.load(Ordering::Relaxed) { 200 } else { 503 }, Duration::ZERO)
    }));
    let rig = Rig::start(&receiver.url(), Setup { partitions: 4, max_payloads: 2, ..Setup::default() });
    let start = a_minute_ago();
    rig.accept(payload(50, start, 0)).await;
    rig.accept(payload(50, start, 1)).await;
    let before = rig.queue.statistics().total();

    let outcome = rig.submit(payload(50, start, 2)).await;
    assert!(
        matches!(&outcome, PayloadOutcome::Busy(reason) if reason.contains("queue full: 2 payloads")),
        "{outcome:?}"
    );
    let after = rig.queue.statistics().total();
    assert_eq!((after.batches, after.points), (before.batches, before.points), "nothing half queued");
    let ledger = rig.metrics.ledger.snapshot();
    assert!(ledger.accepted == 100 && ledger.queued == 100 && ledger.balances(), "{ledger:?}");
    rig.wait_for_line(r#"preamp_queue_full_total{exporter="amp",limit="payloads"} 1"#).await;
    rig.wait_for_line(r#"otelcol_exporter_enqueue_failed_metric_points_total{exporter="amp"} 50"#).await;

    open.store(true, Ordering::Relaxed);
    rig.wait_until("there is room again", || rig.queue.statistics().payloads == 0).await;
    rig.accept(payload(50, start, 2)).await;
    let ledger = rig.finish().await;
    assert_eq!((ledger.accepted, ledger.delivered), (150, 150), "{ledger:?}");
    assert!(receiver.seen().stored.values().all(|samples| samples.len() == 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_ends_at_its_deadline_and_tells_what_is_left() {
    let receiver =
        Recorder::start(Box::new(|number, _| (if number == 1 { 200 } else { 503 }, Duration::ZERO)));
    let rig = Rig::start(&receiver.url(), Setup::default());
    let start = a_minute_ago();
    rig.accept(payload(30, start, 0)).await;
    rig.wait_until("the first payload is delivered", || rig.metrics.ledger.snapshot().delivered == 30).await;
    rig.accept(payload(20, start, 1)).await;

    let began = Instant::now();
    let (remains, ledger) = rig.drain(Duration::from_millis(300)).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!((remains.points, remains.batches), (20, 1));
    assert_eq!((ledger.accepted, ledger.delivered), (50, 30), "{ledger:?}");
    let outcome = rig.submit(payload(1, start, 2)).await;
    assert!(matches!(&outcome, PayloadOutcome::Busy(reason) if reason.contains("stopping")), "{outcome:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_too_large_is_halved_until_it_fits() {
    let mut options = open_stand_in();
    options.limits.body_bytes = 4_000;
    let stand_in = StandIn::start(options).await.expect("a port");
    let rig = Rig::start(&stand_in.url(), Setup::default());
    let start = a_minute_ago();
    rig.accept(payload(500, start, 0)).await;
    rig.accept(payload(500, start, 1)).await;
    let ledger = rig.finish().await;
    let report = stand_in.report();
    assert_eq!((ledger.delivered, report.samples_stored, report.refused()), (1_000, 1_000, 0), "{report:?}");
    assert!(report.answers.get(&413).is_some_and(|count| *count >= 7), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn single_series_that_are_too_large_are_rejected_by_reason() {
    let mut options = open_stand_in();
    options.limits.body_bytes = 10;
    let stand_in = StandIn::start(options).await.expect("a port");
    let rig = Rig::start(&stand_in.url(), Setup::default());
    rig.accept(payload(9, a_minute_ago(), 0)).await;
    let ledger = rig.finish().await;
    assert_eq!(ledger.rejected, BTreeMap::from([("too-large".to_owned(), 9)]), "{ledger:?}");
    assert_eq!(stand_in.report().requests, 17, "nine leaves of a binary tree, and the eight above them");
    assert!(rig.metrics.encode().contains(r#"preamp_points_total{state="rejected",reason="too-large"} 9"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_refused_by_the_receiver_are_settled_and_do_not_stop_the_rest() {
    let stand_in = StandIn::start(open_stand_in()).await.expect("a port");
    let rig = Rig::start(&stand_in.url(), Setup::default());
    let start = a_minute_ago();
    for (series, tick) in [(2, 10), (5, 9), (5, 11)] {
        rig.accept(payload(series, start, tick)).await;
        rig.wait_until("the payload is settled", || rig.metrics.ledger.snapshot().queued == 0).await;
    }
    let ledger = rig.finish().await;
    assert_eq!((ledger.delivered, ledger.partly_rejected), (7, 5), "{ledger:?}");
    let report = stand_in.report();
    assert_eq!(
        (report.samples_stored, report.refused()),
        (2 + 3 + 5, 2),
        "the valid part is stored: {report:?}"
    );
}

/// More series than the workspace may have cost themselves: those that it knows go on, without a pause.
#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_series_costs_the_new_ones_only() {
    const KNOWN: usize = 30;
    const TICKS: u32 = 5;
    let mut options = open_stand_in();
    options.limits.series = KNOWN;
    let stand_in = StandIn::start(options).await.expect("a port");
    let rig = Rig::start(&stand_in.url(), Setup { partitions: 3, ..Setup::default() });
    let start = a_minute_ago();
    rig.accept(payload(KNOWN, start, 0)).await;
    rig.wait_until("the first ones are known", || stand_in.report().series == KNOWN as u64).await;
    for tick in 1..=TICKS {
        rig.accept(payload(2 * KNOWN, start, tick)).await;
    }
    let ledger = rig.finish().await;
    let report = stand_in.report();
    assert_eq!(report.samples_stored, KNOWN as u64 * u64::from(TICKS + 1), "{report:?}");
    assert!(report.samples_refused["per_user_series_limit"] >= KNOWN as u64 * u64::from(TICKS), "{report:?}");
    assert_eq!(ledger.delivered + ledger.partly_rejected, ledger.accepted, "{ledger:?}");
    assert!(ledger.partly_rejected > 0, "{ledger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_found_out_and_corrected_for_all_partitions() {
    const AHEAD: Duration = Duration::from_secs(1_800);
    let mut options = signed_stand_in();
    options.clock = Arc::new(|| SystemTime::now() + AHEAD);
    let stand_in = StandIn::start(options).await.expect("a port");
    let setup = Setup { partitions: 4, credentials: right_credentials(), ..Setup::default() };
    let rig = Rig::start(&stand_in.url(), setup);
    let start = a_minute_ago();
    for tick in 0..20 {
        rig.accept(payload(40, start, tick)).await;
    }
    let ledger = rig.finish().await;
    let report = stand_in.report();
    assert_eq!((ledger.delivered, report.samples_stored), (800, 800), "{ledger:?} {report:?}");
    assert!((1..=4).contains(&report.unverified), "each partition errs once at most: {report:?}");
    let offset = rig.clock.signing_offset_ms();
    assert!(offset.abs_diff(1_800_000) < 5_000, "{offset} ms");
}

/// The local clock is right here, and the receiver's two hours ahead: what counts is what the receiver takes.
#[tokio::test(flavor = "multi_thread")]
async fn samples_age_by_the_clock_of_the_receiver() {
    let mut options = open_stand_in();
    options.clock = Arc::new(|| SystemTime::now() + Duration::from_secs(7_200));
    options.faults = Script::steps([Some(Fault::IngestionRate(1))]);
    let stand_in = StandIn::start(options).await.expect("a port");
    let rig = Rig::start(&stand_in.url(), Setup::default());
    let start = a_minute_ago();
    rig.accept(payload(20, start, 0)).await;
    rig.wait_until("it is settled", || rig.metrics.ledger.snapshot().queued == 0).await;
    let outcome = rig.submit(payload(7, start, 2)).await;
    assert!(
        matches!(outcome, PayloadOutcome::Partial { rejected_points: 7, .. }),
        "too old at the door: {outcome:?}"
    );
    let ledger = rig.finish().await;
    assert_eq!(ledger.expired, BTreeMap::from([("too-old".to_owned(), 20)]), "{ledger:?}");
    assert_eq!(stand_in.report().requests, 1, "what is known to be too old is not sent");
}

/// Behind a private name nothing in the address says AMP, but the service that is signed for does: what is in the queue
/// expires as it does at AMP.
#[tokio::test(flavor = "multi_thread")]
async fn samples_for_amp_behind_a_private_name_expire_in_the_queue() {
    let mut options = signed_stand_in();
    options.clock = Arc::new(|| SystemTime::now() + Duration::from_secs(7_200));
    let stand_in = StandIn::start(options).await.expect("a port");
    let url = stand_in.url();
    assert!(url.contains("127.0.0.1"), "{url} is no private name");
    let setup = Setup { profile: None, credentials: right_credentials(), ..Setup::default() };
    let rig = Rig::start(&url, setup);
    rig.accept(payload(20, a_minute_ago(), 0)).await;
    let ledger = rig.finish().await;
    assert_eq!(ledger.expired, BTreeMap::from([("too-old".to_owned(), 20)]), "{ledger:?}");
    let report = stand_in.report();
    assert_eq!(
        (report.requests, report.samples_stored),
        (1, 0),
        "the first answer says what time it is: {report:?}"
    );
}

/// A jump of the local clock makes no sample old, neither at the door nor in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn a_local_clock_that_jumps_costs_nothing() {
    const YEARS: u64 = 5 * 365 * 86_400 * 1_000_000_000;
    let stand_in = StandIn::start(open_stand_in()).await.expect("a port");
    let jump = Arc::new(AtomicU64::new(0));
    let (system, jumped) = (Clock::system(), Arc::clone(&jump));
    let clock = Clock::from_fn(move || system.now() + jumped.load(Ordering::Relaxed));
    let setup = Setup { clock, ..Setup::default() };
    let rig = Rig::start(&stand_in.url(), setup);
    let start = a_minute_ago();
    rig.accept(payload(20, start, 0)).await;
    rig.wait_until("the receiver has answered", || rig.metrics.ledger.snapshot().delivered == 20).await;
    jump.store(YEARS, Ordering::Relaxed);
    rig.accept(payload(20, start, 1)).await;
    let ledger = rig.finish().await;
    assert_eq!((ledger.delivered, ledger.settled()), (40, 40), "{ledger:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_keep_data_queued_until_right_ones_come() {
    let stand_in = StandIn::start(signed_stand_in()).await.expect("a port");
    let source = Arc::new(Fixed::new(credentials("0000000000000000000000000000000000000000")));
    let setup = Setup { credentials: Some(Box::new(Arc::clone(&source))), ..Setup::default() };
    let rig = Rig::start(&stand_in.url(), setup);
    rig.accept(payload(30, a_minute_ago(), 0)).await;
    rig.wait_until("the receiver refused a few times", || stand_in.report().unverified >= 3).await;
    let ledger = rig.metrics.ledger.snapshot();
    assert!(ledger.queued == 30 && ledger.balances(), "{ledger:?}");

    source.exchange(credentials(SECRET_ACCESS_KEY));
    assert_eq!(rig.finish().await.delivered, 30);
    assert!(!rig.metrics.encode().contains(SECRET_ACCESS_KEY));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_the_process_runs_and_data_stays_queued() {
    /// Has none until someone brings them.
    struct Late(Arc<AtomicBool>);
    impl CredentialsSource for Late {
        fn fetch(&self) -> Fetch<'_> {
            let there = self.0.load(Ordering::Relaxed);
            let missing = || CredentialsError { problem: "none yet".to_owned(), remedy: "wait".to_owned() };
            let given = there.then(|| credentials(SECRET_ACCESS_KEY)).ok_or_else(missing);
            Box::pin(std::future::ready(given))
        }
    }
    let stand_in = StandIn::start(signed_stand_in()).await.expect("a port");
    let brought = Arc::new(AtomicBool::new(false));
    let setup = Setup { credentials: Some(Box::new(Late(Arc::clone(&brought)))), ..Setup::default() };
    let rig = Rig::start(&stand_in.url(), setup);
    rig.accept(payload(30, a_minute_ago(), 0)).await;
    rig.wait_for_line(r#"preamp_partitions_held{exporter="amp"} 1"#).await;
    assert_eq!(stand_in.report().requests, 0, "nothing goes out unsigned");
    assert_eq!(rig.metrics.ledger.snapshot().queued, 30);

    brought.store(true, Ordering::Relaxed);
    assert_eq!(rig.finish().await.delivered, 30);
    assert_eq!(stand_in.report().samples_stored, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_address_holds_data_and_does_not_hold_up_the_end() {
    let stand_in = StandIn::start(signed_stand_in()).await.expect("a port");
    let setup = Setup { partitions: 2, credentials: right_credentials(), ..Setup::default() };
    let rig = Rig::start(&format!("{}/elsewhere", stand_in.url()), setup);
    rig.accept(payload(30, a_minute_ago(), 0)).await;
    rig.wait_for_line(r#"preamp_partitions_held{exporter="amp"} 2"#).await;
    let asked = stand_in.report().requests;
    assert_eq!(asked, 2, "a receiver that cannot help is not asked again and again");

    let began = Instant::now();
    let (remains, _) = rig.drain(PATIENCE).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(remains.points, 30);
    assert_eq!(stand_in.report().requests, asked + 2, "one more try each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_given_up_only_when_the_operator_says_so() {
    let receiver = Recorder::start(Box::new(|_, _| (503, Duration::ZERO)));
    let limited = Retry {
        enabled: true,
        randomization_factor: 0.0,
        max_elapsed_time: Some(Duration::from_millis(200)),
    };
    let rig = Rig::start(&receiver.url(), Setup { retry: limited, ..Setup::default() });
    rig.accept(payload(10, a_minute_ago(), 0)).await;
    let ledger = rig.finish().await;
    assert_eq!(ledger.expired, BTreeMap::from([("max-elapsed-time".to_owned(), 10)]), "{ledger:?}");
    assert!(receiver.seen().requests > 3, "{}", receiver.seen().requests);

    let once = Retry { enabled: false, randomization_factor: 0.0, max_elapsed_time: None };
    let rig = Rig::start(&receiver.url(), Setup { retry: once, ..Setup::default() });
    let before = receiver.seen().requests;
    rig.accept(payload(10, a_minute_ago(), 0)).await;
    let ledger = rig.finish().await;
    assert_eq!(ledger.rejected, BTreeMap::from([("retry-disabled".to_owned(), 10)]), "{ledger:?}");
    assert_eq!(receiver.seen().requests, before + 1);
}
