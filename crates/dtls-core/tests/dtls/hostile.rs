//! Unsolicited bytes in every state of both roles.

use crate::world::{Action, Dice, Side, World, fragment_record, message_record, ms, plaintext_record};
use dtls_core::{Admitted, Discard, Event};

/// Runs a handshake. Before every datagram, `attack` returns the attacker's variants of it.
fn handshake_under(attack: impl Fn(&[u8], usize) -> Vec<Vec<u8>>) -> World {
    let mut world = World::new().started();
    let mut attacked = 0;
    while !world.are_connected() {
        while attacked < world.sent.len() {
            let packet = world.sent[attacked].clone();
            for bytes in attack(&packet.bytes, packet.index) {
                world.inject(packet.from.other(), &bytes);
            }
            attacked += 1;
        }
        assert!(world.step(), "{}", world.trace());
        assert!(world.elapsed() < ms(20_000), "{}", world.trace());
    }
    world.pass(ms(1000));
    world
}

#[test]
fn random_bytes_of_every_size_are_discarded() {
    let mut world = handshake_under(|_, index| {
        let mut dice = Dice::new(u64::try_from(index).unwrap());
        (0..1500).step_by(7).map(|len| dice.bytes(len)).collect()
    });
    assert_eq!(world.client.stats().flights_retransmitted + world.server.stats().flights_retransmitted, 0);
    assert!(world.client.stats().discarded_total() > 400);
    world.assert_works();
}

#[test]
fn random_records_are_discarded() {
    let mut world = handshake_under(|_, index| {
        let mut dice = Dice::new(u64::try_from(index).unwrap());
        let mut junk = Vec::new();
        for content_type in 20..=23 {
            for epoch in [0, 1, 2, 255] {
                let len = usize::try_from(dice.roll(90)).unwrap();
                let mut record = plaintext_record(content_type, 9, &dice.bytes(len));
                record[4] = epoch;
                // Another test covers random fatal alerts.
                if content_type != 21 || epoch != 0 {
                    junk.push(record);
                }
            }
        }
        junk
    });
    assert_eq!(
        world.client.stats().flights_retransmitted + world.server.stats().flights_retransmitted,
        0,
        "{}",
        world.trace()
    );
    world.assert_works();
}

#[test]
fn every_truncation_of_every_datagram_is_harmless() {
    let mut world =
        handshake_under(|datagram, _| (0..datagram.len()).map(|len| datagram[..len].to_vec()).collect());
    world.assert_works();
}

#[test]
fn every_changed_bit_of_every_header_is_harmless() {
    // The record header and the handshake header.
    for bit in 0..25 * 8 {
        let mut world = handshake_under(|datagram, _| {
            let mut changed = datagram.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            vec![changed]
        });
        assert!(world.failure(Side::Client).is_none() && world.failure(Side::Server).is_none(), "bit {bit}");
        world.assert_works();
    }
}

#[test]
fn changed_bit_leads_to_a_connection_or_one_failure() {
    let mut dice = Dice::new(1);
    for round in 0..300 {
        let (index, seed) = (usize::try_from(dice.roll(4)).unwrap(), dice.roll(1 << 40));
        let mut world = World::new()
            .network(move |packet| if packet.index == index { Action::Drop } else { Action::Deliver });
        world = world.started();
        world.run_until(|world| world.sent.len() > index);
        let packet = world.sent[index].clone();
        let mut dice = Dice::new(seed);
        let mut changed = packet.bytes.clone();
        let at = usize::try_from(dice.roll(u64::try_from(changed.len()).unwrap())).unwrap();
        changed[at] ^= 1 << dice.roll(8);
        world.inject(packet.from.other(), &changed);
        world.pass(ms(40_000));
        let ended = |side| {
            world.failure(side).is_some() || matches!(world.events(side).first(), Some(Event::Connected(_)))
        };
        assert!(ended(Side::Client) && ended(Side::Server), "round {round} byte {at}\n{}", world.trace());
    }
}

#[test]
fn connected_peer_ignores_all_malformed_input() {
    let mut world = World::connected();
    world.server.release_final_flight(world.now);
    world.collect();
    let (sent, mut dice) = (world.sent.len(), Dice::new(3));
    let history: Vec<_> = world.sent.iter().map(|packet| packet.bytes.clone()).collect();
    let events = [world.client_events.len(), world.server_events.len()];
    for _ in 0..2000 {
        let pick = usize::try_from(dice.roll(4)).unwrap();
        let mut bytes = history[pick].clone();
        for _ in 0..dice.roll(4) {
            let at = usize::try_from(dice.roll(u64::try_from(bytes.len()).unwrap())).unwrap();
            bytes[at] ^= 1 << dice.roll(8);
        }
        bytes.truncate(usize::try_from(dice.roll(1300)).unwrap());
        world.inject(Side::Client, &bytes);
        world.inject(Side::Server, &bytes);
    }
    let fresh = Event::FreshClientHello;
    assert!(world.client_events[events[0]..].iter().all(|event| *event == fresh), "{}", world.trace());
    assert!(world.server_events[events[1]..].iter().all(|event| *event == fresh), "{}", world.trace());
    assert_eq!(world.sent.len(), sent, "{}", world.trace());
    world.assert_works();
}

#[test]
fn forged_fragments_delay_but_never_block_a_message() {
    // For every message of a flight the attacker is faster, with a wrong length and with wrong bytes.
    let mut world = World::new().started();
    for sequence in 0..6 {
        for kind in [2, 11, 12, 13, 14, 16, 15, 20] {
            for side in [Side::Client, Side::Server] {
                world.inject(side, &fragment_record(kind, sequence, &[0xee; 400], 0..100));
                world.inject(side, &fragment_record(kind, sequence, &[0xdd; 90], 50..90));
            }
        }
    }
    world.run_until(World::are_connected);
    assert!(world.elapsed() < ms(1000), "{}", world.trace());
    world.pass(ms(1000));
    world.assert_works();
}

#[test]
fn huge_messages_and_far_sequences_are_discarded() {
    let mut world = World::new().started();
    let giant = fragment_record(2, 0, &vec![0; 20_000], 0..100);
    assert_eq!(world.inject(Side::Client, &giant), Admitted::Discarded(Discard::ReassemblyFull));
    let far = message_record(2, 200, &[0; 40]);
    assert_eq!(world.inject(Side::Client, &far), Admitted::Discarded(Discard::UnexpectedMessage));
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
}

#[test]
fn unexpected_records_have_their_discard_reasons() {
    let mut world = World::connected();
    let mut record = plaintext_record(23, 1, b"data");
    assert_eq!(world.inject(Side::Client, &record), Admitted::Discarded(Discard::PlaintextData));
    record[4] = 2;
    assert_eq!(world.inject(Side::Client, &record), Admitted::Discarded(Discard::UnknownEpoch));
    record[4] = 1;
    assert_eq!(world.inject(Side::Client, &record), Admitted::Discarded(Discard::BadRecord));
    assert_eq!(world.client.stats().authentication_failures, 1);
    assert_eq!(world.inject(Side::Client, &[]), Admitted::Discarded(Discard::Truncated));
    world.assert_works();
}

#[test]
fn valid_record_behind_an_invalid_one_is_used() {
    let mut world = World::connected();
    world.client.send(world.now, b"good").unwrap();
    let mut datagram = plaintext_record(21, 9, &[2, 40]);
    let _ = world.client.poll_transmit(&mut datagram).unwrap();
    assert_eq!(world.inject(Side::Server, &datagram), Admitted::Authenticated);
    assert_eq!(world.data(Side::Server), [b"good"]);
}
