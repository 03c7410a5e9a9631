//! The record key of one direction: built once, used in place.
//!
//! Knows nonces. Does not know records, except the number that makes a nonce unique.

use crate::crypto::backend::aead;
use crate::crypto::suite::{Aead, NonceForm, SuiteParameters};
use aes::Aes128;
use ccm::Ccm;
use ccm::aead::{AeadInOut as _, KeyInit as _};
use ccm::consts::{U8, U12};

/// No supported AEAD has a longer tag.
pub(crate) const MAX_TAG_LEN: usize = 16;
/// The part of the nonce in a record, for the explicit form.
pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;

const NONCE_LEN: usize = 12;
const CCM_8_TAG_LEN: usize = 8;
type Ccm8 = Ccm<Aes128, U8, U12>;

#[cfg_attr(
    not(feature = "aws-lc-rs"),
    expect(clippy::large_enum_variant, reason = "almost every key is the large variant")
)]
enum Key {
    Backend(aead::LessSafeKey),
    /// Boxed, because its key schedule is larger still.
    Ccm8(Box<Ccm8>),
}

/// A key with the fixed part of its nonces.
pub(crate) struct RecordKey {
    key: Key,
    form: NonceForm,
    /// With [`NonceForm::Explicit`] only the first four bytes are used.
    fixed: [u8; NONCE_LEN],
}

/// The authentication tag of a record.
pub(crate) enum Tag {
    Backend(aead::Tag),
    Ccm8([u8; CCM_8_TAG_LEN]),
}

impl AsRef<[u8]> for Tag {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Backend(tag) => tag.as_ref(),
            Self::Ccm8(tag) => tag,
        }
    }
}

impl RecordKey {
    /// Returns the length of the fixed part in the key block.
    pub(crate) const fn fixed_len(form: NonceForm) -> usize {
        match form {
            NonceForm::Explicit => NONCE_LEN - EXPLICIT_NONCE_LEN,
            NonceForm::Implicit => NONCE_LEN,
        }
    }

    /// Returns `None` if the key does not have the length of the suite.
    pub(crate) fn new(suite: &SuiteParameters, key: &[u8], fixed_part: &[u8]) -> Option<Self> {
        let mut fixed = [0; NONCE_LEN];
        fixed.get_mut(..Self::fixed_len(suite.nonce))?.copy_from_slice(fixed_part);
        let key = match suite.aead {
            Aead::Backend(algorithm) => {
                Key::Backend(aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).ok()?))
            }
            Aead::Aes128Ccm8 => Key::Ccm8(Box::new(Ccm8::new_from_slice(key).ok()?)),
        };
        Some(Self { key, form: suite.nonce, fixed })
    }

    /// Returns a key with implicit nonces, as all keys of DTLS 1.3 have.
    pub(crate) fn implicit(
        algorithm: &'static aead::Algorithm,
        key: &[u8],
        fixed: [u8; aead::NONCE_LEN],
    ) -> Option<Self> {
        let key = Key::Backend(aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).ok()?));
        Some(Self { key, form: NonceForm::Implicit, fixed })
    }

    pub(crate) const fn form(&self) -> NonceForm {
        self.form
    }

    pub(crate) const fn tag_len(&self) -> usize {
        match self.key {
            Key::Backend(_) => MAX_TAG_LEN,
            Key::Ccm8(_) => CCM_8_TAG_LEN,
        }
    }

    /// Returns the bytes that protection adds to a record in addition to its header.
    pub(crate) const fn overhead(&self) -> usize {
        match self.form {
            NonceForm::Explicit => EXPLICIT_NONCE_LEN + self.tag_len(),
            NonceForm::Implicit => self.tag_len(),
        }
    }

    /// Encrypts in place and returns the tag. `number` must be unique for the key.
    pub(crate) fn seal(&self, number: [u8; 8], aad: &[u8], in_out: &mut [u8]) -> Option<Tag> {
        let nonce = self.nonce(number);
        match &self.key {
            Key::Backend(key) => {
                let nonce = aead::Nonce::assume_unique_for_key(nonce);
                key.seal_in_place_separate_tag(nonce, aead::Aad::from(aad), in_out).ok().map(Tag::Backend)
            }
            Key::Ccm8(key) => key
                .encrypt_inout_detached(&nonce.into(), aad, in_out.into())
                .ok()
                .map(|tag| Tag::Ccm8(tag.into())),
        }
    }

    /// Decrypts in place; the input ends with its tag. Returns `None` if it does not authenticate; the bytes are
    /// overwritten then.
    pub(crate) fn open<'a>(&self, number: [u8; 8], aad: &[u8], in_out: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let nonce = self.nonce(number);
        match &self.key {
            Key::Backend(key) => {
                let nonce = aead::Nonce::assume_unique_for_key(nonce);
                key.open_in_place(nonce, aead::Aad::from(aad), in_out).ok()
            }
            Key::Ccm8(key) => {
                let (content, tag) = in_out.split_last_chunk_mut::<CCM_8_TAG_LEN>()?;
                let tag = (*tag).into();
                key.decrypt_inout_detached(&nonce.into(), aad, (&mut *content).into(), &tag).ok()?;
                Some(content)
            }
        }
    }

    fn nonce(&self, number: [u8; 8]) -> [u8; NONCE_LEN] {
        // In the explicit form the last eight bytes are zero, so that XOR sets them.
        let mut nonce = self.fixed;
        if let Some((_, last)) = nonce.split_last_chunk_mut() {
            *last = (u64::from_ne_bytes(*last) ^ u64::from_ne_bytes(number)).to_ne_bytes();
        }
        nonce
    }
}
