//! The operations that every handshake and record needs, with the primitives of our backend.

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use ring::aead::quic::{AES_128, HeaderProtectionKey};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey as VerifyingKey,
};

use super::fixture::Version;
use super::{BATCH, DATA, HANDSHAKES};
use crate::measure::Subject;
use crate::report::BARE;

/// A message as long as the one that a CertificateVerify of DTLS 1.3 signs.
const SIGNED: [u8; 130] = [0x5a; 130];

/// The public-key operations of a handshake, of both sides.
pub(super) fn public_keys() -> Subject<'static> {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("a key pair");
    let signer = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).expect("a key pair");
    let work = move || {
        let start = Instant::now();
        for _side in 0..2 * HANDSHAKES {
            let private = EphemeralPrivateKey::generate(&X25519, &random).expect("a key");
            let public = UnparsedPublicKey::new(&X25519, private.compute_public_key().expect("a public key"));
            black_box(agree_ephemeral(private, &public, <[u8]>::len).expect("a shared secret"));
            let signature = signer.sign(&random, &SIGNED).expect("a signature");
            VerifyingKey::new(&ECDSA_P256_SHA256_ASN1, signer.public_key())
                .verify(&SIGNED, signature.as_ref())
                .expect("a signature that verifies");
        }
        start.elapsed()
    };
    Subject { name: BARE, operations: HANDSHAKES, work: Box::new(work) }
}

/// The subject's name in the rows.
const CONTRACT: &str = "contract";

/// Copies, seals and opens, each of them once, in one aligned buffer, with constant additional data.
pub(super) fn seal_and_open() -> Subject<'static> {
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

/// The same, with all copies that the interface of a `Connection` requires, in the simplest form and without state.
/// Sent data is copied behind a header into our buffer, and from there into the caller's. Opened data is copied into a
/// `Bytes`. DTLS 1.3 also seals the content type, which needs one block more here, and masks the record number and
/// unmasks it again.
pub(super) fn contract(version: Version) -> Subject<'static> {
    let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &[7; 16]).expect("a key of 16 bytes"));
    let numbers = HeaderProtectionKey::new(&AES_128, &[9; 16]).expect("a key of 16 bytes");
    let (header, aad, content_type): (&[u8], &[u8], &[u8]) = match version {
        // With the explicit part of the nonce.
        Version::Dtls12 => (&[1; 13 + 8], &[1; 13], &[]),
        Version::Dtls13 => (&[1; 5], &[1; 5], &[23]),
    };
    let hide_number = move |record: &mut [u8]| {
        if version == Version::Dtls13 {
            let mask = numbers.new_mask(&record[header.len()..][..16]).expect("a sample of 16 bytes");
            record[1..].iter_mut().zip(&mask[..2]).for_each(|(byte, mask)| *byte ^= mask);
        }
    };
    let mut record = Vec::with_capacity(1_500);
    let mut datagram = Vec::with_capacity(1_500);
    let mut arena = BytesMut::new();
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            let nonce = || Nonce::assume_unique_for_key([1; 12]);
            record.clear();
            record.extend_from_slice(black_box(header));
            record.extend_from_slice(black_box(&DATA));
            record.extend_from_slice(content_type);
            let tag = key.seal_in_place_separate_tag(nonce(), Aad::from(aad), &mut record[header.len()..]);
            record.extend_from_slice(tag.expect("a record that fits").as_ref());
            hide_number(&mut record);
            datagram.clear();
            datagram.extend_from_slice(black_box(&record));
            hide_number(&mut datagram);
            let opened = key.open_in_place(nonce(), Aad::from(aad), &mut datagram[header.len()..]);
            let opened = opened.expect("an authentic record");
            arena.reserve(DATA.len());
            arena.extend_from_slice(&opened[..DATA.len()]);
            black_box(arena.split().freeze());
        }
        start.elapsed()
    };
    Subject { name: CONTRACT, operations: BATCH, work: Box::new(work) }
}
