//! The anti-amplification limit of a server without ICE and without a gate.

use crate::world::{
    Action, Dice, Side, World, client_config, message_record, message_types, ms, server_config,
    without_ml_kem,
};
use dtls_core::{Admitted, Config, Discard, PathValidation, Versions};

const BOTH: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];

/// With a short ClientHello that fits a datagram.
fn world(versions: Versions) -> World {
    let with = |config| Config { versions, ..without_ml_kem(config) };
    World::with(with(client_config()), Config { path: PathValidation::ByHandshake, ..with(server_config()) })
}

fn sent(world: &World, side: Side) -> usize {
    world.sent.iter().filter(|packet| packet.from == side).map(|packet| packet.bytes.len()).sum()
}

//= rfc9147-5.1-three-times
#[test]
fn anti_amplification_limit_holds_without_a_response() {
    for versions in BOTH {
        // Only the client's first datagrams arrive, and none of the server's.
        for heard in 1..4 {
            let mut hellos = 0;
            let mut world = world(versions)
                .network(move |packet| {
                    hellos += usize::from(packet.from == Side::Client);
                    if packet.from == Side::Client && hellos <= heard {
                        Action::Deliver
                    } else {
                        Action::Drop
                    }
                })
                .started();
            world.pass(ms(29_000));
            let hello = world.sent[0].bytes.len();
            let answered = sent(&world, Side::Server);
            assert!(answered <= 3 * heard * hello, "{answered} for {heard} x {hello}\n{}", world.trace());
            assert_eq!(answered > 0, heard > 1, "the flight is longer than three hellos\n{}", world.trace());
            assert!(world.server.stats().flights_blocked > 0);
        }
    }
}

#[test]
fn blocked_flight_rarely_wakes_the_server() {
    for versions in BOTH {
        let mut world = world(versions).started_with(Some(ms(20)));
        world.run_until(|world| world.server.stats().flights_blocked > 0);
        let (server, until) = (&mut world.server, world.now + ms(20_000));
        let mut wakes = 0;
        while let Some(due) = server.poll_timeout().filter(|due| *due < until) {
            server.handle_timeout(due);
            wakes += 1;
        }
        assert!((6..=7).contains(&wakes), "every three seconds: {wakes}");
        server.set_path_validated(until);
        assert_eq!(server.poll_timeout(), Some(until + ms(50)));
    }
}

#[test]
fn every_received_byte_raises_the_limit() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_blocked > 0);
        world.set_network(|_| Action::Drop);
        world.inject(Side::Server, &[0xee; 10]);
        assert_eq!(sent(&world, Side::Server), 0, "{}", world.trace());
        world.inject(Side::Server, &[0xee; 200]);
        assert!(sent(&world, Side::Server) > 0, "{}", world.trace());
    }
}

#[test]
fn unused_tried_input_does_not_raise_the_limit() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_blocked > 0);
        world.set_network(|_| Action::Drop);
        let (now, mut scratch) = (world.now, Vec::new());
        for _ in 0..10 {
            let tried = world.server.try_input(now, &[0xee; 200], &mut scratch);
            assert_eq!(tried, Admitted::Discarded(Discard::NotDtls));
            world.collect();
        }
        assert_eq!(sent(&world, Side::Server), 0, "{}", world.trace());
        let hello = world.sent[0].bytes.clone();
        for _ in 0..2 {
            world.server.try_input(now, &hello, &mut scratch);
        }
        world.collect();
        assert_eq!(sent(&world, Side::Server), 0, "a retransmission is not used\n{}", world.trace());
    }
}

#[test]
fn blocked_flight_is_sent_once_as_a_whole() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(World::are_connected);
        let sent = world.sent.iter().filter(|packet| packet.from == Side::Server).count();
        assert!(world.elapsed() <= ms(440), "{}", world.trace());
        assert_eq!(sent, 2, "{}", world.trace());
        assert_eq!(world.server.stats().flights_retransmitted, 0, "{}", world.trace());
        world.pass(ms(2000));
        world.assert_works();
    }
}

#[test]
fn validated_path_unblocks_the_rest() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_blocked > 0);
        let now = world.now;
        world.server.set_path_validated(now);
        world.collect();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(40), "{}", world.trace());
        world.settle();
        world.assert_works();
    }
}

#[test]
fn post_quantum_hello_allows_an_immediate_response() {
    let dtls13 = |config| Config { versions: Versions::Dtls13, ..config };
    let server = Config { path: PathValidation::ByHandshake, ..dtls13(server_config()) };
    let mut world = World::with(dtls13(client_config()), server).started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() <= ms(40), "{}", world.trace());
    assert_eq!(world.server.stats().flights_blocked, 0);
    world.settle();
    world.assert_works();
}

#[test]
fn no_limit_for_clients_and_admitted_peers() {
    let limited = |config: Config| Config { path: PathValidation::ByHandshake, ..without_ml_kem(config) };
    let mut world = World::gated(limited(client_config()), limited(server_config())).started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() <= ms(60), "{}", world.trace());
    for connection in [&world.client, &world.server] {
        assert_eq!(connection.stats().flights_blocked, 0, "{}", world.trace());
    }
    world.settle();
    world.assert_works();
}

#[test]
fn loss_and_retransmission_only_delay() {
    for versions in BOTH {
        for lost in 0..8 {
            let mut world = world(versions)
                .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
                .started();
            world.run_until(World::are_connected);
            assert!(world.elapsed() < ms(2500), "{}", world.trace());
            world.set_network(|_| Action::Deliver);
            world.pass(ms(2000));
            world.assert_works();
        }
    }
}

#[test]
fn answered_blocked_flight_is_not_sent() {
    for versions in BOTH {
        // The client responds at once, and its response takes longer than the server's timeout.
        let mut is_answered = false;
        let mut world = world(versions)
            .network(move |packet| match packet.from {
                Side::Server => {
                    is_answered = true;
                    Action::Deliver
                }
                Side::Client if is_answered => Action::Delay(ms(395)),
                Side::Client => Action::Deliver,
            })
            .started();
        world.run_until(World::are_connected);
        assert!(world.server.stats().flights_blocked > 1, "{versions:?}\n{}", world.trace());
        let by_server = world.sent.iter().filter(|packet| packet.from == Side::Server).count();
        assert_eq!(by_server, 2, "{versions:?}\n{}", world.trace());
    }
}

/// Small datagrams, so that the server's flight has many.
fn in_fragments(versions: Versions) -> World {
    let with = |config| Config { versions, mtu: 256, ..without_ml_kem(config) };
    World::with(with(client_config()), Config { path: PathValidation::ByHandshake, ..with(server_config()) })
}

#[test]
fn lost_flight_and_lost_ack_do_not_deadlock() {
    for versions in BOTH {
        for arrives in 0..4 {
            // One datagram of the server's first flight arrives, and the client's first response is lost.
            let (mut from_server, mut answers) = (0, 0);
            let mut world = in_fragments(versions)
                .network(move |packet| match packet.from {
                    Side::Server => {
                        from_server += 1;
                        if from_server > 4 || from_server - 1 == arrives {
                            Action::Deliver
                        } else {
                            Action::Drop
                        }
                    }
                    Side::Client if from_server > 0 => {
                        answers += 1;
                        if answers > 1 { Action::Deliver } else { Action::Drop }
                    }
                    Side::Client => Action::Deliver,
                })
                .started();
            world.run_until(World::are_connected);
            assert!(world.elapsed() < ms(3000), "{versions:?} {arrives}\n{}", world.trace());
            world.pass(ms(2000));
            world.assert_works();
        }
    }
}

#[test]
fn heavy_loss_under_the_limit_only_delays() {
    for versions in BOTH {
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let mut world = in_fragments(versions)
                .network(move |_| if dice.roll(4) == 0 { Action::Drop } else { Action::Deliver })
                .started();
            world.run_until(|world| {
                assert!(world.failure(Side::Client).is_none(), "{versions:?} seed {seed}\n{}", world.trace());
                world.are_connected()
            });
            world.set_network(|_| Action::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

#[test]
fn refusal_is_not_blocked_by_an_earlier_flight() {
    let mut world = world(Versions::Dtls12);
    world.server.start(world.now, None).unwrap();
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(|world| world.server.stats().flights_blocked > 0);
    let now = world.now;
    world.server.close(now);
    world.collect();
    let last = &world.sent.last().unwrap();
    assert_eq!((last.from, last.bytes[0], last.bytes.len()), (Side::Server, 21, 15), "{}", world.trace());
}

#[test]
fn blocked_flight_is_not_sent_to_a_new_hello() {
    let mut world = world(Versions::Dtls12).network(|_| Action::Drop).started();
    let hello = world.sent[0].bytes[13 + 12..].to_vec();
    world.inject(Side::Server, &message_record(1, 0, &hello));
    world.pass(ms(400));
    let mut another = hello;
    another[10] ^= 1;
    world.inject(Side::Server, &message_record(1, 0, &another));
    let since: Vec<_> = world.sent.iter().filter(|packet| packet.from == Side::Server).collect();
    // Two hellos raise the limit for one flight: the response to the second.
    assert_eq!(since.len(), 1, "{}", world.trace());
    assert_eq!(message_types(&since[0].bytes)[0], 2);
    assert_eq!(world.server.remote_random().map(|random| random[8]), Some(another[10]));
    assert_eq!(since[0].bytes[13 + 12 + 2..][..32], world.server.local_random().unwrap());
}
