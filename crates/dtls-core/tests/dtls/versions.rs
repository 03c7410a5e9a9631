//! Version negotiation: selection, refusal and alerts of both sides.

use crate::world::{
    Action, Packet, Side, World, client_config, message_record, message_types, messages, ms, records,
    server_config, without_ml_kem,
};
use dtls_core::{
    Config, Discard, Failure, Incompatible, Misbehaved, ProtocolVersion, Versions, Versions::Auto,
    Versions::Dtls12, Versions::Dtls13,
};

const PROTOCOL_VERSION: u8 = 70;
const ILLEGAL_PARAMETER: u8 = 47;
const UNEXPECTED_MESSAGE: u8 = 10;
/// `supported_versions` of a server that selects 1.3.
const SELECTS_13: [u8; 6] = [0, 43, 0, 2, 0xfe, 0xfc];
const EXTENDED_MASTER_SECRET: [u8; 4] = [0, 23, 0, 0];
/// RFC 8446 section 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// With a ClientHello that fits a datagram.
fn speaking(versions: Versions, config: Config) -> Config {
    without_ml_kem(Config { versions, ..config })
}

fn world(client: Versions, server: Versions) -> World {
    World::with(speaking(client, client_config()), speaking(server, server_config()))
}

/// A client that has sent its ClientHello to another server.
fn lonely_client(versions: Versions) -> World {
    world(versions, versions).network(|_| Action::Drop).started()
}

fn server_hello(version: u16, random: [u8; 32], suite: u16, extensions: &[u8]) -> Vec<u8> {
    let mut hello = version.to_be_bytes().to_vec();
    hello.extend(random);
    hello.push(0);
    hello.extend(suite.to_be_bytes());
    hello.push(0);
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    hello
}

fn ending(end: &[u8]) -> [u8; 32] {
    let mut random = [7; 32];
    random[32 - end.len()..].copy_from_slice(end);
    random
}

/// The content of the only plaintext alert of a side.
#[track_caller]
fn alert_of(world: &World, side: Side) -> Vec<u8> {
    let sent = world.sent.iter().filter(|packet| packet.from == side);
    let records = sent.flat_map(|packet| records(&packet.bytes));
    let alerts: Vec<_> = records.filter(|record| record.0 == 21).map(|record| record.3).collect();
    assert_eq!(alerts.len(), 1, "{}", world.trace());
    alerts[0].to_vec()
}

#[track_caller]
fn assert_refuses(world: &World, side: Side, failure: Failure, alert: u8) {
    assert_eq!(world.failure(side), Some(failure), "{}", world.trace());
    assert_eq!(alert_of(world, side), [2, alert], "{}", world.trace());
}

fn server_hellos(world: &World) -> Vec<&Packet> {
    let from_server = world.sent.iter().filter(|packet| packet.from == Side::Server);
    from_server.filter(|packet| message_types(&packet.bytes).first() == Some(&2)).collect()
}

//= rfc9147-5.2-dual-stack
#[test]
fn newest_common_version_is_negotiated() {
    for (client, server, expected) in [
        (Auto, Auto, ProtocolVersion::DTLS13),
        (Auto, Dtls13, ProtocolVersion::DTLS13),
        (Dtls13, Auto, ProtocolVersion::DTLS13),
        (Auto, Dtls12, ProtocolVersion::DTLS12),
        (Dtls12, Auto, ProtocolVersion::DTLS12),
    ] {
        let mut world = world(client, server).started();
        world.run_until(World::are_connected);
        for connection in [&world.client, &world.server] {
            let negotiated = connection.negotiated().unwrap();
            assert_eq!(negotiated.version, expected, "{client:?} {server:?}\n{}", world.trace());
        }
        // One ClientHello offers both versions.
        let hellos = world.sent.iter().filter(|packet| message_types(&packet.bytes) == [1]).count();
        assert_eq!(hellos, 1, "{client:?} {server:?}\n{}", world.trace());
        world.pass(ms(100));
        world.assert_works();
    }
}

#[test]
fn server_refuses_a_client_without_common_version() {
    for (client, server) in [(Dtls13, Dtls12), (Dtls12, Dtls13)] {
        let mut world = world(client, server).started();
        world.run_until(|world| world.failure(Side::Client).is_some());
        let failure = Failure::NoOverlap(Incompatible::Version);
        assert_refuses(&world, Side::Server, failure, PROTOCOL_VERSION);
        let heard = world.failure(Side::Client);
        assert!(
            matches!(heard, Some(Failure::AlertReceived(alert)) if alert.0 == PROTOCOL_VERSION),
            "{heard:?}"
        );
    }
}

#[test]
fn client_refuses_a_server_without_common_version() {
    let failure = Failure::NoOverlap(Incompatible::Version);
    for (versions, version) in [(Dtls13, 0xfefd), (Dtls13, 0xfeff), (Dtls12, 0xfeff), (Auto, 0xfeff)] {
        let mut world = lonely_client(versions);
        let hello = server_hello(version, [7; 32], 0xc02b, &EXTENDED_MASTER_SECRET);
        world.inject(Side::Client, &message_record(2, 0, &hello));
        assert_refuses(&world, Side::Client, failure, PROTOCOL_VERSION);
    }
    // Only a server of 1.2 sends a HelloVerifyRequest.
    let mut world = lonely_client(Dtls13);
    world.inject(Side::Client, &message_record(3, 0, &[0xfe, 0xff, 1, 9]));
    assert_refuses(&world, Side::Client, failure, PROTOCOL_VERSION);
}

#[test]
fn only_a_dtls13_server_sets_the_downgrade_sentinel() {
    for (client, server, is_marked) in [(Dtls12, Auto, true), (Dtls12, Dtls12, false), (Auto, Dtls12, false)]
    {
        let (client, server) = (speaking(client, client_config()), speaking(server, server_config()));
        for world in [World::with(client.clone(), server.clone()), World::gated(client, server)] {
            let mut world = world.started();
            world.run_until(World::are_connected);
            let hello = messages(&server_hellos(&world)[0].bytes)[0].to_vec();
            // The offset behind the message header and the version.
            let random = &hello[12 + 2..][..32];
            assert_eq!(random.ends_with(b"DOWNGRD\x01"), is_marked, "{}", world.trace());
            assert!(!random.ends_with(b"DOWNGRD\0"));
            // A client with 1.2 only accepts it.
            world.pass(ms(100));
            world.assert_works();
        }
    }
}

#[test]
fn dtls13_client_refuses_both_downgrade_sentinels() {
    for random in [ending(b"DOWNGRD\x01"), ending(b"DOWNGRD\0")] {
        for cookie_first in [false, true] {
            let mut world = lonely_client(Auto);
            if cookie_first {
                world.inject(Side::Client, &message_record(3, 0, &[0xfe, 0xff, 1, 9]));
            }
            let hello = server_hello(0xfefd, random, 0xc02b, &EXTENDED_MASTER_SECRET);
            world.inject(Side::Client, &message_record(2, u8::from(cookie_first), &hello));
            let failure = Failure::Peer(Misbehaved::Downgraded);
            assert_refuses(&world, Side::Client, failure, ILLEGAL_PARAMETER);
        }
    }
    // Another end of the random is no sentinel, and 1.2 continues.
    let mut world = lonely_client(Auto);
    let hello = server_hello(0xfefd, ending(b"DOWNGRD\x02"), 0xc02b, &EXTENDED_MASTER_SECRET);
    world.inject(Side::Client, &message_record(2, 0, &hello));
    assert_eq!(world.failure(Side::Client), None);
}

#[test]
fn downgrade_by_an_attacker_is_detected() {
    // An attacker removes 1.3 from the ClientHello: fe fc becomes an unknown version.
    let mut world = world(Auto, Auto);
    let now = world.now;
    world.client.start(now, None).unwrap();
    world.server.start(now, None).unwrap();
    let mut hello = Vec::new();
    assert!(world.client.poll_transmit(&mut hello).is_some());
    let at = hello.windows(4).position(|bytes| bytes == [0xfe, 0xfc, 0xfe, 0xfd]).unwrap();
    hello[at] = 0x7f;
    world.inject(Side::Server, &hello);
    world.run_until(|world| world.failure(Side::Client).is_some());
    assert_refuses(&world, Side::Client, Failure::Peer(Misbehaved::Downgraded), ILLEGAL_PARAMETER);
}

#[test]
fn dtls13_after_a_dtls12_cookie_is_illegal() {
    let share = [&SELECTS_13[..], &[0, 51, 0, 6, 0, 29, 0, 2, 1, 1]].concat();
    let retry = [&SELECTS_13[..], &[0, 51, 0, 2, 0, 24]].concat();
    let strange = [&share[..], &[0xfa, 0xfa, 0, 0]].concat();
    for (random, suite, extensions) in [
        ([7; 32], 0x1301, &share[..]),
        (RETRY, 0x1301, &retry),
        // Whatever else is invalid in it.
        ([7; 32], 0x1301, &strange),
        ([7; 32], 0x1301, &SELECTS_13),
        ([7; 32], 0xc02b, &share),
        ([7; 32], 0x1301, &[0, 43, 0, 2, 0xfe, 0xfd]),
    ] {
        let mut world = lonely_client(Auto);
        world.inject(Side::Client, &message_record(3, 0, &[0xfe, 0xfd, 2, 1, 2]));
        let hello = server_hello(0xfefd, random, suite, extensions);
        world.inject(Side::Client, &message_record(2, 1, &hello));
        let failure = Failure::Peer(Misbehaved::SelectedUnoffered);
        assert_refuses(&world, Side::Client, failure, ILLEGAL_PARAMETER);
    }
}

#[test]
fn dtls12_cookie_after_a_dtls13_retry_is_unexpected() {
    let mut world = lonely_client(Auto);
    let retry = [&SELECTS_13[..], &[0, 44, 0, 3, 0, 1, 7]].concat();
    world.inject(Side::Client, &message_record(2, 0, &server_hello(0xfefd, RETRY, 0x1301, &retry)));
    assert_eq!(world.failure(Side::Client), None, "{}", world.trace());
    world.inject(Side::Client, &message_record(3, 1, &[0xfe, 0xfd, 2, 1, 2]));
    let failure = Failure::Peer(Misbehaved::UnexpectedMessage);
    assert_refuses(&world, Side::Client, failure, UNEXPECTED_MESSAGE);
}

#[test]
fn server_cannot_select_dtls12_after_a_dtls13_retry() {
    for versions in [Dtls13, Auto] {
        let mut world = lonely_client(versions);
        let retry = [&SELECTS_13[..], &[0, 44, 0, 3, 0, 1, 7]].concat();
        world.inject(Side::Client, &message_record(2, 0, &server_hello(0xfefd, RETRY, 0x1301, &retry)));
        let hello = server_hello(0xfefd, [7; 32], 0xc02b, &EXTENDED_MASTER_SECRET);
        world.inject(Side::Client, &message_record(2, 1, &hello));
        let failure = Failure::Peer(Misbehaved::SelectedUnoffered);
        assert_refuses(&world, Side::Client, failure, ILLEGAL_PARAMETER);
    }
}

//= rfc6347-4.2.1-same-parameters
#[test]
fn auto_client_only_changes_the_cookie() {
    let mut world = lonely_client(Auto);
    let body = |packet: &Packet| messages(&packet.bytes)[0][12..].to_vec();
    let first = body(&world.sent[0]);
    world.inject(Side::Client, &message_record(3, 0, &[0xfe, 0xff, 3, 7, 8, 9]));
    let second = body(&world.sent[1]);
    // The offset behind version, random and an empty session id.
    assert_eq!((first[35], &second[35..39]), (0, &[3, 7, 8, 9][..]));
    assert_eq!([&first[..35], &first[36..]].concat(), [&second[..35], &second[39..]].concat());
}

#[test]
fn auto_client_answers_few_cookie_requests() {
    let mut world = lonely_client(Auto);
    for sequence in 0..20 {
        world.inject(Side::Client, &message_record(3, sequence, &[0xfe, 0xff, 1, sequence]));
    }
    assert_eq!(world.sent.len(), 1 + 4, "{}", world.trace());
    assert_eq!(world.failure(Side::Client), None);
    assert!(world.client.stats().discarded(Discard::UnexpectedMessage) > 0);
    // The handshake continues after the last answered request.
    let hello = server_hello(0xfefd, [7; 32], 0xc02b, &EXTENDED_MASTER_SECRET);
    world.inject(Side::Client, &message_record(2, 4, &hello));
    assert_eq!(world.client.remote_random(), Some([7; 32]), "{}", world.trace());
}
