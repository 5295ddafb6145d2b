//! Classic and exponential histograms.

use super::*;

fn classic(
    totals: &mut Accumulator,
    window: Window,
    bounds: &[u64],
    counts: &[u64],
    sum: Option<f64>,
) -> Result<(u64, Vec<u64>, Option<f64>, u64), Refused> {
    let mut buckets = Buckets { bounds: bounds.to_vec(), counts: counts.to_vec() };
    let mut point = HistogramPoint { count: counts.iter().sum(), sum, ..Default::default() };
    let start = totals.histogram(id(1), window, &mut point, &mut buckets)?;
    assert_eq!(buckets.bounds, bounds);
    Ok((point.count, buckets.counts, point.sum, start / SECOND))
}

#[test]
fn classic_histograms_add_up_by_bucket() {
    let totals = &mut accumulator(10);
    let mut add = |window, counts: &[u64], sum| classic(totals, window, &[1, 2], counts, sum);
    assert_eq!(add(window(10, 20), &[1, 2, 3], Some(1.5)), Ok((6, vec![1, 2, 3], Some(1.5), 10)));
    assert_eq!(add(window(20, 30), &[0, 1, 0], Some(2.0)), Ok((7, vec![1, 3, 3], Some(3.5), 10)));
    assert_eq!(add(window(20, 29), &[0, 1, 0], Some(2.0)), Err(Refused::OutOfOrder(30 * SECOND)));
    assert_eq!(add(window(30, 40), &[1, 0, 0], None), Ok((8, vec![2, 3, 3], None, 10)), "no sum");
    assert_eq!(add(window(40, 50), &[0, 0, 1], Some(9.0)), Ok((9, vec![2, 3, 4], None, 10)), "nor later");
}

#[test]
fn a_sum_that_is_no_number_is_unknown() {
    let totals = &mut accumulator(10);
    let added = classic(totals, window(10, 20), &[], &[1], Some(f64::NAN));
    assert_eq!(added, Ok((1, vec![1], None, 10)));
}

#[test]
fn other_bounds_begin_anew() {
    let totals = &mut accumulator(10);
    classic(totals, window(10, 20), &[1, 2], &[1, 2, 3], Some(1.5)).unwrap();
    let changed = classic(totals, window(20, 30), &[1, 3], &[0, 1, 0], Some(2.0));
    assert_eq!(changed, Ok((1, vec![0, 1, 0], Some(2.0), 20)));
    let shorter = classic(totals, window(30, 40), &[1, 3], &[], Some(2.0));
    assert_eq!(shorter, Ok((0, vec![], Some(2.0), 30)));
}

#[test]
fn a_histogram_sent_again_gets_the_same_total_again() {
    let totals = &mut accumulator(10);
    let mut add = || classic(totals, window(10, 20), &[1], &[1, 2], Some(1.5));
    let first = add();
    assert!(first.is_ok());
    assert_eq!(add(), Err(Refused::OutOfOrder(20 * SECOND)), "in one payload it is another point");
    totals.begin(1_001 * SECOND);
    assert_eq!(classic(totals, window(10, 20), &[1], &[1, 2], Some(1.5)), first);
}

fn side(offset: i32, counts: &[u64]) -> Side {
    Side { offset, counts: counts.to_vec() }
}

fn exponential(scale: i32, zero_threshold: f64, positive: Side, negative: Side) -> Exponential {
    let count = positive.counts.iter().chain(&negative.counts).sum();
    Exponential { scale, zero_threshold, zero_count: 0, count, sum: Some(1.0), positive, negative }
}

/// The total of all points.
fn total(points: &[Exponential]) -> Exponential {
    let totals = &mut accumulator(10);
    let mut last = Exponential::default();
    for (index, point) in points.iter().enumerate() {
        last = point.clone();
        let time = index as u64;
        totals.add_exponential(id(1), window(time + 1, time + 2), &mut last).unwrap();
    }
    last
}

#[test]
fn buckets_of_one_scale_add_up_by_index() {
    let points = [
        exponential(3, 0.0, side(2, &[1, 2]), side(0, &[])),
        exponential(3, 0.0, side(-1, &[0, 4, 0]), side(5, &[1])),
        exponential(3, 0.0, side(3, &[1, 0, 1]), side(4, &[2])),
    ];
    let total = total(&points);
    assert_eq!(total.positive, side(0, &[4, 0, 1, 3, 0, 1]));
    assert_eq!(total.negative, side(4, &[2, 1]));
    assert_eq!((total.count, total.sum, total.scale), (12, Some(3.0), 3));
}

#[test]
fn the_lower_scale_wins_in_either_order() {
    let fine = exponential(2, 0.0, side(-3, &[1, 2, 3, 4, 5]), side(0, &[]));
    let coarse = exponential(1, 0.0, side(0, &[7]), side(0, &[]));
    for points in [[fine.clone(), coarse.clone()], [coarse, fine]] {
        let total = total(&points);
        // -3 and -2 to -2 and -1; -1 to -1; 0 and 1 to 0.
        assert_eq!((total.scale, total.positive), (1, side(-2, &[1, 5, 16])));
    }
}

#[test]
fn too_many_buckets_lower_the_scale() {
    let counts = vec![1; 500];
    let one = total(&[exponential(5, 0.0, side(1, &counts), side(0, &[]))]);
    assert_eq!((one.scale, one.positive.counts.len(), one.positive.offset), (3, 126, 0));
    assert_eq!(one.positive.counts.iter().sum::<u64>(), 500);
    let far = [
        exponential(5, 0.0, side(0, &[1]), side(0, &[1])),
        exponential(5, 0.0, side(160, &[1]), side(0, &[1])),
    ];
    let far = total(&far);
    assert_eq!((far.scale, far.positive.counts.len(), far.negative), (4, 81, side(0, &[2])));
    let all = [
        exponential(20, 0.0, side(-(1074 << 20), &[1]), side(0, &[])),
        exponential(20, 0.0, side((1024 << 20) - 1, &[1]), side(0, &[])),
    ];
    let all = total(&all);
    assert_eq!((all.scale, all.positive.counts.len()), (-4, 132), "all doubles fit at scale -4");
}

#[test]
fn the_wider_zero_takes_the_buckets_below_it() {
    let wide = Exponential { zero_count: 5, ..exponential(0, 3.0, side(5, &[1]), side(0, &[])) };
    // Buckets (1, 2], (2, 4], (4, 8] and their negatives.
    let narrow = exponential(0, 0.0, side(0, &[1, 0, 4]), side(0, &[0, 2, 1]));
    for points in [[wide.clone(), narrow.clone()], [narrow, wide]] {
        let total = total(&points);
        assert_eq!(total.zero_threshold, 4.0, "to the end of the bucket that 3 falls into");
        assert_eq!((total.zero_count, total.count), (5 + 1 + 2, 9));
        assert_eq!((total.positive, total.negative), (side(2, &[4, 0, 0, 1]), side(2, &[1])));
    }
}

#[test]
fn a_zero_that_ends_between_buckets_stays() {
    let wide = exponential(0, 3.0, side(5, &[1]), side(0, &[]));
    let narrow = exponential(2, 0.0, side(8, &[1]), side(0, &[]));
    let total = total(&[wide, narrow]);
    assert_eq!((total.zero_threshold, total.zero_count, total.positive), (3.0, 0, side(2, &[1, 0, 0, 1])));
}

#[test]
fn points_that_cannot_be_added_up_are_refused() {
    let mut wrong = [
        exponential(21, 0.0, side(0, &[1]), side(0, &[])),
        exponential(i32::MIN, 0.0, side(0, &[1]), side(0, &[])),
        exponential(0, f64::NAN, side(0, &[1]), side(0, &[])),
        exponential(0, -1.0, side(0, &[1]), side(0, &[])),
        exponential(0, f64::INFINITY, side(0, &[1]), side(0, &[])),
        exponential(0, 0.0, side(1025, &[1]), side(0, &[])),
        exponential(0, 0.0, side(0, &[]), side(i32::MAX, &[1, 1])),
        exponential(0, 0.0, side(i32::MIN, &[1]), side(0, &[])),
        exponential(-10, 0.0, side(5, &[1]), side(0, &[])),
    ];
    let totals = &mut accumulator(10);
    for point in &mut wrong {
        let refused = totals.add_exponential(id(1), window(1, 2), point);
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{point:?}: {refused:?}");
    }
    assert_eq!(totals.series(), 0);
    let empty = &mut exponential(0, 0.0, side(i32::MAX, &[0, 0, 0]), side(i32::MIN, &[0]));
    assert_eq!(totals.add_exponential(id(1), window(1, 2), empty), Ok(SECOND), "empty buckets lie nowhere");
}
