//! What a peer may not say in a handshake of DTLS 1.3 under its keys, and the alert that each fault is told by: tests
//! only. Real flights are opened on their way, changed, and sealed again by the side that sent them.

use super::Connection;
use super::false_peer::{Pair, by_fingerprint, config};
use crate::certificate::Certificate;
use crate::config::{Config, DtlsRole, UseSrtp, Versions};
use crate::crypto::group::NamedGroup;
use crate::event::Event;
use crate::extension::use_srtp::srtp_profile;
use crate::failure::{Failure, Incompatible, Misbehaved, Refusal};
use crate::record::ContentType;
use crate::record::protect::Epoch;
use crate::record::unified::{UnifiedHeader, is_unified};
use std::time::{Duration, Instant, SystemTime};

const MALFORMED: Failure = Failure::Peer(Misbehaved::Malformed);
const MISPLACED: Failure = Failure::Peer(Misbehaved::MisplacedExtension);
const UNSOLICITED: Failure = Failure::Peer(Misbehaved::UnsolicitedExtension);
const UNEXPECTED: Failure = Failure::Peer(Misbehaved::UnexpectedMessage);
const UNOFFERED: Failure = Failure::Peer(Misbehaved::SelectedUnoffered);
const UNOFFERED_SIGNATURE: Failure = Failure::Peer(Misbehaved::SignatureSchemeUnoffered);

/// A handshake message with the number that it has.
#[derive(Clone)]
struct Said {
    kind: u8,
    sequence: u8,
    body: Vec<u8>,
}

/// What a liar makes of a flight.
type Lie = fn(&mut Vec<Said>);

/// Both require SRTP, and nothing of theirs is cut.
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

/// Delivers what is plaintext, and returns the messages that are not.
fn intercepted(now: Instant, from: &mut Connection, to: &mut Connection) -> Vec<Said> {
    let mut content = Vec::new();
    for mut datagram in datagrams(from) {
        let mut rest = datagram.as_mut_slice();
        while !rest.is_empty() {
            if is_unified(rest[0]) {
                let header = UnifiedHeader::read(rest).unwrap();
                let (record, after) = rest.split_at_mut(header.len + header.body_len);
                content.extend_from_slice(to.records.open_unified(header, record).unwrap().content);
                rest = after;
            } else {
                let len = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
                let (record, after) = rest.split_at_mut(len);
                to.handle_input(now, record);
                rest = after;
            }
        }
    }
    let mut said = Vec::new();
    let mut rest = content.as_slice();
    while let [kind, a, b, c, 0, sequence, ..] = *rest {
        let len = usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap();
        said.push(Said { kind, sequence, body: rest[12..12 + len].to_vec() });
        rest = &rest[12 + len..];
    }
    said
}

/// All of it in one record.
fn record(from: &mut Connection, said: &[Said]) -> Vec<u8> {
    let mut content = Vec::new();
    for Said { kind, sequence, body } in said {
        let [_, length @ ..] = u32::try_from(body.len()).unwrap().to_be_bytes();
        content.push(*kind);
        content.extend(length);
        content.extend([0, *sequence, 0, 0, 0]);
        content.extend(length);
        content.extend(body);
    }
    let mut record = Vec::new();
    from.records.write(Epoch::Handshake, ContentType::Handshake, &content, &mut record).unwrap();
    record
}

/// A handshake up to the protected flight of the liar, which nobody has received.
fn until_flight_of(liar: DtlsRole) -> (Pair, Vec<Said>) {
    let mut pair = pair();
    pair.client.start(pair.now, None).unwrap();
    for mut datagram in datagrams(&mut pair.client) {
        pair.server.handle_input(pair.now, &mut datagram);
    }
    let said = match liar {
        DtlsRole::Server => intercepted(pair.now, &mut pair.server, &mut pair.client),
        DtlsRole::Client => {
            for mut datagram in datagrams(&mut pair.server) {
                pair.client.handle_input(pair.now, &mut datagram);
            }
            intercepted(pair.now, &mut pair.client, &mut pair.server)
        }
    };
    (pair, said)
}

fn sides(pair: &mut Pair, liar: DtlsRole) -> (&mut Connection, &mut Connection) {
    let Pair { client, server, .. } = pair;
    if liar == DtlsRole::Client { (client, server) } else { (server, client) }
}

/// The other side ends over what this record says: for this reason, with this one alert, and for good.
fn assert_ends(pair: &mut Pair, liar: DtlsRole, lie: &str, mut record: Vec<u8>, fault: Failure, told: u8) {
    let now = pair.now;
    let (liar, victim) = sides(pair, liar);
    victim.handle_input(now, &mut record);
    assert_eq!(failure(victim), Some(fault), "{lie}");
    let mut alerts = datagrams(victim);
    assert_eq!(alerts.len(), 1, "{lie}");
    liar.handle_input(now, &mut alerts[0]);
    let Some(Failure::AlertReceived(alert)) = failure(liar) else { panic!("{lie}: nothing was told") };
    assert_eq!(alert.0, told, "{lie}: {alert}");
    victim.handle_input(now, &mut record);
    victim.handle_timeout(now + Duration::from_secs(300));
    assert!(datagrams(victim).is_empty() && victim.poll_event().is_none(), "{lie}");
    assert!(victim.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]).is_err(), "{lie}");
}

fn assert_lies_end(liar: DtlsRole, lies: &[(&str, Lie, Failure, u8)]) {
    for (name, lie, fault, told) in lies {
        let (mut pair, mut said) = until_flight_of(liar);
        lie(&mut said);
        let record = record(sides(&mut pair, liar).0, &said);
        assert_ends(&mut pair, liar, name, record, *fault, *told);
    }
}

fn extension(number: u16, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).unwrap();
    [&number.to_be_bytes()[..], &len.to_be_bytes(), body].concat()
}

/// EncryptedExtensions, and CertificateRequest behind its context.
fn extensions(list: &[Vec<u8>]) -> Vec<u8> {
    let list = list.concat();
    [&u16::try_from(list.len()).unwrap().to_be_bytes()[..], &list].concat()
}

/// A Certificate whose one entry has this extension.
fn with_entry_extension(certificate: &mut Said, extension: &[u8]) {
    // The context, the length of the list, and of its one entry; the entry ends with its extensions.
    let body = &mut certificate.body;
    let len = body.len();
    body.truncate(len - 2);
    body.extend(u16::try_from(extension.len()).unwrap().to_be_bytes());
    body.extend(extension);
    let list = u32::try_from(body.len() - 4).unwrap().to_be_bytes();
    body[1..4].copy_from_slice(&list[1..]);
}

fn renumber(said: &mut [Said]) {
    let first = said[0].sequence;
    for (sequence, each) in (first..).zip(said) {
        each.sequence = sequence;
    }
}

/// Takes one away, and nobody can see that by the numbers.
fn leave_out(said: &mut Vec<Said>, index: usize) {
    let first = said[0].sequence;
    said.remove(index);
    said[0].sequence = first;
    renumber(said);
}

fn flip_last(said: &mut Said) {
    *said.body.last_mut().unwrap() ^= 1;
}

#[test]
fn flights_that_nobody_changed_connect_both() {
    for liar in [DtlsRole::Server, DtlsRole::Client] {
        let (mut pair, said) = until_flight_of(liar);
        let mut record = record(sides(&mut pair, liar).0, &said);
        let now = pair.now;
        sides(&mut pair, liar).1.handle_input(now, &mut record);
        for connection in [&mut pair.client, &mut pair.server] {
            assert!(connection.is_connected() || liar == DtlsRole::Server);
        }
    }
}

#[test]
fn what_a_server_may_not_say_before_its_certificate() {
    let unoffered = |failure| Failure::NoOverlap(failure);
    assert_lies_end(
        DtlsRole::Server,
        &[
            ("no extensions at all", |said| said[0].body.clear(), MALFORMED, 50),
            ("a list that is longer than it is", |said| said[0].body = vec![0, 9], MALFORMED, 50),
            (
                "an extension that nobody knows",
                |said| said[0].body = extensions(&[extension(0xfafa, &[])]),
                UNSOLICITED,
                110,
            ),
            (
                "a protocol that was not asked for",
                |said| said[0].body = extensions(&[extension(16, b"\x00\x03\x02h3")]),
                UNSOLICITED,
                110,
            ),
            (
                "a key share among what is encrypted",
                |said| said[0].body = extensions(&[extension(51, &[0, 29])]),
                MISPLACED,
                47,
            ),
            (
                "an extended master secret in 1.3",
                |said| said[0].body = extensions(&[extension(23, &[])]),
                MISPLACED,
                47,
            ),
            (
                "groups, and no SRTP",
                |said| said[0].body = extensions(&[extension(10, &[0, 2, 0, 29])]),
                unoffered(Incompatible::SrtpProfile),
                40,
            ),
            (
                "an SRTP profile that was not offered",
                |said| said[0].body = extensions(&[extension(14, &[0, 2, 0, 1, 0])]),
                UNOFFERED,
                47,
            ),
            (
                "two SRTP profiles",
                |said| said[0].body = extensions(&[extension(14, &[0, 4, 0, 7, 0, 7, 0])]),
                UNOFFERED,
                47,
            ),
            (
                "no SRTP profile",
                |said| said[0].body = extensions(&[extension(14, &[0, 0, 0])]),
                MALFORMED,
                50,
            ),
            (
                "a key identifier for SRTP",
                |said| said[0].body = extensions(&[extension(14, &[0, 2, 0, 7, 1, 9])]),
                Failure::Peer(Misbehaved::UnexpectedMki),
                47,
            ),
            (
                "a request without signature algorithms",
                |said| said[1].body = [vec![0], extensions(&[])].concat(),
                Failure::Peer(Misbehaved::MissingExtension),
                109,
            ),
            (
                "a request with a context",
                |said| said[1].body.splice(0..1, [1, 7]).for_each(drop),
                MALFORMED,
                50,
            ),
            (
                "a request with a cookie",
                |said| {
                    let list = [extension(13, &[0, 2, 4, 3]), extension(44, &[0, 1, 7])];
                    said[1].body = [vec![0], extensions(&list)].concat();
                },
                MISPLACED,
                47,
            ),
            (
                "two requests",
                |said| {
                    said.insert(1, said[1].clone());
                    renumber(said);
                },
                UNEXPECTED,
                10,
            ),
        ],
    );
}

//= rfc9147bis-4.5.2-content-is-the-peers
#[test]
fn what_a_server_may_not_say_of_itself() {
    assert_lies_end(
        DtlsRole::Server,
        &[
            (
                "no certificate",
                |said| said[2].body = vec![0, 0, 0, 0],
                Failure::Refused(Refusal::NoCertificate),
                50,
            ),
            ("half of a certificate", |said| said[2].body.truncate(90), MALFORMED, 50),
            (
                "another certificate",
                |said| said[2].body[100] ^= 1,
                Failure::Refused(Refusal::FingerprintMismatch),
                42,
            ),
            (
                "a certificate with a status that was not asked for",
                |said| with_entry_extension(&mut said[2], &extension(5, &[1, 0, 0, 0])),
                UNSOLICITED,
                110,
            ),
            (
                "a certificate with an SRTP profile",
                |said| with_entry_extension(&mut said[2], &extension(14, &[0, 2, 0, 7, 0])),
                MISPLACED,
                47,
            ),
            (
                "a signature by PKCS#1 v1.5",
                |said| said[3].body[..2].copy_from_slice(&[4, 1]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature by another curve",
                |said| said[3].body[..2].copy_from_slice(&[5, 3]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature of something else",
                |said| flip_last(&mut said[3]),
                Failure::Peer(Misbehaved::BadSignature),
                51,
            ),
            ("half of a signature", |said| said[3].body.truncate(9), MALFORMED, 50),
            (
                "a Finished of another handshake",
                |said| flip_last(&mut said[4]),
                Failure::Peer(Misbehaved::BadFinished),
                51,
            ),
            ("no signature", |said| leave_out(said, 3), UNEXPECTED, 10),
            (
                "no proof at all",
                |said| {
                    said.drain(2..4);
                    renumber(said);
                },
                UNEXPECTED,
                10,
            ),
            ("no extensions", |said| leave_out(said, 0), UNEXPECTED, 10),
            ("a KeyUpdate before the end", |said| said[4].kind = 24, UNEXPECTED, 10),
            ("a ticket before the end", |said| said[4].kind = 4, UNEXPECTED, 10),
            ("another hello", |said| said[0].kind = 2, UNEXPECTED, 10),
        ],
    );
}

#[test]
fn what_a_client_may_not_say() {
    assert_lies_end(
        DtlsRole::Client,
        &[
            (
                "no certificate",
                |said| said[0].body = vec![0, 0, 0, 0],
                Failure::Refused(Refusal::NoCertificate),
                116,
            ),
            ("half of a certificate", |said| said[0].body.truncate(90), MALFORMED, 50),
            (
                "another certificate",
                |said| said[0].body[100] ^= 1,
                Failure::Refused(Refusal::FingerprintMismatch),
                42,
            ),
            (
                "a certificate with a status that was not asked for",
                |said| with_entry_extension(&mut said[0], &extension(5, &[1, 0, 0, 0])),
                UNSOLICITED,
                110,
            ),
            (
                "a signature by PKCS#1 v1.5",
                |said| said[1].body[..2].copy_from_slice(&[4, 1]),
                UNOFFERED_SIGNATURE,
                47,
            ),
            (
                "a signature of something else",
                |said| flip_last(&mut said[1]),
                Failure::Peer(Misbehaved::BadSignature),
                51,
            ),
            (
                "a Finished of another handshake",
                |said| flip_last(&mut said[2]),
                Failure::Peer(Misbehaved::BadFinished),
                51,
            ),
            ("no signature", |said| leave_out(said, 1), UNEXPECTED, 10),
            ("nothing but a Finished", |said| leave_out(said, 0), UNEXPECTED, 10),
            ("another ClientHello", |said| said[0].kind = 1, UNEXPECTED, 10),
            ("a KeyUpdate before the end", |said| said[2].kind = 24, UNEXPECTED, 10),
        ],
    );
}

//= rfc9147bis-4.5.2-content-is-the-peers
#[test]
fn what_no_record_of_the_handshake_holds() {
    for liar in [DtlsRole::Server, DtlsRole::Client] {
        for (name, content_type, content) in [
            ("data", ContentType::ApplicationData, &b"early"[..]),
            ("a ChangeCipherSpec", ContentType::ChangeCipherSpec, &[1]),
            ("no message", ContentType::Handshake, &[]),
            ("no alert", ContentType::Alert, &[]),
        ] {
            let (mut pair, _) = until_flight_of(liar);
            let mut record = Vec::new();
            let (from, _) = sides(&mut pair, liar);
            from.records.write(Epoch::Handshake, content_type, content, &mut record).unwrap();
            assert_ends(&mut pair, liar, name, record, UNEXPECTED, 10);
        }
    }
}

#[test]
fn a_message_behind_the_finished_has_a_record_of_its_own() {
    for liar in [DtlsRole::Server, DtlsRole::Client] {
        let (mut pair, mut said) = until_flight_of(liar);
        let sequence = said.last().unwrap().sequence + 1;
        said.push(Said { kind: 24, sequence, body: vec![0] });
        let now = pair.now;
        let (from, to) = sides(&mut pair, liar);
        to.handle_input(now, &mut record(from, &said));
        assert_eq!(failure(to), Some(UNEXPECTED));
    }
}
