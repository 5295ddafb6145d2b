//! A full queue of which the operator wants the oldest to be given up.

use super::patience::answering;
use super::recorder::Recorder;
use super::rig::{Rig, Setup, a_minute_ago, payload};
use preamp_config::Overflow;
use preamp_host::intake::AckPolicy;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const SERIES: usize = 20;
const PAYLOADS: u32 = 30;
const ROOM: u64 = 6;

fn setup(partitions: u32) -> Setup {
    let patience = AckPolicy { on_overflow: Overflow::DropOldest, wait_for_delivery: false };
    Setup { patience, partitions, max_payloads: ROOM, ..Setup::default() }
}

/// The ticks of which at least one sample came to the receiver.
fn ticks(receiver: &Recorder) -> BTreeSet<u32> {
    receiver.seen().stored.into_values().flatten().map(|(_, value)| value as u32).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_is_delivered_whatever_held_up_the_oldest() {
    // Tried again, held for credentials, and held for the configuration.
    for status in [503, 403, 404] {
        let (receiver, answer) = answering(status);
        let mut setup = setup(3);
        setup.pauses_when_stopped = Duration::from_millis(300);
        let rig = Rig::start(&receiver.url(), setup);
        let start = a_minute_ago();
        for tick in 0..PAYLOADS {
            rig.accept(payload(SERIES, start, tick)).await;
        }
        answer.store(200, Ordering::Relaxed);
        let ledger = rig.finish().await;
        let given_up = ledger.expired["drop-oldest"];
        assert_eq!(ledger.accepted, u64::from(PAYLOADS) * SERIES as u64, "{status}");
        assert_eq!(ledger.delivered + given_up, ledger.accepted, "{status}: {ledger:?}");
        let kept = ledger.delivered / SERIES as u64;
        assert!((ROOM - 2..=ROOM + 1).contains(&kept), "{status}: {kept} payloads were kept");
        let ticks = ticks(&receiver);
        assert_eq!(ticks.last(), Some(&(PAYLOADS - 1)), "{status}: {ticks:?}");
        let oldest = PAYLOADS - ROOM as u32 - 1;
        assert!(ticks.first().is_some_and(|first| *first >= oldest), "{status}: {ticks:?}");
    }
}

/// What the receiver has a part of cannot be begun anew: the rest of it is given up, and counted once.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_in_part_is_given_up_in_part() {
    let is_away = Arc::new(AtomicBool::new(true));
    let away = is_away.clone();
    let receiver = Recorder::start(Box::new(move |request, series| match request {
        1 => (413, Duration::ZERO),
        2 => (200, Duration::ZERO),
        _ if away.load(Ordering::Relaxed) || series.is_empty() => (503, Duration::ZERO),
        _ => (200, Duration::ZERO),
    }));
    let rig = Rig::start(&receiver.url(), setup(1));
    let start = a_minute_ago();
    rig.accept(payload(SERIES, start, 0)).await;
    rig.wait_until("half of it is delivered", || receiver.seen().requests > 2).await;
    for tick in 1..PAYLOADS {
        rig.accept(payload(SERIES, start, tick)).await;
    }
    is_away.store(false, Ordering::Relaxed);
    let ledger = rig.finish().await;
    assert_eq!(ledger.delivered + ledger.expired["drop-oldest"], ledger.accepted, "{ledger:?}");
    assert_eq!(ledger.accepted, u64::from(PAYLOADS) * SERIES as u64);
    let stored: usize = receiver.seen().stored.values().map(Vec::len).sum();
    assert_eq!(ledger.delivered, stored as u64, "{ledger:?}");
    assert_eq!(
        ledger.delivered % SERIES as u64,
        SERIES as u64 / 2,
        "the half that was delivered counts as it"
    );
}
