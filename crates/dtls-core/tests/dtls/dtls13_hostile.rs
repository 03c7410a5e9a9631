//! DTLS 1.3: unauthenticated input, and its permitted effects.

use crate::world::{
    Action, Side, World, certificate, client_config, config, fingerprint, fragment_record, identities, ms,
    plaintext_record, server_config, without_ml_kem,
};
use dtls_core::{
    AlertDescription, CertificateVerdict, Config, Discard, Event, Failure, NamedGroup, PathValidation,
    PeerPolicy, Versions,
};

fn dtls13(config: Config) -> Config {
    without_ml_kem(Config { versions: Versions::Dtls13, ..config })
}

/// The server's flight has many datagrams, and one of them is lost.
fn disrupted() -> World {
    let small = |config: Config| Config { mtu: 256, ..dtls13(config) };
    let mut from_server = 0;
    let mut world = World::with(small(client_config()), small(server_config())).network(move |packet| {
        from_server += usize::from(packet.from == Side::Server);
        if packet.from == Side::Server && from_server >= 3 && from_server != 4 {
            Action::Drop
        } else {
            Action::Deliver
        }
    });
    world = world.started();
    world.pass(ms(25));
    world
}

#[test]
fn refusal_alert_uses_the_handshake_keys() {
    let stranger = PeerPolicy::Fingerprints(vec![fingerprint(&certificate())]);
    for side in [Side::Client, Side::Server] {
        let (client, server) = match side {
            Side::Client => (config(&identities().client, stranger.clone()), server_config()),
            Side::Server => (client_config(), config(&identities().server, stranger.clone())),
        };
        let mut world = World::with(dtls13(client), dtls13(server)).started();
        world.run_until(|world| world.failure(side.other()).is_some());
        let told = Failure::AlertReceived(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(world.failure(side.other()), Some(told), "{}", world.trace());
        assert!(world.elapsed() < ms(100), "no pending alert was needed\n{}", world.trace());
        assert_eq!(world.connection(side.other()).stats().discarded(Discard::PlaintextAlert), 0);
    }
}

#[test]
fn client_with_keys_ignores_a_forged_alert() {
    let mut world = disrupted();
    world.set_network(|packet| if packet.from == Side::Server { Action::Drop } else { Action::Deliver });
    world.inject(Side::Client, &plaintext_record(21, 99, &[2, 40]));
    world.pass(ms(3000));
    assert_eq!(world.failure(Side::Client), None, "{}", world.trace());
    world.set_network(|_| Action::Deliver);
    world.run_until(World::are_connected);
    world.pass(ms(2000));
    world.assert_works();
}

#[test]
fn forged_alert_does_not_end_a_wait_for_a_verdict() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for side in [Side::Client, Side::Server] {
            let (mut client, mut server) = (client_config(), server_config());
            let judged = match side {
                Side::Client => &mut client,
                Side::Server => &mut server,
            };
            let own = if side == Side::Client { &identities().client } else { &identities().server };
            *judged = config(own, PeerPolicy::Application);
            let with = |config: Config| Config { versions, ..config };
            let mut world = World::with(with(client), with(server)).started();
            let asked = |world: &World| {
                world.events(side).iter().any(|event| matches!(event, Event::CertificateReceived { .. }))
            };
            world.run_until(asked);
            world.inject(side, &plaintext_record(21, 99, &[2, 40]));
            world.pass(ms(5000));
            let now = world.now;
            world.connection(side).provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
            world.collect();
            world.run_until(World::are_connected);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

#[test]
fn client_waiting_for_a_verdict_retransmits_nothing() {
    for (versions, acks) in [(Versions::Dtls12, 0), (Versions::Dtls13, 1)] {
        let with = |config| without_ml_kem(Config { versions, ..config });
        let client = config(&identities().client, PeerPolicy::Application);
        let mut world = World::with(with(client), with(server_config())).started();
        world.pass(ms(6000));
        let by_client = world.sent.iter().filter(|packet| packet.from == Side::Client).count();
        assert_eq!(by_client, 1 + acks, "a hello\n{}", world.trace());
        let now = world.now;
        world.client.provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        world.pass(ms(2000));
        world.assert_works();
    }
}

#[test]
fn verdict_on_an_incomplete_flight_resumes_the_ack() {
    // The server's last datagram is lost, and the client's ACKs before the verdict.
    let server = Config { path: PathValidation::ByHandshake, mtu: 560, ..dtls13(server_config()) };
    let client = config(&identities().client, PeerPolicy::Application);
    let mut world = World::with(dtls13(client), server);
    let mut from_server = 0;
    world = world.network(move |packet| {
        from_server += usize::from(packet.from == Side::Server);
        match packet.from {
            Side::Server if from_server == 2 => Action::Drop,
            Side::Client if from_server > 0 => Action::Drop,
            _ => Action::Deliver,
        }
    });
    world = world.started();
    world.pass(ms(3000));
    assert!(world.client_events.iter().any(|event| matches!(event, Event::CertificateReceived { .. })));
    world.set_network(|_| Action::Deliver);
    let now = world.now;
    world.client.provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    assert!(world.now - now <= ms(400 + 40), "{}", world.trace());
    world.pass(ms(2000));
    world.assert_works();
}

#[test]
fn late_verdict_is_followed_by_the_last_ack() {
    let server = config(&identities().server, PeerPolicy::Application);
    let mut world = World::with(dtls13(client_config()), dtls13(server)).started();
    world.pass(ms(3000));
    assert!(!world.client_events.contains(&Event::FinalFlightReleased), "the server is not connected yet");
    let now = world.now;
    world.server.provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
    world.collect();
    world.settle();
    assert!(world.client_events.contains(&Event::FinalFlightReleased), "{}", world.trace());
    world.assert_works();
}

#[test]
fn refusal_after_the_ack_reaches_the_client() {
    let server = config(&identities().server, PeerPolicy::Application);
    let mut world = World::with(dtls13(client_config()), dtls13(server)).started();
    world.pass(ms(3000));
    assert!(world.client.is_connected());
    let now = world.now;
    world.server.provide_certificate_verdict(now, CertificateVerdict::Refuse).unwrap();
    world.collect();
    world.settle();
    let told = Failure::AlertReceived(AlertDescription::BAD_CERTIFICATE);
    assert_eq!(world.failure(Side::Client), Some(told), "{}", world.trace());
}

#[test]
fn random_input_causes_no_ack() {
    let mut world = disrupted();
    world.set_network(|_| Action::Drop);
    world.pass(ms(110));
    let sent = world.sent.iter().filter(|packet| packet.from == Side::Client).count();
    for byte in 0..=255 {
        world.inject(Side::Client, &[byte]);
        world.inject(Side::Client, &plaintext_record(22, byte, &[2; 40]));
        world.inject(Side::Client, &fragment_record(2, 0, &[0; 90], 0..90));
    }
    world.pass(ms(150));
    let after = world.sent.iter().filter(|packet| packet.from == Side::Client).count();
    assert_eq!(after, sent, "{}", world.trace());
}

#[test]
fn forged_plaintext_does_not_displace_acknowledged_data() {
    let mut world = disrupted();
    for sequence in 1..6 {
        for kind in [8, 13, 11, 15, 20] {
            world.inject(Side::Client, &fragment_record(kind, sequence, &[0xee; 400], 0..100));
            world.inject(Side::Client, &fragment_record(kind, sequence, &[0xee; 16_000], 0..100));
        }
    }
    world.set_network(|_| Action::Deliver);
    world.run_until(World::are_connected);
    assert!(world.elapsed() < ms(500), "{}", world.trace());
    world.pass(ms(2000));
    world.assert_works();
}

#[test]
fn only_the_same_client_can_answer_a_retry() {
    let only = |config: Config, groups: &[NamedGroup]| Config { groups: groups.to_vec(), ..dtls13(config) };
    let mut world = World::with(
        only(client_config(), &[NamedGroup::SECP384R1, NamedGroup::SECP256R1]),
        only(server_config(), &[NamedGroup::SECP256R1]),
    )
    .started();
    world.run_until(|world| world.sent.len() == 2);
    let mut stranger = world.sent[0].bytes[13 + 12..].to_vec();
    stranger[10] ^= 1;
    world.inject(Side::Server, &fragment_record(1, 1, &stranger, 0..stranger.len()));
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
}
