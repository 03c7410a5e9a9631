//! An attacker who is faster than the peer: forged messages, replays and reflections, in both versions.

use crate::world::{
    Action, Dice, Identities, Side, World, client_config, config, fragment_record, identities,
    message_record, ms, plaintext_record, server_config,
};
use dtls_core::{Admitted, Authentication, CertificateVerdict, Config, Event, PeerPolicy, Psk, Versions};
use std::time::Duration;

const BOTH: [Versions; 2] = [Versions::Dtls12, Versions::Dtls13];

/// The handshake messages of either version, by type.
const KINDS: [u8; 14] = [0, 1, 2, 3, 4, 8, 11, 12, 13, 14, 15, 16, 20, 24];

fn with(config: Config, versions: Versions, mtu: usize) -> Config {
    Config { versions, mtu, ..config }
}

fn world(versions: Versions, mtu: usize) -> World {
    World::with(with(client_config(), versions, mtu), with(server_config(), versions, mtu))
}

/// One pair for each kind of authentication, in both versions.
fn pairs() -> Vec<(&'static str, World)> {
    let Identities { client, server } = identities();
    let psk = || Config { authentication: Authentication::Psk { hint: None }, ..Config::default() };
    let mut pairs = vec![("a shared key", World::with(psk(), psk()))];
    for versions in BOTH {
        pairs.push(("fingerprints", world(versions, 1200)));
        let judging = |own| with(config(own, PeerPolicy::Application), versions, 1200);
        pairs.push(("the application", World::with(judging(client), judging(server))));
    }
    pairs
}

/// Runs a handshake. Before each datagram both sides get the attacker's datagrams; the application accepts every
/// certificate.
fn attacked(world: World, attack: impl Fn(usize) -> Vec<Vec<u8>>) -> World {
    let mut world = world.started();
    let mut seen = 0;
    while !world.are_connected() {
        while seen < world.sent.len() {
            for bytes in attack(seen) {
                world.inject(Side::Client, &bytes);
                world.inject(Side::Server, &bytes);
            }
            seen += 1;
        }
        let now = world.now;
        for side in [Side::Client, Side::Server] {
            let connection = world.connection(side);
            let _ = connection.provide_certificate_verdict(now, CertificateVerdict::Accept);
            let _ = connection.provide_psk(now, Some(Psk::new(b"device", b"key").unwrap()));
        }
        world.collect();
        assert!(world.step() && world.elapsed() < ms(10_000), "{}", world.trace());
    }
    world
}

/// Messages that wait during the verdict may be displaced, and are retransmitted.
fn allowed_retransmissions(known_by: &str) -> u64 {
    if known_by == "the application" { 2 } else { 0 }
}

fn repeats(world: &World) -> u64 {
    world.client.stats().flights_retransmitted + world.server.stats().flights_retransmitted
}

#[test]
fn plaintext_finished_has_no_effect_in_any_state() {
    for len in [0, 12, 32, 48] {
        for (known_by, world) in pairs() {
            let mut world = attacked(world, |_| {
                (0..8).map(|sequence| message_record(20, sequence, &vec![7; len])).collect()
            });
            assert!(
                repeats(&world) <= allowed_retransmissions(known_by),
                "{known_by} {len}\n{}",
                world.trace()
            );
            world.settle();
            world.assert_works();
        }
    }
}

#[test]
fn undecodable_message_has_no_effect_in_any_state() {
    for (known_by, world) in pairs() {
        let mut world = attacked(world, |index| {
            let mut dice = Dice::new(u64::try_from(index).unwrap());
            let forge = |(kind, sequence)| {
                // Each ends in the middle of a field, or has an empty field.
                let len = 1 + usize::try_from(dice.roll(2)).unwrap();
                message_record(kind, sequence, &vec![0xff; len])
            };
            KINDS
                .into_iter()
                .flat_map(|kind| (0..8).map(move |sequence| (kind, sequence)))
                .map(forge)
                .collect()
        });
        assert!(repeats(&world) <= allowed_retransmissions(known_by), "{known_by}\n{}", world.trace());
        assert!(world.client.stats().discarded_total() > 0 && world.server.stats().discarded_total() > 0);
        world.settle();
        world.assert_works();
    }
}

#[test]
fn forged_fragments_make_room_for_legitimate_ones() {
    for versions in BOTH {
        // So small that every message with a certificate is fragmented.
        let mut world = world(versions, 256).started();
        for side in [Side::Client, Side::Server] {
            for kind in KINDS {
                for sequence in 0..10 {
                    let giant = vec![0xee; 16_000];
                    world.inject(side, &fragment_record(kind, sequence, &giant, 0..1));
                    world.inject(side, &fragment_record(kind, sequence, &giant, 15_000..16_000));
                }
            }
        }
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(500), "at most one retransmission\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}

#[test]
fn replay_to_the_same_peers_has_no_effect() {
    for versions in BOTH {
        let mut world = world(versions, 1200).started();
        world.run_until(World::are_connected);
        world.settle();
        world.assert_works();
        let now = world.now;
        world.server.release_final_flight(now);
        world.collect();
        let recorded = world.sent.clone();
        let before = (world.client_events.len(), world.server_events.len());
        for packet in &recorded {
            world.inject(packet.from.other(), &packet.bytes);
            // A reflection to the sender has no effect either.
            world.inject(packet.from, &packet.bytes);
        }
        assert_eq!(before, (world.client_events.len(), world.server_events.len()), "{}", world.trace());
        assert_eq!(world.sent.len(), recorded.len(), "{}", world.trace());
        world.assert_works();
    }
}

#[test]
fn replay_to_another_server_does_not_connect() {
    for versions in BOTH {
        let mut first = world(versions, 1200).started();
        first.run_until(World::are_connected);
        first.settle();
        first.assert_works();
        let recorded: Vec<_> = first.sent.iter().filter(|packet| packet.from == Side::Client).collect();

        let mut world = world(versions, 1200).network(|_| Action::Drop);
        world.server.start(world.now, None).unwrap();
        for packet in &recorded {
            world.inject(Side::Server, &packet.bytes);
        }
        assert!(world.data(Side::Server).is_empty() && !world.server.is_connected(), "{}", world.trace());

        // Before the server's own client starts, the replayed hello only costs a response.
        let mut world = self::world(versions, 1200);
        world.server.start(world.now, None).unwrap();
        world.inject(Side::Server, &recorded[0].bytes);
        world.pass(ms(20));
        world.client.start(world.now, None).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(20 + 40), "{}", world.trace());
        world.settle();
        world.assert_works();
    }
}

#[test]
fn record_of_the_other_version_is_no_authentication_failure() {
    for versions in BOTH {
        let mut world = world(versions, 1200).started();
        world.run_until(World::are_connected);
        world.settle();
        let mut dice = Dice::new(4);
        for first in 0x20..0x40_u8 {
            let unified = [&[first, 1, 2, 0, 60][..], &dice.bytes(60)].concat();
            let mut classic = plaintext_record(23, 3, &dice.bytes(60));
            classic[4] = 1;
            for side in [Side::Client, Side::Server] {
                let other = if versions == Versions::Dtls12 { &unified } else { &classic };
                let admitted = world.inject(side, other);
                assert!(matches!(admitted, Admitted::Discarded(_)), "{first:x} {versions:?} {admitted:?}");
                assert_eq!(world.connection(side).stats().authentication_failures, 0);
            }
        }
        world.assert_works();
    }
}

#[test]
fn unfetched_fresh_hello_events_do_not_accumulate() {
    let mut world = world(Versions::Dtls12, 1200).started();
    world.run_until(World::are_connected);
    world.settle();
    let stranger = World::new().started().sent[0].bytes.clone();
    for second in 1..1000 {
        let now = world.now + Duration::from_secs(second);
        world.server.handle_input(now, &mut stranger.clone());
    }
    let events = std::iter::from_fn(|| world.server.poll_event());
    let reports = events.filter(|event| *event == Event::FreshClientHello).count();
    assert_eq!(reports, 1);
}

#[test]
fn forged_message_before_the_keys_costs_the_attempt_at_most() {
    const RETRY: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
        0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ];
    let hello = |random: [u8; 32], suite: [u8; 2], extensions: &[u8]| {
        let len = u8::try_from(extensions.len()).unwrap();
        message_record(2, 0, &[&[0xfe, 0xfd], &random[..], &[0], &suite, &[0, 0, len], extensions].concat())
    };
    let of_13 = [0, 43, 0, 2, 0xfe, 0xfc];
    let share = [&of_13[..], &[0, 51, 0, 36, 0, 29, 0, 32], &[9; 32]].concat();
    let certificate = [&[0, 0, 9, 0, 0, 6][..], &[0x30, 4, 1, 2, 3, 4]].concat();
    let lies = [
        ("a request for a cookie", message_record(3, 0, &[0xfe, 0xff, 1, 9])),
        ("a retry for another group", hello(RETRY, [0x13, 1], &[&of_13[..], &[0, 51, 0, 2, 0, 24]].concat())),
        ("a hello of 1.3", hello([7; 32], [0x13, 1], &share)),
        ("a hello of 1.2", hello([7; 32], [0xc0, 0x2b], &[0, 23, 0, 0])),
        ("a certificate", message_record(11, 1, &certificate)),
    ];
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        for (lie, bytes) in &lies {
            for to in [Side::Client, Side::Server] {
                let mut world = world(versions, 1200).started();
                world.inject(to, bytes);
                world.pass(Duration::from_secs(35));
                // Both are connected to each other, or neither is connected.
                if world.client.is_connected() || world.server.is_connected() {
                    world.assert_works();
                } else {
                    assert!(world.failure(to).is_some(), "{versions:?} {lie}\n{}", world.trace());
                }
            }
        }
    }
}
