//! DTLS 1.3: acknowledgements and key updates on the wire.

use crate::world::{
    Action, Packet, Side, World, client_config, fragment_record, ms, plaintext_record, records, server_config,
};
use dtls_core::{Config, Discard, Event, NamedGroup, RetransmitConfig, Versions};
use std::time::Duration;

/// With a ClientHello that fits a datagram.
fn dtls13(config: Config) -> Config {
    Config { versions: Versions::Dtls13, groups: vec![NamedGroup::X25519], ..config }
}

fn world() -> World {
    World::with(dtls13(client_config()), dtls13(server_config()))
}

fn small() -> World {
    let small = |config: Config| Config { mtu: 256, ..dtls13(config) };
    World::with(small(client_config()), small(server_config()))
}

fn connected() -> World {
    let mut world = world().started();
    world.run_until(World::are_connected);
    world.settle();
    world
}

fn by(world: &World, side: Side) -> impl Iterator<Item = &Packet> {
    world.sent.iter().filter(move |packet| packet.from == side)
}

fn count(world: &World, side: Side) -> usize {
    by(world, side).count()
}

/// The two low bits of the epochs of a datagram's records.
fn epochs(packet: &Packet) -> Vec<u16> {
    records(&packet.bytes).into_iter().map(|(_, epoch, ..)| epoch).collect()
}

//= rfc9147-7-epoch
#[test]
fn handshake_ack_uses_the_handshake_keys() {
    // The server's second datagram and all after its third are lost.
    let mut from_server = 0;
    let mut world = small().network(move |packet| {
        from_server += usize::from(packet.from == Side::Server);
        if packet.from == Side::Server && from_server != 1 && from_server != 3 {
            Action::Drop
        } else {
            Action::Deliver
        }
    });
    world = world.started();
    world.pass(ms(300));
    let after_hello: Vec<_> =
        by(&world, Side::Client).filter(|packet| packet.bytes[0] >> 5 == 1).map(epochs).collect();
    assert!(!after_hello.is_empty(), "{}", world.trace());
    // It covers the ServerHello in epoch 0 and the records in epoch 2.
    assert!(after_hello.iter().all(|epochs| *epochs == [2]), "{}", world.trace());
}

//= rfc9147-7.1-gap
#[test]
fn gap_in_a_flight_is_acknowledged_at_once() {
    let mut world = small()
        .network(|packet| if [0, 1, 3].contains(&packet.index) { Action::Deliver } else { Action::Drop })
        .started();
    // One round trip.
    world.pass(ms(20));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
}

//= rfc9147-7.1-gap
#[test]
fn incomplete_flight_is_acknowledged_after_a_quarter_rto() {
    let mut world =
        small().network(|packet| if packet.index <= 1 { Action::Deliver } else { Action::Drop }).started();
    // The beginning of the server's flight has arrived.
    world.pass(ms(20));
    world.pass(ms(99));
    assert_eq!(count(&world, Side::Client), 1, "{}", world.trace());
    world.pass(ms(1));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
}

/// The times in milliseconds of a client's ACKs for the beginning of a flight whose rest never arrives.
fn acknowledgements(retransmit: RetransmitConfig, rtt: Option<Duration>, until: u64) -> Vec<u128> {
    let client = Config { retransmit, ..dtls13(client_config()) };
    let server = Config { mtu: 256, ..dtls13(server_config()) };
    let mut world = World::with(client, server)
        .network(|packet| if packet.index <= 1 { Action::Deliver } else { Action::Drop })
        .started_with(rtt);
    // The beginning of the server's flight arrives.
    world.pass(ms(20));
    let mut times = Vec::new();
    let arrived = world.now;
    while let Some(next) = world.client.poll_timeout().filter(|next| *next <= arrived + ms(until)) {
        let before = count(&world, Side::Client);
        world.now = next;
        world.client.handle_timeout(next);
        world.collect();
        if count(&world, Side::Client) > before {
            times.push((next - arrived).as_micros());
        }
    }
    times
}

//= rfc9147-7.1-gap
#[test]
fn ack_delay_is_exact_and_configurable() {
    let default = RetransmitConfig::default();
    assert_eq!(acknowledgements(default, None, 399), [100_000]);
    assert_eq!(acknowledgements(default, Some(ms(100)), 149), [37_500], "a quarter of 1.5 x 100 ms");
    assert_eq!(acknowledgements(default, Some(ms(1)), 49), [12_500], "a quarter of 50 ms");
    let delayed = |delay| RetransmitConfig { ack_delay: Some(delay), ..default };
    assert_eq!(acknowledgements(delayed(ms(7)), Some(ms(100)), 149), [7_000]);
    assert_eq!(acknowledgements(delayed(Duration::from_micros(1)), None, 399), [1]);
    assert_eq!(acknowledgements(delayed(ms(350)), None, 399), [350_000], "of any length");
}

//= rfc9147-7.1-gap
#[test]
fn ack_delay_starts_at_its_first_record() {
    let mut from_server = 0;
    let mut world = small()
        .network(move |packet| {
            from_server += usize::from(packet.from == Side::Server);
            match (packet.from, from_server) {
                (Side::Client, 0) | (Side::Server, 1) => Action::Deliver,
                (Side::Server, 2) => Action::Delay(ms(60)),
                _ => Action::Drop,
            }
        })
        .started();
    world.pass(ms(20 + 99));
    assert_eq!(count(&world, Side::Client), 1, "{}", world.trace());
    world.pass(ms(1));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
}

#[test]
fn zero_ack_delay_sends_at_once() {
    let retransmit = RetransmitConfig { ack_delay: Some(Duration::ZERO), ..RetransmitConfig::default() };
    let client = Config { retransmit, ..dtls13(client_config()) };
    let mut world = World::with(client, Config { mtu: 256, ..dtls13(server_config()) })
        .network(|packet| if packet.index <= 1 { Action::Deliver } else { Action::Drop })
        .started();
    world.pass(ms(20));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
    world.pass(ms(399));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
}

#[test]
fn unanswered_ack_is_retransmitted_like_a_flight() {
    let retransmit = RetransmitConfig {
        initial_rto: ms(100),
        constant_retransmissions: 2,
        max_rto: ms(300),
        ack_delay: Some(ms(10)),
        ..RetransmitConfig::default()
    };
    let expected = [10, 110, 210, 410, 710, 1010].map(|ms| ms * 1000);
    assert_eq!(acknowledgements(retransmit, None, 1200), expected);
}

#[test]
fn new_record_is_acknowledged_after_the_usual_delay() {
    let mut from_server = 0;
    let mut world = small()
        .network(move |packet| {
            from_server += usize::from(packet.from == Side::Server);
            match (packet.from, from_server) {
                (Side::Server, 1) => Action::Deliver,
                // After the first ACK.
                (Side::Server, 2) => Action::Delay(ms(200)),
                (Side::Server, _) => Action::Drop,
                (Side::Client, from_server) => {
                    if from_server == 0 {
                        Action::Deliver
                    } else {
                        Action::Drop
                    }
                }
            }
        })
        .started();
    world.pass(ms(220));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
    world.pass(ms(99));
    assert_eq!(count(&world, Side::Client), 2, "{}", world.trace());
    world.pass(ms(1));
    assert_eq!(count(&world, Side::Client), 3, "{}", world.trace());
}

//= rfc9147-7-highest-epoch
#[test]
fn ack_after_the_handshake_is_in_the_newest_epoch() {
    let mut world = connected();
    let now = world.now;
    world.client.update_keys(now).unwrap();
    world.collect();
    world.settle();
    let before = count(&world, Side::Client);
    world.server.update_keys(now).unwrap();
    world.collect();
    world.pass(ms(15));
    let answers: Vec<_> = by(&world, Side::Client).skip(before).map(epochs).collect();
    assert_eq!(answers, [[0], [0]], "an ACK and a KeyUpdate in epoch 4\n{}", world.trace());
}

//= rfc9147bis-7-not-before-settled
//= rfc9147bis-7.1-no-empty-before-settled
#[test]
fn no_ack_before_dtls13_is_selected() {
    let mut world = world().network(|_| Action::Drop).started();
    let hello = fragment_record(2, 0, &[7; 90], 0..40);
    for datagram in [&[&[0b0010_1110, 1, 2, 0, 60][..], &[9; 60]].concat(), &hello] {
        world.inject(Side::Client, datagram);
        world.inject(Side::Server, datagram);
    }
    world.pass(ms(399));
    assert_eq!(world.sent.len(), 1, "only the ClientHello\n{}", world.trace());
}

//= rfc9147bis-7-ignored-before-settled
#[test]
fn plaintext_ack_before_dtls13_has_no_effect() {
    let mut world = world().network(|_| Action::Drop).started();
    // Late enough for a retransmission, and before the doubled timeout.
    world.pass(ms(400 * 8 + 450));
    let sent = world.sent.len();
    world.inject(Side::Client, &plaintext_record(26, 9, &[0, 0]));
    assert_eq!(world.sent.len(), sent, "{}", world.trace());
    assert_eq!(world.client.stats().discarded(Discard::PlaintextAck), 1);
}

#[test]
fn plaintext_ack_may_cause_a_retransmission() {
    for (ack, repeats) in [
        (vec![0, 0], true),
        ([&[0, 16][..], &[0; 16]].concat(), true),
        ([&[0, 16][..], &[0; 7], &[2], &[0; 8]].concat(), false),
        (vec![0, 1, 0], false),
    ] {
        let mut world = world()
            .network(|packet| if packet.index == 0 { Action::Deliver } else { Action::Drop })
            .started();
        // The eighth timeout has doubled, so a retransmission may precede the timer's.
        world.pass(ms(10 + 8 * 400 + 450));
        let sent = count(&world, Side::Server);
        world.inject(Side::Server, &plaintext_record(26, 9, &ack));
        assert_eq!(count(&world, Side::Server) > sent, repeats, "{ack:?}\n{}", world.trace());
        assert_eq!(world.server.stats().discarded(Discard::PlaintextAck), 1);
    }
}

//= rfc9147-5.8.1-finished-ack
#[test]
fn final_flight_is_acknowledged_for_four_minutes() {
    let patient =
        RetransmitConfig { handshake_timeout: Duration::from_secs(300), ..RetransmitConfig::default() };
    let client = Config { retransmit: patient, ..dtls13(client_config()) };
    let mut world = World::with(client, dtls13(server_config())).started();
    world.run_until(|world| world.client.is_connected());
    world.set_network(|packet| if packet.from == Side::Server { Action::Drop } else { Action::Deliver });
    world.run_until(World::are_connected);
    let connected = world.now;
    let (flights, acks) = (count(&world, Side::Client), count(&world, Side::Server));
    world.pass(Duration::from_secs(239));
    let (repeats, answers) = (count(&world, Side::Client) - flights, count(&world, Side::Server) - acks);
    assert!(repeats > 60 && answers >= repeats - 1, "{answers} answers to {repeats}");
    world.pass(Duration::from_secs(5));
    let answers = count(&world, Side::Server);
    world.pass(Duration::from_secs(20));
    assert_eq!(count(&world, Side::Server), answers, "after {:?}", world.now - connected);
    assert!(count(&world, Side::Client) > repeats + flights);
}

#[test]
fn retransmitted_flight_is_answered_once() {
    let mut world = small().network(|packet| {
        // The client's final flight is lost.
        if packet.from == Side::Client && packet.index > 0 { Action::Drop } else { Action::Deliver }
    });
    let now = world.now;
    // The server retransmits its flight long before the client would.
    world.client.start(now, None).unwrap();
    world.server.start(now, Some(ms(100))).unwrap();
    world.collect();
    world.run_until(|world| world.client.is_connected());
    let (flight, of_server) = (count(&world, Side::Client) - 1, count(&world, Side::Server));
    assert!(flight > 1 && of_server > 2, "{}", world.trace());
    world.pass(ms(160));
    assert_eq!(count(&world, Side::Server), 2 * of_server, "{}", world.trace());
    assert_eq!(count(&world, Side::Client), 1 + 2 * flight, "{}", world.trace());
}

//= rfc9147-5.8.1-early-data
#[test]
fn data_before_the_finished_waits_for_it() {
    let mut world = world()
        .network(|packet| if packet.index == 2 { Action::Delay(ms(50)) } else { Action::Deliver })
        .started();
    world.run_until(|world| world.client.is_connected());
    world.send(Side::Client, b"early");
    world.pass(ms(40));
    assert!(!world.server.is_connected() && world.server_events.is_empty(), "{}", world.trace());
    world.run_until(World::are_connected);
    assert_eq!(world.data(Side::Server), [b"early"]);
    world.pass(ms(1000));
    world.assert_works();
}

//= rfc9147-4.2.1-same-keys
//= rfc9147-5.5-same-bytes
#[test]
fn flight_is_retransmitted_with_its_original_keys() {
    let mut world = world().started();
    world.run_until(|world| world.client.is_connected());
    world.set_network(|packet| if packet.from == Side::Server { Action::Drop } else { Action::Deliver });
    let flight = |packet: &Packet| (epochs(packet), packet.bytes.len());
    world.pass(ms(2000));
    // Data is sent with the application keys meanwhile.
    world.send(Side::Client, b"data");
    world.pass(ms(2000));
    let flights: Vec<_> =
        by(&world, Side::Client).skip(1).map(flight).filter(|(epochs, _)| epochs[0] != 3).collect();
    assert!(flights.len() >= 9, "{}", world.trace());
    assert!(flights.iter().all(|sent| sent.0.iter().all(|epoch| *epoch == 2) && sent.1 == flights[0].1));
    // A server without the first messages would not accept a retransmission of other messages.
    assert_eq!(world.server.stats().discarded(Discard::UnexpectedMessage), 0);
}

//= rfc9147-8-acked
//= rfc9147-8-new-keys-after-ack
//= rfc9147-8-old-keys-kept
//= rfc9147bis-8-after-all-acks
#[test]
fn new_keys_are_used_after_the_ack() {
    let mut world = connected();
    // The ACK of the KeyUpdate is lost.
    world.set_network(|packet| if packet.from == Side::Client { Action::Deliver } else { Action::Drop });
    let now = world.now;
    world.client.update_keys(now).unwrap();
    world.collect();
    world.pass(ms(50));
    let before = world.sent.len();
    world.send(Side::Client, b"under the old keys");
    assert_eq!(epochs(&world.sent[before]), [3]);
    world.pass(ms(50));
    assert_eq!(world.data(Side::Server), [b"under the old keys"], "{}", world.trace());
    world.set_network(|_| Action::Deliver);
    world.pass(ms(1000));
    let before = world.sent.len();
    world.send(Side::Client, b"under the new ones");
    assert_eq!(epochs(&world.sent[before]), [0], "epoch 4\n{}", world.trace());
    world.pass(ms(100));
    world.assert_works();
}

#[test]
fn forged_early_fragments_do_not_end_a_key_update() {
    let mut world = world().started();
    for sequence in 1..12 {
        world.inject(Side::Client, &fragment_record(24, sequence, &[0; 9], 0..4));
        world.inject(Side::Server, &fragment_record(24, sequence, &[0; 9], 0..4));
    }
    world.run_until(World::are_connected);
    world.pass(ms(1000));
    for side in [Side::Client, Side::Server] {
        let now = world.now;
        world.connection(side).update_keys(now).unwrap();
        world.collect();
        world.pass(ms(1000));
    }
    assert!(!world.client_events.iter().any(|event| matches!(event, Event::Failed(_))), "{}", world.trace());
    world.assert_works();
}
