//! Senders that are kept waiting: for room, or for the end.

use super::recorder::Recorder;
use super::rig::{Rig, Setup, a_minute_ago, payload};
use preamp_config::Overflow;
use preamp_host::intake::{AckPolicy, PayloadOutcome};
use preamp_tests::scripted_receiver::{Says, ScriptedReceiver, Stores};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// A receiver that answers with a status that can be changed.
pub fn answering(status: u16) -> (Recorder, Arc<AtomicU16>) {
    let status = Arc::new(AtomicU16::new(status));
    let now = status.clone();
    (Recorder::start(Box::new(move |_, _| (now.load(Ordering::Relaxed), Duration::ZERO))), status)
}

const WAIT: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_the_result_is_answered_when_it_is_there() {
    let (receiver, status) = answering(503);
    let patience = AckPolicy { wait_for_delivery: true, on_overflow: Overflow::Refuse };
    let rig = Arc::new(Rig::start(&receiver.url(), Setup { patience, partitions: 3, ..Setup::default() }));
    let submitting = rig.clone();
    let mut waiting = tokio::spawn(async move { submitting.submit(payload(20, a_minute_ago(), 0)).await });
    assert!(tokio::time::timeout(WAIT, &mut waiting).await.is_err(), "answered before it was delivered");
    status.store(200, Ordering::Relaxed);
    assert!(matches!(waiting.await, Ok(PayloadOutcome::Accepted)));
    assert_eq!(rig.metrics.ledger.snapshot().delivered, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_the_result_is_told_what_was_refused() {
    const REFUSED: &str = "user=1: err: out of order sample. timestamp=0, series={}";
    let receiver = ScriptedReceiver::start(|_| Says::refused(400, REFUSED, Stores::Nothing));
    let url = format!("http://{}/", receiver.as_ref().expect("a free port").address());
    let patience = AckPolicy { wait_for_delivery: true, on_overflow: Overflow::Refuse };
    let rig = Rig::start(&url, Setup { patience, ..Setup::default() });
    match rig.submit(payload(5, a_minute_ago(), 0)).await {
        PayloadOutcome::Partial { rejected_points: 5, message } => {
            assert!(message.contains("5 points"), "{message}")
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_room_is_taken_once_there_is_some() {
    let (receiver, status) = answering(503);
    let patience = AckPolicy { on_overflow: Overflow::Wait, wait_for_delivery: false };
    let setup = Setup { patience, max_points: 30, ..Setup::default() };
    let rig = Arc::new(Rig::start(&receiver.url(), setup));
    let start = a_minute_ago();
    rig.accept(payload(20, start, 0)).await;
    let submitting = rig.clone();
    let mut waiting = tokio::spawn(async move { submitting.submit(payload(20, start, 1)).await });
    assert!(tokio::time::timeout(WAIT, &mut waiting).await.is_err(), "there was no room");
    assert_eq!(rig.metrics.ledger.snapshot().accepted, 20);
    status.store(200, Ordering::Relaxed);
    assert!(matches!(waiting.await, Ok(PayloadOutcome::Accepted)));
    let ledger = rig.finish().await;
    assert_eq!((ledger.accepted, ledger.delivered), (40, 40));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_is_refused_by_points_too() {
    let (receiver, _) = answering(503);
    let rig = Rig::start(&receiver.url(), Setup { max_points: 30, ..Setup::default() });
    let start = a_minute_ago();
    // More than may wait is taken when nothing does.
    rig.accept(payload(40, start, 0)).await;
    let outcome = rig.submit(payload(1, start, 1)).await;
    assert!(
        matches!(&outcome, PayloadOutcome::Busy(reason) if reason.contains("40 points waiting, 1 more do not fit into 30")),
        "{outcome:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_that_leaves_while_it_waits_for_room_leaves_nothing_behind() {
    let (receiver, status) = answering(503);
    let patience = AckPolicy { on_overflow: Overflow::Wait, wait_for_delivery: false };
    let rig = Rig::start(&receiver.url(), Setup { patience, max_points: 30, ..Setup::default() });
    let start = a_minute_ago();
    rig.accept(payload(20, start, 0)).await;
    assert!(tokio::time::timeout(WAIT, rig.submit(payload(20, start, 1))).await.is_err());
    // It is seen that it left, and that there is no room.
    tokio::time::sleep(WAIT).await;
    status.store(200, Ordering::Relaxed);
    let ledger = rig.finish().await;
    assert_eq!((ledger.accepted, ledger.delivered), (20, 20));
}
