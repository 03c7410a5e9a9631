//! The wire format of DTLS 1.2 and its extensions, as in the RFCs.

use crate::world::{
    Action, Side, World, client_config, message_record, message_types, messages, ms, records, server_config,
};
use dtls_core::{Config, NamedGroup, UseSrtp, Versions};

const EXTENDED_MASTER_SECRET: u16 = 23;
const USE_SRTP: u16 = 14;
const EC_POINT_FORMATS: u16 = 11;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// The extensions of a hello.
fn extensions(hello: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let byte = |at: usize| usize::from(hello[at]);
    let is_client = hello[0] == 1;
    // The offset of the session id, behind message header, version and random.
    let mut at = 12 + 34;
    at += 1 + byte(at);
    if is_client {
        at += 1 + byte(at);
        at += 2 + (byte(at) << 8 | byte(at + 1));
        at += 1 + byte(at);
    } else {
        at += 3;
    }
    let mut rest = &hello[at + 2..];
    let mut found = Vec::new();
    while let [a, b, c, d, after @ ..] = rest {
        let (body, after) = after.split_at(usize::from(*c) << 8 | usize::from(*d));
        found.push((u16::from_be_bytes([*a, *b]), body.to_vec()));
        rest = after;
    }
    found
}

fn extension(hello: &[u8], number: u16) -> Option<Vec<u8>> {
    extensions(hello).into_iter().find(|(each, _)| *each == number).map(|(_, body)| body)
}

fn first_message(datagram: &[u8]) -> Vec<u8> {
    messages(datagram)[0].to_vec()
}

//= rfc7627-5.2-client-sends
//= rfc7627-5.2-server-answers
#[test]
fn dtls12_hello_has_all_required_fields() {
    for versions in [Versions::Dtls12, Versions::Auto] {
        // One datagram each.
        let client = || Config { versions, groups: vec![NamedGroup::X25519], ..client_config() };
        let mut world = World::with(client(), server_config()).network(|_| Action::Drop).started();
        // With a cookie the ClientHello is sent again.
        world.inject(Side::Client, &message_record(3, 0, &[0xfe, 0xff, 1, 9]));
        let hellos: Vec<_> = world.sent.iter().filter(|packet| message_types(&packet.bytes) == [1]).collect();
        assert_eq!(hellos.len(), 2, "{}", world.trace());
        for hello in hellos {
            let named = |number| extension(&first_message(&hello.bytes), number);
            assert_eq!(named(EXTENDED_MASTER_SECRET), Some(Vec::new()), "{versions:?}");
            // There was no earlier handshake, and only uncompressed points are supported.
            assert_eq!(named(RENEGOTIATION_INFO), Some(vec![0]), "{versions:?}");
            assert_eq!(named(EC_POINT_FORMATS), Some(vec![1, 0]), "{versions:?}");
        }
        let mut answer = World::with(client(), server_config()).started();
        answer.run_until(|world| world.sent.len() == 2);
        let named = |number| extension(&first_message(&answer.sent[1].bytes), number);
        assert_eq!(named(EXTENDED_MASTER_SECRET), Some(Vec::new()), "{versions:?}");
        assert_eq!(named(RENEGOTIATION_INFO), Some(vec![0]), "{versions:?}");
        assert_eq!(named(EC_POINT_FORMATS), Some(vec![1, 0]), "{versions:?}");
    }
}

//= rfc5764-4.1.1-client-data
//= rfc5764-4.1.1-server-answers
//= rfc5764-4.1.1-one-profile
//= rfc5764-4.1.1-offered-profile
#[test]
fn server_selects_one_of_the_client_srtp_profiles() {
    let offering =
        |config: Config, profiles: &[u16]| Config { use_srtp: UseSrtp::Offered(profiles.to_vec()), ..config };
    let client = offering(client_config(), &[8, 7, 1]);
    let mut world = World::with(client, offering(server_config(), &[1, 2, 7])).started();
    world.run_until(|world| world.sent.len() == 2);
    let [offer, answer] =
        [0, 1].map(|at| extension(&first_message(&world.sent[at].bytes), USE_SRTP).unwrap());
    assert_eq!(offer, [0, 6, 0, 8, 0, 7, 0, 1, 0]);
    assert_eq!(answer, [0, 2, 0, 1, 0]);

    let client = offering(client_config(), &[8]);
    let mut world = World::with(client, offering(server_config(), &[1])).started();
    world.run_until(|world| world.sent.len() == 2);
    assert_eq!(
        extension(&first_message(&world.sent[1].bytes), USE_SRTP),
        None,
        "nothing that was not offered"
    );
}

#[test]
fn all_four_srtp_profiles_are_offered_by_default() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let client = Config { versions, groups: vec![NamedGroup::X25519], ..client_config() };
        let world = World::with(client, server_config()).network(|_| Action::Drop).started();
        let offer = extension(&first_message(&world.sent[0].bytes), USE_SRTP).unwrap();
        assert_eq!(offer, [0, 8, 0, 7, 0, 8, 0, 1, 0, 2, 0], "{versions:?}");
    }
}

//= rfc5764-4.1.3-server-mki
#[test]
fn srtp_mki_of_a_client_is_answered_by_an_empty_one() {
    let mut world = World::new().network(|_| Action::Drop).started();
    let mut hello = first_message(&world.sent[0].bytes)[12..].to_vec();
    // The last extension is use_srtp; its last byte is the length of the MKI.
    let [.., last] = &mut hello[..] else { unreachable!() };
    *last = 2;
    hello.extend([0xab, 0xcd]);
    let of_srtp = extension(&first_message(&world.sent[0].bytes), USE_SRTP).unwrap().len();
    let at = hello.len() - 2 - of_srtp - 2;
    hello[at + 1] += 2;
    let list = hello.len() - 2 - extensions_len(&first_message(&world.sent[0].bytes));
    hello[list - 1] += 2;
    world.inject(Side::Server, &message_record(1, 0, &hello));
    let answer = extension(&first_message(&world.sent[1].bytes), USE_SRTP).unwrap();
    assert_eq!((answer.len(), answer[4]), (5, 0), "{}", world.trace());
}

fn extensions_len(hello: &[u8]) -> usize {
    extensions(hello).iter().map(|(_, body)| 4 + body.len()).sum()
}

//= rfc6347-4.2.1-later-numbers
//= rfc6347-4.1.2.6-counter-start
#[test]
fn record_numbers_of_each_epoch_begin_at_zero() {
    let mut world = World::connected();
    for _ in 0..3 {
        world.send(Side::Client, b"data");
        world.send(Side::Server, b"data");
    }
    for side in [Side::Client, Side::Server] {
        let from_side = world.sent.iter().filter(|packet| packet.from == side);
        let numbers: Vec<_> = from_side.flat_map(|packet| records(&packet.bytes)).collect();
        for epoch in [0, 1] {
            let of_epoch =
                numbers.iter().filter(|(_, each, ..)| *each == epoch).map(|(_, _, number, _)| *number);
            let of_epoch: Vec<_> = of_epoch.collect();
            let expected: Vec<_> = (0..).take(of_epoch.len().max(2)).collect();
            assert_eq!(of_epoch, expected, "{epoch}");
        }
    }
}

//= rfc6347-4.1.1.1-record-size
#[test]
fn record_content_is_at_most_two_to_the_fourteen() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let wide = |config: Config| Config { mtu: 60_000, versions, ..config };
        let mut world = World::connected_with(wide(client_config()), wide(server_config()));
        let now = world.now;
        assert_eq!(world.client.max_data_len(), 1 << 14);
        assert!(world.client.send(now, &vec![7; (1 << 14) + 1]).is_err());
        world.send(Side::Client, &vec![7; 1 << 14]);
        world.settle();
        assert_eq!(world.data(Side::Server)[0].len(), 1 << 14);
    }
}

//= rfc6347-4.2.5-same-flight
#[test]
fn retransmitted_final_flight_has_change_cipher_spec_first() {
    let mut world = World::new();
    let mut flights = 0;
    world.set_network(move |packet| {
        let is_last = packet.from == Side::Server && packet.bytes[0] == 20;
        flights += u32::from(is_last);
        if is_last && flights <= 2 { Action::Drop } else { Action::Deliver }
    });
    let mut world = world.started();
    world.run_until(World::are_connected);
    let last: Vec<_> = world.sent.iter().filter(|packet| packet.bytes[0] == 20).collect();
    assert_eq!(last.len(), 3, "{}", world.trace());
    for packet in last {
        let shown: Vec<_> = records(&packet.bytes).iter().map(|(kind, epoch, ..)| (*kind, *epoch)).collect();
        assert_eq!(shown, [(20, 0), (22, 1)]);
    }
}

//= rfc6347-4.1-old-epoch
#[test]
fn client_with_keys_still_reads_epoch_0() {
    // The client's flight is lost. The server's plaintext retransmission causes it to be retransmitted.
    let mut world = World::new()
        .network(|packet| if packet.index == 2 { Action::Drop } else { Action::Deliver })
        .started();
    world.run_until(|world| world.sent.len() == 3);
    let server_flight = world.sent[1].bytes.clone();
    world.now += ms(399);
    world.inject(Side::Client, &server_flight);
    assert_eq!(world.sent.len(), 3, "the timeout has not expired\n{}", world.trace());
    world.now += ms(1);
    world.inject(Side::Client, &server_flight);
    assert_eq!(message_types(&world.sent[3].bytes)[..3], [11, 16, 15], "{}", world.trace());
    world.run_until(World::are_connected);
}
