//! Application data: when it may be sent, and what is delivered.

use crate::world::{Action, Side, World, client_config, ms, server_config};
use dtls_core::{Admitted, CipherSuite, Config, Discard, Error, Event, Limits, Versions};

#[test]
fn server_sends_directly_after_its_final_flight() {
    let mut world = World::new().started();
    world.run_until(|world| world.server.is_connected());
    assert!(!world.client.is_connected());
    world.send(Side::Server, b"first");
    world.settle();
    assert_eq!(world.data(Side::Client), [b"first"]);
}

//= rfc6347-4.1-data-waits
//= rfc6347-4.2.4-early-data
#[test]
fn data_before_the_finished_waits_for_it() {
    let mut world = World::new()
        .network(|packet| if packet.index == 3 { Action::Delay(ms(50)) } else { Action::Deliver })
        .started();
    world.run_until(|world| world.server.is_connected());
    for text in [&b"one"[..], b"two", b"three"] {
        world.send(Side::Server, text);
    }
    world.pass(ms(20));
    assert!(world.client_events.is_empty(), "{}", world.trace());
    world.settle();
    assert!(matches!(world.client_events[0], Event::Connected(_)));
    assert_eq!(world.data(Side::Client), [&b"one"[..], b"two", b"three"]);
}

#[test]
fn early_data_is_bounded() {
    let limits = Limits { early_records: 1000, ..Limits::default() };
    let mut world = World::with(Config { limits, ..client_config() }, server_config())
        .network(|packet| if packet.index == 3 { Action::Delay(ms(50)) } else { Action::Deliver })
        .started();
    world.run_until(|world| world.server.is_connected());
    for _ in 0..10 {
        world.send(Side::Server, &[7; 300]);
    }
    world.settle();
    assert_eq!(world.data(Side::Client).len(), 2);
    assert_eq!(world.client.stats().discarded(Discard::EarlyRecordsFull), 8);
}

//= rfc6347-4.1.2.6-no-duplicate
#[test]
fn replayed_record_is_delivered_once() {
    let mut world = World::connected();
    world.send(Side::Client, b"pay 10");
    let datagram = world.sent.last().unwrap().bytes.clone();
    world.settle();
    assert_eq!(world.inject(Side::Server, &datagram), Admitted::Discarded(Discard::Replayed));
    assert_eq!(world.data(Side::Server), [b"pay 10"]);
    for _ in 0..70 {
        world.send(Side::Client, b"more");
    }
    world.settle();
    assert_eq!(world.inject(Side::Server, &datagram), Admitted::Discarded(Discard::TooOld));
}

#[test]
fn data_is_delivered_in_order_of_arrival() {
    let mut world = World::connected();
    world.set_network(|packet| if packet.bytes.len() > 45 { Action::Delay(ms(5)) } else { Action::Deliver });
    world.send(Side::Client, b"long enough to be late");
    world.send(Side::Client, b"short");
    world.settle();
    assert_eq!(world.data(Side::Server), [&b"short"[..], b"long enough to be late"]);
}

//= rfc9147-4.4-expansion
#[test]
fn maximum_data_fills_the_mtu_and_more_is_refused() {
    let mut world = World::connected();
    let max = world.client.max_data_len();
    assert_eq!(max, 1200 - world.client.record_overhead());
    world.send(Side::Client, &vec![1; max]);
    assert_eq!(world.sent.last().unwrap().bytes.len(), 1200);
    let refused = world.client.send(world.now, &vec![1; max + 1]);
    assert_eq!(refused, Err(Error::TooLarge { max }));
    world.settle();
    world.assert_works();
}

#[test]
fn record_overhead_is_that_of_a_real_record() {
    for (versions, suite) in [
        (Versions::Dtls12, CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256),
        (Versions::Dtls12, CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256),
        (Versions::Dtls13, CipherSuite::AES_256_GCM_SHA384),
        (Versions::Dtls13, CipherSuite::CHACHA20_POLY1305_SHA256),
    ] {
        let with = |config| Config { suites: vec![suite], versions, ..config };
        let mut world = World::with(with(client_config()), with(server_config())).started();
        let at_most = world.client.record_overhead();
        world.run_until(World::are_connected);
        world.pass(ms(100));
        let overhead = world.client.record_overhead();
        assert!(overhead <= at_most, "{suite:?}");
        for len in [0, 1, 1000] {
            world.send(Side::Client, &vec![7; len]);
            assert_eq!(world.sent.last().unwrap().bytes.len(), len + overhead, "{suite:?}");
        }
    }
}

#[test]
fn full_queue_would_block_and_loses_nothing() {
    let limits = Limits { outgoing: 4000, ..Limits::default() };
    let mut world = World::connected_with(Config { limits, ..client_config() }, server_config());
    let accepted = (0..20).take_while(|_| world.client.send(world.now, &[1; 1000]).is_ok()).count();
    assert_eq!(world.client.send(world.now, &[1; 1000]), Err(Error::WouldBlock));
    assert_eq!(accepted, 3);
    world.collect();
    world.settle();
    assert_eq!(world.data(Side::Server).len(), 3);
    world.assert_works();
}

#[test]
fn smallest_queue_has_room_for_one_datagram() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let limits = Limits { outgoing: 0, ..Limits::default() };
        let with = |config| Config { limits, versions, ..config };
        let mut world = World::connected_with(with(client_config()), with(server_config()));
        for _ in 0..3 {
            world.client.send(world.now, &[1; 1000]).unwrap();
            assert_eq!(world.client.send(world.now, b"x"), Err(Error::WouldBlock));
            world.collect();
        }
        world.pass(ms(100));
        assert_eq!(world.data(Side::Server).len(), 3, "{}", world.trace());
    }
}

#[test]
fn received_data_is_bounded_and_counted() {
    let limits = Limits { received_data: 10_000, ..Limits::default() };
    let mut world = World::connected_with(client_config(), Config { limits, ..server_config() });
    let now = world.now;
    let mut datagram = Vec::new();
    for _ in 0..20 {
        world.client.send(now, &[1; 1000]).unwrap();
        let _ = world.client.poll_transmit(&mut datagram).unwrap();
        assert_eq!(world.server.handle_input(now, &mut datagram), Admitted::Authenticated);
        datagram.clear();
    }
    world.collect();
    assert_eq!(world.data(Side::Server).len(), 9);
    assert_eq!(world.server.stats().discarded(Discard::ReceivedDataFull), 11);
    world.assert_works();
}

#[test]
fn try_input_neither_changes_the_datagram_nor_counts() {
    let mut mine = World::connected();
    let mut other = World::connected();
    mine.client.send(mine.now, b"for mine").unwrap();
    let mut datagram = Vec::new();
    let _ = mine.client.poll_transmit(&mut datagram).unwrap();
    let (before, mut scratch) = (datagram.clone(), Vec::new());

    let now = other.now;
    assert_eq!(other.server.try_input(now, &datagram, &mut scratch), Admitted::Discarded(Discard::BadRecord));
    assert_eq!((other.server.stats().authentication_failures, &datagram), (0, &before));
    other.server.on_authentication_failure(now);
    assert_eq!(other.server.stats().authentication_failures, 1);

    assert_eq!(mine.server.try_input(mine.now, &datagram, &mut scratch), Admitted::Authenticated);
    assert_eq!(datagram, before);
    mine.collect();
    assert_eq!(mine.data(Side::Server), [b"for mine"]);
}
