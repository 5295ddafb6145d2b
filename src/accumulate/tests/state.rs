//! Snapshots: what they keep, and what they refuse.

use super::*;

fn filled() -> Accumulator {
    let mut totals = accumulator(100);
    for number in 0..5 {
        totals.begin((1_000 + number) * SECOND);
        count(&mut totals, id(number), window(10, 20), 5).unwrap();
        totals.number(id(10 + number), window(10, 20), Number::Double(-2.5), false).unwrap();
        let mut point = HistogramPoint { count: 6, sum: Some(2.0), ..Default::default() };
        let mut buckets = Buckets { bounds: vec![1, 2], counts: vec![1, 2, 3] };
        totals.histogram(id(20 + number), window(0, 20), &mut point, &mut buckets).unwrap();
        let side = Side { offset: -2, counts: vec![1, 0, 300] };
        let mut point = Exponential { scale: 3, count: 302, positive: side.clone(), ..Default::default() };
        totals.add_exponential(id(30 + number), window(10, 20), &mut point).unwrap();
    }
    totals
}

fn restored(snapshot: &[u8], limits: DeltaState, is_current: bool) -> Accumulator {
    let mut totals = Accumulator::new(limits);
    totals.restore(snapshot, is_current).unwrap();
    totals
}

const LIMITS: DeltaState = DeltaState { max_series: 100, max_idle_ms: 300_000 };

#[test]
fn a_snapshot_says_all_and_small() {
    let snapshot = filled().snapshot();
    let mut again = restored(&snapshot, LIMITS, true);
    assert_eq!(again.series(), 20);
    assert_eq!(again.snapshot(), snapshot);
    again.begin(1_004 * SECOND);
    assert_eq!(count(&mut again, id(3), window(10, 20), 5), Ok((5, 10)), "sent again");
    assert_eq!(count(&mut again, id(3), window(20, 30), 5), Ok((10, 10)));
    assert!(snapshot.len() < 20 * 60, "{} bytes", snapshot.len());
}

#[test]
fn a_smaller_limit_keeps_the_newest() {
    let totals = &mut restored(&filled().snapshot(), DeltaState { max_series: 8, ..LIMITS }, true);
    assert_eq!(totals.series(), 8);
    totals.begin(1_004 * SECOND);
    assert_eq!(count(totals, id(4), window(20, 30), 1), Ok((6, 10)));
    assert_eq!(count(totals, id(3), window(20, 30), 1), Ok((6, 10)));
    assert_eq!(count(totals, id(2), window(20, 30), 1), Err(Refused::SeriesLimit));
}

#[test]
fn idle_series_are_not_kept() {
    let mut totals = filled();
    totals.begin((1_002 + 300) * SECOND);
    assert_eq!(restored(&totals.snapshot(), LIMITS, true).series(), 12);
}

#[test]
fn an_old_snapshot_never_lets_a_counter_go_back() {
    let totals = &mut restored(&filled().snapshot(), LIMITS, false);
    totals.begin(1_010 * SECOND);
    assert_eq!(count(totals, id(1), window(20, 30), 3), Ok((3, 20)), "begins anew");
    assert_eq!(
        count(totals, id(2), window(10, 20), 5),
        Err(Refused::OutOfOrder(20 * SECOND)),
        "counted before"
    );
    let level = totals.number(id(11), window(20, 30), Number::Double(1.0), false);
    assert_eq!(level, Ok((Number::Double(-1.5), 10 * SECOND)), "a level goes on");
    let mut point = HistogramPoint { count: 1, ..Default::default() };
    let mut buckets = Buckets { bounds: vec![1, 2], counts: vec![1, 0, 0] };
    assert_eq!(totals.histogram(id(21), window(0, 30), &mut point, &mut buckets), Ok(20 * SECOND));
    assert_eq!((point.count, buckets.counts), (1, vec![1, 0, 0]));
}

#[test]
fn foreign_damaged_and_newer_states_are_told_apart() {
    let snapshot = filled().snapshot();
    let said = |bytes: &[u8]| accumulator(10).restore(bytes, true).unwrap_err();
    for foreign in [&b""[..], b"preamp", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\0\0"] {
        assert!(said(foreign).contains("no state of a preamp exporter"), "{foreign:?}");
    }
    let mut newer = snapshot.clone();
    newer[14] = 2;
    assert!(said(&newer).contains("format 2, and this version of preamp reads format 1"), "{}", said(&newer));
    for at in 16..snapshot.len() {
        let mut damaged = snapshot.clone();
        damaged[at] ^= 0x40;
        assert!(said(&damaged).contains("damaged"), "byte {at}");
        assert!(said(&snapshot[..at]).contains("damaged"), "cut at byte {at}");
    }
}

/// Gives bytes the hash that belongs to them, so that what lies behind the hash is reached.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.len().saturating_sub(8);
    bytes.truncate(end);
    let hash = Hash::new().text(&bytes).finish();
    bytes.extend_from_slice(&hash.to_le_bytes());
    bytes
}

#[test]
fn no_bytes_bring_it_down() {
    let snapshot = filled().snapshot();
    let mut random = model::Random(1);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..4_000 {
        let mut bytes = snapshot.clone();
        for _ in 0..=random.below(3) {
            // Behind magic and version, which the hash does not help past.
            let at = 16 + random.below(bytes.len() as u64 - 16) as usize;
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at),
                _ => bytes.insert(at, 0xff),
            }
            if bytes.len() < 20 {
                break;
            }
        }
        let mut totals = accumulator(100);
        match totals.restore(&sealed(bytes), true) {
            Ok(()) => {
                taken += 1;
                totals.begin(1_005 * SECOND);
                model::feed(&mut totals, &mut random, 20);
                totals.snapshot();
            }
            Err(_) => refused += 1,
        }
    }
    assert!(taken > 500 && refused > 500, "{taken} taken, {refused} refused");
}
