//! Ending in order.

use crate::world::{Fate, Side, World, ms};
use dtls_core::{Admitted, ClosedBy, Discard, Error, Event};

//= rfc5764-7.3.1-repeated-alerts
#[test]
fn a_close_is_answered_and_ends_both_sides_for_good() {
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
        assert!(!world.step(), "nothing is due any more");
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
fn what_arrives_after_a_close_is_discarded_by_that_name() {
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
    world.client.send(world.now, b"last words").unwrap();
    world.client.close(world.now);
    world.collect();
    world.settle();
    assert_eq!(world.data(Side::Server), [b"last words"]);
    assert_eq!(world.server_events.last(), Some(&Event::Closed(ClosedBy::Peer)));
}

#[test]
fn a_close_during_the_handshake_ends_it_at_once() {
    let mut world = World::new().network(|_| Fate::Drop).started();
    world.client.close(world.now);
    world.collect();
    assert_eq!(world.client_events, [Event::Closed(ClosedBy::Us)]);
    assert_eq!(world.client.poll_timeout(), None);
    assert_eq!(world.sent.len(), 2, "a ClientHello and a close_notify\n{}", world.trace());
    world.pass(ms(1000));
    assert_eq!(world.sent.len(), 2);
}

#[test]
fn a_close_before_the_start_sends_nothing() {
    let mut world = World::new();
    world.client.close(world.now);
    world.collect();
    assert_eq!((world.sent.len(), &world.client_events[..]), (0, &[Event::Closed(ClosedBy::Us)][..]));
}
