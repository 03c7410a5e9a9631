//! Connecting two peers.

use crate::world::{Action, Side, World, client_config, identities, ms, server_config, without_ml_kem};
use dtls_core::{
    CipherSuite, Config, Event, Failure, NamedGroup, Negotiated, ProtocolVersion, Timer, UseSrtp, Versions,
    srtp_profile,
};
use std::collections::BTreeSet;

#[test]
fn peers_connect_in_two_round_trips() {
    let mut world = World::new().started();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(40));
    let expected = Negotiated {
        application_protocol: None,
        version: ProtocolVersion::DTLS12,
        suite: CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256,
        group: Some(NamedGroup::X25519),
        srtp_profile: Some(srtp_profile::AEAD_AES_128_GCM),
    };
    for side in [Side::Client, Side::Server] {
        assert_eq!(world.events(side), [Event::Connected(expected)]);
    }
    world.assert_works();
}

#[test]
fn handshake_takes_four_datagrams() {
    let world = World::connected();
    assert_eq!(world.sent.len(), 4, "{}", world.trace());
    assert_eq!((world.client.stats().datagrams_sent, world.server.stats().datagrams_sent), (2, 2));
}

#[test]
fn each_side_has_the_certificate_of_the_other() {
    let world = World::connected();
    let leaf = |certificate: &dtls_core::Certificate| certificate.chain().next().unwrap().to_vec();
    assert_eq!(world.client.remote_certificate(), Some(&leaf(&identities().server)[..]));
    assert_eq!(world.server.remote_certificate(), Some(&leaf(&identities().client)[..]));
}

#[test]
fn server_responds_before_it_is_started() {
    let mut world = World::new();
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    world.assert_works();
}

#[test]
fn start_after_the_handshake_sets_no_deadline() {
    let mut world = World::new();
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    world.server.start(world.now, Some(ms(10))).unwrap();
    world.pass(std::time::Duration::from_secs(300));
    world.assert_works();
}

#[test]
fn unstarted_server_times_out_too() {
    let mut world = World::new().network(|packet| match packet.from {
        Side::Client => Action::Deliver,
        Side::Server => Action::Drop,
    });
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.pass(std::time::Duration::from_secs(31));
    assert_eq!(world.failure(Side::Server), Some(Failure::Timeout(Timer::Handshake)), "{}", world.trace());
    assert!(!world.step());
}

#[test]
fn randoms_identify_the_handshake_on_both_sides() {
    let world = World::connected();
    assert_eq!(world.client.local_random(), world.server.remote_random());
    assert_eq!(world.client.remote_random(), world.server.local_random());
    let shown = dtls_core::peek(&world.sent[0].bytes).unwrap();
    assert_eq!(shown.hello, Some(dtls_core::Hello::Client(world.client.local_random())));
    let shown = dtls_core::peek(&world.sent[1].bytes).unwrap();
    assert_eq!(shown.hello, Some(dtls_core::Hello::Server(world.server.local_random())));
}

//= rfc6347-4.1.1-one-datagram
//= rfc6347-4.2.3-pieces-cover
#[test]
fn minimum_mtu_is_respected_and_sufficient() {
    let small = |config: Config| Config { mtu: Config::MIN_MTU, ..config };
    let mut world = World::connected_with(small(client_config()), small(server_config()));
    assert!(world.sent.iter().all(|packet| packet.bytes.len() <= 256), "{}", world.trace());
    world.assert_works();
}

#[test]
fn server_selects_the_srtp_profile_by_its_preference() {
    use srtp_profile::{AEAD_AES_128_GCM, AEAD_AES_256_GCM, AES128_CM_SHA1_32, AES128_CM_SHA1_80};
    let offering =
        |profiles: &[u16], config: Config| Config { use_srtp: UseSrtp::Offered(profiles.to_vec()), ..config };
    for (ours, theirs, agreed) in [
        (&[AES128_CM_SHA1_80, AEAD_AES_256_GCM][..], &[AEAD_AES_256_GCM, AES128_CM_SHA1_80][..], Some(8)),
        (&[AES128_CM_SHA1_32, AES128_CM_SHA1_80], &[AES128_CM_SHA1_80, AES128_CM_SHA1_32], Some(1)),
        (&[AES128_CM_SHA1_80, AES128_CM_SHA1_32], &[AES128_CM_SHA1_32, AES128_CM_SHA1_80], Some(2)),
        (&[AES128_CM_SHA1_80, AEAD_AES_128_GCM], &[AEAD_AES_128_GCM, AES128_CM_SHA1_80], Some(7)),
        (&[AEAD_AES_128_GCM], &[AEAD_AES_256_GCM], None),
        (&[], &[AEAD_AES_256_GCM], None),
        (&[AEAD_AES_128_GCM], &[], None),
    ] {
        for versions in [Versions::Dtls12, Versions::Dtls13] {
            let (client, server) = (offering(ours, client_config()), offering(theirs, server_config()));
            let with = |config: Config| Config { versions, ..without_ml_kem(config) };
            let mut world = World::connected_with(with(client), with(server));
            assert_eq!(world.client.negotiated().unwrap().srtp_profile, agreed);
            assert_eq!(world.server.negotiated().unwrap().srtp_profile, agreed);
            world.assert_works();
        }
    }
}

#[test]
fn export_depends_on_label_and_context() {
    let world = World::connected();
    let export = |connection: &dtls_core::Connection, label: &str, context: Option<&[u8]>| {
        let mut out = [0; 40];
        connection.export(label, context, &mut out).unwrap();
        out
    };
    let mut seen = Vec::new();
    for (label, context) in [
        ("EXPORTER-a", None),
        ("EXPORTER-b", None),
        // RFC 5705 section 4: a missing context differs from an empty one.
        ("EXPORTER-a", Some(&b""[..])),
        ("EXPORTER-a", Some(b"context")),
    ] {
        let exported = export(&world.client, label, context);
        assert_eq!(exported, export(&world.server, label, context));
        assert!(!seen.contains(&exported));
        seen.push(exported);
    }
}

#[test]
fn both_sides_emit_the_same_key_log_line() {
    let logging = |config: Config| Config { key_log: true, ..config };
    let world = World::connected_with(logging(client_config()), logging(server_config()));
    let line = |side| {
        let mut lines = world.events(side).iter().filter_map(|event| match event {
            Event::KeyLog(line) => Some(line.to_string()),
            _ => None,
        });
        (lines.next().unwrap(), lines.next())
    };
    assert_eq!(line(Side::Client), line(Side::Server));
    let (line, more) = line(Side::Client);
    assert!(line.starts_with("CLIENT_RANDOM ") && more.is_none());
    assert_eq!(line.len(), "CLIENT_RANDOM ".len() + 64 + 1 + 96);
}

#[test]
fn both_sides_emit_the_same_dtls13_key_log() {
    // With a HelloRetryRequest too, because both hellos have one random.
    for groups in [vec![NamedGroup::X25519], vec![NamedGroup::SECP384R1, NamedGroup::X25519]] {
        for (suite, len) in [
            (CipherSuite::AES_128_GCM_SHA256, 32),
            (CipherSuite::AES_256_GCM_SHA384, 48),
            (CipherSuite::CHACHA20_POLY1305_SHA256, 32),
        ] {
            let logging = |config: Config| Config {
                key_log: true,
                versions: Versions::Dtls13,
                suites: vec![suite],
                ..config
            };
            let client = Config { groups: groups.clone(), ..logging(client_config()) };
            let server = Config { groups: vec![NamedGroup::X25519], ..logging(server_config()) };
            let world = World::connected_with(client, server);
            let client_random = world.client.local_random().unwrap();
            let random = client_random.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
            let lines = |side| {
                let lines = world.events(side).iter().filter_map(|event| match event {
                    Event::KeyLog(line) => Some(line.to_string()),
                    _ => None,
                });
                lines.collect::<BTreeSet<_>>()
            };
            let lines = [lines(Side::Client), lines(Side::Server)];
            assert_eq!(lines[0], lines[1]);
            let secrets: BTreeSet<_> = lines[0].iter().map(|line| line.rsplit(' ').next().unwrap()).collect();
            assert_eq!(secrets.len(), 5, "no duplicate secret");
            assert!(secrets.iter().all(|secret| secret.len() == 2 * len));
            // draft-ietf-tls-keylogfile section 2.1.
            let beginnings: Vec<_> = lines[0].iter().map(|line| line.rsplit_once(' ').unwrap().0).collect();
            let labels = [
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                "CLIENT_TRAFFIC_SECRET_0",
                "EXPORTER_SECRET",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                "SERVER_TRAFFIC_SECRET_0",
            ];
            assert_eq!(beginnings, labels.map(|label| format!("{label} {random}")));
        }
    }
}

#[test]
fn no_key_log_by_default() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let with = |config| Config { versions, ..config };
        let world = World::connected_with(with(client_config()), with(server_config()));
        let events = world.client_events.iter().chain(&world.server_events);
        assert!(!events.into_iter().any(|event| matches!(event, Event::KeyLog(_))));
    }
}

#[test]
fn connections_are_send() {
    const fn is_send<T: Send>() {}
    is_send::<dtls_core::Connection>();
    is_send::<Config>();
    is_send::<Event>();
}
