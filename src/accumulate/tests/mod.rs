//! Totals, refusals, limits and time.

mod histograms;
mod model;
mod state;

use super::*;
use crate::otlp::exponential::Side;

const SECOND: u64 = 1_000_000_000;

fn id(number: u64) -> SeriesId {
    SeriesId::new(number, b"name", std::iter::empty())
}

fn window(start: u64, time: u64) -> Window {
    Window { start: start * SECOND, time: time * SECOND }
}

fn accumulator(max_series: usize) -> Accumulator {
    let mut accumulator = Accumulator::new(DeltaState { max_series, max_idle_ms: 300_000 });
    accumulator.begin(1_000 * SECOND);
    accumulator
}

fn count(
    accumulator: &mut Accumulator,
    id: SeriesId,
    window: Window,
    delta: i64,
) -> Result<(i64, u64), Refused> {
    let (total, start) = accumulator.number(id, window, Number::Int(delta), true)?;
    match total {
        Number::Int(total) => Ok((total, start / SECOND)),
        Number::Double(total) => panic!("{total} is no integer"),
    }
}

#[test]
fn deltas_add_up_since_the_first_start() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    assert_eq!(count(totals, id(2), window(10, 20), 7), Ok((7, 10)));
    assert_eq!(count(totals, id(1), window(20, 30), 0), Ok((5, 10)));
    assert_eq!(count(totals, id(1), window(45, 50), 2), Ok((7, 10)), "a gap is no reset");
    assert_eq!(count(totals, id(1), window(0, 60), 1), Ok((8, 10)), "a window without a start");
    assert_eq!(count(totals, id(3), window(0, 60), 1), Ok((1, 0)), "a start that is not known");
    assert_eq!(count(totals, id(4), window(70, 60), 1), Ok((1, 0)), "a start after the end");
}

#[test]
fn integers_stay_exact_and_mix_with_doubles() {
    let totals = &mut accumulator(10);
    let large = (1 << 53) + 1;
    assert_eq!(count(totals, id(1), window(0, 1), large), Ok((large, 0)));
    assert_eq!(count(totals, id(1), window(1, 2), 1), Ok((large + 1, 0)));
    let mut add =
        |time, delta| totals.number(id(2), window(time - 1, time), delta, false).map(|total| total.0);
    assert_eq!(add(1, Number::Int(i64::MAX)), Ok(Number::Int(i64::MAX)));
    assert_eq!(add(2, Number::Int(1)), Ok(Number::Double(9_223_372_036_854_775_808.0)));
    assert_eq!(add(3, Number::Double(-9_223_372_036_854_775_808.0)), Ok(Number::Double(0.0)));
    assert_eq!(add(4, Number::Double(f64::MAX)), Ok(Number::Double(f64::MAX)));
    assert_eq!(
        add(5, Number::Double(f64::MAX)),
        Ok(Number::Double(f64::MAX)),
        "begins anew beyond all doubles"
    );
}

#[test]
fn what_would_count_twice_is_refused() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    assert_eq!(count(totals, id(1), window(10, 20), 5), Err(Refused::OutOfOrder(20 * SECOND)));
    assert_eq!(count(totals, id(1), window(5, 19), 5), Err(Refused::OutOfOrder(20 * SECOND)));
    assert_eq!(count(totals, id(1), window(19, 30), 5), Err(Refused::Overlap(20 * SECOND)));
    assert_eq!(count(totals, id(1), window(20, 30), 5), Ok((10, 10)), "refused points left no trace");
}

#[test]
fn a_point_sent_again_gets_the_same_total_again() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    for _ in 0..3 {
        totals.begin(1_001 * SECOND);
        assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    }
    assert_eq!(
        count(totals, id(1), window(10, 20), 6),
        Err(Refused::OutOfOrder(20 * SECOND)),
        "another value"
    );
    assert_eq!(
        count(totals, id(1), window(9, 20), 5),
        Err(Refused::OutOfOrder(20 * SECOND)),
        "another start"
    );
    assert_eq!(count(totals, id(1), window(20, 30), 1), Ok((6, 10)));
}

#[test]
fn values_that_would_spoil_a_total_are_refused() {
    let totals = &mut accumulator(10);
    let mut add = |time, delta, monotonic| totals.number(id(1), window(time - 1, time), delta, monotonic);
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(matches!(add(20, Number::Double(value), false), Err(Refused::Invalid(_))), "{value}");
    }
    for (time, value) in [(20, Number::Int(-1)), (30, Number::Double(-0.5))] {
        assert!(matches!(add(time, value, true), Err(Refused::Invalid(_))), "{value:?}");
        assert!(add(time, value, false).is_ok(), "{value:?}");
    }
}

#[test]
fn a_series_that_ended_begins_anew() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    assert_eq!(totals.end(id(1), window(10, 20)), Err(Refused::OutOfOrder(20 * SECOND)));
    assert_eq!(totals.end(id(1), window(20, 30)), Ok(()));
    assert_eq!(totals.end(id(1), window(20, 30)), Ok(()), "sent again");
    assert_eq!(totals.series(), 0);
    assert_eq!(count(totals, id(1), window(40, 50), 3), Ok((3, 40)));
}

#[test]
fn a_series_of_another_kind_begins_anew() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    assert_eq!(
        totals.number(id(1), window(20, 30), Number::Int(3), false),
        Ok((Number::Int(3), 20 * SECOND))
    );
    let total = totals.add_exponential(id(1), window(0, 40), &mut Exponential::default());
    assert_eq!(total, Ok(30 * SECOND), "counts since the last point, as it does not say more");
}

#[test]
fn at_the_limit_idle_series_make_room_and_new_ones_are_refused() {
    let totals = &mut accumulator(2);
    assert_eq!(count(totals, id(1), window(10, 20), 1), Ok((1, 10)));
    totals.begin(1_100 * SECOND);
    assert_eq!(count(totals, id(2), window(10, 20), 1), Ok((1, 10)));
    assert_eq!(count(totals, id(3), window(10, 20), 1), Err(Refused::SeriesLimit));
    totals.begin(1_300 * SECOND);
    assert_eq!(
        count(totals, id(3), window(10, 20), 1),
        Err(Refused::SeriesLimit),
        "idle for long, not too long"
    );
    totals.begin(1_300 * SECOND + 1_000_000);
    assert_eq!(count(totals, id(3), window(10, 20), 1), Ok((1, 10)), "in the place of the first");
    assert_eq!(count(totals, id(1), window(20, 30), 1), Err(Refused::SeriesLimit));
    assert_eq!(count(totals, id(2), window(20, 30), 1), Ok((2, 10)), "known series go on");
}

#[test]
fn an_idle_series_begins_anew_whether_or_not_its_place_was_needed() {
    let totals = &mut accumulator(10);
    assert_eq!(count(totals, id(1), window(10, 20), 5), Ok((5, 10)));
    totals.begin(1_300 * SECOND + 1_000_000);
    assert_eq!(count(totals, id(1), window(12, 15), 1), Ok((1, 12)), "as if it had never been");
    totals.begin(900 * SECOND);
    assert_eq!(count(totals, id(1), window(15, 16), 1), Ok((2, 12)), "a clock that goes back stands still");
}

#[test]
fn a_payload_can_be_undone() {
    let totals = &mut accumulator(3);
    count(totals, id(1), window(10, 20), 5).unwrap();
    count(totals, id(2), window(10, 20), 7).unwrap();
    totals.begin(1_001 * SECOND);
    let before = totals.snapshot();
    count(totals, id(1), window(20, 30), 1).unwrap();
    count(totals, id(1), window(30, 40), 1).unwrap();
    count(totals, id(3), window(30, 40), 1).unwrap();
    totals.end(id(2), window(30, 40)).unwrap();
    count(totals, id(4), window(30, 40), 1).unwrap();
    totals.end(id(1), window(40, 50)).unwrap();
    count(totals, id(1), window(50, 60), 1).unwrap();
    assert_ne!(totals.snapshot(), before);
    totals.roll_back();
    assert_eq!(totals.snapshot(), before);
    assert_eq!(count(totals, id(1), window(20, 30), 1), Ok((6, 10)));
}
