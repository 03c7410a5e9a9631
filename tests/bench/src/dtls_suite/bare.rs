//! What nobody can do without, with the primitives of our backend.

use std::hint::black_box;
use std::time::Instant;

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{EphemeralPrivateKey, UnparsedPublicKey, X25519, agree_ephemeral};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey as VerifyingKey,
};

use super::{BATCH, DATA, HANDSHAKES};
use crate::measure::Subject;
use crate::report::BARE;

/// What is signed: as long as what a CertificateVerify of DTLS 1.3 signs.
const SIGNED: [u8; 130] = [0x5a; 130];

/// A handshake's operations with public keys, of both sides.
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

/// Copies, seals and opens.
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
