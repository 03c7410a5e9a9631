//! DTLS 1.2: flights with wrong content, and the alert for each fault.

use crate::world::{
    Action, Side, World, client_config, config, fingerprint, identities, message_record, messages, records,
};
use dtls_core::{Config, Failure, Fingerprint, HashAlgorithm, Incompatible, Misbehaved, PeerPolicy, Refusal};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

const SERVER_KEY_EXCHANGE: u8 = 12;
const CERTIFICATE_VERIFY: u8 = 15;
const CLIENT_KEY_EXCHANGE: u8 = 16;

/// Replaces the body of one message in a flight by another one of the same length.
fn changed_flight(sender: Side, kind: u8, change: impl Fn(&mut [u8])) -> World {
    let index = if sender == Side::Server { 1 } else { 2 };
    let mut world = World::new()
        .network(move |packet| if packet.index == index { Action::Drop } else { Action::Deliver })
        .started();
    world.run_until(|world| world.sent.len() > index);
    let mut flight = world.sent[index].bytes.clone();
    let message = messages(&flight).into_iter().find(|message| message[0] == kind).unwrap().to_vec();
    let at = flight.windows(message.len()).position(|window| window == message).unwrap();
    change(&mut flight[at..at + message.len()][12..]);
    world.inject(sender.other(), &flight);
    world
}

#[track_caller]
fn assert_refuses(world: &World, side: Side, failure: Failure, alert: u8) {
    assert_eq!(world.failure(side), Some(failure), "{}", world.trace());
    let sent = world.sent.iter().filter(|packet| packet.from == side);
    let records = sent.flat_map(|packet| records(&packet.bytes));
    let alerts: Vec<_> = records.filter(|record| record.0 == 21).map(|record| record.3).collect();
    assert_eq!(alerts, [[2, alert]], "{}", world.trace());
}

#[test]
fn signature_of_other_content_is_a_decrypt_error() {
    for (sender, kind) in [(Side::Server, SERVER_KEY_EXCHANGE), (Side::Client, CERTIFICATE_VERIFY)] {
        let world = changed_flight(sender, kind, |body| *body.last_mut().unwrap() ^= 1);
        assert_refuses(&world, sender.other(), Failure::Peer(Misbehaved::BadSignature), 51);
    }
    // Another share than the signed one.
    let world = changed_flight(Side::Server, SERVER_KEY_EXCHANGE, |body| body[9] ^= 1);
    assert_refuses(&world, Side::Client, Failure::Peer(Misbehaved::BadSignature), 51);
}

#[test]
fn unoffered_signature_scheme_is_illegal() {
    // ECDSA with SHA-1; RSA with a key of another kind.
    for scheme in [[2, 3], [8, 4]] {
        // The parameters of an X25519 share precede a server's signature.
        for (sender, kind, at) in
            [(Side::Server, SERVER_KEY_EXCHANGE, 36), (Side::Client, CERTIFICATE_VERIFY, 0)]
        {
            let world = changed_flight(sender, kind, |body| body[at..at + 2].copy_from_slice(&scheme));
            assert_refuses(&world, sender.other(), Failure::Peer(Misbehaved::SignatureSchemeUnoffered), 47);
        }
    }
}

#[test]
fn share_of_zeros_is_illegal() {
    let world = changed_flight(Side::Client, CLIENT_KEY_EXCHANGE, |body| body[1..].fill(0));
    assert_refuses(&world, Side::Server, Failure::Peer(Misbehaved::InvalidKeyShare), 47);
}

/// A client of a server with this certificate, which selected this suite.
fn shown(suite: u16, certificate: &[u8]) -> World {
    let announced = Fingerprint::of(HashAlgorithm::Sha256, certificate);
    let client = config(&identities().client, PeerPolicy::Fingerprints(vec![announced]));
    let mut world = World::with(client, client_config()).network(|_| Action::Drop).started();
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([7; 32]);
    hello.push(0);
    hello.extend(suite.to_be_bytes());
    hello.extend([0, 0, 4, 0, 23, 0, 0]);
    let u24 = |len: usize| u32::try_from(len).unwrap().to_be_bytes()[1..].to_vec();
    let chain = [u24(certificate.len() + 3), u24(certificate.len()), certificate.to_vec()].concat();
    world.inject(Side::Client, &message_record(2, 0, &hello));
    world.inject(Side::Client, &message_record(11, 1, &chain));
    world
}

fn der(pem: &str) -> Vec<u8> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec()
}

#[test]
fn unusable_certificate_is_refused_with_its_reason() {
    let ecdsa = identities().server.chain().next().unwrap().to_vec();
    let unsupported = Failure::NoOverlap(Incompatible::CertificateKey);
    for (why, suite, certificate, failure, alert) in [
        ("P-521", 0xc02b, der(include_str!("p521.pem")), unsupported, 43),
        ("RSA of 1024 bits", 0xc02f, der(include_str!("rsa1024.pem")), unsupported, 43),
        ("ECDSA where RSA was chosen", 0xc02f, ecdsa.clone(), unsupported, 43),
        ("RSA where ECDSA was chosen", 0xc02b, der(include_str!("rsa.pem")), unsupported, 43),
        (
            "no certificate",
            0xc02b,
            b"no certificate".to_vec(),
            Failure::Peer(Misbehaved::UnreadableCertificate),
            42,
        ),
        ("half of one", 0xc02b, ecdsa[..150].to_vec(), Failure::Peer(Misbehaved::UnreadableCertificate), 42),
    ] {
        let world = shown(suite, &certificate);
        assert_eq!(world.failure(Side::Client), Some(failure), "{why}");
        assert_refuses(&world, Side::Client, failure, alert);
    }
    // The client waits for a server with a correct selection and certificate.
    assert_eq!(shown(0xc02b, &ecdsa).failure(Side::Client), None);
}

#[test]
fn server_without_certificate_is_refused() {
    let peer = PeerPolicy::Fingerprints(vec![fingerprint(&identities().server)]);
    let client: Config = config(&identities().client, peer);
    let mut world = World::with(client, client_config()).network(|_| Action::Drop).started();
    let mut hello = vec![0xfe, 0xfd];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x2b, 0, 0, 4, 0, 23, 0, 0]);
    world.inject(Side::Client, &message_record(2, 0, &hello));
    world.inject(Side::Client, &message_record(11, 1, &[0, 0, 0]));
    assert_refuses(&world, Side::Client, Failure::Refused(Refusal::NoCertificate), 40);
}
