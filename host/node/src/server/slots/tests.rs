use super::*;
use crate::metrics::ConnectionMetrics;
use futures_util::FutureExt as _;

fn slots(most: usize, of_address: Option<usize>) -> Arc<Slots> {
    let serving =
        Serving { max_connections: most, max_connections_per_address: of_address, ..Serving::default() };
    Slots::new(&serving, ConnectionMetrics::default().listener("http"))
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

#[test]
fn whoever_comes_late_gets_the_place_of_one_that_can_be_spared() {
    let slots = slots(3, None);
    let mut held: Vec<_> = (0..3).map(|last| slots.enter(address(last)).ok().unwrap()).collect();
    let newcomer = slots.enter(address(9)).ok().unwrap();
    let spared = held.iter().filter(|slot| slot.activity().dispensability().is_none()).count();
    assert_eq!(spared, 1);
    held.retain(|slot| slot.activity().dispensability().is_some());
    assert_eq!(slots.lock().connections.len(), 3);
    let position = |slot: &Slot| slot.activity().position.load(Relaxed);
    for slot in held.iter().chain([&newcomer]) {
        assert!(Arc::ptr_eq(&slots.lock().connections[position(slot)], slot.activity()));
    }
    drop((held, newcomer));
    assert!(slots.lock().connections.is_empty() && slots.lock().of_addresses.is_empty());
}

#[test]
fn those_with_requests_under_way_stay_and_others_are_turned_away() {
    use crate::server::activity::UnderWay;

    let slots = slots(2, None);
    let held: Vec<_> = (0..2).map(|last| slots.enter(address(last)).ok().unwrap()).collect();
    // Their bodies are there.
    let requests: Vec<_> = held.iter().map(|slot| UnderWay::begin(slot.activity()).0).collect();
    assert_eq!(slots.enter(address(9)).err(), Some(Refused::Full));
    drop(requests);
    assert!(slots.enter(address(9)).is_ok());
}

#[tokio::test]
async fn the_number_stays_bounded_while_the_spared_ones_do_not_end() {
    let slots = slots(80, None);
    let mut held = Vec::new();
    while slots.have_room().now_or_never().is_some() {
        held.push(slots.enter(address(1)).ok().unwrap());
    }
    assert_eq!(held.len(), 80 + 10);
    let (waiting, ()) = tokio::join!(slots.have_room(), async { drop(held.pop()) });
    assert_eq!(((), held.len()), (waiting, 89));
}

#[test]
fn an_address_has_so_many_and_a_network_of_ipv6_counts_as_one() {
    let slots = slots(100, Some(2));
    let of = |text: &str| slots.enter(text.parse().unwrap());
    let held = [of("10.0.0.1"), of("::ffff:10.0.0.1")];
    assert_eq!(of("10.0.0.1").err(), Some(Refused::Address));
    let others = [of("10.0.0.2"), of("2001:db8::1"), of("2001:db8::ffff:0:1:2")];
    assert!(others.iter().all(Result::is_ok));
    assert_eq!(of("2001:db8::3").err(), Some(Refused::Address));
    assert!(of("2001:db8:0:1::3").is_ok());
    drop(held);
    assert!(of("10.0.0.1").is_ok());
}

#[test]
fn of_many_handshakes_one_makes_room_for_the_next() {
    let slots = slots(10 * SHAKING, None);
    let held: Vec<_> = (0..=SHAKING).map(|_| slots.enter(address(1)).ok().unwrap()).collect();
    let shaking: Vec<_> = held.iter().map(Slot::shake).collect();
    let ending = held.iter().filter(|slot| slot.activity().dispensability().is_none());
    assert_eq!(ending.count(), 1);
    drop(shaking);
    assert_eq!(slots.lock().shaking, 0);
}
