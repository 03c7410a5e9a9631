//! The final flight of a handshake, which has no response.

use crate::world::{
    Action, Side, World, client_config, messages, ms, plaintext_record, records, server_config,
};
use dtls_core::{Admitted, Discard, Event};
use std::time::Duration;

/// A connected server, and a client that lost the final flight.
fn with_lost_last_flight() -> World {
    let mut world = World::new()
        .network(|packet| if packet.index == 3 { Action::Drop } else { Action::Deliver })
        .started();
    world.run_until(|world| world.sent.len() == 4);
    assert!(world.server.is_connected() && !world.client.is_connected(), "{}", world.trace());
    world
}

fn server_flights(world: &World) -> usize {
    world.sent.iter().filter(|packet| packet.from == Side::Server && packet.bytes[0] == 20).count()
}

/// The client's final flight as it was sent first.
fn client_flight(world: &World) -> Vec<u8> {
    world.sent[2].bytes.clone()
}

#[test]
fn lost_final_flight_is_protected_with_new_numbers() {
    let mut world = with_lost_last_flight();
    world.run_until(World::are_connected);
    let sealed: Vec<_> = world
        .sent
        .iter()
        .filter(|packet| packet.from == Side::Server)
        .flat_map(|packet| records(&packet.bytes))
        .filter(|(_, epoch, ..)| *epoch == 1)
        .collect();
    assert_eq!(sealed.len(), 2, "{}", world.trace());
    assert!(sealed[0].2 != sealed[1].2 && sealed[0].3 != sealed[1].3, "{}", world.trace());
    world.settle();
    world.assert_works();
}

#[test]
fn client_flight_causes_one_retransmission_per_timeout() {
    let mut world = with_lost_last_flight();
    let flight = client_flight(&world);
    let certificate = flight[..13 + records(&flight)[0].3.len()].to_vec();
    world.inject(Side::Server, &certificate);
    assert_eq!(server_flights(&world), 1);
    world.now += ms(380);
    for expected in [2, 3] {
        world.now += ms(20);
        world.inject(Side::Server, &certificate);
        world.inject(Side::Server, &certificate);
        assert_eq!(server_flights(&world), expected, "{}", world.trace());
        world.now += ms(380);
    }
}

/// The parts of the client's flight, each in its own record: Certificate, ClientKeyExchange, CertificateVerify,
/// ChangeCipherSpec, and the protected records.
fn parts(flight: &[u8]) -> Vec<Vec<u8>> {
    let messages = messages(flight).into_iter().map(|message| plaintext_record(22, 99, message));
    let change_cipher_spec = plaintext_record(20, 99, &[1]);
    let parts: Vec<_> = messages.chain([change_cipher_spec]).collect();
    assert_eq!(parts.iter().map(|part| part[13]).collect::<Vec<_>>(), [11, 16, 15, 1]);
    parts
}

#[test]
fn each_part_of_the_client_flight_causes_retransmission() {
    let count = parts(&client_flight(&with_lost_last_flight())).len();
    for index in 0..=count {
        let mut world = with_lost_last_flight();
        if index < count {
            let part = parts(&client_flight(&world)).remove(index);
            world.now += ms(199);
            world.inject(Side::Server, &part);
            assert_eq!(server_flights(&world), 1, "{index}: too early\n{}", world.trace());
            world.now += ms(1);
            let admitted = world.inject(Side::Server, &part);
            assert_eq!(admitted, Admitted::Discarded(Discard::RetransmittedMessage));
        } else {
            // Only the Finished arrives, which is protected and so has a new number.
            let repeated =
                |world: &World| world.sent.iter().filter(|packet| packet.from == Side::Client).count() == 3;
            world.set_network(
                |packet| if packet.from == Side::Client { Action::Drop } else { Action::Deliver },
            );
            world.run_until(repeated);
            let flight = world.sent.iter().rfind(|packet| packet.from == Side::Client).unwrap().bytes.clone();
            let finished =
                records(&flight).into_iter().find(|(_, epoch, ..)| *epoch == 1).unwrap().3.len() + 13;
            world.inject(Side::Server, &flight[flight.len() - finished..]);
        }
        assert_eq!(server_flights(&world), 2, "{index}\n{}", world.trace());
        world.set_network(|_| Action::Deliver);
        world.run_until(World::are_connected);
    }
}

#[test]
fn final_flight_is_sent_at_most_once_per_timeout() {
    let mut world = with_lost_last_flight();
    let flight = client_flight(&world);
    let connected = world.now;
    for millisecond in 0..=40_000 {
        world.now = connected + ms(millisecond);
        world.inject(Side::Server, &flight);
    }
    // Half a timeout early, and never earlier than that.
    assert_eq!(server_flights(&world), 1 + 40_000 / 400, "{}", world.trace());
}

#[test]
fn client_with_a_shorter_timeout_is_answered_at_once() {
    // ICE measured 80 ms on one side and 120 ms on the other, and the retransmission is faster than the first
    // transmission.
    let mut world = World::new().network(|packet| match packet.index {
        2 => Action::Delay(ms(3)),
        3 => Action::Drop,
        _ => Action::Deliver,
    });
    world.client.start(world.now, Some(ms(80))).unwrap();
    world.server.start(world.now, Some(ms(120))).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(20 + 120 + 20), "{}", world.trace());
}

#[test]
fn client_flight_after_the_release_is_discarded() {
    for how in ["data", "the layer above", "time"] {
        let mut world = World::connected();
        let flight = client_flight(&world);
        match how {
            "data" => world.send(Side::Client, b"I am here"),
            "time" => world.pass(Duration::from_secs(240)),
            _ => world.server.release_final_flight(world.now),
        }
        world.pass(ms(1000));
        let released: Vec<_> = parts(&flight).iter().map(|part| world.inject(Side::Server, part)).collect();
        assert_eq!(released, [Admitted::Discarded(Discard::FlightReleased); 4], "{how}");
        assert_eq!(server_flights(&world), 1, "{how}\n{}", world.trace());
    }
}

#[test]
fn authenticated_data_releases_the_final_flight() {
    let mut world = World::connected();
    let flight = client_flight(&world);
    world.send(Side::Client, b"I am here");
    world.settle();
    assert!(world.server_events.contains(&Event::FinalFlightReleased));
    assert_eq!(world.server.poll_timeout(), None);
    world.pass(ms(1000));
    world.inject(Side::Server, &flight);
    assert_eq!(server_flights(&world), 1);
    assert!(world.server.stats().discarded(Discard::FlightReleased) > 0);
    world.assert_works();
}

#[test]
fn command_releases_the_final_flight_with_one_event() {
    let mut world = World::connected();
    for _ in 0..2 {
        world.server.release_final_flight(world.now);
        world.client.release_final_flight(world.now);
    }
    world.collect();
    let released =
        |events: &[Event]| events.iter().filter(|event| **event == Event::FinalFlightReleased).count();
    assert_eq!((released(&world.server_events), released(&world.client_events)), (1, 0));
    world.assert_works();
}

//= rfc6347-4.2.4-last-flight
#[test]
fn final_flight_is_kept_for_exactly_four_minutes() {
    for (age, answered) in [(239_999, true), (240_000, false)] {
        let mut world = World::with(client_config(), server_config()).started();
        world.run_until(World::are_connected);
        let flight = client_flight(&world);
        // The client connected one latency after the server.
        let server_connected = world.now.checked_sub(ms(10)).unwrap();
        world.now = server_connected + Duration::from_millis(age);
        world.inject(Side::Server, &flight);
        assert_eq!(server_flights(&world), if answered { 2 } else { 1 }, "{age} ms");
        assert_eq!(world.server_events.contains(&Event::FinalFlightReleased), !answered);
        assert!(world.are_connected());
    }
}

#[test]
fn finished_or_alert_does_not_release_the_final_flight() {
    let mut world = with_lost_last_flight();
    world.pass(ms(405));
    world.inject(Side::Server, &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 1, 0]);
    assert!(!world.server_events.contains(&Event::FinalFlightReleased), "{}", world.trace());
}
