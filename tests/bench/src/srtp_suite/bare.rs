//! The primitives with cached keys, without header, streams and replay window.
//!
//! The keys are those of the association, so that packets which our code sealed open here as well; otherwise opening
//! would measure failures.

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit, KeyInit as _, StreamCipherCore};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use hmac::{Hmac, Mac};
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha1::Sha1;
use srtp_keys::{DtlsRole, KeyingMaterial, Profile, TransformKeys};

use super::{SSRC, exported, fanning_out, header, protecting, unprotecting};
use crate::measure::Subject;
use crate::report::BARE;

#[expect(clippy::large_enum_variant, reason = "as our contexts hold their ciphers")]
enum Primitives {
    AesCm { aes: Aes128Enc, mac: Hmac<Sha1>, salt: u128 },
    AesGcm { key: LessSafeKey, salt: u128 },
}

impl Primitives {
    fn new(profile: Profile, association: u16) -> Self {
        let material = KeyingMaterial::new(profile, &exported(profile, association))
            .expect("as many bytes as the profile takes");
        match material.split(DtlsRole::Client).outbound.session_keys().rtp() {
            TransformKeys::AesCm(keys) => {
                let mut salt = [0; 16];
                salt[..14].copy_from_slice(&*keys.salt);
                Self::AesCm {
                    aes: Aes128Enc::new((&*keys.encryption).into()),
                    mac: Hmac::new_from_slice(&*keys.authentication).expect("a key of any length"),
                    salt: u128::from_be_bytes(salt),
                }
            }
            TransformKeys::AesGcm128(keys) => {
                let mut salt = [0; 16];
                salt[4..].copy_from_slice(&*keys.salt);
                let key = UnboundKey::new(&AES_128_GCM, &*keys.encryption).expect("a key of 16 bytes");
                Self::AesGcm { key: LessSafeKey::new(key), salt: u128::from_be_bytes(salt) }
            }
            TransformKeys::AesGcm256(_) => unreachable!("AES-256 is not among what is measured"),
        }
    }
}

/// The rollover counter, which the primitives must be given: it rises when the sequence number wraps around.
#[derive(Default)]
struct Index {
    rollover_counter: u32,
    begun: bool,
}

impl Index {
    fn of(&mut self, sequence_number: u16) -> (u128, u32) {
        if sequence_number == 0 && self.begun {
            self.rollover_counter += 1;
        }
        self.begun = true;
        (u128::from(self.rollover_counter) << 16 | u128::from(sequence_number), self.rollover_counter)
    }
}

fn keystream(aes: &Aes128Enc, salt: u128, index: u128, bytes: &mut [u8]) {
    let iv = (salt ^ (u128::from(SSRC) << 64) ^ (index << 16)).to_be_bytes();
    CtrCore::<_, Ctr128BE>::inner_iv_init(aes, &iv.into()).apply_keystream_partial(bytes.into());
}

fn nonce(salt: u128, index: u128) -> Nonce {
    let block = (salt ^ (u128::from(SSRC) << 48 | index)).to_be_bytes();
    Nonce::try_assume_unique_for_key(&block[4..]).expect("12 bytes")
}

pub(super) fn protect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let primitives = Primitives::new(profile, 0);
    let mut index = Index::default();
    protecting(BARE, payload, move |sequence_number, payload, out| {
        seal(&primitives, &mut index, sequence_number, payload, out);
    })
}

pub(super) fn fan_out(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let new = |association| (Primitives::new(profile, association), Index::default());
    fanning_out(BARE, payload, new, |(primitives, index), sequence_number, payload, out| {
        seal(primitives, index, sequence_number, payload, out);
    })
}

fn seal(primitives: &Primitives, index: &mut Index, sequence_number: u16, payload: &[u8], out: &mut Vec<u8>) {
    let (index, rollover_counter) = index.of(sequence_number);
    let start = out.len();
    out.extend_from_slice(&header(sequence_number));
    out.extend_from_slice(payload);
    let packet = &mut out[start..];
    match primitives {
        Primitives::AesCm { aes, mac, salt } => {
            keystream(aes, *salt, index, &mut packet[12..]);
            let mut mac = mac.clone();
            mac.update(packet);
            mac.update(&rollover_counter.to_be_bytes());
            out.extend_from_slice(&mac.finalize().into_bytes()[..10]);
        }
        Primitives::AesGcm { key, salt } => {
            let (header, payload) = packet.split_at_mut(12);
            let tag = key
                .seal_in_place_separate_tag(nonce(*salt, index), Aad::from(header), payload)
                .expect("a payload that can be sealed");
            out.extend_from_slice(tag.as_ref());
        }
    }
}

pub(super) fn unprotect(profile: Profile, payload: &[u8]) -> Subject<'_> {
    let primitives = Primitives::new(profile, 0);
    let mut index = Index::default();
    unprotecting(BARE, profile, payload, move |sequence_number, packet| {
        let (index, rollover_counter) = index.of(sequence_number);
        match &primitives {
            Primitives::AesCm { aes, mac, salt } => {
                let (packet, tag) = packet.split_at_mut(packet.len() - 10);
                let mut mac = mac.clone();
                mac.update(packet);
                mac.update(&rollover_counter.to_be_bytes());
                mac.verify_truncated_left(tag).expect("an authentic packet");
                keystream(aes, *salt, index, &mut packet[12..]);
            }
            Primitives::AesGcm { key, salt } => {
                let (header, sealed) = packet.split_at_mut(12);
                key.open_in_place(nonce(*salt, index), Aad::from(header), sealed)
                    .expect("an authentic packet");
            }
        }
    })
}
