//! DTLS: what a handshake costs both sides together, and what a datagram of application data costs.
//!
//! Handshake: client and server with ECDSA P-256 certificates of their own authenticate each other by
//! fingerprint over X25519, and both are connected. Certificates and configurations are made once, as an
//! application does. "bare" is what no such handshake can do without: for each side one key generation, one key
//! agreement, one signature and one verification.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dtls_core::{Authentication, Certificate, Config, Connection, Event, HashAlgorithm, PeerPolicy};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey as VerifyingKey,
};

use crate::allocations;
use crate::measure::{Effort, Subject, contest};
use crate::report::{BARE, OURS, Report};

/// What ours may take compared with the public-key operations alone: hashes, key schedule, records, messages.
const TO_BARE: f64 = 1.25;

/// Allocations of both sides together; dimpl 0.9 makes 227.
const MOST_ALLOCATIONS: u64 = 227;

/// Datagrams of application data per turn.
const BATCH: u32 = 64;
const DATA: [u8; 1_100] = [0x5a; 1_100];

pub(crate) fn run(effort: Effort, report: &mut Report) {
    let cast = Cast::new();
    // A handshake takes about as long as a turn of the other suites.
    let effort = Effort { rounds: effort.rounds.div_ceil(4) };
    let outcome = contest(effort, || vec![handshakes(&cast), public_keys()]);
    report.contest("DTLS 1.2 handshake, both sides", &outcome, Some(TO_BARE), None);
    let count = allocations::during(|| {
        black_box(cast.handshake());
    });
    report.exact("DTLS 1.2 handshake, both sides".to_owned(), count, "allocs", MOST_ALLOCATIONS);

    let outcome = contest(effort, || vec![data(&cast), seal_and_open()]);
    report.contest(&format!("DTLS 1.2 data of {} B, sent and received", DATA.len()), &outcome, None, None);
}

/// Two sides that know each other's fingerprint.
struct Cast {
    client: Arc<Config>,
    server: Arc<Config>,
}

impl Cast {
    fn new() -> Self {
        let month = Duration::from_secs(30 * 24 * 3_600);
        let certificate = || Certificate::generate(SystemTime::now(), month).expect("a certificate");
        let (client, server) = (certificate(), certificate());
        let config = |own: &Certificate, peer: &Certificate| {
            Arc::new(Config {
                authentication: Authentication::Certificates {
                    own: vec![own.clone()],
                    peer: PeerPolicy::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]),
                    require_peer: true,
                },
                ..Config::default()
            })
        };
        Self { client: config(&client, &server), server: config(&server, &client) }
    }

    /// Both sides, connected.
    fn handshake(&self) -> (Connection, Connection) {
        let now = Instant::now();
        let mut client = Connection::client(now, self.client.clone()).expect("a client");
        let mut server = Connection::server(now, self.server.clone()).expect("a server");
        client.start(now, None).expect("a start");
        server.start(now, None).expect("a start");
        let mut datagram = Vec::with_capacity(1_500);
        while !(client.is_connected() && server.is_connected()) {
            pass(now, &mut client, &mut server, &mut datagram);
            pass(now, &mut server, &mut client, &mut datagram);
        }
        (client, server)
    }
}

/// Hands over everything that `from` has to send.
fn pass(now: Instant, from: &mut Connection, to: &mut Connection, datagram: &mut Vec<u8>) {
    datagram.clear();
    while from.poll_transmit(datagram).is_some() {
        to.handle_input(now, datagram);
        datagram.clear();
    }
}

fn handshakes(cast: &Cast) -> Subject<'_> {
    let work = || {
        let start = Instant::now();
        black_box(cast.handshake());
        start.elapsed()
    };
    Subject { name: OURS, operations: 1, work: Box::new(work) }
}

fn public_keys() -> Subject<'static> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key pair");
    let signer = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key pair");
    let work = move || {
        let start = Instant::now();
        for _side in 0..2 {
            let private = EphemeralPrivateKey::generate(&X25519, &random).expect("a key");
            let public = UnparsedPublicKey::new(&X25519, private.compute_public_key().expect("a public key"));
            black_box(agree_ephemeral(private, &public, <[u8]>::len).expect("a shared secret"));
            let signature = signer.sign(&random, &DATA).expect("a signature");
            VerifyingKey::new(&ECDSA_P256_SHA256_ASN1, signer.public_key())
                .verify(&DATA, signature.as_ref())
                .expect("a signature that verifies");
        }
        start.elapsed()
    };
    Subject { name: BARE, operations: 1, work: Box::new(work) }
}

fn data(cast: &Cast) -> Subject<'static> {
    let (mut client, mut server) = cast.handshake();
    while server.poll_event().is_some() {}
    let mut datagram = Vec::with_capacity(1_500);
    let now = Instant::now();
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            datagram.clear();
            client.send(now, black_box(&DATA)).expect("data that fits");
            assert!(client.poll_transmit(&mut datagram).is_some(), "a datagram");
            server.handle_input(now, &mut datagram);
            let received = std::iter::from_fn(|| server.poll_event())
                .any(|event| matches!(event, Event::Data(data) if data.len() == DATA.len()));
            assert!(received, "the data of this datagram");
        }
        start.elapsed()
    };
    Subject { name: OURS, operations: BATCH, work: Box::new(work) }
}

fn seal_and_open() -> Subject<'static> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).expect("a key of 16 bytes"));
    let mut record = Vec::with_capacity(1_500);
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            let nonce = || Nonce::assume_unique_for_key([1; 12]);
            record.clear();
            record.extend_from_slice(black_box(&DATA));
            key.seal_in_place_append_tag(nonce(), Aad::from([0; 13]), &mut record)
                .expect("a record that fits");
            black_box(
                key.open_in_place(nonce(), Aad::from([0; 13]), &mut record).expect("an authentic record"),
            );
        }
        start.elapsed()
    };
    Subject { name: BARE, operations: BATCH, work: Box::new(work) }
}
