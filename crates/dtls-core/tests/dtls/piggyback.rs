//! Handshakes with piggybacked flights.

use crate::world::{Action, Side, World, client_config, ms, server_config};
use dtls_core::{Config, NamedGroup, Versions};
use std::time::Duration;

fn world(versions: Versions) -> World {
    let only = |config: Config| Config { versions, groups: vec![NamedGroup::X25519], ..config };
    World::with(only(client_config()), only(server_config()))
}

fn copies(world: &mut World, from: Side, mtu: usize) -> Vec<Vec<u8>> {
    let now = world.now;
    let mut copies = Vec::new();
    let count = world.connection(from).flight_datagrams(now, mtu, |datagram| copies.push(datagram.to_vec()));
    assert_eq!(count, copies.len());
    assert!(copies.iter().all(|copy| copy.len() <= mtu));
    copies
}

#[test]
fn handshake_completes_by_piggybacked_flights_only() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let mut world = world(versions).network(|_| Action::Drop).started();
        let flights = [Side::Client, Side::Server, Side::Client, Side::Server];
        for from in flights {
            for copy in copies(&mut world, from, 300) {
                world.inject(from.other(), &copy);
            }
        }
        assert!(world.are_connected(), "{versions:?}\n{}", world.trace());
        world.set_network(|_| Action::Deliver);
        world.pass(ms(1000));
        world.assert_works();
    }
}

#[test]
fn suspended_timer_resumes_after_the_promise() {
    let mut world = world(Versions::Dtls12).network(|_| Action::Drop).started();
    for _ in 0..5 {
        world.client.suspend_retransmission(world.now, ms(1000));
        world.pass(ms(900));
    }
    assert_eq!(world.sent.len(), 1, "{}", world.trace());
    world.pass(ms(99));
    assert_eq!(world.sent.len(), 1, "{}", world.trace());
    world.pass(ms(1));
    assert_eq!(world.sent.len(), 2, "{}", world.trace());
    world.pass(ms(400));
    assert_eq!(world.sent.len(), 3, "the schedule continues\n{}", world.trace());
}

#[test]
fn zero_promise_resumes_the_timer() {
    let mut world = world(Versions::Dtls12).network(|_| Action::Drop).started();
    world.client.suspend_retransmission(world.now, Duration::MAX);
    world.client.suspend_retransmission(world.now, Duration::from_secs(20));
    world.pass(ms(5000));
    world.client.suspend_retransmission(world.now, Duration::ZERO);
    world.pass(ms(399));
    assert_eq!(world.sent.len(), 1, "{}", world.trace());
    world.pass(ms(1));
    assert_eq!(world.sent.len(), 2, "{}", world.trace());
}

#[test]
fn no_flight_before_start_and_after_end() {
    let mut world = world(Versions::Dtls13);
    assert_eq!(copies(&mut world, Side::Client, 1200), Vec::<Vec<u8>>::new());
    let mut world = world.started();
    world.run_until(World::are_connected);
    world.settle();
    for side in [Side::Client, Side::Server] {
        assert_eq!(copies(&mut world, side, 1200), Vec::<Vec<u8>>::new(), "{}", world.trace());
    }
}
