//! DTLS 1.3 on the wire, byte by byte where it is not encrypted.

use crate::world::{
    Action, Dice, Side, World, client_config, fragment_record, message_types, messages, ms, plaintext_record,
    records, server_config,
};
use dtls_core::{Admitted, Config, Discard, Error, Event, Failure, Misbehaved, NamedGroup, Versions};

/// RFC 8446 section 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];
/// The offset of the session id in a hello: behind version and random.
const SESSION_ID: usize = 34;

/// With a ClientHello that fits a datagram.
fn dtls13(config: Config) -> Config {
    Config { versions: Versions::Dtls13, groups: vec![NamedGroup::X25519], ..config }
}

fn world() -> World {
    World::with(dtls13(client_config()), dtls13(server_config()))
}

fn connected() -> World {
    let mut world = world().started();
    world.run_until(World::are_connected);
    world.settle();
    world
}

/// With a certificate that takes several datagrams.
fn small() -> World {
    let small = |config: Config| Config { mtu: 256, ..dtls13(config) };
    World::with(small(client_config()), small(server_config()))
}

/// Returns the first plaintext handshake message of a datagram, unfragmented, without its header.
fn hello_of(datagram: &[u8]) -> Vec<u8> {
    let content = records(datagram)[0].3;
    assert_eq!(content[1..4], content[9..12], "a whole message");
    content[12..].to_vec()
}

/// A ServerHello or HelloRetryRequest of DTLS 1.3 with TLS_AES_128_GCM_SHA256.
fn server_hello(random: [u8; 32], session_id: &[u8], extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut list = vec![0, 43, 0, 2, 0xfe, 0xfc];
    for (kind, body) in extensions {
        list.extend(kind.to_be_bytes());
        list.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        list.extend(*body);
    }
    let mut hello = vec![0xfe, 0xfd];
    hello.extend(random);
    hello.push(u8::try_from(session_id.len()).unwrap());
    hello.extend(session_id);
    hello.extend([0x13, 0x01, 0]);
    hello.extend(u16::try_from(list.len()).unwrap().to_be_bytes());
    hello.extend(list);
    hello
}

fn whole(kind: u8, sequence: u8, body: &[u8]) -> Vec<u8> {
    fragment_record(kind, sequence, body, 0..body.len())
}

//= rfc9147-5.1-first-legacy-cookie
//= rfc9147-5.3-legacy-version
//= rfc9147-5.3-session-id
//= rfc9147-5.3-legacy-cookie
#[test]
fn client_hello_has_legacy_version_and_empty_fields() {
    for versions in [Versions::Dtls13, Versions::Auto] {
        let world = World::with(Config { versions, ..dtls13(client_config()) }, server_config()).started();
        let hello = hello_of(&world.sent[0].bytes);
        assert_eq!(hello[..2], [0xfe, 0xfd]);
        assert_eq!(hello[SESSION_ID..SESSION_ID + 2], [0, 0], "no session id, no legacy_cookie");
    }
}

//= rfc9147-4-legacy-version
//= rfc9147-4-plaintext-sequence
//= rfc9147-5-no-change-cipher-spec
//= rfc9147-5.2-no-hello-verify-request
//= rfc9147bis-5-server-change-cipher-spec
#[test]
fn plaintext_records_have_the_dtls12_version() {
    // The ClientHello takes several records.
    let auto = |config: Config| Config { versions: Versions::Auto, ..config };
    let worlds = [world(), small(), World::with(auto(client_config()), auto(server_config()))];
    for mut world in worlds.map(World::started) {
        world.run_until(World::are_connected);
        world.settle();
        let mut expected = [0, 0];
        for packet in &world.sent {
            let numbers = &mut expected[usize::from(packet.from == Side::Server)];
            for (kind, epoch, sequence, _) in
                records(&packet.bytes).into_iter().filter(|record| record.0 < 32)
            {
                assert_eq!((kind, epoch, sequence), (22, 0, *numbers), "{}", world.trace());
                *numbers += 1;
            }
            if packet.bytes[0] < 32 {
                assert_eq!(packet.bytes[1..3], [0xfe, 0xfd]);
            }
            assert!(message_types(&packet.bytes).iter().all(|kind| [1, 2].contains(kind)));
        }
    }
}

//= rfc9147-4.3-one-datagram
//= rfc9147-4.3-begins-with-record
//= rfc9147-4.3-no-span
//= rfc9147-5.5-one-datagram
#[test]
fn every_datagram_is_whole_records() {
    let mut dice = Dice::new(9);
    let mut world =
        small().network(move |_| if dice.roll(10) < 2 { Action::Drop } else { Action::Deliver }).started();
    world.run_until(World::are_connected);
    world.pass(ms(5000));
    assert!(world.sent.len() > 8, "{}", world.trace());
    for packet in &world.sent {
        let mut rest = &packet.bytes[..];
        while !rest.is_empty() {
            let (header, len) = match rest[0] {
                21 | 22 => (13, u16::from_be_bytes([rest[11], rest[12]])),
                // Always a 16-bit number and a length.
                0b0010_1100..=0b0010_1111 => (5, u16::from_be_bytes([rest[3], rest[4]])),
                other => panic!("a record begins with {other}"),
            };
            rest = &rest[header + usize::from(len)..];
        }
    }
}

//= rfc9147-4-foreign-cid
#[test]
fn record_with_connection_id_ends_the_datagram() {
    let mut world = connected();
    let now = world.now;
    let mut sealed = |text: &[u8]| {
        let mut datagram = Vec::new();
        world.client.send(now, text).unwrap();
        let _ = world.client.poll_transmit(&mut datagram).unwrap();
        datagram
    };
    let (first, second) = (sealed(b"before"), sealed(b"behind"));
    let foreign = [&[0b0011_1111, 7, 7, 0, 1, 0, 30][..], &[9; 30]].concat();
    world.inject(Side::Server, &[&first[..], &foreign, &second].concat());
    assert_eq!(world.data(Side::Server), [b"before"]);
    assert_eq!(world.server.stats().discarded(Discard::NotDtls), 1);
    world.inject(Side::Server, &second);
    assert_eq!(world.data(Side::Server), [b"before", b"behind"]);
}

//= rfc9147-5.11-not-destroyed
#[test]
fn fresh_hello_does_not_change_an_association() {
    let hello = world().started().sent[0].bytes.clone();
    let mut world = connected();
    let sent = world.sent.len();
    for side in [Side::Client, Side::Server] {
        assert_eq!(world.inject(side, &hello), Admitted::Discarded(Discard::FreshClientHello));
        assert!(world.events(side).contains(&Event::FreshClientHello));
    }
    assert_eq!(world.sent.len(), sent);
    world.assert_works();
}

//= rfc9147-4.4-record-size
#[test]
fn record_content_is_at_most_two_to_the_fourteen() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let large = |config: Config| Config { mtu: 60_000, versions, ..config };
        let mut world = World::with(large(client_config()), large(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        let max = 1 << 14;
        assert_eq!(world.client.max_data_len(), max);
        assert_eq!(world.client.send(world.now, &vec![1; max + 1]), Err(Error::TooLarge { max }));
        world.send(Side::Client, &vec![1; max]);
        world.settle();
        assert_eq!(world.data(Side::Server), [vec![1; max]]);
    }
}

//= rfc9147-5.5-no-overlap
#[test]
fn fragments_of_a_message_do_not_overlap() {
    // A ClientHello with a post-quantum share, and the plaintext flights of DTLS 1.2; the same code fragments protected
    // messages.
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let small = |config: Config| Config { mtu: 256, versions, ..config };
        let mut world = World::with(small(client_config()), small(server_config())).started();
        world.run_until(World::are_connected);
        let mut cut = 0;
        for side in [Side::Client, Side::Server] {
            let mut reached = (0, 0);
            let datagrams = world.sent.iter().filter(|packet| packet.from == side);
            for content in datagrams.flat_map(|packet| messages(&packet.bytes)) {
                let u24 =
                    |at: usize| content[at..at + 3].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                let (length, sequence, offset, piece) = (u24(1), content[5], u24(6), u24(9));
                if offset == 0 {
                    reached = (sequence, 0);
                }
                assert_eq!((sequence, offset), reached, "{}", world.trace());
                reached.1 += piece;
                cut += usize::from(piece < length);
            }
        }
        assert!(cut >= 4, "no message was fragmented\n{}", world.trace());
    }
}

//= rfc9147-4.1-plaintext
//= rfc9147-4.1-check-leading-bits
//= rfc9147-4.1-ciphertext
//= rfc9147-4.1-reject
//= rfc9147-6.1-unknown-epoch
#[test]
fn first_byte_selects_the_record_type() {
    let mut world = connected();
    let sent = world.sent.len();
    for first in 0..=255_u8 {
        let mut datagram = plaintext_record(first, 3, &[1; 60]);
        if first >> 5 == 1 {
            // A number of 8 or 16 bits, with or without a length.
            let number: &[u8] = if first & 8 == 0 { &[0] } else { &[0, 9] };
            let length: &[u8] = if first & 4 == 0 { &[] } else { &[0, 60] };
            datagram = [&[first], number, length, &[1; 60]].concat();
        }
        let Admitted::Discarded(reason) = world.inject(Side::Server, &datagram) else {
            panic!("{first} was accepted")
        };
        let expected: &[Discard] = match first {
            20 => &[Discard::BadRecord],
            21 => &[Discard::BadRecord, Discard::PlaintextAlert],
            22 => &[Discard::Truncated],
            23 => &[Discard::PlaintextData],
            26 => &[Discard::PlaintextAck],
            // Epoch bits 2 and 3 have keys: those of the client's final flight and those of the application.
            32..=63 if first & 0x10 == 0 && first & 3 >= 2 => &[Discard::BadRecord],
            32..=63 if first & 0x10 == 0 => &[Discard::UnknownEpoch],
            _ => &[Discard::NotDtls],
        };
        assert!(expected.contains(&reason), "{first}: {reason:?}");
    }
    assert_eq!(
        world.inject(Side::Server, &plaintext_record(20, 3, &[1])),
        Admitted::Discarded(Discard::BadRecord)
    );
    assert_eq!(world.sent.len(), sent, "there is no response");
    world.assert_works();
}

//= rfc9147-5-no-session-id-echo
//= rfc9147bis-5-no-echo
#[test]
fn server_does_not_echo_a_session_id() {
    let mut world = world().network(|_| Action::Drop).started();
    let mut hello = hello_of(&world.sent[0].bytes);
    hello.splice(SESSION_ID..=SESSION_ID, [&[32][..], &[5; 32]].concat());
    world.inject(Side::Server, &whole(1, 0, &hello));
    let answer = world.sent.iter().find(|packet| packet.from == Side::Server).unwrap();
    assert_eq!(message_types(&answer.bytes), [2], "{}", world.trace());
    assert_eq!(records(&answer.bytes)[0].3[12 + SESSION_ID], 0);
}

//= rfc9147bis-5-echo-refused
//= rfc9147bis-5-echo-empty
#[test]
fn client_refuses_an_unsent_session_id() {
    for (session_id, is_refused) in [(&[][..], false), (&[5; 32], true)] {
        let mut world = world().network(|_| Action::Drop).started();
        let share = [&[0, 29, 0, 32][..], &[9; 32]].concat();
        world.inject(Side::Client, &whole(2, 0, &server_hello([7; 32], session_id, &[(51, &share)])));
        let refused = Failure::Peer(Misbehaved::SelectedUnoffered);
        assert_eq!(world.failure(Side::Client), is_refused.then_some(refused), "{}", world.trace());
        if is_refused {
            let alert = records(&world.sent.last().unwrap().bytes)[0].3;
            assert_eq!(alert, [2, 47], "illegal_parameter");
        }
    }
}

//= rfc9147-5.1-cookie-returned
//= rfc9147-5.1-new-client-hello
//= rfc9147-5.1-prepared
#[test]
fn cookie_is_returned_in_an_unchanged_hello() {
    let mut world = world().network(|_| Action::Drop).started();
    let first = hello_of(&world.sent[0].bytes);
    world.inject(Side::Client, &whole(2, 0, &server_hello(RETRY, &[], &[(44, &[0, 3, 7, 8, 9])])));
    let packet = &world.sent[1].bytes;
    assert_eq!(records(packet)[0].3[5], 1, "the next message sequence");
    let second = hello_of(packet);
    let cookie = [0, 44, 0, 5, 0, 3, 7, 8, 9];
    let at = second.windows(9).position(|window| window == cookie).expect("the cookie is present");
    let mut without = second;
    without.drain(at..at + cookie.len());
    // The cookie changes the length of the extensions.
    let lengths = first.len() - 2..first.len();
    assert_eq!(without.len(), first.len(), "{lengths:?}");
    let differing: Vec<_> = (0..first.len()).filter(|at| first[*at] != without[*at]).collect();
    assert!(differing.len() <= 2, "only the length of the extensions: {differing:?}");
    assert_eq!(without[SESSION_ID..SESSION_ID + 2], [0, 0]);
}

//= rfc9147-5.1-second-retry
#[test]
fn second_retry_request_is_unexpected() {
    let mut world = world().network(|_| Action::Drop).started();
    world.inject(Side::Client, &whole(2, 0, &server_hello(RETRY, &[], &[(44, &[0, 1, 7])])));
    assert_eq!(world.failure(Side::Client), None);
    world.inject(Side::Client, &whole(2, 1, &server_hello(RETRY, &[], &[(44, &[0, 1, 8])])));
    assert_eq!(world.failure(Side::Client), Some(Failure::Peer(Misbehaved::UnexpectedMessage)));
    let alert = records(&world.sent.last().unwrap().bytes)[0].3;
    assert_eq!(alert, [2, 10], "unexpected_message");
}

//= rfc9147-5.3-legacy-cookie-refused
#[test]
fn legacy_cookie_in_a_dtls13_offer_is_illegal() {
    for versions in [Versions::Dtls13, Versions::Auto] {
        let with = |config: Config| Config { versions, ..dtls13(config) };
        let mut world =
            World::with(with(client_config()), with(server_config())).network(|_| Action::Drop).started();
        let mut hello = hello_of(&world.sent[0].bytes);
        hello.splice(SESSION_ID + 1..=SESSION_ID + 1, [1, 7]);
        world.inject(Side::Server, &whole(1, 0, &hello));
        let failure = Failure::Peer(Misbehaved::SelectedUnoffered);
        assert_eq!(world.failure(Side::Server), Some(failure), "{}", world.trace());
        let alert = records(&world.sent.last().unwrap().bytes)[0].3;
        assert_eq!(alert, [2, 47], "illegal_parameter");
    }
}

//= rfc9147-5.2-old-message
#[test]
fn handled_message_is_discarded() {
    let only = |config: Config, groups: &[NamedGroup]| Config { groups: groups.to_vec(), ..dtls13(config) };
    // After a retry both sides recognise a plaintext message that arrives again.
    let client = only(client_config(), &[NamedGroup::SECP384R1, NamedGroup::SECP256R1]);
    let mut world = World::with(client, only(server_config(), &[NamedGroup::SECP256R1])).started();
    world.run_until(|world| world.sent.len() == 3);
    let [first, retry] = [0, 1].map(|index: usize| world.sent[index].bytes.clone());
    let repeated = Admitted::Discarded(Discard::RetransmittedMessage);
    assert_eq!(world.inject(Side::Client, &retry), repeated);
    assert_eq!(world.inject(Side::Server, &first), repeated);
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
}
