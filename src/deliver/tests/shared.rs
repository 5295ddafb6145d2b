//! What partitions share, how requests are made of batches, and how fast bad series are looked for.

use super::script::{Event, Script, batch};
use crate::merge::{assign_acks, next_group};
use crate::search::{REQUESTS, SERIES_PER_REQUEST, Search, WITHIN};
use crate::{Arrival, Receiver};
use preamp_contract::Batch;
use std::collections::VecDeque;

fn run(batches: &[&'static str], possibly_delivered: bool, events: &[Event]) -> String {
    let (batches, events) = (batches.to_vec(), events.to_vec());
    Script { batches, possibly_delivered, events, ..Script::default() }.run()
}

#[test]
fn waiting_batches_are_merged_unless_they_were_possibly_delivered() {
    assert_eq!(run(&["a", "b"], false, &[]), "merge:a+b ab ab=delivered ack2");
    assert_eq!(run(&["a", "b"], true, &[]), "a a=delivered ack1 b b=delivered ack1");
    let refused = [Event::OutOfOrder, Event::BadSeries];
    assert_eq!(run(&["a", "b"], true, &refused), "a a=presumed ack1 b b=refused ack1");
}

#[test]
fn a_receiver_of_1_0_gets_1_0_from_then_on() {
    let fell_back = run(&["AB", "C"], false, &[Event::OnlyV1]);
    assert_eq!(
        fell_back,
        "merge:AB+C ABC fell-back downgrade:ABC a a=delivered b b=delivered c c=delivered ack2"
    );
    let mut receiver = Receiver::default();
    assert!(receiver.fall_back() && !receiver.fall_back(), "it is news once");
    let known = |batches: &[&'static str]| {
        Script { batches: batches.to_vec(), receiver: receiver.clone(), ..Script::default() }.run()
    };
    assert_eq!(known(&["A", "b"]), "downgrade:A merge:a+b ab ab=delivered ack2");
    assert_eq!(known(&["X"]), "downgrade:X X=unwritable ack1");
}

#[test]
fn the_size_limit_is_learnt_and_forgotten() {
    let mut receiver = Receiver::default();
    assert_eq!(receiver.size_limit(0), u64::MAX);
    receiver.refused_size(1_000_000, 0);
    receiver.refused_size(900_000, 10);
    assert_eq!(receiver.size_limit(10), 450_000);
    assert_eq!(receiver.size_limit(600_011), 900_000, "twice as much is tried after ten minutes");
    receiver.refused_size(10, 700_000);
    assert_eq!(receiver.size_limit(700_000), 16 * 1024, "below this, a 413 is not about size");
    let mut known = Receiver::default();
    known.refused_size(80_000, 0);
    // 20,000 bytes a series: two fit, and what is larger is halved before it is sent.
    let script = |batches: &[&'static str]| {
        Script { batches: batches.to_vec(), receiver: known.clone(), ..Script::default() }.run()
    };
    assert_eq!(script(&["abcd"]), "ab ab=delivered cd cd=delivered ack1");
    assert_eq!(script(&["a", "b", "c"]), "merge:a+b ab ab=delivered ack2 c c=delivered ack1");
    // A single series that is too large says nothing of others.
    let single = run(&["a", "bcde"], true, &[Event::TooLarge]);
    assert_eq!(single, "a a=refused ack1 bcde bcde=delivered ack1");
    let learnt = run(&["abcd", "efgh"], true, &[Event::TooLarge]);
    assert_eq!(learnt, "abcd ab ab=delivered cd cd=delivered ack1 ef ef=delivered gh gh=delivered ack1");
}

#[test]
fn bad_series_are_looked_for_at_a_bounded_rate() {
    for (series, batches) in [(10, 1), (10, 3), (100 * REQUESTS, 1)] {
        let most = (REQUESTS * batches as u32).max(series / SERIES_PER_REQUEST);
        let mut search = Search::new(series, batches, 1_000);
        for _ in 0..most {
            assert_eq!(search.take_turn(1_000), Ok(()));
        }
        let each = WITHIN / u64::from(most);
        assert_eq!(search.take_turn(1_000), Err(1_000 + each));
        assert_eq!(search.take_turn(1_000 + each), Ok(()));
        assert_eq!(search.take_turn(1_000 + each), Err(1_000 + 2 * each));
        // What is taken costs nothing, nor does the refusal of what it was a half of.
        search.give_back();
        assert_eq!(search.take_turn(1_000 + each), Ok(()));
        assert_eq!(search.take_turn(1_000 + each), Ok(()));
        let later = 1_000_000_000;
        assert_eq!((0..2 * most).filter(|_| search.take_turn(later).is_ok()).count(), most as usize);
    }
    let all_bad = vec!["abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"];
    let script = Script { batches: all_bad, events: vec![Event::BadSeries; 200], ..Script::default() };
    let said = script.run();
    let pauses = said.matches(&format!("~{}", WITHIN / u64::from(REQUESTS))).count();
    assert_eq!(pauses, 2 * 52 - 1 - 1 - REQUESTS as usize, "{said}");
    // Halving for size is no search.
    let large = vec!["abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"];
    let script = Script { batches: large, events: vec![Event::TooLarge; 200], ..Script::default() };
    assert_eq!(script.run().matches('~').count(), 0);
}

/// One in twenty of a thousand is found without a pause.
#[test]
fn a_few_bad_series_cost_the_others_no_time() {
    for (every, offset) in [(20, 0), (20, 7), (13, 3)] {
        let is_bad = |series: usize| series % every == offset;
        let mut search = Search::new(1_000, 1, 0);
        let mut pending = vec![(0, 1_000)];
        let (mut is_whole, mut requests, mut found) = (true, 0, 0);
        while let Some((from, to)) = pending.pop() {
            assert!(
                is_whole || search.take_turn(0).is_ok(),
                "{found} found of one in {every}, {requests} requests"
            );
            (is_whole, requests) = (false, requests + 1);
            if !(from..to).any(is_bad) {
                search.give_back();
            } else if to - from == 1 {
                found += 1;
            } else {
                let middle = from + (to - from).div_ceil(2);
                pending.extend([(middle, to), (from, middle)]);
            }
        }
        assert_eq!(found, (0..1_000).filter(|series| is_bad(*series)).count());
    }
}

#[test]
fn groups_are_as_large_as_the_receiver_takes() {
    let sized = |uncompressed_size| Batch { uncompressed_size, ..batch("a", 0) };
    let sizes = |limit| {
        let mut waiting: VecDeque<Batch> = [40, 30, 30, 200, 10].map(sized).into();
        let mut groups: Vec<Vec<u32>> = Vec::new();
        while !waiting.is_empty() {
            let group = next_group(&mut waiting, limit);
            groups.push(group.iter().map(|batch| batch.uncompressed_size).collect());
        }
        groups
    };
    assert_eq!(sizes(u64::MAX), [vec![40, 30, 30, 200, 10]]);
    assert_eq!(sizes(100), [vec![40, 30, 30], vec![200], vec![10]]);
    assert_eq!(sizes(1), [[40], [30], [30], [200], [10]]);
}

fn acks(group: &[(u32, u32)], merged: &[(u32, u32)]) -> Option<Vec<usize>> {
    let counted = |(points, series): &(u32, u32)| Batch {
        points: *points,
        series: *series,
        samples: *series,
        ..batch("", 0)
    };
    let group: Vec<_> = group.iter().map(counted).collect();
    let requests = assign_acks(&group, merged.iter().map(counted).collect())?;
    Some(requests.iter().map(|request| request.acks).collect())
}

#[test]
fn requests_acknowledge_the_batches_they_were_merged_from() {
    let waiting = [(1, 2), (3, 4), (5, 5), (0, 3)];
    assert_eq!(acks(&waiting, &[(9, 14)]), Some(vec![4]));
    assert_eq!(acks(&waiting, &[(4, 6), (5, 8)]), Some(vec![2, 2]));
    assert_eq!(acks(&waiting, &[(1, 2), (8, 9), (0, 3)]), Some(vec![1, 2, 1]));
    // What is cut elsewhere is acknowledged by the request that completes it.
    assert_eq!(acks(&[(2, 4), (2, 4)], &[(1, 2), (3, 6)]), Some(vec![0, 2]));
    // Batches without series are acknowledged, too.
    assert_eq!(acks(&[(1, 1), (0, 0), (1, 1), (0, 0)], &[(1, 1), (1, 1)]), Some(vec![1, 3]));
    assert_eq!(acks(&[(0, 0), (0, 0)], &[(0, 0)]), Some(vec![2]));
    // A merge that loses a point is noticed.
    assert_eq!(acks(&[(2, 2), (1, 1)], &[(2, 3)]), None);
}

#[test]
fn only_the_receiver_itself_settles_what_arrived() {
    for (status, arrival) in [
        (0, Arrival::Possible),
        (100, Arrival::Possible),
        (204, Arrival::Settled),
        (302, Arrival::Settled),
        (408, Arrival::Possible),
        (429, Arrival::Settled),
        (499, Arrival::Possible),
        (500, Arrival::Possible),
        (504, Arrival::Possible),
    ] {
        assert_eq!(Arrival::of_status(status), arrival, "{status}");
    }
}
