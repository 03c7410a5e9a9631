//! One direction's record key: built once, used in place.
//!
//! Knows nonces. Knows nothing about records beyond the number that makes a nonce unique.

use crate::crypto::backend::aead;
use crate::crypto::suite::{NonceForm, SuiteParameters};

/// Every AEAD of ours has the same tag length.
pub(crate) const TAG_LEN: usize = 16;
/// What a record carries of its nonce where the form is explicit.
pub(crate) const EXPLICIT_NONCE_LEN: usize = 8;

/// A key with the fixed part of its nonces.
pub(crate) struct RecordKey {
    key: aead::LessSafeKey,
    form: NonceForm,
    /// Under [`NonceForm::Explicit`] only the first four bytes count.
    fixed: [u8; aead::NONCE_LEN],
}

impl RecordKey {
    /// How many bytes of the key block the fixed part takes.
    pub(crate) const fn fixed_len(form: NonceForm) -> usize {
        match form {
            NonceForm::Explicit => aead::NONCE_LEN - EXPLICIT_NONCE_LEN,
            NonceForm::Implicit => aead::NONCE_LEN,
        }
    }

    /// `None` where the key has not the length that the suite asks for.
    pub(crate) fn new(suite: &SuiteParameters, key: &[u8], fixed_part: &[u8]) -> Option<Self> {
        let mut fixed = [0; aead::NONCE_LEN];
        fixed.get_mut(..Self::fixed_len(suite.nonce))?.copy_from_slice(fixed_part);
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(suite.aead, key).ok()?);
        Some(Self { key, form: suite.nonce, fixed })
    }

    /// A key whose nonces are wholly implicit, as all are in DTLS 1.3.
    pub(crate) fn implicit(
        algorithm: &'static aead::Algorithm,
        key: &[u8],
        fixed: [u8; aead::NONCE_LEN],
    ) -> Option<Self> {
        let key = aead::LessSafeKey::new(aead::UnboundKey::new(algorithm, key).ok()?);
        Some(Self { key, form: NonceForm::Implicit, fixed })
    }

    pub(crate) const fn form(&self) -> NonceForm {
        self.form
    }

    /// Bytes that protection adds to a record beyond its header.
    pub(crate) const fn overhead(&self) -> usize {
        match self.form {
            NonceForm::Explicit => EXPLICIT_NONCE_LEN + TAG_LEN,
            NonceForm::Implicit => TAG_LEN,
        }
    }

    /// Seals in place and returns the tag. `number` must never repeat under one key.
    pub(crate) fn seal(&self, number: [u8; 8], aad: &[u8], in_out: &mut [u8]) -> Option<aead::Tag> {
        self.key.seal_in_place_separate_tag(self.nonce(number), aead::Aad::from(aad), in_out).ok()
    }

    /// Opens in place. `None` where it does not authenticate; the bytes are destroyed then.
    pub(crate) fn open<'a>(&self, number: [u8; 8], aad: &[u8], in_out: &'a mut [u8]) -> Option<&'a mut [u8]> {
        self.key.open_in_place(self.nonce(number), aead::Aad::from(aad), in_out).ok()
    }

    fn nonce(&self, number: [u8; 8]) -> aead::Nonce {
        let mut nonce = self.fixed;
        // The last eight bytes are zero under the explicit form, so that combining is setting.
        nonce.iter_mut().rev().zip(number.iter().rev()).for_each(|(slot, byte)| *slot ^= byte);
        aead::Nonce::assume_unique_for_key(nonce)
    }
}
