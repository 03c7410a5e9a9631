//! Closing a connection.

use crate::world::{Action, Side, World, client_config, ms, server_config, without_ml_kem};
use dtls_core::{Admitted, ClosedBy, Config, Discard, Error, Event, Versions};

fn connected13() -> World {
    let config = |config: Config| Config { versions: Versions::Dtls13, ..without_ml_kem(config) };
    World::connected_with(config(client_config()), config(server_config()))
}

//= rfc5764-7.3.1-repeated-alerts
#[test]
fn close_is_answered_and_ends_both_sides() {
    for closer in [Side::Client, Side::Server] {
        let mut world = World::connected();
        let now = world.now;
        world.connection(closer).close(now);
        world.connection(closer).close(now);
        world.collect();
        world.settle();
        let closes =
            |events: &[Event], by| events.iter().filter(|event| **event == Event::Closed(by)).count();
        assert_eq!(closes(world.events(closer), ClosedBy::Us), 1, "{}", world.trace());
        assert_eq!(closes(world.events(closer.other()), ClosedBy::Peer), 1, "{}", world.trace());
        let sent = world.sent.len();
        assert_eq!(sent, 6, "one close_notify each\n{}", world.trace());
        assert!(!world.step(), "no timer is due");
        for side in [Side::Client, Side::Server] {
            let now = world.now;
            let connection = world.connection(side);
            assert_eq!(connection.send(now, b"more"), Err(Error::Closed));
            assert_eq!(connection.start(now, None), Err(Error::Closed));
            let mut alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
            assert_eq!(connection.handle_input(now, &mut alert), Admitted::Discarded(Discard::AfterClose));
        }
    }
}

#[test]
fn input_after_close_is_discarded_with_its_reason() {
    let mut world = World::connected();
    world.send(Side::Server, b"too late");
    world.client.close(world.now);
    world.settle();
    assert_eq!(
        world.client.stats().discarded(Discard::AfterClose),
        2,
        "data and a close_notify\n{}",
        world.trace()
    );
    assert!(world.data(Side::Client).is_empty());
}

#[test]
fn data_sent_before_a_close_arrives() {
    let mut world = World::connected();
    world.client.send(world.now, b"final data").unwrap();
    world.client.close(world.now);
    world.collect();
    world.settle();
    assert_eq!(world.data(Side::Server), [b"final data"]);
    assert_eq!(world.server_events.last(), Some(&Event::Closed(ClosedBy::Peer)));
}

#[test]
fn close_during_the_handshake_ends_it() {
    let mut world = World::new().network(|_| Action::Drop).started();
    world.client.close(world.now);
    world.collect();
    assert_eq!(world.client_events, [Event::Closed(ClosedBy::Us)]);
    assert_eq!(world.client.poll_timeout(), None);
    assert_eq!(world.sent.len(), 2, "a ClientHello and a close_notify\n{}", world.trace());
    world.pass(ms(1000));
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn close_before_start_sends_nothing() {
    let mut world = World::new();
    world.client.close(world.now);
    world.collect();
    assert_eq!((world.sent.len(), &world.client_events[..]), (0, &[Event::Closed(ClosedBy::Us)][..]));
}

#[test]
fn half_closed_peer_receives_data_and_our_close() {
    for closer in [Side::Client, Side::Server] {
        let mut world = connected13();
        let now = world.now;
        world.connection(closer).close_sending(now).unwrap();
        world.collect();
        world.settle();
        assert_eq!(world.events(closer.other()).last(), Some(&Event::PeerClosing), "{}", world.trace());
        assert_eq!(world.connection(closer).send(now, b"more"), Err(Error::Closed));
        assert_eq!(world.connection(closer).close_sending(now), Err(Error::Closed));
        assert_eq!(world.connection(closer).update_keys(now), Err(Error::Closed));
        world.send(closer.other(), b"what was left to say");
        world.settle();
        assert_eq!(world.data(closer), [b"what was left to say"], "{}", world.trace());
        let sent = world.sent.len();
        let now = world.now;
        world.connection(closer.other()).close(now);
        world.collect();
        world.settle();
        assert_eq!(world.events(closer).last(), Some(&Event::Closed(ClosedBy::Us)), "{}", world.trace());
        assert_eq!(world.events(closer.other()).last(), Some(&Event::Closed(ClosedBy::Peer)));
        assert_eq!(world.sent.len(), sent + 1, "one close_notify of each\n{}", world.trace());
        assert!(!world.step(), "no timer is due");
    }
}

//= rfc9147-5.10-after-close
#[test]
fn record_numbers_decide_what_precedes_a_close() {
    let mut world = connected13();
    let first = world.sent.len();
    world.set_network(
        move |packet| if packet.index == first { Action::Delay(ms(100)) } else { Action::Deliver },
    );
    world.send(Side::Client, b"late");
    world.client.close(world.now);
    world.collect();
    world.settle();
    let events: Vec<_> = world.server_events.iter().rev().take(2).rev().collect();
    assert_eq!(events, [&Event::PeerClosing, &Event::Data(b"late"[..].into())], "{}", world.trace());
    assert_eq!(world.server.stats().discarded(Discard::AfterClose), 0);
}

#[test]
fn dtls12_peer_closes_at_once_and_data_in_flight_arrives() {
    let mut world = World::connected();
    world.send(Side::Server, b"under way");
    world.client.close_sending(world.now).unwrap();
    world.collect();
    world.settle();
    assert_eq!(world.data(Side::Client), [b"under way"], "{}", world.trace());
    assert_eq!(world.client_events.last(), Some(&Event::Closed(ClosedBy::Us)));
    assert_eq!(world.server_events.last(), Some(&Event::Closed(ClosedBy::Peer)));
    assert_eq!(world.client.stats().discarded_total(), 0, "{}", world.trace());
}

#[test]
fn close_ends_the_wait_for_the_peer() {
    let mut world = connected13();
    world.client.close_sending(world.now).unwrap();
    world.set_network(|_| Action::Drop);
    world.collect();
    assert!(!world.client.is_connected());
    world.client.close(world.now);
    world.collect();
    assert_eq!(world.client_events.last(), Some(&Event::Closed(ClosedBy::Us)));
}

#[test]
fn closing_both_directions_ends_the_connection() {
    let mut world = connected13();
    world.server.close_sending(world.now).unwrap();
    world.collect();
    world.settle();
    world.client.close_sending(world.now).unwrap();
    world.collect();
    world.settle();
    assert_eq!(world.client_events.last(), Some(&Event::Closed(ClosedBy::Peer)), "{}", world.trace());
    assert_eq!(world.server_events.last(), Some(&Event::Closed(ClosedBy::Us)), "{}", world.trace());
}

#[test]
fn key_update_works_while_the_peer_has_closed() {
    let mut world = connected13();
    world.server.close_sending(world.now).unwrap();
    world.collect();
    world.settle();
    assert_eq!(world.client_events.last(), Some(&Event::PeerClosing), "{}", world.trace());
    for _ in 0..3 {
        world.client.update_keys(world.now).unwrap();
        world.collect();
        world.settle();
        world.send(Side::Client, b"under new keys");
        world.settle();
    }
    assert_eq!(world.data(Side::Server), [b"under new keys"; 3], "{}", world.trace());
}

#[test]
fn close_sending_during_the_handshake_is_an_error() {
    let mut world = World::new();
    assert_eq!(world.client.close_sending(world.now), Err(Error::NotConnected));
    assert_eq!(world.server.close_sending(world.now), Err(Error::NotConnected));
}
