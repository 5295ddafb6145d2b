//! What partitions share, how requests are made of batches, and how fast bad series are looked for.

use super::script::{self, Event, Script, batch};
use crate::merge::{assign_acks, next_group};
use crate::search::{REQUESTS, SERIES_PER_REQUEST, Search, WITHIN};
use crate::{Answer, Arrival, Delivery, Moment, Policy, Receiver, Step};
use preamp_contract::{Batch, HalveCause, Halving, PossiblyDelivered, Retry, Verdict};
use std::collections::VecDeque;

fn run(batches: &[&'static str], is_possibly_delivered: bool, events: &[Event]) -> String {
    let (batches, events) = (batches.to_vec(), events.to_vec());
    let sent = if is_possibly_delivered { batches.len() } else { 0 };
    let possibly_delivered = PossiblyDelivered { batches: sent, in_parts: PossiblyDelivered::IN_PARTS };
    Script { batches, possibly_delivered, events, ..Script::default() }.run()
}

#[test]
fn waiting_batches_are_merged_unless_they_were_possibly_delivered() {
    assert_eq!(run(&["a", "b"], false, &[]), "merge:a+b ab ab=delivered ack2");
    let refused = [Event::OutOfOrder, Event::OutOfOrder, Event::BadSeries];
    assert_eq!(run(&["a", "b"], true, &refused), "merge:a+b ab a a=presumed b b=refused ack2");
    // Not all at once, where it is not known which of them were.
    let said = run(&["a"; 40], true, &[]);
    assert_eq!(
        said.split(' ').filter(|word| word.starts_with("ack")).collect::<Vec<_>>(),
        ["ack16", "ack16", "ack8"]
    );
}

#[test]
fn only_what_was_possibly_delivered_is_sent_apart() {
    let batches = vec!["a", "b", "c", "d"];
    let sent = |batches_sent: usize, was_one_request: bool, events: &[Event]| {
        let in_parts = if was_one_request { 0 } else { PossiblyDelivered::IN_PARTS };
        let possibly_delivered = PossiblyDelivered { batches: batches_sent, in_parts };
        let (batches, events) = (batches.clone(), events.to_vec());
        Script { batches, events, possibly_delivered, ..Script::default() }.run()
    };
    let rest = "merge:c+d cd cd=delivered ack2";
    assert_eq!(sent(2, false, &[]), format!("merge:a+b ab ab=delivered ack2 {rest}"));
    // The identical request again.
    assert_eq!(sent(2, true, &[]), format!("merge:a+b ab ab=delivered ack2 {rest}"));
    assert_eq!(sent(1, true, &[]), "a a=delivered ack1 merge:b+c+d bcd bcd=delivered ack3");
    let refused = [Event::OutOfOrder; 3];
    let presumed = "merge:a+b ab a a=presumed b=presumed ack2";
    // A repeat that is refused says nothing of what comes behind it.
    assert!(
        sent(2, true, &refused[..2]).starts_with("merge:a+b ab a a=presumed b b=delivered ack2 merge:c+d")
    );
    assert!(!sent(2, true, &refused).contains(presumed), "two series are too few to believe that");
    let last = sent(1, true, &[vec![Event::Taken], vec![Event::OutOfOrder; 3]].concat());
    assert!(last.contains("b=refused"), "{last}");
}

#[test]
fn it_is_known_before_each_attempt_what_the_receiver_may_have_of_a_partition() {
    let batches = |texts: &[&str]| texts.iter().map(|text| batch(text, 0)).collect::<Vec<_>>();
    let moment = Moment { now: 0, receiver_now: None };
    let (mut receiver, none) = (Receiver::default(), PossiblyDelivered::default());
    let one = |batches| PossiblyDelivered { batches, in_parts: 0 };
    let parts = |batches, in_parts| PossiblyDelivered { batches, in_parts };
    let sent = |delivery: &mut Delivery<Batch>, receiver: &mut Receiver| loop {
        match delivery.poll(moment, receiver) {
            Step::Send { sent, .. } => return Some(sent),
            Step::Settle { .. } | Step::Acknowledge { .. } => {}
            _ => return None,
        }
    };
    let answer = |verdict| Answer { verdict: Some(verdict), arrival: Arrival::Settled, signed_offset_ms: 0 };
    let explanation = script::explanation(false);
    let halve = Verdict::Halve(Halving { why: HalveCause::BadSeries, explanation });

    // Two requests that do not meet at a batch: the first has a part of what the second completes.
    let mut delivery = Delivery::new(batches(&["abc", "def"]), none, Policy::default());
    assert!(matches!(delivery.poll(moment, &mut receiver), Step::Merge(_)));
    assert!(delivery.merged(Some(batches(&["ab", "cdef"]))));
    assert_eq!(sent(&mut delivery, &mut receiver), Some(parts(2, PossiblyDelivered::IN_PARTS)));
    delivery.answered(answer(Verdict::Delivered), moment, 0.0, &mut receiver);
    assert_eq!(sent(&mut delivery, &mut receiver), Some(parts(2, PossiblyDelivered::IN_PARTS)));

    // One request, and its halves: what was refused of them is not stored.
    let mut delivery = Delivery::new(batches(&["abcd"]), none, Policy::default());
    assert_eq!(sent(&mut delivery, &mut receiver), Some(one(1)));
    for (text, end) in [("abcd", 2), ("ab", 1)] {
        delivery.answered(answer(halve.clone()), moment, 0.0, &mut receiver);
        assert!(matches!(delivery.poll(moment, &mut receiver), Step::Halve(_)));
        let (first, second) = text.split_at(end as usize);
        delivery.halved(Some((batch(first, 0), batch(second, 0))));
        assert_eq!(sent(&mut delivery, &mut receiver), Some(parts(1, end)));
    }
    for end in [2, 4] {
        delivery.answered(answer(Verdict::Delivered), moment, 0.0, &mut receiver);
        assert_eq!(sent(&mut delivery, &mut receiver), Some(parts(1, end)));
    }

    // What was refused for now was not stored; what was not answered may be.
    for (arrival, is_unsent) in [(Arrival::Settled, true), (Arrival::Possible, false)] {
        let mut receiver = Receiver::default();
        let mut delivery = Delivery::new(batches(&["ab"]), none, Policy::default());
        assert_eq!(sent(&mut delivery, &mut receiver), Some(one(1)));
        assert!(!delivery.has_sent_nothing());
        let retry = Verdict::Retry(Retry { after: 5, reason: String::new() });
        let answer = Answer { verdict: Some(retry), arrival, signed_offset_ms: 0 };
        delivery.answered(answer, moment, 0.0, &mut receiver);
        assert_eq!(delivery.has_sent_nothing(), is_unsent);
    }
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
    let not_together = |batches: &[&'static str], limit: u64| {
        let mut receiver = Receiver::default();
        receiver.refused_size(2 * limit, 0);
        let (batches, events) = (batches.to_vec(), vec![Event::TooLarge]);
        Script { batches, receiver, events, ..Script::default() }.run()
    };
    let single = not_together(&["a", "bcde"], 99_000);
    assert_eq!(single, "a a=refused ack1 bcde bcde=delivered ack1");
    let learnt = not_together(&["abcd", "efgh"], 159_000);
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
            let group = next_group(&mut waiting, usize::MAX, limit);
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
