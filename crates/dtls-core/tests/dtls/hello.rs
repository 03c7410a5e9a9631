//! ClientHellos of other stacks.

use crate::world::{
    Action, Side, World, client_config, config, fingerprint, fragment_record, identities, message_record,
    message_types, messages, ms, records, server_config,
};
use dtls_core::{
    Admitted, AlertDescription, Certificate, Config, Discard, Event, Failure, Incompatible, Misbehaved,
    PeerPolicy, Versions,
};

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let mut extension = number.to_be_bytes().to_vec();
    extension.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    extension.extend(body);
    extension
}

/// The extensions that a browser sends in addition to `supported_versions` and the key shares.
fn extensions() -> Vec<Vec<u8>> {
    vec![
        extension(0x0017, &[]),
        extension(0xff01, &[0]),
        extension(0x000b, &[1, 0]),
        extension(0x000a, &[0, 8, 0x11, 0xec, 0, 29, 0, 23, 0, 24]),
        extension(0x000d, &[0, 6, 4, 3, 8, 4, 4, 1]),
        extension(0x000e, &[0, 6, 0, 1, 0, 8, 0, 7, 0]),
    ]
}

fn client_hello(suites: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([0x5a; 32]);
    body.extend([0, 0]);
    body.extend(u16::try_from(suites.len()).unwrap().to_be_bytes());
    body.extend(suites);
    body.extend([1, 0]);
    let extensions = extensions.concat();
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    body
}

const SUITES: [u8; 10] = [0x13, 1, 0x13, 2, 0x13, 3, 0xc0, 0x2b, 0xcc, 0xa9];

/// The ClientHello of Chromium: DTLS 1.3 first, with a post-quantum share that fills a datagram.
fn browser_hello(shuffle: usize) -> Vec<u8> {
    let mut shares = vec![0x04, 0xe8, 0x11, 0xec, 0x04, 0xc0];
    shares.extend([7; 1216]);
    shares.extend([0, 29, 0, 32]);
    shares.extend([8; 32]);
    let mut list = extensions();
    list.push(extension(0x002b, &[4, 0xfe, 0xfc, 0xfe, 0xfd]));
    list.push(extension(0x0033, &shares));
    list.push(extension(0x002d, &[1, 1]));
    let count = list.len();
    list.rotate_left(shuffle % count);
    client_hello(&SUITES, &list)
}

/// The server's response to the fragments of a ClientHello.
fn answer(datagrams: &[Vec<u8>]) -> World {
    let mut world = World::new().network(|_| Action::Drop);
    world.server.start(world.now, None).unwrap();
    for datagram in datagrams {
        world.inject(Side::Server, datagram);
    }
    world
}

#[test]
fn browser_hello_in_two_datagrams_gets_dtls12() {
    for shuffle in 0..9 {
        let hello = browser_hello(shuffle);
        let first = fragment_record(1, 0, &hello, 0..1175);
        let second = fragment_record(1, 0, &hello, 1175..hello.len());
        for order in [[&first, &second], [&second, &first]] {
            let world = answer(&order.map(Clone::clone));
            assert_eq!(message_types(&world.sent[0].bytes), [2, 11, 12, 13, 14], "{}", world.trace());
            let server_hello = messages(&world.sent[0].bytes)[0];
            let body = &server_hello[12..];
            assert_eq!(body[..2], [0xfe, 0xfd]);
            // RFC 8446 section 4.1.3: a server without 1.3 does not set the downgrade sentinel.
            assert_ne!(&body[26..34], b"DOWNGRD\x01");
            assert_eq!(body[34..37], [0, 0xc0, 0x2b], "an empty session id and the first common suite");
        }
    }
}

//= rfc6347-4.2.3-buffered
#[test]
fn one_fragment_gets_no_response() {
    let hello = browser_hello(0);
    let world = answer(&[fragment_record(1, 0, &hello, 0..1175), fragment_record(1, 0, &hello, 0..1175)]);
    assert!(world.sent.is_empty());
    assert_eq!(world.server_events, []);
}

fn assert_refused(hello: &[u8], failure: Failure, alert: AlertDescription) {
    let world = answer(&[message_record(1, 0, hello)]);
    assert_eq!(world.failure(Side::Server), Some(failure), "{}", world.trace());
    let alerts: Vec<_> = world.sent.iter().flat_map(|packet| records(&packet.bytes)).collect();
    assert_eq!(alerts.len(), 1, "{}", world.trace());
    assert_eq!((alerts[0].0, alerts[0].3), (21, &[2, alert.0][..]));
}

//= rfc7627-5.2-server-refuses
#[test]
fn client_without_extended_master_secret_is_refused() {
    let list = &extensions()[1..];
    let failure = Failure::NoOverlap(Incompatible::ExtendedMasterSecret);
    assert_refused(&client_hello(&SUITES, list), failure, AlertDescription::HANDSHAKE_FAILURE);
}

#[test]
fn client_of_dtls13_only_is_refused() {
    let mut list = extensions();
    list.push(extension(0x002b, &[2, 0xfe, 0xfc]));
    let failure = Failure::NoOverlap(Incompatible::Version);
    assert_refused(&client_hello(&SUITES, &list), failure, AlertDescription::PROTOCOL_VERSION);
}

#[test]
fn client_of_dtls10_is_refused() {
    let mut hello = client_hello(&SUITES, &extensions());
    hello[1] = 0xff;
    let failure = Failure::NoOverlap(Incompatible::Version);
    assert_refused(&hello, failure, AlertDescription::PROTOCOL_VERSION);
}

#[test]
fn hello_of_a_renegotiation_is_refused() {
    let mut list = extensions();
    list[1] = extension(0xff01, &[2, 1, 2]);
    let failure = Failure::Peer(Misbehaved::BadRenegotiationInfo);
    assert_refused(&client_hello(&SUITES, &list), failure, AlertDescription::HANDSHAKE_FAILURE);
}

#[test]
fn client_without_uncompressed_points_is_refused() {
    let mut list = extensions();
    list[2] = extension(0x000b, &[1, 1]);
    let failure = Failure::NoOverlap(Incompatible::PointFormat);
    assert_refused(&client_hello(&SUITES, &list), failure, AlertDescription::ILLEGAL_PARAMETER);
}

#[test]
fn client_without_common_signature_scheme_is_refused() {
    // Without the extension the client means SHA-1.
    let without: Vec<_> = extensions().into_iter().filter(|extension| extension[1] != 0x0d).collect();
    let mut sha1 = extensions();
    sha1[4] = extension(0x000d, &[0, 2, 2, 3]);
    for list in [without, sha1] {
        let failure = Failure::NoOverlap(Incompatible::SignatureScheme);
        assert_refused(&client_hello(&SUITES, &list), failure, AlertDescription::HANDSHAKE_FAILURE);
    }
}

#[test]
fn client_without_null_compression_is_refused() {
    let mut hello = client_hello(&SUITES, &extensions());
    // The offset behind version, random, two empty vectors and the suites.
    hello[36 + 2 + SUITES.len() + 1] = 1;
    let failure = Failure::Peer(Misbehaved::SelectedUnoffered);
    assert_refused(&hello, failure, AlertDescription::ILLEGAL_PARAMETER);
}

#[test]
fn rsa_server_selects_a_scheme_of_the_client() {
    let rsa = Certificate::from_pem(include_str!("rsa.pem")).unwrap();
    let policy = || PeerPolicy::Fingerprints(vec![fingerprint(&identities().client)]);
    for (offered, chosen) in
        [(&[4, 3, 8, 4, 4, 1][..], [8, 4]), (&[4, 1], [4, 1]), (&[5, 1], [5, 1]), (&[6, 1, 8, 6], [8, 6])]
    {
        let mut list = extensions();
        let len = u8::try_from(offered.len()).unwrap();
        list[4] = extension(0x000d, &[&[0, len], offered].concat());
        let mut world = World::with(client_config(), config(&rsa, policy())).network(|_| Action::Drop);
        world.inject(Side::Server, &message_record(1, 0, &client_hello(&[0xc0, 0x2f], &list)));
        let content: Vec<_> = world.sent.iter().flat_map(|packet| messages(&packet.bytes)).collect();
        let exchange = content.iter().find(|message| message[0] == 12).unwrap();
        // The offset behind named_curve, the group, and an X25519 share.
        assert_eq!(exchange[12 + 36..][..2], chosen, "{offered:?}");
    }
}

#[test]
fn renegotiation_scsv_is_answered_like_the_extension() {
    let has_answer = |world: &World| {
        let server_hello = messages(&world.sent[0].bytes)[0];
        server_hello.windows(5).any(|window| window == [0xff, 1, 0, 1, 0])
    };
    let without: Vec<_> = extensions().into_iter().filter(|extension| extension[0] != 0xff).collect();
    let with_suite = [&SUITES[..], &[0, 0xff]].concat();
    for (suites, list, answered) in
        [(&SUITES[..], &extensions(), true), (&with_suite, &without, true), (&SUITES[..], &without, false)]
    {
        let world = answer(&[message_record(1, 0, &client_hello(suites, list))]);
        assert_eq!(has_answer(&world), answered);
    }
}

#[test]
fn client_without_groups_gets_p256() {
    let list: Vec<_> = extensions().into_iter().filter(|extension| extension[1] != 0x0a).collect();
    let world = answer(&[message_record(1, 0, &client_hello(&SUITES, &list))]);
    let exchange = messages(&world.sent[0].bytes)[2];
    assert_eq!(exchange[12..15], [3, 0, 23]);
}

//= rfc6347-4.2.1-cookie-returned
//= rfc6347-4.2.1-same-parameters
#[test]
fn cookie_is_returned_in_an_unchanged_hello() {
    let mut world = World::new().network(|_| Action::Drop).started();
    let first = records(&world.sent[0].bytes)[0].3[12..].to_vec();
    let request = [&[0xfe, 0xff, 20][..], &[9; 20]].concat();
    world.inject(Side::Client, &message_record(3, 0, &request));
    let record = records(&world.sent[1].bytes)[0].3.to_vec();
    assert_eq!((record[0], record[5]), (1, 1), "a ClientHello with the next message sequence");
    let second = &record[12..];
    assert_eq!((first[35], second[35]), (0, 20));
    assert_eq!(second[..35], first[..35]);
    assert_eq!(second[36..56], [9; 20]);
    assert_eq!(second[56..], first[36..]);
    // The retransmitted flight contains the cookie.
    world.pass(ms(400));
    assert_eq!(records(&world.sent[2].bytes)[0].3[12..], *second);
}

#[test]
fn cookie_requests_are_answered_a_few_times_only() {
    let mut world = World::new().network(|_| Action::Drop).started();
    for sequence in 0..20 {
        world.inject(Side::Client, &message_record(3, sequence, &[0xfe, 0xff, 1, sequence]));
    }
    assert_eq!(world.sent.len(), 1 + 4, "{}", world.trace());
    assert_eq!(world.failure(Side::Client), None);
}

fn server_hello(suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    let mut body = vec![0xfe, 0xfd];
    body.extend([0x77; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    let extensions = extensions.concat();
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    body
}

//= rfc7627-5.2-client-refuses
//= rfc5764-4.1.3-strange-mki
#[test]
fn client_refuses_unoffered_parameters() {
    let ems = || extension(0x0017, &[]);
    let peer = Failure::Peer;
    for (hello, failure, alert) in [
        (server_hello(0xc02b, &[]), Failure::NoOverlap(Incompatible::ExtendedMasterSecret), 40),
        (server_hello(0x1301, &[ems()]), peer(Misbehaved::SelectedUnoffered), 47),
        (server_hello(0xc02b, &[ems(), extension(0, &[])]), peer(Misbehaved::UnsolicitedExtension), 110),
        (
            server_hello(0xc02b, &[ems(), extension(0xff01, &[1, 1])]),
            peer(Misbehaved::BadRenegotiationInfo),
            40,
        ),
        (
            server_hello(0xc02b, &[ems(), extension(14, &[0, 2, 0, 5, 0])]),
            peer(Misbehaved::SelectedUnoffered),
            47,
        ),
        (
            server_hello(0xc02b, &[ems(), extension(14, &[0, 4, 0, 1, 0, 7, 0])]),
            peer(Misbehaved::SelectedUnoffered),
            47,
        ),
        (
            server_hello(0xc02b, &[ems(), extension(14, &[0, 2, 0, 1, 1, 9])]),
            peer(Misbehaved::UnexpectedMki),
            47,
        ),
        (server_hello(0xc0a8, &[ems()]), peer(Misbehaved::SelectedUnoffered), 47),
        (
            server_hello(0xc02b, &[ems(), extension(43, &[0xfe, 0xfc])]),
            peer(Misbehaved::UnsolicitedExtension),
            110,
        ),
        (
            server_hello(0xc02b, &[ems(), extension(11, &[1, 1])]),
            Failure::NoOverlap(Incompatible::PointFormat),
            47,
        ),
        (
            [&server_hello(0xc02b, &[ems()])[..37], &[1], &server_hello(0xc02b, &[ems()])[38..]].concat(),
            peer(Misbehaved::SelectedUnoffered),
            47,
        ),
    ] {
        let mut world = World::new().network(|_| Action::Drop).started();
        world.inject(Side::Client, &message_record(2, 0, &hello));
        assert_eq!(world.failure(Side::Client), Some(failure), "{}", world.trace());
        assert_eq!(records(&world.sent.last().unwrap().bytes)[0].3, [2, alert], "{}", world.trace());
    }
}

#[test]
fn another_hello_replaces_an_attempt_and_connects() {
    // First comes a hello of another client, or of a client that has restarted.
    let mut world = World::new();
    world.server.start(world.now, None).unwrap();
    let stale = message_record(1, 0, &client_hello(&SUITES, &extensions()));
    assert_eq!(world.inject(Side::Server, &stale), Admitted::Unauthenticated);
    world.pass(ms(20));
    world.client.start(world.now, None).unwrap();
    world.collect();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(20 + 40), "{}", world.trace());
    world.settle();
    world.assert_works();
}

#[test]
fn flood_of_hellos_costs_one_response_per_timeout() {
    let mut world = World::new().network(|_| Action::Drop);
    world.server.start(world.now, None).unwrap();
    let mut hello = client_hello(&SUITES, &extensions());
    let answers = |world: &World| {
        let mut randoms: Vec<_> =
            world.sent.iter().map(|packet| records(&packet.bytes)[0].3[14..46].to_vec()).collect();
        randoms.dedup();
        randoms.len()
    };
    for millisecond in 0..1000 {
        world.now = world.start + ms(millisecond);
        hello[2..4].copy_from_slice(&u16::try_from(millisecond).unwrap().to_be_bytes());
        world.inject(Side::Server, &message_record(1, 0, &hello));
    }
    // The first one, one more at once, and one each after 400 and 800 ms.
    assert_eq!(answers(&world), 4, "{}", world.trace());
    assert_eq!(world.server.stats().discarded(Discard::FreshClientHello), 996);
}

#[test]
fn unacceptable_hello_replaces_no_attempt() {
    let mut world = World::new().started();
    world.run_until(|world| world.server.remote_random().is_some());
    let attempt = world.server.local_random();
    let mut broken = client_hello(&SUITES, &extensions());
    broken.pop();
    let refused = client_hello(&SUITES, &extensions()[1..]);
    for (hello, reason) in [(broken, Discard::Malformed), (refused, Discard::FreshClientHello)] {
        let admitted = world.inject(Side::Server, &message_record(1, 0, &hello));
        assert_eq!(admitted, Admitted::Discarded(reason));
        assert_eq!(world.server.local_random(), attempt);
    }
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(40));
    world.settle();
    world.assert_works();
}

#[test]
fn replacement_hello_may_be_fragmented() {
    let mut world = World::new().network(|_| Action::Drop);
    world.inject(Side::Server, &message_record(1, 0, &client_hello(&SUITES, &extensions())));
    world.pass(ms(400));
    let mut hello = browser_hello(0);
    hello[2] = 0xee;
    let before = world.server.local_random();
    world.inject(Side::Server, &fragment_record(1, 0, &hello, 0..1175));
    assert_eq!(world.server.local_random(), before);
    world.inject(Side::Server, &fragment_record(1, 0, &hello, 1175..hello.len()));
    assert_ne!(world.server.local_random(), before);
    assert_eq!(world.server.remote_random().unwrap()[0], 0xee);
    let last = &world.sent.last().unwrap().bytes;
    assert_eq!(message_types(last), [2, 11, 12, 13, 14]);
    assert_eq!(messages(last)[0][5], 0, "a new handshake numbers its messages from zero");
}

#[test]
fn fragmented_fresh_hello_is_reported_once_per_second() {
    for versions in [Versions::Dtls13, Versions::Auto] {
        let with = |config| Config { versions, ..config };
        // The client of another connection.
        let other = World::with(with(client_config()), with(server_config())).started();
        let hello: Vec<_> = other.sent.iter().map(|packet| packet.bytes.clone()).collect();
        assert_eq!(hello.len(), 2);
        let mut world = World::connected_with(with(client_config()), with(server_config()));
        world.pass(ms(1000));
        let (sent, start) = (world.sent.len(), world.now);
        for millisecond in 0..=2000 {
            world.now = start + ms(millisecond);
            for piece in &hello {
                let admitted = world.inject(Side::Server, piece);
                assert_eq!(admitted, Admitted::Discarded(Discard::FreshClientHello));
            }
        }
        let reports = world.server_events.iter().filter(|event| **event == Event::FreshClientHello).count();
        assert_eq!((reports, world.sent.len()), (3, sent), "after 0, 1 and 2 seconds");
        world.assert_works();
    }
}

//= rfc6347-4.2.8-association-kept
#[test]
fn fresh_hello_is_reported_once_per_second() {
    let mut world = World::connected();
    let fresh = message_record(1, 0, &client_hello(&SUITES, &extensions()));
    let sent = world.sent.len();
    let reports = |world: &World, side| {
        world.events(side).iter().filter(|event| **event == Event::FreshClientHello).count()
    };
    for side in [Side::Client, Side::Server] {
        for _ in 0..5 {
            assert_eq!(world.inject(side, &fresh), Admitted::Discarded(Discard::FreshClientHello));
        }
        assert_eq!(reports(&world, side), 1);
    }
    world.now += ms(1000);
    world.inject(Side::Server, &fresh);
    assert_eq!(reports(&world, Side::Server), 2);
    assert_eq!(world.sent.len(), sent);
    // The hello of this connection is not fresh.
    let own = world.sent[0].bytes.clone();
    assert_eq!(world.inject(Side::Server, &own), Admitted::Discarded(Discard::RetransmittedMessage));
    assert_eq!(reports(&world, Side::Server), 2);
    world.assert_works();
}
