//! The virtual network: equal runs of one seed, counted losses, and NATs.

#![expect(clippy::unwrap_used, reason = "a test stops where its set-up fails")]

use std::net::SocketAddr;
use std::time::Duration;

use sim::pinger::{PingOutput, Pinger};
use sim::{Link, NatKind, NodeId, Path, Polling, Verdict, World};

const MS: Duration = Duration::from_millis(1);

fn addr(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn here() -> SocketAddr {
    addr("10.0.0.1:5000")
}

fn there() -> SocketAddr {
    addr("10.0.0.2:5000")
}

fn call(world: &mut World<Pinger>, caller: NodeId, local: SocketAddr, remote: SocketAddr) {
    world.act(caller, |node, now| node.call(now, Path { local, remote })).unwrap();
}

fn two_pingers(seed: u64, link: Link) -> (World<Pinger>, [NodeId; 2]) {
    let mut world = World::new(seed).with_link(link);
    let ids = [world.add("alice", here(), Pinger::new()), world.add("bob", there(), Pinger::new())];
    call(&mut world, ids[0], here(), there());
    (world, ids)
}

const ROUGH: Link =
    Link::new().loss(0.2).delay(Duration::from_millis(30)).jitter(Duration::from_millis(20)).duplicate(0.1);

#[test]
fn equal_seeds_give_equal_runs_and_others_differ() {
    let run = |seed| {
        let (mut world, ids) = two_pingers(seed, ROUGH);
        world.run_for(60 * 1000 * MS);
        (world.trace().to_string(), ids.map(|id| world.outputs(id).to_vec()))
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn every_datagram_is_delivered_or_lost_in_the_end() {
    let (mut world, ids) = two_pingers(3, ROUGH);
    world.run_for(300 * 1000 * MS);
    let mut rest = 0;
    for id in ids {
        let tally = world.tally(id);
        assert!(tally.lost * 10 > tally.sent && tally.lost * 10 < tally.sent * 3, "{tally:?}");
        rest += tally.sent - tally.lost - tally.delivered;
    }
    assert!(rest <= 2, "{rest} neither lost nor delivered");
}

#[test]
fn a_round_trip_takes_twice_the_delay() {
    let (mut world, [alice, _]) = two_pingers(4, Link::new().delay(40 * MS));
    let at = world.run_until("a pong", 1000 * MS, |world| !world.outputs(alice).is_empty());
    assert_eq!(at, 80 * MS);
    assert_eq!(world.outputs(alice), [(80 * MS, PingOutput::Pong(1))]);
}

#[test]
fn a_tap_can_drop_change_and_delay() {
    let (mut world, [alice, bob]) = two_pingers(5, Link::new());
    let mut pings = 0;
    world.tap(move |flight| {
        pings += usize::from(flight.bytes[0] == b'?');
        match pings {
            1 => Verdict::Drop,
            2 => {
                flight.bytes[1] = 77;
                Verdict::Pass
            }
            _ => Verdict::Delay(100 * MS),
        }
    });
    world.run_until("a pong", 5000 * MS, |world| !world.outputs(alice).is_empty());
    // The first ping was sent when the call began, before the tap was added.
    assert!(world.outputs(bob).len() >= 2);
    assert_eq!(world.outputs(alice)[0].1, PingOutput::Pong(1));
}

#[test]
fn a_shuffled_world_polls_everything_in_the_end() {
    let tell = |polling| {
        let mut world = World::new(6).with_link(ROUGH).with_polling(polling);
        let alice = world.add("alice", here(), Pinger::new());
        let bob = world.add("bob", there(), Pinger::new());
        call(&mut world, alice, here(), there());
        world.run_for(60 * 1000 * MS);
        [alice, bob].map(|id| world.outputs(id).to_vec())
    };
    assert_eq!(tell(Polling::Eager), tell(Polling::Shuffled));
}

#[test]
fn a_silent_peer_is_given_up_at_exactly_thirty_seconds() {
    let (mut world, [alice, _]) = two_pingers(7, Link::new().loss(1.0));
    world.run_for(40_000 * MS);
    assert_eq!(world.outputs(alice), [(30_000 * MS, PingOutput::Silence)]);
}

#[test]
fn a_nat_hides_its_socket_and_lets_answers_in() {
    for kind in [NatKind::FullCone, NatKind::AddressRestricted, NatKind::PortRestricted, NatKind::Symmetric] {
        let mut world = World::new(8);
        let nat = world.add_nat(kind, "203.0.113.7".parse().unwrap());
        let alice = world.add_behind(nat, "alice", here(), Pinger::new());
        let bob = world.add("bob", there(), Pinger::new());
        call(&mut world, alice, here(), there());
        call(&mut world, bob, there(), here());
        world.run_for(5_000 * MS);
        assert!(
            world.outputs(alice).contains(&(2 * MS, PingOutput::Pong(1))),
            "{kind:?}: {:?}",
            world.outputs(alice)
        );
        // Bob called a private address, to which there is no route.
        assert!(
            world.outputs(bob).iter().all(|(_, output)| matches!(output, PingOutput::Ping(_))),
            "{kind:?}"
        );
        let seen = world.trace().datagrams().filter(|entry| entry.from == there() && entry.bytes[0] == b'!');
        assert!(seen.into_iter().all(|entry| entry.to.ip().to_string() == "203.0.113.7"));
    }
}

#[test]
fn a_rebooted_nat_moves_the_caller_to_a_new_port() {
    let mut world = World::new(9);
    let nat = world.add_nat(NatKind::PortRestricted, "203.0.113.7".parse().unwrap());
    let alice = world.add_behind(nat, "alice", here(), Pinger::new());
    world.add("bob", there(), Pinger::new());
    call(&mut world, alice, here(), there());
    world.run_for(1_500 * MS);
    world.rebind_nat(nat, None);
    world.run_for(1_500 * MS);
    let answered: std::collections::BTreeSet<u16> = world
        .trace()
        .datagrams()
        .filter(|entry| entry.from == there())
        .map(|entry| entry.to.port())
        .collect();
    assert_eq!(answered.len(), 2);
}

#[test]
#[should_panic(expected = "not within 1s: a pong")]
fn a_timeout_names_the_awaited_condition() {
    let (mut world, [alice, _]) = two_pingers(10, Link::new().loss(1.0));
    world.run_until("a pong", 1000 * MS, |world| !world.outputs(alice).is_empty());
}

#[test]
fn an_injected_datagram_arrives_from_its_spoofed_source() {
    let (mut world, [_, bob]) = two_pingers(11, Link::new());
    world.inject(addr("192.0.2.1:9"), there(), vec![b'?', 9]);
    world.run_for(10 * MS);
    assert!(world.outputs(bob).contains(&(Duration::ZERO, PingOutput::Ping(9))));
}
