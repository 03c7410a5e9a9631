//! Without ICE and without a gate: how much leaves before the client has shown that it hears us.

use crate::world::{
    Dice, Fate, Side, World, client_config, message_record, message_types, ms, server_config, without_ml_kem,
};
use dtls_core::{Admitted, Config, Discard, PathValidation, Versions};

const BOTH: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];

/// With a ClientHello that fits a datagram, and is short.
fn world(versions: Versions) -> World {
    let with = |config| Config { versions, ..without_ml_kem(config) };
    World::with(with(client_config()), Config { path: PathValidation::ByHandshake, ..with(server_config()) })
}

fn sent(world: &World, side: Side) -> usize {
    world.sent.iter().filter(|packet| packet.from == side).map(|packet| packet.bytes.len()).sum()
}

//= rfc9147-5.1-three-times
#[test]
fn not_more_than_three_times_what_arrived_leaves_however_long_nobody_answers() {
    for versions in BOTH {
        // Only its first datagrams come from the client; what answers them reaches nobody.
        for heard in 1..4 {
            let mut hellos = 0;
            let mut world = world(versions)
                .network(move |packet| {
                    hellos += usize::from(packet.from == Side::Client);
                    if packet.from == Side::Client && hellos <= heard { Fate::Deliver } else { Fate::Drop }
                })
                .started();
            world.pass(ms(29_000));
            let hello = world.sent[0].bytes.len();
            let answered = sent(&world, Side::Server);
            assert!(answered <= 3 * heard * hello, "{answered} for {heard} x {hello}\n{}", world.trace());
            assert_eq!(answered > 0, heard > 1, "the flight is longer than three hellos\n{}", world.trace());
            assert!(world.server.stats().flights_withheld > 0);
        }
    }
}

#[test]
fn a_flight_that_may_not_leave_wakes_the_server_rarely_and_is_on_time_once_it_has_left() {
    for versions in BOTH {
        let mut world = world(versions).started_with(Some(ms(20)));
        world.run_until(|world| world.server.stats().flights_withheld > 0);
        let (server, until) = (&mut world.server, world.now + ms(20_000));
        let mut wakes = 0;
        while let Some(due) = server.poll_timeout().filter(|due| *due < until) {
            server.handle_timeout(due);
            wakes += 1;
        }
        assert!((6..=7).contains(&wakes), "every three seconds: {wakes}");
        server.note_path_validated(until);
        assert_eq!(server.poll_timeout(), Some(until + ms(50)));
    }
}

#[test]
fn every_datagram_counts_and_so_does_junk() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_withheld > 0);
        world.set_network(|_| Fate::Drop);
        world.inject(Side::Server, &[0xee; 10]);
        assert_eq!(sent(&world, Side::Server), 0, "{}", world.trace());
        world.inject(Side::Server, &[0xee; 200]);
        assert!(sent(&world, Side::Server) > 0, "{}", world.trace());
    }
}

#[test]
fn what_may_be_meant_for_another_connection_makes_no_room() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_withheld > 0);
        world.set_network(|_| Fate::Drop);
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
        assert_eq!(sent(&world, Side::Server), 0, "a repeat is of no use\n{}", world.trace());
    }
}

#[test]
fn a_flight_that_waits_leaves_once_and_as_a_whole_when_the_client_repeats_itself() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(World::are_connected);
        let sent = world.sent.iter().filter(|packet| packet.from == Side::Server).count();
        assert!(world.elapsed() <= ms(440), "{}", world.trace());
        assert_eq!(sent, 2, "{}", world.trace());
        assert_eq!(world.server.stats().flights_repeated, 0, "{}", world.trace());
        world.pass(ms(2000));
        world.assert_works();
    }
}

#[test]
fn the_rest_leaves_at_once_when_the_caller_knows_better() {
    for versions in BOTH {
        let mut world = world(versions).started();
        world.run_until(|world| world.server.stats().flights_withheld > 0);
        let now = world.now;
        world.server.note_path_validated(now);
        world.collect();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(40), "{}", world.trace());
        world.settle();
        world.assert_works();
    }
}

#[test]
fn a_post_quantum_hello_is_long_enough_to_be_answered_at_once() {
    let dtls13 = |config| Config { versions: Versions::Dtls13, ..config };
    let server = Config { path: PathValidation::ByHandshake, ..dtls13(server_config()) };
    let mut world = World::with(dtls13(client_config()), server).started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() <= ms(40), "{}", world.trace());
    assert_eq!(world.server.stats().flights_withheld, 0);
    world.settle();
    world.assert_works();
}

#[test]
fn a_client_is_under_no_such_limit_and_neither_is_who_passed_a_gate() {
    let limited = |config: Config| Config { path: PathValidation::ByHandshake, ..without_ml_kem(config) };
    let mut world = World::gated(limited(client_config()), limited(server_config())).started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() <= ms(60), "{}", world.trace());
    for connection in [&world.client, &world.server] {
        assert_eq!(connection.stats().flights_withheld, 0, "{}", world.trace());
    }
    world.settle();
    world.assert_works();
}

#[test]
fn loss_and_repetition_only_take_time() {
    for versions in BOTH {
        for lost in 0..8 {
            let mut world = world(versions)
                .network(move |packet| if packet.index == lost { Fate::Drop } else { Fate::Deliver })
                .started();
            world.run_until(World::are_connected);
            assert!(world.elapsed() < ms(2500), "{}", world.trace());
            world.set_network(|_| Fate::Deliver);
            world.pass(ms(2000));
            world.assert_works();
        }
    }
}

#[test]
fn a_repetition_that_waited_does_not_leave_after_it_was_answered() {
    for versions in BOTH {
        // The client answers at once, and its answer takes longer than the server waits.
        let mut is_answered = false;
        let mut world = world(versions)
            .network(move |packet| match packet.from {
                Side::Server => {
                    is_answered = true;
                    Fate::Deliver
                }
                Side::Client if is_answered => Fate::Delay(ms(395)),
                Side::Client => Fate::Deliver,
            })
            .started();
        world.run_until(World::are_connected);
        assert!(world.server.stats().flights_withheld > 1, "{versions:?}\n{}", world.trace());
        let by_server = world.sent.iter().filter(|packet| packet.from == Side::Server).count();
        assert_eq!(by_server, 2, "{versions:?}\n{}", world.trace());
    }
}

/// Small datagrams, so that the server's flight comes in many.
fn in_pieces(versions: Versions) -> World {
    let with = |config| Config { versions, mtu: 256, ..without_ml_kem(config) };
    World::with(with(client_config()), Config { path: PathValidation::ByHandshake, ..with(server_config()) })
}

#[test]
fn a_handshake_lives_on_when_part_of_a_flight_and_the_ack_of_the_rest_are_lost() {
    for versions in BOTH {
        for arrives in 0..4 {
            // Of the server's first flight one datagram arrives, and the first that the client says to it is lost.
            let (mut from_server, mut answers) = (0, 0);
            let mut world = in_pieces(versions)
                .network(move |packet| match packet.from {
                    Side::Server => {
                        from_server += 1;
                        if from_server > 4 || from_server - 1 == arrives { Fate::Deliver } else { Fate::Drop }
                    }
                    Side::Client if from_server > 0 => {
                        answers += 1;
                        if answers > 1 { Fate::Deliver } else { Fate::Drop }
                    }
                    Side::Client => Fate::Deliver,
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
fn heavy_loss_under_the_limit_only_takes_time() {
    for versions in BOTH {
        for seed in 0..100 {
            let mut dice = Dice::new(seed);
            let mut world = in_pieces(versions)
                .network(move |_| if dice.roll(4) == 0 { Fate::Drop } else { Fate::Deliver })
                .started();
            world.run_until(|world| {
                assert!(world.failure(Side::Client).is_none(), "{versions:?} seed {seed}\n{}", world.trace());
                world.are_connected()
            });
            world.set_network(|_| Fate::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

#[test]
fn a_refusal_does_not_wait_for_the_flight_before_it() {
    let mut world = world(Versions::Dtls12);
    world.server.start(world.now, None).unwrap();
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(|world| world.server.stats().flights_withheld > 0);
    let now = world.now;
    world.server.close(now);
    world.collect();
    let last = &world.sent.last().unwrap();
    assert_eq!((last.from, last.bytes[0], last.bytes.len()), (Side::Server, 21, 15), "{}", world.trace());
}

#[test]
fn another_hello_is_not_answered_with_what_waited_for_the_one_before() {
    let mut world = world(Versions::Dtls12).network(|_| Fate::Drop).started();
    let hello = world.sent[0].bytes[13 + 12..].to_vec();
    world.inject(Side::Server, &message_record(1, 0, &hello));
    world.pass(ms(400));
    let mut another = hello;
    another[10] ^= 1;
    world.inject(Side::Server, &message_record(1, 0, &another));
    let since: Vec<_> = world.sent.iter().filter(|packet| packet.from == Side::Server).collect();
    // Two hellos make room for one flight: the one that answers the second.
    assert_eq!(since.len(), 1, "{}", world.trace());
    assert_eq!(message_types(&since[0].bytes)[0], 2);
    assert_eq!(world.server.remote_random().map(|random| random[8]), Some(another[10]));
    assert_eq!(since[0].bytes[13 + 12 + 2..][..32], world.server.local_random().unwrap());
}
