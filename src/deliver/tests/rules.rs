//! What is done about each answer.

use super::script::{Event, Says, Script};
use crate::{Interrupt, Policy};
use Event::*;
use preamp_contract::PossiblyDelivered;
use std::cell::RefCell;
use std::rc::Rc;

fn run(events: &[Event]) -> String {
    Script { events: events.to_vec(), ..Script::default() }.run()
}

fn single(events: &[Event]) -> String {
    Script { batches: vec!["a"], events: events.to_vec(), ..Script::default() }.run()
}

#[test]
fn every_answer_has_its_consequence() {
    for (events, expected) in [
        (vec![Taken], "abc abc=delivered ack1"),
        (vec![Page], "abc abc=delivered ack1"),
        (vec![Busy(5)], "abc ~5 abc2 abc=delivered ack1"),
        (vec![Busy(5), Busy(7)], "abc ~5 abc2 ~7 abc3 abc=delivered ack1"),
        (vec![Lost(5)], "abc ~5 abc2 abc=delivered ack1"),
        (vec![Unjudged], "abc ~5000 abc2 abc=delivered ack1"),
        (vec![Partly(false)], "abc abc=partly ack1"),
        (vec![Rejected(false)], "abc abc=refused ack1"),
        // A refusal as a repeat means nothing if no attempt before can have arrived.
        (vec![Partly(true)], "abc abc=partly ack1"),
        (vec![Rejected(true)], "abc abc=refused ack1"),
        (vec![Busy(5), Rejected(true)], "abc ~5 abc2 abc=refused ack1"),
        // If one can have arrived, the receiver has it.
        (vec![Lost(5), Partly(true)], "abc ~5 abc2 abc=presumed ack1"),
        (vec![Lost(5), Rejected(true)], "abc ~5 abc2 abc=presumed ack1"),
        (vec![Unjudged, Rejected(true)], "abc ~5000 abc2 abc=presumed ack1"),
        (vec![Lost(5), Busy(6), Rejected(true)], "abc ~5 abc2 ~6 abc3 abc=presumed ack1"),
        (vec![Lost(5), Rejected(false)], "abc ~5 abc2 abc=refused ack1"),
        // The configuration is wrong: hold.
        (vec![Stop], "abc ~60000held abc2 abc=delivered ack1"),
        (vec![Unsignable], "abc ~60000held abc abc=delivered ack1"),
    ] {
        assert_eq!(run(&events), expected, "{events:?}");
    }
}

#[test]
fn what_is_too_large_or_holds_a_bad_series_is_halved() {
    for (events, expected) in [
        (vec![BadSeries], "abc ab ab=delivered c c=delivered ack1"),
        // What was too large is remembered, and `ab` is larger than half of it.
        (vec![TooLarge], "abc a a=delivered b b=delivered c c=delivered ack1"),
        (vec![BadSeries, BadSeries, BadSeries], "abc ab a a=refused b b=delivered c c=delivered ack1"),
        (vec![BadSeries, Taken, BadSeries], "abc ab ab=delivered c c=refused ack1"),
        // Halves inherit that the whole was possibly delivered.
        (
            vec![Lost(5), OutOfOrder, OutOfOrder, OutOfOrder, OutOfOrder, OutOfOrder],
            "abc ~5 abc2 a a=presumed b b=presumed c c=presumed ack1",
        ),
        (
            vec![Lost(5), OutOfOrder, Taken, Taken, BadSeries],
            "abc ~5 abc2 a a=delivered b b=delivered c c=refused ack1",
        ),
        // That one half was possibly delivered says nothing of the other.
        (vec![BadSeries, Lost(5), Taken, OutOfOrder], "abc ab ~5 ab2 ab=delivered c c=refused ack1"),
    ] {
        assert_eq!(run(&events), expected, "{events:?}");
    }
    // What is refused must be in the half that was not taken: that one is not asked about as a whole.
    let batches = vec!["abcdefgh"];
    let events = vec![BadSeries, Taken, Taken, Taken, BadSeries];
    let one_of_eight = Script { batches, events, ..Script::default() }.run();
    assert_eq!(one_of_eight, "abcdefgh abcd abcd=delivered ef ef=delivered g g=delivered h h=refused ack1");
    assert_eq!(single(&[BadSeries]), "a a=refused ack1");
    assert_eq!(single(&[TooLarge]), "a a=refused ack1");
    assert_eq!(single(&[OutOfOrder]), "a a=refused ack1");
    assert_eq!(single(&[Lost(5), OutOfOrder]), "a ~5 a2 a=presumed ack1");
}

/// Whether a series is the reason, or the address or the account, shows in whether the receiver takes any other.
#[test]
fn what_is_refused_for_no_known_reason_is_held_unless_the_receiver_takes_others() {
    for (events, expected) in [
        // Another one of the request is taken, before or after.
        (vec![Unknown, Taken, Unknown], "abc ab ab=delivered c c=refused ack1"),
        (vec![Unknown, Unknown, Unknown, Taken], "abc ab a b b=delivered c c=delivered a=refused ack1"),
        (
            vec![Unknown, Unknown, Unknown, Taken, Unknown],
            "abc ab a b b=delivered c a=refused c=refused ack1",
        ),
        // Words that are known come from a receiver.
        (vec![Unknown, Unknown, Unknown, BadSeries], "abc ab a b b=refused c c=delivered a=refused ack1"),
        // Nothing is taken: all is held, and one of them is asked about now and then.
        (
            vec![Unknown; 6],
            "abc ab a b c unknown! ~60000held a unknown! ~60000held a2 a=delivered b b=delivered c c=delivered ack1",
        ),
        // It does not take everything in the end.
        (
            vec![Unknown, Unknown, Unknown, Unknown, Unknown, Taken, Unknown],
            "abc ab a b c unknown! ~60000held a a=delivered b b=refused c c=delivered ack1",
        ),
    ] {
        assert_eq!(run(&events), expected, "{events:?}");
    }
    assert_eq!(single(&[Unknown]), "a unknown! ~60000held a a=delivered ack1");
    // What another partition gets rid of meanwhile shows that address and account are right.
    let batches = vec!["a", "b"];
    let events = vec![Unknown, Unknown, Unknown];
    let merged = Script { batches, events, ..Script::default() }.run();
    assert!(
        merged.starts_with("merge:a+b ab a b unknown! ~60000held a a=delivered b b=delivered"),
        "{merged}"
    );
    // After a few of many, everything is held.
    let batches = vec!["abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];
    let events = vec![Unknown; 40];
    let many = Script { batches, events, ..Script::default() }.run();
    let held = many.find("unknown!").unwrap_or_default();
    assert!(many[..held].split(' ').filter(|asked| asked.len() == 1).count() == 16, "{many}");
    assert!(!many.contains("refused") && many.ends_with("ack1"), "{many}");
    // Whoever stops leaves all of it.
    let interrupts = vec![(9, Interrupt::Close)];
    let stopped = Script { events: vec![Unknown; 9], interrupts, ..Script::default() }.run();
    assert_eq!(stopped, "abc ab a b c unknown! ~60000held a unknown! left:Close");
}

#[test]
fn what_was_suspected_makes_room_too() {
    let interrupts = vec![(9, Interrupt::Evict)];
    let evicted = Script { events: vec![Unknown; 9], interrupts, ..Script::default() }.run();
    assert_eq!(evicted, "abc ab a b c unknown! ~60000held left:Evict");
    let events = vec![Unknown, Taken, Busy(5)];
    let interrupts = vec![(6, Interrupt::Evict)];
    let part = Script { events, interrupts, ..Script::default() }.run();
    assert_eq!(part, "abc ab ab=delivered c ~5 c=evicted ack1");
}

#[test]
fn credentials_are_refreshed_at_once_and_then_more_and_more_slowly() {
    let events = [BadKey, BadKey, BadKey, NoKey, Stop, BadKey, BadKey];
    assert_eq!(
        single(&events),
        "a refresh a2 refresh ~1000held a3 refresh ~2000held a4 ~4000held a4 ~60000held a5 refresh a6 \
         refresh ~1000held a7 a=delivered ack1"
    );
    let many = single(&[NoKey; 12]);
    assert!(many.contains("~32000held a ~60000held a ~60000held a"), "{many}");
}

#[test]
fn a_wrong_clock_is_told_from_a_wrong_secret() {
    assert_eq!(single(&[Clock(90_000, 0)]), "a clock:90000 a2 a=delivered ack1");
    assert_eq!(single(&[Clock(-90_000, 0)]), "a clock:-90000 a2 a=delivered ack1");
    // It was signed with that offset already, or nearly.
    assert_eq!(single(&[Clock(90_000, 31_000)]), "a refresh! a2 a=delivered ack1");
    let twice = single(&[Clock(90_000, 0), Clock(90_000, 90_000)]);
    assert_eq!(twice, "a clock:90000 a2 refresh! ~1000held a3 a=delivered ack1");
}

#[test]
fn pauses_are_stretched_at_random() {
    let policy = Policy { jitter: 0.5, ..Policy::default() };
    let script = Script { policy, events: vec![Busy(100), Busy(u64::MAX)], ..Script::default() };
    assert!(script.run().starts_with(&format!("abc ~150 abc2 ~{}", u64::MAX - 150)));
}

#[test]
fn batches_are_given_up_only_as_the_policy_says() {
    let limited = |events: Vec<Event>| {
        let policy = Policy { jitter: 0.0, max_elapsed: Some(100), ..Policy::default() };
        Script { policy, events, ..Script::default() }.run()
    };
    assert_eq!(limited(vec![Busy(60), Busy(41)]), "abc ~60 abc2 abc=elapsed ack1");
    assert_eq!(limited(vec![Busy(60), Busy(40)]), "abc ~60 abc2 ~40 abc3 abc=delivered ack1");
    // Time on hold does not count.
    assert_eq!(
        limited(vec![Busy(60), Stop, Busy(60)]),
        "abc ~60 abc2 ~60000held abc3 ~60 abc4 abc=delivered ack1"
    );
    let policy = Policy { retries: false, ..Policy::default() };
    let once = Script { policy, events: vec![Busy(5)], ..Script::default() };
    assert_eq!(once.run(), "abc abc=not-retried ack1");
}

#[test]
fn what_is_older_than_the_receiver_takes_is_not_sent() {
    let aged = |text: &'static str, age: i64, events: &[Event]| {
        let policy = Policy { jitter: 0.0, max_age_sent: Some(1_000), ..Policy::default() };
        Script { batches: vec![text], policy, age, events: events.to_vec(), ..Script::default() }.run()
    };
    assert_eq!(aged("ab", 1_000, &[]), "ab ab=delivered ack1");
    assert_eq!(aged("ab", 1_001, &[]), "ab=too-old ack1");
    // The young part is sent.
    assert_eq!(aged("abxy", 1_001, &[]), "ab=too-old xy xy=delivered ack1");
    // It becomes too old while it waits.
    assert_eq!(aged("abxy", 1_000, &[Busy(5)]), "abxy ~5 ab=too-old xy xy=delivered ack1");
    // A policy without an age, or a receiver whose time is not known, prunes nothing.
    let script = Script { age: 1 << 40, ..Script::default() };
    assert_eq!(script.run(), "abc abc=delivered ack1");
}

#[test]
fn a_request_that_was_stored_as_a_whole_is_not_asked_about_to_the_end() {
    let batches = vec!["abcdefghijklmnopqrstuvwx"];
    let events = [vec![Lost(5)], vec![OutOfOrder; 100]].concat();
    let own = Script { batches: batches.clone(), events: events.clone(), ..Script::default() }.run();
    assert!(own.ends_with("p p=presumed q=presumed r=presumed stuvwx=presumed ack1"), "{own}");
    let earlier = |in_parts| {
        let possibly_delivered = PossiblyDelivered { batches: 1, in_parts };
        let (batches, events) = (batches.clone(), vec![OutOfOrder; 100]);
        Script { batches, events, possibly_delivered, ..Script::default() }.run()
    };
    let whole = earlier(0);
    assert!(whole.ends_with("p p=presumed q=presumed r=presumed stuvwx=presumed ack1"), "{whole}");
    // The first three may be there without the others.
    let but_three = earlier(3);
    assert!(but_three.ends_with("s s=presumed t=presumed u=presumed vwx=presumed ack1"), "{but_three}");
    // Where it is not known how an earlier process cut its requests, all are asked about.
    let unknown = earlier(PossiblyDelivered::IN_PARTS);
    assert_eq!(unknown.matches("=presumed").count(), 24, "{unknown}");
}

/// No answer comes to a request, which was not stored, nor to a part of it, which was: that the series of the part are
/// refused when it is sent again says nothing of the others.
#[test]
fn a_part_that_was_stored_is_not_taken_for_the_whole() {
    const SERIES: &str = "abcdefghijklmnopqrstuvwxyz0123456789-[];,./!@#$%^&*()_+{}|:<>?~`'\"=";
    assert_eq!(SERIES.len(), 67);
    for is_earlier in [false, true] {
        let possibly_delivered = PossiblyDelivered { batches: usize::from(is_earlier), in_parts: 0 };
        let events = if is_earlier { vec![] } else { vec![Lost(5)] };
        let stored = Rc::new(RefCell::new(String::new()));
        let seen = stored.clone();
        let says = move |text: &str| {
            let mut stored = seen.borrow_mut();
            if text.contains('=') || text.chars().any(|series| stored.contains(series)) {
                return OutOfOrder;
            }
            stored.push_str(text);
            if text.len() > 16 { Lost(5) } else { Taken }
        };
        let (batches, receiver_says) = (vec![SERIES], Some(Box::new(says) as Says));
        let said = Script { batches, events, receiver_says, possibly_delivered, ..Script::default() }.run();
        assert!(said.contains("~5"), "a part was not answered: {said}");
        let missing: String = SERIES.chars().filter(|series| !stored.borrow().contains(*series)).collect();
        assert_eq!(missing, "=", "{said}");
    }
}

/// Several payloads in one request may hold more bad series than it takes to believe that it was stored.
#[test]
fn bad_series_of_a_request_that_was_not_stored_cost_no_good_one() {
    const SERIES: &str = "abcdefghijklmnopqrstuvwxyz0123456789-=[];,./!@#$%^&*()_+{}|:<>?~";
    let is_bad = |series: char| SERIES.find(series).is_some_and(|at| at % 3 == 0);
    let says = move |text: &str| if text.chars().any(is_bad) { OutOfOrder } else { Taken };
    let (batches, receiver_says) = (vec![SERIES], Some(Box::new(says) as Says));
    let said = Script { batches, events: vec![Lost(5)], receiver_says, ..Script::default() }.run();
    let presumed: String = said.split(' ').filter_map(|word| word.strip_suffix("=presumed")).collect();
    assert_eq!(presumed, SERIES.chars().filter(|series| is_bad(*series)).collect::<String>(), "{said}");
}

#[test]
fn interrupts_come_between_attempts() {
    let interrupted = |batches: &[&'static str], events: &[Event], at: usize, why: Interrupt| {
        let (batches, events) = (batches.to_vec(), events.to_vec());
        Script { batches, events, interrupts: vec![(at, why)], ..Script::default() }.run()
    };
    for why in [Interrupt::HandOver, Interrupt::Evict] {
        // Nothing is begun any more.
        assert_eq!(interrupted(&["a"], &[], 0, why), format!("left:{why:?}"));
        // A pause is broken off while nothing is settled.
        assert_eq!(interrupted(&["a"], &[Busy(5)], 2, why), format!("a ~5 left:{why:?}"));
        assert_eq!(interrupted(&["a"], &[Lost(5)], 2, why), format!("a ~5 left:{why:?}?"));
    }
    // A batch of which a part is settled is brought to its end, or given up as a whole.
    let events = [BadSeries, Taken, Busy(5)];
    assert_eq!(
        interrupted(&["ab"], &events, 6, Interrupt::HandOver),
        "ab a a=delivered b ~5 ~5 b2 b=delivered ack1"
    );
    assert_eq!(
        interrupted(&["abcd"], &[BadSeries, BadSeries, Taken, Busy(5)], 8, Interrupt::Evict),
        "abcd ab a a=delivered b ~5 cd=evicted b=evicted ack1"
    );
    // Whoever stops does not hold, but tries once more.
    assert_eq!(interrupted(&["a"], &[Stop, Stop], 2, Interrupt::Close), "a ~60000held a2 left:Close");
    assert_eq!(interrupted(&["a"], &[Stop, Taken], 2, Interrupt::Close), "a ~60000held a2 a=delivered ack1");
    assert_eq!(interrupted(&["a"], &[Busy(5)], 0, Interrupt::Close), "a ~5 a2 a=delivered ack1");
    // What another process delivers is nobody's here.
    assert_eq!(interrupted(&["a"], &[Busy(5)], 2, Interrupt::Lost), "a ~5 left:Lost");
    assert_eq!(interrupted(&["a", "b"], &[], 1, Interrupt::Lost), "merge:a+b left:Lost");
}
