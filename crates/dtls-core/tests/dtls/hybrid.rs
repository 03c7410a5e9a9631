//! X25519MLKEM768: the selection of a share, retries, and a ClientHello in two datagrams.

use crate::world::{
    Action, LATENCY, Side, World, client_config, message_record, message_types, ms, records, server_config,
    without_ml_kem,
};
use dtls_core::{
    AlertDescription, Config, Discard, Failure, Hello, Misbehaved, NamedGroup, ProtocolVersion, Versions,
    peek,
};

const HYBRID: NamedGroup = NamedGroup::X25519MLKEM768;

fn dtls13(config: Config) -> Config {
    Config { versions: Versions::Dtls13, ..config }
}

fn with_groups(config: Config, groups: &[NamedGroup]) -> Config {
    Config { groups: groups.to_vec(), ..dtls13(config) }
}

/// A client with the default groups.
fn world() -> World {
    World::with(dtls13(client_config()), dtls13(server_config()))
}

/// The body of a ClientHello, joined from its fragments.
fn hello_body(world: &World) -> Vec<u8> {
    let mut body = Vec::new();
    for packet in world.sent.iter().filter(|packet| message_types(&packet.bytes) == [1]) {
        body.extend_from_slice(&records(&packet.bytes)[0].3[12..]);
    }
    body
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).position(|window| window == wanted).unwrap()
}

#[test]
fn hybrid_handshake_takes_six_datagrams() {
    let mut world = world().started();
    world.run_until(World::are_connected);
    world.settle();
    assert_eq!(world.client.negotiated().unwrap().group, Some(HYBRID));
    // Two datagrams of the ClientHello, two of the server's flight, the client's, and the ACK.
    assert_eq!(world.sent.len(), 6, "{}", world.trace());
    assert_eq!(world.elapsed(), 4 * LATENCY);
    world.assert_works();
}

#[test]
fn x25519_share_has_the_key_of_the_hybrid_share() {
    let world = world().network(|_| Action::Drop).started();
    let hello = hello_body(&world);
    // key_share: the list with the hybrid share of 1216 bytes and the share of 32 bytes.
    let at = position(&hello, &[0, 51, 0x04, 0xea, 0x04, 0xe8, 0x11, 0xec, 0x04, 0xc0]);
    let (hybrid, beside) = hello[at + 10..].split_at(1216);
    assert_eq!(beside[..4], [0, 29, 0, 32]);
    assert_eq!(hybrid[1184..], beside[4..36]);
}

#[test]
fn server_without_hybrid_uses_x25519_without_retry() {
    for server in
        [without_ml_kem(dtls13(server_config())), with_groups(server_config(), &[NamedGroup::X25519])]
    {
        let mut world = World::with(dtls13(client_config()), server).started();
        world.run_until(World::are_connected);
        world.settle();
        assert_eq!(world.client.negotiated().unwrap().group, Some(NamedGroup::X25519));
        assert_eq!(world.elapsed(), 4 * LATENCY, "{}", world.trace());
        world.assert_works();
    }
}

#[test]
fn client_without_hybrid_needs_no_retry() {
    let mut world = World::with(without_ml_kem(dtls13(client_config())), dtls13(server_config())).started();
    world.run_until(World::are_connected);
    assert_eq!(world.server.negotiated().unwrap().group, Some(NamedGroup::X25519));
    assert_eq!(world.elapsed(), 3 * LATENCY, "{}", world.trace());
}

#[test]
fn server_preference_selects_the_share() {
    let server = with_groups(server_config(), &[NamedGroup::SECP256R1, NamedGroup::X25519, HYBRID]);
    let mut world = World::with(dtls13(client_config()), server).started();
    world.run_until(World::are_connected);
    // P-256 has precedence, but not at the cost of a round trip.
    assert_eq!(world.server.negotiated().unwrap().group, Some(NamedGroup::X25519));
    assert_eq!(world.elapsed(), 3 * LATENCY, "{}", world.trace());
}

#[test]
fn retry_for_another_group_has_a_single_share() {
    let server = with_groups(server_config(), &[NamedGroup::SECP384R1]);
    let mut world = World::with(dtls13(client_config()), server).started();
    world.run_until(World::are_connected);
    assert_eq!(world.client.negotiated().unwrap().group, Some(NamedGroup::SECP384R1));
    assert_eq!(world.elapsed(), 5 * LATENCY, "{}", world.trace());
    // The second ClientHello is a single datagram and follows the server's retry.
    let hellos: Vec<_> = world.sent.iter().filter(|packet| message_types(&packet.bytes) == [1]).collect();
    assert_eq!(hellos.len(), 3, "{}", world.trace());
    assert!(hellos[2].bytes.len() < 400);
    world.settle();
    world.assert_works();
}

#[test]
fn retry_may_request_the_hybrid_group() {
    let client = with_groups(client_config(), &[NamedGroup::SECP256R1, HYBRID, NamedGroup::X25519]);
    let mut world = World::with(client, with_groups(server_config(), &[HYBRID])).started();
    world.run_until(World::are_connected);
    assert_eq!(world.client.negotiated().unwrap().group, Some(HYBRID));
    assert_eq!(world.elapsed(), 5 * LATENCY, "{}", world.trace());
    world.settle();
    world.assert_works();
}

/// A HelloRetryRequest with a group.
fn retry(group: NamedGroup) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
        0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
    ]);
    body.extend([0, 0x13, 0x01, 0, 0, 12, 0, 43, 0, 2, 0xfe, 0xfc, 0, 51, 0, 2]);
    body.extend(group.0.to_be_bytes());
    message_record(2, 0, &body)
}

#[test]
fn retry_for_a_shared_group_is_fatal() {
    for group in [HYBRID, NamedGroup::X25519] {
        let mut world = world().network(|_| Action::Drop).started();
        world.inject(Side::Client, &retry(group));
        let failure = Failure::Peer(Misbehaved::SelectedUnoffered);
        assert_eq!(world.failure(Side::Client), Some(failure), "{group:?}\n{}", world.trace());
        assert_eq!(records(&world.sent.last().unwrap().bytes)[0].3, [2, 47]);
    }
    // A retry may request X25519 if it was not shared.
    let alone = with_groups(client_config(), &[NamedGroup::SECP256R1, NamedGroup::X25519]);
    let mut world = World::with(alone, dtls13(server_config())).network(|_| Action::Drop).started();
    world.inject(Side::Client, &retry(NamedGroup::X25519));
    assert_eq!(world.failure(Side::Client), None, "{}", world.trace());
}

#[test]
fn dtls12_does_not_use_the_hybrid_group() {
    // Both list it first; with 1.2 only, it is not on the wire.
    let mut world = World::new().started();
    let hello = hello_body(&world);
    assert!(!hello.windows(2).any(|bytes| bytes == [0x11, 0xec]), "{}", world.trace());
    world.run_until(World::are_connected);
    assert_eq!(world.client.negotiated().unwrap().group, Some(NamedGroup::X25519));
    // A client of both versions lists it for 1.3, and a server of 1.2 ignores it.
    let auto = Config { versions: Versions::Auto, ..client_config() };
    let mut world = World::with(auto, server_config()).started();
    world.run_until(World::are_connected);
    let negotiated = world.client.negotiated().unwrap();
    assert_eq!(negotiated.version, ProtocolVersion::DTLS12);
    assert_eq!(negotiated.group, Some(NamedGroup::X25519));
    world.settle();
    world.assert_works();
}

#[test]
fn client_refuses_the_hybrid_group_in_dtls12() {
    let mut world = World::new();
    let now = world.now;
    world.client.start(now, None).unwrap();
    world.server.start(now, None).unwrap();
    let mut datagram = Vec::new();
    while world.client.poll_transmit(&mut datagram).is_some() {
        world.server.handle_input(now, &mut datagram);
        datagram.clear();
    }
    while world.server.poll_transmit(&mut datagram).is_some() {
        // named_curve, X25519, and the length of its share
        if let Some(at) = datagram.windows(4).position(|bytes| bytes == [3, 0, 29, 32]) {
            datagram[at + 1..at + 3].copy_from_slice(&[0x11, 0xec]);
        }
        world.client.handle_input(now, &mut datagram);
        datagram.clear();
    }
    world.collect();
    assert_eq!(world.failure(Side::Client), Some(Failure::Peer(Misbehaved::SelectedUnoffered)));
}

#[test]
fn invalid_hybrid_share_is_illegal_on_both_sides() {
    // From a client: the first coefficient of the encapsulation key above the modulus, and an X25519 share of zeros.
    for spoil in [|share: &mut [u8]| share[..2].fill(0xff), |share: &mut [u8]| share[1184..1216].fill(0)] {
        let lost = world().network(|_| Action::Drop).started();
        let mut hello = hello_body(&lost);
        let at = position(&hello, &[0x11, 0xec, 0x04, 0xc0]) + 4;
        spoil(&mut hello[at..]);
        let mut world = world().network(|_| Action::Drop);
        world.server.start(world.now, None).unwrap();
        world.inject(Side::Server, &message_record(1, 0, &hello));
        let failure = Failure::Peer(Misbehaved::InvalidKeyShare);
        assert_eq!(world.failure(Side::Server), Some(failure), "{}", world.trace());
        assert_eq!(records(&world.sent.last().unwrap().bytes)[0].3, [2, 47]);
    }
    // From a server: an X25519 share of zeros, behind 1088 bytes of ciphertext.
    let mut world = world();
    let now = world.now;
    world.client.start(now, None).unwrap();
    world.server.start(now, None).unwrap();
    let mut datagram = Vec::new();
    while world.client.poll_transmit(&mut datagram).is_some() {
        world.server.handle_input(now, &mut datagram);
        datagram.clear();
    }
    assert!(world.server.poll_transmit(&mut datagram).is_some());
    let at = position(&datagram, &[0x11, 0xec, 0x04, 0x60]) + 4 + 1088;
    datagram[at..at + 32].fill(0);
    world.client.handle_input(now, &mut datagram);
    world.collect();
    assert_eq!(world.failure(Side::Client), Some(Failure::Peer(Misbehaved::InvalidKeyShare)));
    world.run_until(|world| world.failure(Side::Server).is_some());
    let told = Failure::AlertReceived(AlertDescription::ILLEGAL_PARAMETER);
    assert_eq!(world.failure(Side::Server), Some(told));
}

#[test]
fn first_half_of_a_hello_shows_its_random() {
    let world = world().network(|_| Action::Drop).started();
    let [first, second] = [0, 1].map(|index| peek(&world.sent[index].bytes).unwrap());
    assert_eq!(first.hello, Some(Hello::Client(world.client.local_random())));
    assert_eq!(second.hello, Some(Hello::Client(None)));
    assert!(world.sent.iter().all(|packet| packet.bytes.len() <= 1200));
}

#[test]
fn halves_of_a_hello_may_be_reordered_and_duplicated() {
    for twice in [false, true] {
        let mut world = world()
            .network(move |packet| match packet.index {
                0 => Action::Delay(ms(5)),
                _ if twice => Action::Duplicate,
                _ => Action::Deliver,
            })
            .started();
        world.run_until(World::are_connected);
        assert_eq!(world.elapsed(), 3 * LATENCY + ms(5), "{}", world.trace());
        world.pass(ms(100));
        world.assert_works();
        assert_eq!(world.server.stats().flights_retransmitted, 0, "{}", world.trace());
    }
}

#[test]
fn half_of_an_old_hello_is_not_joined_with_a_new_one() {
    // A client sends its hello, retransmits it and restarts: half of the retransmission arrives, and then the new
    // hello.
    let stale = world().network(|_| Action::Drop).started();
    let [first, second] = [0, 1].map(|index| stale.sent[index].bytes.clone());
    let mut world = world();
    world.server.start(world.now, None).unwrap();
    for datagram in [&first, &second, &second] {
        world.inject(Side::Server, datagram);
    }
    assert_eq!(world.server.stats().discarded(Discard::RetransmittedMessage), 1);
    world.pass(ms(20));
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(20) + 3 * LATENCY, "{}", world.trace());
    world.pass(ms(1000));
    world.assert_works();
}

#[test]
fn loss_of_one_datagram_costs_at_most_one_timeout() {
    for lost in 0..6 {
        let mut world = world()
            .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
            .started();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(400) + 4 * LATENCY, "datagram {lost}\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}
