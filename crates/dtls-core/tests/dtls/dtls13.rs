//! DTLS 1.3: both roles, both versions on offer, loss, key updates.

use crate::world::{Action, Dice, LATENCY, Side, World, client_config, ms, server_config, without_ml_kem};
use dtls_core::{
    CipherSuite, Config, Discard, Error, Event, Failure, Incompatible, NamedGroup, ProtocolVersion, UseSrtp,
    Versions,
};

fn versions(config: Config, versions: Versions) -> Config {
    Config { versions, ..config }
}

fn world() -> World {
    let config = |config: Config| without_ml_kem(versions(config, Versions::Dtls13));
    World::with(config(client_config()), config(server_config()))
}

fn connected() -> World {
    let mut world = world().started();
    world.run_until(World::are_connected);
    world.settle();
    world
}

#[test]
fn peers_connect_in_four_datagrams_with_ack() {
    let mut world = connected();
    assert_eq!(world.sent.len(), 4, "{}", world.trace());
    assert!(world.client_events.contains(&Event::FinalFlightReleased), "{}", world.trace());
    assert_eq!(world.client.negotiated().unwrap().version, ProtocolVersion::DTLS13);
    assert_eq!(world.elapsed(), 4 * LATENCY);
    world.assert_works();
}

//= rfc9147-7.2-cancelled
#[test]
fn no_retransmission_after_the_ack() {
    let mut world = connected();
    let sent = world.sent.len();
    world.pass(ms(300_000));
    assert_eq!(world.sent.len(), sent, "{}", world.trace());
    assert_eq!((world.client.poll_timeout(), world.server.poll_timeout()), (None, None));
    world.assert_works();
}

#[test]
fn every_suite_and_every_group_connects() {
    for suite in [
        CipherSuite::AES_128_GCM_SHA256,
        CipherSuite::AES_256_GCM_SHA384,
        CipherSuite::CHACHA20_POLY1305_SHA256,
    ] {
        for group in NamedGroup::SUPPORTED {
            let only = |config: Config| Config { suites: vec![suite], groups: vec![group], ..config };
            let mut world = World::with(
                only(versions(client_config(), Versions::Dtls13)),
                only(versions(server_config(), Versions::Dtls13)),
            )
            .started();
            world.run_until(World::are_connected);
            let negotiated = world.client.negotiated().unwrap();
            assert_eq!((negotiated.suite, negotiated.group), (suite, Some(group)));
            world.settle();
            world.assert_works();
        }
    }
}

#[test]
fn group_without_share_costs_one_round_trip() {
    let client = Config {
        groups: vec![NamedGroup::SECP384R1, NamedGroup::SECP256R1],
        ..versions(client_config(), Versions::Dtls13)
    };
    let server =
        Config { groups: vec![NamedGroup::SECP256R1], ..versions(server_config(), Versions::Dtls13) };
    let mut world = World::with(client, server).started();
    world.run_until(World::are_connected);
    assert_eq!(world.client.negotiated().unwrap().group, Some(NamedGroup::SECP256R1));
    assert_eq!(world.elapsed(), 5 * LATENCY, "{}", world.trace());
    world.settle();
    world.assert_works();
}

#[test]
fn required_srtp_without_common_profile_is_refused() {
    let client =
        Config { use_srtp: UseSrtp::Required(vec![1]), ..versions(client_config(), Versions::Dtls13) };
    let server =
        Config { use_srtp: UseSrtp::Required(vec![7]), ..versions(server_config(), Versions::Dtls13) };
    let mut world = World::with(client, server).started();
    world.run_until(|world| world.failure(Side::Server).is_some());
    assert_eq!(world.failure(Side::Server), Some(Failure::NoOverlap(Incompatible::SrtpProfile)));
}

#[test]
fn wrong_fingerprint_fails_before_application_keys_exist() {
    let stranger = crate::world::certificate();
    let policy = dtls_core::PeerPolicy::Fingerprints(vec![crate::world::fingerprint(&stranger)]);
    for side in [Side::Client, Side::Server] {
        let own = crate::world::identities();
        let (client, server) = match side {
            Side::Client => (crate::world::config(&own.client, policy.clone()), server_config()),
            Side::Server => (client_config(), crate::world::config(&own.server, policy.clone())),
        };
        let mut world =
            World::with(versions(client, Versions::Dtls13), versions(server, Versions::Dtls13)).started();
        world.run_until(|world| world.failure(side).is_some());
        assert!(matches!(world.failure(side), Some(Failure::Refused(_))));
        assert!(world.connection(side).export("EXTRACTOR-dtls_srtp", None, &mut [0; 4]).is_err());
        assert!(!world.connection(side).is_connected());
    }
}

#[test]
fn loss_of_one_datagram_costs_at_most_one_timeout() {
    for mtu in [256, 1200] {
        for lost in 0..10 {
            let small = |config: Config| Config { mtu, ..versions(config, Versions::Dtls13) };
            let mut world = World::with(small(client_config()), small(server_config()))
                .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
                .started();
            world.run_until(World::are_connected);
            assert!(world.elapsed() <= ms(400) + 5 * LATENCY, "datagram {lost}\n{}", world.trace());
            world.set_network(|_| Action::Deliver);
            world.pass(ms(2000));
            world.assert_works();
        }
    }
}

#[test]
fn lost_ack_is_sent_again() {
    let mut world =
        world().network(|packet| if packet.index == 3 { Action::Drop } else { Action::Deliver }).started();
    world.run_until(|world| world.client_events.contains(&Event::FinalFlightReleased));
    assert!(world.elapsed() >= ms(400), "{}", world.trace());
    world.settle();
    world.assert_works();
}

//= rfc9147-7.2-rest-sent
#[test]
fn only_the_lost_part_of_a_flight_is_retransmitted() {
    let small = |config: Config| Config { mtu: 256, ..without_ml_kem(versions(config, Versions::Dtls13)) };
    // The third datagram of the server's flight is lost.
    let mut from_server = 0;
    let mut world = World::with(small(client_config()), small(server_config()))
        .network(move |packet| {
            from_server += usize::from(packet.from == Side::Server);
            if packet.from == Side::Server && from_server == 3 { Action::Drop } else { Action::Deliver }
        })
        .started();
    world.run_until(World::are_connected);
    let by_server = world.sent.iter().filter(|packet| packet.from == Side::Server).count();
    assert!(world.elapsed() < ms(400), "no timeout expired\n{}", world.trace());
    let flight = by_server - 1;
    assert!(flight <= 6, "{by_server} datagrams\n{}", world.trace());
    world.pass(ms(1000));
    world.assert_works();
}

#[test]
fn heavy_loss_reordering_and_duplication_only_delay() {
    for seed in 0..100 {
        for (mtu, offered) in [(256, Versions::Dtls13), (1200, Versions::Auto)] {
            let mut dice = Dice::new(seed);
            let small = |config: Config| Config { mtu, ..versions(config, offered) };
            let mut world = World::with(small(client_config()), small(server_config()))
                .network(move |_| match dice.roll(10) {
                    0..=2 => Action::Drop,
                    3 => Action::Duplicate,
                    4 => Action::Delay(ms(35)),
                    _ => Action::Deliver,
                })
                .started();
            world.run_until(World::are_connected);
            world.set_network(|_| Action::Deliver);
            world.pass(ms(60_000));
            world.assert_works();
            assert!(world.trace().len() > 10, "seed {seed}");
        }
    }
}

//= rfc9147-5.8.4-one-at-a-time
//= rfc9147-8-new-keys-after-ack
#[test]
fn key_update_in_both_directions_keeps_data_flowing() {
    let mut world = connected();
    for round in 0..8 {
        let side = if round % 2 == 0 { Side::Client } else { Side::Server };
        let now = world.now;
        world.connection(side).update_keys(now).unwrap();
        assert_eq!(world.connection(side).update_keys(now), Err(Error::WouldBlock));
        world.collect();
        world.send(Side::Client, b"on the way");
        world.pass(ms(200));
        world.assert_works();
    }
}

#[test]
fn key_updates_survive_loss() {
    for seed in 0..50 {
        let mut world = connected();
        let mut dice = Dice::new(seed);
        world.set_network(move |_| if dice.roll(10) < 3 { Action::Drop } else { Action::Deliver });
        for side in [Side::Client, Side::Server, Side::Client] {
            let now = world.now;
            world.connection(side).update_keys(now).unwrap();
            world.collect();
            world.pass(ms(20_000));
        }
        world.set_network(|_| Action::Deliver);
        world.pass(ms(20_000));
        world.assert_works();
    }
}

#[test]
fn dtls_1_2_has_no_key_update() {
    let mut world = World::connected();
    let now = world.now;
    assert_eq!(world.client.update_keys(now), Err(Error::NoKeyUpdate));
}

#[test]
fn plaintext_ack_does_not_suppress_retransmission() {
    let mut world = world().network(|packet| match packet.from {
        Side::Server => Action::Drop,
        Side::Client => Action::Deliver,
    });
    world = world.started();
    world.pass(ms(50));
    // A forged ACK of the server's records 0 to 7 of epochs 0 and 2.
    let mut ack = vec![26, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 1, 0];
    for epoch in [0_u64, 2] {
        for sequence in 0_u64..8 {
            ack.extend(epoch.to_be_bytes());
            ack.extend(sequence.to_be_bytes());
        }
    }
    assert_eq!(ack.len(), 13 + 2 + 256);
    world.inject(Side::Server, &ack);
    assert_eq!(world.server.stats().discarded(Discard::PlaintextAck), 1);
    world.set_network(|_| Action::Deliver);
    world.run_until(World::are_connected);
    world.pass(ms(1000));
    world.assert_works();
}

#[test]
fn forged_and_truncated_datagrams_have_no_effect() {
    let recorded = connected().sent;
    for upto in 0..=3 {
        let mut world = world().started();
        for _ in 0..upto {
            world.step();
        }
        for packet in &recorded {
            // A whole forged hello is not malformed input: it costs an attempt.
            let protected = packet.bytes.iter().position(|byte| byte >> 5 == 1).unwrap_or(packet.bytes.len());
            let protected = if packet.bytes[0] == 22 { protected.min(90) } else { 0 };
            for at in (0..packet.bytes.len()).step_by(3) {
                let mut mutated = packet.bytes.clone();
                mutated[at] ^= 0x41;
                if protected == 0 {
                    world.inject(packet.from.other(), &mutated);
                    world.inject(packet.from, &mutated);
                } else if at < protected {
                    world.inject(packet.from.other(), &packet.bytes[..at]);
                }
            }
        }
        world.run_until(World::are_connected);
        world.pass(ms(1000));
        world.assert_works();
    }
}

//= rfc9147-4.5.2-discarded
//= rfc9147-4.5.2-fatal-alerts
#[test]
fn malformed_input_does_not_affect_a_connection() {
    let recorded = connected().sent;
    let mut world = connected();
    let sent = world.sent.len();
    for packet in &recorded {
        for at in 0..packet.bytes.len() {
            let mut mutated = packet.bytes.clone();
            mutated[at] ^= 0x41;
            world.inject(Side::Server, &mutated);
            world.inject(Side::Client, &mutated);
        }
    }
    assert_eq!(world.sent.len(), sent, "a forged record gets no response\n{}", world.trace());
    world.assert_works();
}

#[test]
fn retransmitted_final_flight_is_acknowledged_after_data() {
    let mut world =
        world().network(|packet| if packet.index == 3 { Action::Drop } else { Action::Deliver }).started();
    world.run_until(World::are_connected);
    for _ in 0..3 {
        world.send(Side::Server, b"data");
        world.send(Side::Client, b"data");
        world.settle();
    }
    assert_eq!(world.data(Side::Client).len(), 3, "{}", world.trace());
    let released = Event::FinalFlightReleased;
    assert!(!world.client_events.contains(&released), "{}", world.trace());
    world.pass(ms(500));
    assert!(world.client_events.contains(&released), "{}", world.trace());
    assert_eq!(world.client.stats().flights_retransmitted, 1);
    world.assert_works();
}

#[test]
fn unacknowledged_client_stops_at_its_deadline() {
    let mut world = world().started();
    world.run_until(|world| world.client.is_connected());
    world.set_network(|_| Action::Drop);
    world.pass(ms(60_000));
    let sent = world.sent.iter().filter(|packet| packet.from == Side::Client).count();
    world.pass(ms(300_000));
    assert_eq!(world.sent.iter().filter(|packet| packet.from == Side::Client).count(), sent);
    assert_eq!(world.client.poll_timeout(), None);
    assert!(world.client.is_connected());
}

#[test]
fn server_sends_and_exports_nothing_before_authentication() {
    let mut world = world().started();
    world.run_until(|world| world.client.is_connected());
    let now = world.now;
    assert!(!world.server.is_connected());
    assert_eq!(world.server.send(now, b"early"), Err(Error::NotConnected));
    assert_eq!(world.server.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]), Err(Error::NotConnected));
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
}

#[test]
fn exports_agree_and_depend_on_their_parameters() {
    let world = connected();
    let export = |label: &str, context: Option<&[u8]>, len: usize| {
        let [ours, theirs] = [&world.client, &world.server].map(|connection| {
            let mut out = vec![0; len];
            connection.export(label, context, &mut out).unwrap();
            out
        });
        assert_eq!(ours, theirs);
        ours
    };
    let first = export("EXTRACTOR-dtls_srtp", None, 60);
    // RFC 8446 section 7.5: a missing context is an empty one.
    assert_eq!(export("EXTRACTOR-dtls_srtp", Some(b""), 60), first);
    assert_ne!(export("EXTRACTOR-dtls_srtp", Some(b"x"), 60), first);
    assert_ne!(export("EXTRACTOR-other", None, 60), first);
    assert_ne!(export("EXTRACTOR-dtls_srtp", None, 59), first[..59]);
    assert_eq!(export("EXTRACTOR-dtls_srtp", None, 1000).len(), 1000);
}

#[test]
fn data_overtaken_by_a_key_update_is_accepted() {
    let mut world = connected();
    let now = world.now;
    world
        .set_network(|packet| if packet.bytes.len() > 500 { Action::Delay(ms(15)) } else { Action::Deliver });
    let late = [7; 600];
    world.send(Side::Client, &late);
    world.client.update_keys(now).unwrap();
    world.collect();
    world.settle();
    assert_eq!(world.data(Side::Server), [&late[..]], "{}", world.trace());
    world.assert_works();
}

#[test]
fn random_protected_records_only_fill_the_early_store() {
    let mut world = world().started();
    for first in 0b0010_1100..=0b0010_1111 {
        for _ in 0..20 {
            world.inject(Side::Client, &[&[first, 1, 2, 1, 0][..], &[9; 256]].concat());
            world.inject(Side::Server, &[&[first, 1, 2, 1, 0][..], &[9; 256]].concat());
        }
    }
    assert!(world.client.stats().discarded(Discard::EarlyRecordsFull) > 0);
    assert!(world.client.stats().discarded(Discard::UnknownEpoch) >= 40);
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), 3 * LATENCY, "{}", world.trace());
    world.settle();
    world.assert_works();
}

#[test]
fn tried_record_does_not_change_the_connection() {
    let mut world = connected();
    let now = world.now;
    world.client.send(now, b"text").unwrap();
    let mut datagram = Vec::new();
    let _ = world.client.poll_transmit(&mut datagram).unwrap();
    let mut forged = datagram.clone();
    *forged.last_mut().unwrap() ^= 1;
    let mut scratch = Vec::new();
    let admitted = world.server.try_input(now, &forged, &mut scratch);
    assert_eq!(admitted, dtls_core::Admitted::Discarded(Discard::BadRecord));
    assert_eq!(world.server.stats().authentication_failures, 0);
    let before = datagram.clone();
    assert_eq!(world.server.try_input(now, &datagram, &mut scratch), dtls_core::Admitted::Authenticated);
    assert_eq!(datagram, before);
    world.collect();
    assert_eq!(world.data(Side::Server), [b"text"]);
    world.assert_works();
}

#[test]
fn server_refuses_the_client_with_application_keys() {
    let stranger = crate::world::certificate();
    let policy = dtls_core::PeerPolicy::Fingerprints(vec![crate::world::fingerprint(&stranger)]);
    let server = crate::world::config(&crate::world::identities().server, policy);
    let mut world =
        World::with(versions(client_config(), Versions::Dtls13), versions(server, Versions::Dtls13))
            .started();
    world.run_until(|world| world.failure(Side::Client).is_some());
    let alert = world.sent.iter().rfind(|packet| packet.from == Side::Server).unwrap();
    assert_eq!(alert.bytes[0] & 0b1110_0011, 0b0010_0011, "{}", world.trace());
    assert!(matches!(world.failure(Side::Client), Some(Failure::AlertReceived(_))), "{}", world.trace());
}
