use super::*;

/// Times in milliseconds.
fn serving() -> Serving {
    let time = |milliseconds| Some(Duration::from_millis(milliseconds));
    Serving {
        read_header_timeout: time(1_000),
        write_timeout: time(2_000),
        idle_timeout: time(5_000),
        ..Serving::default()
    }
}

fn activity() -> (Arc<Activity>, u64) {
    let activity = Arc::new(Activity::new(IpAddr::from([127, 0, 0, 1])));
    let start = activity.changed.load(Relaxed);
    (activity, start)
}

#[test]
fn silence_and_slow_heads_end_a_connection_of_http_1() {
    let (activity, start) = activity();
    assert_eq!(activity.due(start, &serving()), Due::In(1_000));
    assert_eq!(activity.due(start + 999, &serving()), Due::In(1));
    assert_eq!(activity.due(start + 1_000, &serving()), Due::Now(Ending::Head));
    activity.received(b"POST");
    activity.head.store(start + 500, Relaxed);
    assert_eq!(activity.due(start + 1_499, &serving()), Due::In(1));
    activity.received(b"more of it changes nothing");
    assert_eq!(activity.due(start + 1_500, &serving()), Due::Now(Ending::Head));
}

#[test]
fn a_connection_with_a_request_is_neither_slow_nor_idle_and_then_may_be_idle() {
    let (activity, start) = activity();
    activity.received(b"POST");
    let (under_way, reading) = UnderWay::begin(&activity);
    assert!(matches!(activity.due(start + 60_000, &serving()), Due::In(_)));
    drop((under_way, reading));
    activity.changed.store(start + 60_000, Relaxed);
    assert_eq!(activity.due(start + 64_999, &serving()), Due::In(1));
    assert_eq!(activity.due(start + 65_000, &serving()), Due::Now(Ending::Idle));
    activity.received(b"P");
    activity.head.store(start + 61_000, Relaxed);
    assert_eq!(activity.due(start + 62_000, &serving()), Due::Now(Ending::Head), "half a second request");
}

#[test]
fn http_2_may_be_silent_until_it_is_idle() {
    let (activity, start) = activity();
    activity.received(b"PRI * HTTP/2.0");
    assert!(matches!(activity.due(start + 4_000, &serving()), Due::In(1_000)));
    assert_eq!(activity.due(start + 5_000, &serving()), Due::Now(Ending::Idle));
}

#[test]
fn answers_that_nobody_reads_end_a_connection() {
    let (activity, start) = activity();
    activity.received(b"POST");
    let (mut under_way, _reading) = UnderWay::begin(&activity);
    under_way.answer();
    activity.moved.store(start, Relaxed);
    assert_eq!(activity.due(start + 1_999, &serving()), Due::In(1));
    assert_eq!(
        activity.due(start + 2_000, &serving()),
        Due::Now(Ending::Unread),
        "no part of it is asked for"
    );
    drop(under_way);
    activity.wrote(false);
    activity.stalled.store(start, Relaxed);
    activity.wrote(false);
    assert_eq!(activity.due(start + 2_000, &serving()), Due::Now(Ending::Unread), "it does not leave");
    activity.wrote(true);
    assert!(matches!(activity.due(start + 2_000, &serving()), Due::In(_)));
}

#[test]
fn what_was_never_used_can_best_be_spared_and_what_works_not_at_all() {
    let (activity, start) = activity();
    assert_eq!(activity.dispensability(), Some((0, start)));
    let (under_way, reading) = UnderWay::begin(&activity);
    assert!(matches!(activity.dispensability(), Some((2, _))), "its body may never come");
    drop(reading);
    assert_eq!(activity.dispensability(), None, "it is being worked on");
    let mut under_way = under_way;
    under_way.answer();
    drop(under_way);
    assert!(matches!(activity.dispensability(), Some((1, _))));
    activity.end();
    assert_eq!(activity.dispensability(), None, "it is going already");
}

#[test]
fn times_that_are_not_set_are_never_over() {
    let endless =
        Serving { read_header_timeout: None, write_timeout: None, idle_timeout: None, ..Serving::default() };
    let (activity, start) = activity();
    assert_eq!(activity.due(start + (1 << 40), &endless), Due::In(u64::MAX));
}
