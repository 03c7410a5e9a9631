//! A misbehaving peer in a handshake of DTLS 1.3 with valid keys, and the alert for each fault. Real flights are
//! deprotected, changed, and protected again by their sender.

use super::misbehaving_peer::{Pair, by_fingerprint, config};
use crate::certificate::Certificate;
use crate::config::{Config, DtlsRole, UseSrtp, Versions};
use crate::connection::Connection;
use crate::crypto::group::NamedGroup;
use crate::event::Event;
use crate::extension::use_srtp::srtp_profile;
use crate::failure::{Failure, Incompatible, Misbehaved, Refusal};
use crate::record::ContentType;
use crate::record::epoch::Epoch;
use crate::record::unified::{UnifiedHeader, is_unified};
use std::time::{Duration, Instant, SystemTime};

const MALFORMED: Failure = Failure::Peer(Misbehaved::Malformed);
const MISPLACED: Failure = Failure::Peer(Misbehaved::MisplacedExtension);
const UNSOLICITED: Failure = Failure::Peer(Misbehaved::UnsolicitedExtension);
const UNEXPECTED: Failure = Failure::Peer(Misbehaved::UnexpectedMessage);
const UNOFFERED: Failure = Failure::Peer(Misbehaved::SelectedUnoffered);
const UNOFFERED_SIGNATURE: Failure = Failure::Peer(Misbehaved::SignatureSchemeUnoffered);

/// A handshake message with its sequence number.
#[derive(Clone)]
struct Sent {
    kind: u8,
    sequence: u8,
    body: Vec<u8>,
}

/// A change of a flight.
type Change = fn(&mut Vec<Sent>);

/// Both require SRTP, and no message is fragmented.
fn pair() -> Pair {
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    let [client, server] =
        [(); 2].map(|()| Certificate::generate(today, Duration::from_secs(86_400)).unwrap());
    let now = Instant::now();
    let config = |own, peer| Config {
        mtu: 8000,
        groups: vec![NamedGroup::X25519],
        use_srtp: UseSrtp::Required(vec![srtp_profile::AEAD_AES_128_GCM]),
        ..config(Versions::Dtls13, own, by_fingerprint(peer))
    };
    Pair {
        now,
        client: Connection::client(now, config(&client, &server)).unwrap(),
        server: Connection::server(now, config(&server, &client)).unwrap(),
    }
}

fn datagrams(connection: &mut Connection) -> Vec<Vec<u8>> {
    let next = || {
        let mut datagram = Vec::new();
        connection.poll_transmit(&mut datagram).map(|_| datagram)
    };
    std::iter::from_fn(next).collect()
}

fn failure(connection: &mut Connection) -> Option<Failure> {
    std::iter::from_fn(|| connection.poll_event()).find_map(|event| match event {
        Event::Failed(failure) => Some(failure),
        _ => None,
    })
}

/// Delivers plaintext, and returns the protected messages.
fn intercepted(now: Instant, from: &mut Connection, to: &mut Connection) -> Vec<Sent> {
    let mut content = Vec::new();
    for mut datagram in datagrams(from) {
        let mut rest = datagram.as_mut_slice();
        while !rest.is_empty() {
            if is_unified(rest[0]) {
                let header = UnifiedHeader::read(rest).unwrap();
                let (record, after) = rest.split_at_mut(header.len + header.body_len);
                content.extend_from_slice(to.link.records.open_unified(header, record).unwrap().content);
                rest = after;
            } else {
                let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
                let (record, after) = rest.split_at_mut(len);
                to.handle_input(now, record);
                rest = after;
            }
        }
    }
    let mut sent = Vec::new();
    let mut rest = content.as_slice();
    while let [kind, a, b, c, 0, sequence, ..] = *rest {
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        sent.push(Sent { kind, sequence, body: rest[12..12 + len].to_vec() });
        rest = &rest[12 + len..];
    }
    sent
}

/// Returns all messages in one record.
fn record(from: &mut Connection, sent: &[Sent]) -> Vec<u8> {
    let mut content = Vec::new();
    for Sent { kind, sequence, body } in sent {
        let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        content.push(*kind);
        content.extend(length);
        content.extend([0, *sequence, 0, 0, 0]);
        content.extend(length);
        content.extend(body);
    }
    let mut record = Vec::new();
    from.link.records.write(Epoch::Handshake, ContentType::Handshake, &content, &mut record).unwrap();
    record
}

/// Runs a handshake up to the protected flight of the misbehaving side, which is not delivered.
fn until_flight_of(misbehaving: DtlsRole) -> (Pair, Vec<Sent>) {
    let mut pair = pair();
    pair.client.start(pair.now, None).unwrap();
    for mut datagram in datagrams(&mut pair.client) {
        pair.server.handle_input(pair.now, &mut datagram);
    }
    let sent = match misbehaving {
        DtlsRole::Server => intercepted(pair.now, &mut pair.server, &mut pair.client),
        DtlsRole::Client => {
            for mut datagram in datagrams(&mut pair.server) {
                pair.client.handle_input(pair.now, &mut datagram);
            }
            intercepted(pair.now, &mut pair.client, &mut pair.server)
        }
    };
    (pair, sent)
}

fn sides(pair: &mut Pair, misbehaving: DtlsRole) -> (&mut Connection, &mut Connection) {
    let Pair { client, server, .. } = pair;
    if misbehaving == DtlsRole::Client { (client, server) } else { (server, client) }
}

/// The other side fails on this record: with this reason, this one alert, and finally.
fn assert_ends(
    pair: &mut Pair,
    misbehaving: DtlsRole,
    change: &str,
    mut record: Vec<u8>,
    fault: Failure,
    told: u8,
) {
    let now = pair.now;
    let (misbehaving, victim) = sides(pair, misbehaving);
    victim.handle_input(now, &mut record);
    assert_eq!(failure(victim), Some(fault), "{change}");
    let mut alerts = datagrams(victim);
    assert_eq!(alerts.len(), 1, "{change}");
    misbehaving.handle_input(now, &mut alerts[0]);
    let Some(Failure::AlertReceived(alert)) = failure(misbehaving) else { panic!("{change}: no alert") };
    assert_eq!(alert.0, told, "{change}: {alert}");
    victim.handle_input(now, &mut record);
    victim.handle_timeout(now + Duration::from_secs(300));
    assert!(datagrams(victim).is_empty() && victim.poll_event().is_none(), "{change}");
    assert!(victim.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]).is_err(), "{change}");
}

fn assert_lies_end(misbehaving: DtlsRole, lies: &[(&str, Change, Failure, u8)]) {
    for (name, change, fault, told) in lies {
        let (mut pair, mut sent) = until_flight_of(misbehaving);
        change(&mut sent);
        let record = record(sides(&mut pair, misbehaving).0, &sent);
        assert_ends(&mut pair, misbehaving, name, record, *fault, *told);
    }
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), body].concat()
}

/// The extensions of EncryptedExtensions, and of a CertificateRequest behind its context.
fn extensions(list: &[Vec<u8>]) -> Vec<u8> {
    let list = list.concat();
    [&u16::try_from(list.len()).unwrap().to_be_bytes()[..], &list].concat()
}

/// A Certificate whose only entry has this extension.
fn with_entry_extension(certificate: &mut Sent, extension: &[u8]) {
    // The context, the length of the list, and of its only entry; the entry ends with its extensions.
    let body = &mut certificate.body;
    let len = body.len();
    body.truncate(len - 2);
    body.extend(u16::try_from(extension.len()).unwrap().to_be_bytes());
    body.extend(extension);
    let list = u32::try_from(body.len() - 4).unwrap().to_be_bytes();
    body[1..4].copy_from_slice(&list[1..]);
}

fn renumber(sent: &mut [Sent]) {
    let first = sent[0].sequence;
    for (sequence, each) in (first..).zip(sent) {
        each.sequence = sequence;
    }
}

/// Removes a message and renumbers the others.
fn leave_out(sent: &mut Vec<Sent>, index: usize) {
    let first = sent[0].sequence;
    sent.remove(index);
    sent[0].sequence = first;
    renumber(sent);
}

fn flip_last(sent: &mut Sent) {
    *sent.body.last_mut().unwrap() ^= 1;
}

#[test]
fn unchanged_flights_connect() {
    for misbehaving in [DtlsRole::Server, DtlsRole::Client] {
        let (mut pair, sent) = until_flight_of(misbehaving);
        let mut record = record(sides(&mut pair, misbehaving).0, &sent);
        let now = pair.now;
        sides(&mut pair, misbehaving).1.handle_input(now, &mut record);
        for connection in [&mut pair.client, &mut pair.server] {
            assert!(connection.is_connected() || misbehaving == DtlsRole::Server);
        }
    }
}

#[test]
fn invalid_server_messages_before_the_certificate_fail() {
    let unoffered = |failure| Failure::NoOverlap(failure);
    assert_lies_end(
        DtlsRole::Server,
        &[
            ("no extensions at all", |sent| sent[0].body.clear(), MALFORMED, 50),
            ("a list that is longer than it is", |sent| sent[0].body = vec![0, 9], MALFORMED, 50),
            (
                "an unknown extension",
                |sent| sent[0].body = extensions(&[extension(0xfafa, &[])]),
                UNSOLICITED,
                110,
            ),
            (
                "a protocol that was not asked for",
                |sent| sent[0].body = extensions(&[extension(16, b"\x00\x03\x02h3")]),
                UNSOLICITED,
                110,
            ),
            (
                "a key share among what is encrypted",
                |sent| sent[0].body = extensions(&[extension(51, &[0, 29])]),
                MISPLACED,
                47,
            ),
            (
                "an extended master secret in 1.3",
                |sent| sent[0].body = extensions(&[extension(23, &[])]),
                MISPLACED,
                47,
            ),
            (
                "groups, and no SRTP",
                |sent| sent[0].body = extensions(&[extension(10, &[0, 2, 0, 29])]),
                unoffered(Incompatible::SrtpProfile),
                40,
            ),
            (
                "an SRTP profile that was not offered",
                |sent| sent[0].body = extensions(&[extension(14, &[0, 2, 0, 1, 0])]),
                UNOFFERED,
                47,
            ),
            (
                "two SRTP profiles",
                |sent| sent[0].body = extensions(&[extension(14, &[0, 4, 0, 7, 0, 7, 0])]),
                UNOFFERED,
                47,
            ),
            (
                "no SRTP profile",
                |sent| sent[0].body = extensions(&[extension(14, &[0, 0, 0])]),
                MALFORMED,
                50,
            ),
            (
                "a key identifier for SRTP",
                |sent| sent[0].body = extensions(&[extension(14, &[0, 2, 0, 7, 1, 9])]),
                Failure::Peer(Misbehaved::UnexpectedMki),
                47,
            ),
            (
                "a request without signature algorithms",
                |sent| sent[1].body = [vec![0], extensions(&[])].concat(),
                Failure::Peer(Misbehaved::MissingExtension),
                109,
            ),
            (
                "a request with a context",
                |sent| sent[1].body.splice(0..1, [1, 7]).for_each(drop),
                MALFORMED,
                50,
            ),
            (
                "a request with a cookie",
                |sent| {
                    let list = [extension(13, &[0, 2, 4, 3]), extension(44, &[0, 1, 7])];
                    sent[1].body = [vec![0], extensions(&list)].concat();
                },
                MISPLACED,
                47,
            ),
            (
                "two requests",
                |sent| {
                    sent.insert(1, sent[1].clone());
                    renumber(sent);
                },
                UNEXPECTED,
                10,
            ),
        ],
    );
}

//= rfc9147bis-4.5.2-content-is-the-peers
#[test]
fn invalid_server_authentication_fails() {
    assert_lies_end(
        DtlsRole::Server,
        &[
            (
                "no certificate",
                |sent| sent[2].body = vec![0, 0, 0, 0],
                Failure::Refused(Refusal::NoCertificate),
                50,
            ),
            ("half of a certificate", |sent| sent[2].body.truncate(90), MALFORMED, 50),
            (
                "another certificate",
                |sent| sent[2].body[100] ^= 1,
                Failure::Refused(Refusal::FingerprintMismatch),
                42,
            ),
            (
                "a certificate with a status that was not asked for",
                |sent| with_entry_extension(&mut sent[2], &extension(5, &[1, 0, 0, 0])),
                UNSOLICITED,
                110,
            ),
            (
                "a certificate with an SRTP profile",
                |sent| with_entry_extension(&mut sent[2], &extension(14, &[0, 2, 0, 7, 0])),
                MISPLACED,
                47,
            ),
            (
                "a signature by PKCS#1 v1.5",
                |sent| sent[3].body[..2].copy_from_slice(&[4, 1]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature by another curve",
                |sent| sent[3].body[..2].copy_from_slice(&[5, 3]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature of something else",
                |sent| flip_last(&mut sent[3]),
                Failure::Peer(Misbehaved::BadSignature),
                51,
            ),
            ("half of a signature", |sent| sent[3].body.truncate(9), MALFORMED, 50),
            (
                "a Finished of another handshake",
                |sent| flip_last(&mut sent[4]),
                Failure::Peer(Misbehaved::BadFinished),
                51,
            ),
            ("no signature", |sent| leave_out(sent, 3), UNEXPECTED, 10),
            (
                "no proof at all",
                |sent| {
                    sent.drain(2..4);
                    renumber(sent);
                },
                UNEXPECTED,
                10,
            ),
            ("no extensions", |sent| leave_out(sent, 0), UNEXPECTED, 10),
            ("a KeyUpdate before the end", |sent| sent[4].kind = 24, UNEXPECTED, 10),
            ("a ticket before the end", |sent| sent[4].kind = 4, UNEXPECTED, 10),
            ("another hello", |sent| sent[0].kind = 2, UNEXPECTED, 10),
        ],
    );
}

#[test]
fn invalid_client_flight_fails() {
    assert_lies_end(
        DtlsRole::Client,
        &[
            (
                "no certificate",
                |sent| sent[0].body = vec![0, 0, 0, 0],
                Failure::Refused(Refusal::NoCertificate),
                116,
            ),
            ("half of a certificate", |sent| sent[0].body.truncate(90), MALFORMED, 50),
            (
                "another certificate",
                |sent| sent[0].body[100] ^= 1,
                Failure::Refused(Refusal::FingerprintMismatch),
                42,
            ),
            (
                "a certificate with a status that was not asked for",
                |sent| with_entry_extension(&mut sent[0], &extension(5, &[1, 0, 0, 0])),
                UNSOLICITED,
                110,
            ),
            (
                "a signature by PKCS#1 v1.5",
                |sent| sent[1].body[..2].copy_from_slice(&[4, 1]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature of something else",
                |sent| flip_last(&mut sent[1]),
                Failure::Peer(Misbehaved::BadSignature),
                51,
            ),
            (
                "a Finished of another handshake",
                |sent| flip_last(&mut sent[2]),
                Failure::Peer(Misbehaved::BadFinished),
                51,
            ),
            ("no signature", |sent| leave_out(sent, 1), UNEXPECTED, 10),
            ("nothing but a Finished", |sent| leave_out(sent, 0), UNEXPECTED, 10),
            ("another ClientHello", |sent| sent[0].kind = 1, UNEXPECTED, 10),
            ("a KeyUpdate before the end", |sent| sent[2].kind = 24, UNEXPECTED, 10),
        ],
    );
}

//= rfc9147bis-4.5.2-content-is-the-peers
#[test]
fn invalid_handshake_record_fails() {
    for misbehaving in [DtlsRole::Server, DtlsRole::Client] {
        for (name, content_type, content) in [
            ("data", ContentType::ApplicationData, &b"early"[..]),
            ("a ChangeCipherSpec", ContentType::ChangeCipherSpec, &[1]),
            ("no message", ContentType::Handshake, &[]),
            ("no alert", ContentType::Alert, &[]),
        ] {
            let (mut pair, _) = until_flight_of(misbehaving);
            let mut record = Vec::new();
            let (from, _) = sides(&mut pair, misbehaving);
            from.link.records.write(Epoch::Handshake, content_type, content, &mut record).unwrap();
            assert_ends(&mut pair, misbehaving, name, record, UNEXPECTED, 10);
        }
    }
}

#[test]
fn message_behind_the_finished_in_its_record_fails() {
    for misbehaving in [DtlsRole::Server, DtlsRole::Client] {
        let (mut pair, mut sent) = until_flight_of(misbehaving);
        let sequence = sent.last().unwrap().sequence + 1;
        sent.push(Sent { kind: 24, sequence, body: vec![0] });
        let now = pair.now;
        let (from, to) = sides(&mut pair, misbehaving);
        to.handle_input(now, &mut record(from, &sent));
        assert_eq!(failure(to), Some(UNEXPECTED));
    }
}
