//! Random points against a plain model, with snapshots and undone payloads in between.

use super::*;
use std::collections::BTreeMap;

/// A small generator of numbers that look random (xorshift), so that each run is the same.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 16) % end
    }
}

/// Points of any kind, possible and impossible ones. Returns all that came back.
pub fn feed(totals: &mut Accumulator, random: &mut Random, points: usize) -> Vec<String> {
    (0..points).map(|_| feed_one(totals, random)).collect()
}

fn feed_one(totals: &mut Accumulator, random: &mut Random) -> String {
    let id = id(random.below(40));
    let time = 20 + random.below(50);
    let window = window(time - random.below(12), time);
    match random.below(9) {
        0..3 => format!("{:?}", totals.number(id, window, Number::Int(random.below(9) as i64 - 1), true)),
        3 => format!("{:?}", totals.number(id, window, Number::Double(random.below(99) as f64 / 7.0), false)),
        4..6 => {
            let counts: Vec<_> = (0..3 + random.below(2)).map(|_| random.below(5)).collect();
            let mut point = HistogramPoint {
                count: counts.iter().sum(),
                sum: (random.below(20) > 0).then_some(random.below(7) as f64),
                ..Default::default()
            };
            let mut buckets = Buckets { bounds: vec![random.below(2); counts.len() - 1], counts };
            let result = totals.histogram(id, window, &mut point, &mut buckets);
            format!("{result:?} {point:?} {buckets:?}")
        }
        6..8 => {
            let mut point = exponential(random);
            let result = totals.add_exponential(id, window, &mut point);
            format!("{result:?} {point:?}")
        }
        _ => format!("{:?}", totals.end(id, window)),
    }
}

fn exponential(random: &mut Random) -> Exponential {
    let side = |random: &mut Random| Side {
        offset: random.below(300) as i32 - 150,
        counts: (0..random.below(30)).map(|_| random.below(3)).collect(),
    };
    Exponential {
        scale: random.below(5) as i32 - 1,
        zero_threshold: [0.0, 0.0, 0.001, 1.5][random.below(4) as usize],
        zero_count: random.below(3),
        count: random.below(9),
        sum: Some(random.below(9) as f64),
        positive: side(random),
        negative: side(random),
    }
}

#[test]
fn numbers_agree_with_a_plain_model() {
    struct Known {
        total: i64,
        start: u64,
        last: Window,
        touched: u64,
        delta: i64,
        payload: u64,
    }
    const MAX_SERIES: usize = 12;
    const MAX_IDLE: u64 = 30;
    for seed in 1..100 {
        let random = &mut Random(seed);
        let totals =
            &mut Accumulator::new(DeltaState { max_series: MAX_SERIES, max_idle_ms: MAX_IDLE * 1_000 });
        let mut model = BTreeMap::<u64, Known>::new();
        let mut now = 1_000;
        for payload in 0..60 {
            now += random.below(12);
            totals.begin(now * SECOND);
            model.retain(|_, known| now - known.touched <= MAX_IDLE);
            for _ in 0..random.below(8) {
                let is_full = model.len() == MAX_SERIES;
                let number = random.below(18);
                let end = now - 10 + random.below(12);
                let window = window(end - random.below(12), end);
                let delta = random.below(3) as i64;
                let expected = match model.get_mut(&number) {
                    Some(known) => {
                        let last = known.last.time;
                        if window == known.last && delta == known.delta && payload != known.payload {
                            Ok((known.total, known.start))
                        } else if window.time <= last {
                            Err(Refused::OutOfOrder(last))
                        } else if window.start < last {
                            Err(Refused::Overlap(last))
                        } else {
                            known.total += delta;
                            (known.last, known.touched, known.delta) = (window, now, delta);
                            known.payload = payload;
                            Ok((known.total, known.start))
                        }
                    }
                    None if is_full => Err(Refused::SeriesLimit),
                    None => {
                        let start = window.start / SECOND;
                        let known = Known { total: delta, start, last: window, touched: now, delta, payload };
                        model.insert(number, known);
                        Ok((delta, start))
                    }
                };
                assert_eq!(
                    count(totals, id(number), window, delta),
                    expected,
                    "seed {seed}, series {number}"
                );
            }
        }
    }
}

#[test]
fn a_snapshot_at_any_moment_changes_nothing_later() {
    for seed in 1..25 {
        let limits = DeltaState { max_series: 25, max_idle_ms: 30_000 };
        let mut stays = Accumulator::new(limits);
        let mut moves = Accumulator::new(limits);
        let (mut random, mut same) = (Random(seed), Random(seed));
        for payload in 0..40 {
            let now = (1_000 + 7 * payload) * SECOND;
            stays.begin(now);
            moves.begin(now);
            assert_eq!(feed(&mut stays, &mut random, 15), feed(&mut moves, &mut same, 15), "seed {seed}");
            let snapshot = moves.snapshot();
            assert_eq!(snapshot, stays.snapshot());
            moves = Accumulator::new(limits);
            moves.restore(&snapshot, true).unwrap();
        }
    }
}

#[test]
fn an_undone_payload_changes_nothing_later() {
    for seed in 1..25 {
        let limits = DeltaState { max_series: 25, max_idle_ms: 30_000 };
        let mut plain = Accumulator::new(limits);
        let mut undoes = Accumulator::new(limits);
        let (mut random, mut same, mut other) = (Random(seed), Random(seed), Random(seed + 1_000));
        for payload in 0..40 {
            let now = (1_000 + 7 * payload) * SECOND;
            undoes.begin(now);
            feed(&mut undoes, &mut other, 15);
            undoes.roll_back();
            plain.begin(now);
            undoes.begin(now);
            assert_eq!(undoes.snapshot(), plain.snapshot(), "seed {seed}");
            assert_eq!(feed(&mut plain, &mut random, 15), feed(&mut undoes, &mut same, 15), "seed {seed}");
        }
    }
}

/// Buckets are kept by index alone, at the scale of the total, and zero is not widened.
#[test]
fn exponential_histograms_agree_with_a_plain_model() {
    for seed in 1..80 {
        let random = &mut Random(seed);
        let totals = &mut accumulator(10);
        let mut deltas = Vec::new();
        for time in 1..20 {
            let mut point = Exponential { zero_threshold: 0.0, ..exponential(random) };
            deltas.push(point.clone());
            totals.add_exponential(id(1), window(time, time + 1), &mut point).unwrap();
            let expected = |pick: fn(&Exponential) -> &Side| {
                let mut counts = BTreeMap::<i32, u64>::new();
                for delta in &deltas {
                    assert!(point.scale <= delta.scale, "seed {seed}");
                    for (index, count) in (pick(delta).offset..).zip(&pick(delta).counts) {
                        *counts.entry(index >> (delta.scale - point.scale)).or_default() += count;
                    }
                }
                counts.retain(|_, count| *count > 0);
                counts
            };
            let got = |side: &Side| {
                let counts: BTreeMap<_, _> = (side.offset..).zip(side.counts.iter().copied()).collect();
                counts.into_iter().filter(|(_, count)| *count > 0).collect::<BTreeMap<_, _>>()
            };
            assert_eq!(got(&point.positive), expected(|point| &point.positive), "seed {seed}");
            assert_eq!(got(&point.negative), expected(|point| &point.negative), "seed {seed}");
            assert!(point.positive.counts.len() <= 160 && point.negative.counts.len() <= 160);
            assert_eq!(point.count, deltas.iter().map(|delta| delta.count).sum::<u64>());
        }
    }
}
