//! AES in Galois/counter mode (RFC 7714 sections 8 and 9), by ring.

use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};
use srtp_keys::AesGcmKeys;
use zeroize::Zeroizing;

use super::{PacketId, TooLong};
use crate::Discard;

/// A key with its salt. The salt is erased when dropped; ring does not erase its key objects.
pub(crate) struct AesGcm {
    key: LessSafeKey,
    /// 96 bits.
    salt: Zeroizing<u128>,
}

impl AesGcm {
    pub(crate) const TAG_LEN: usize = 16;

    pub(crate) fn aes_128(keys: &AesGcmKeys<16>) -> Self {
        Self::new(&AES_128_GCM, &*keys.encryption, &keys.salt)
    }

    pub(crate) fn aes_256(keys: &AesGcmKeys<32>) -> Self {
        Self::new(&AES_256_GCM, &*keys.encryption, &keys.salt)
    }

    #[expect(
        clippy::expect_used,
        reason = "the callers' types fix the length, which is all that can be wrong"
    )]
    fn new(algorithm: &'static Algorithm, key: &[u8], salt: &[u8; 12]) -> Self {
        let key = UnboundKey::new(algorithm, key).expect("a key of the algorithm's length");
        let mut padded = Zeroizing::new([0; 16]);
        for (to, from) in padded.iter_mut().skip(4).zip(salt) {
            *to = *from;
        }
        Self { key: LessSafeKey::new(key), salt: Zeroizing::new(u128::from_be_bytes(*padded)) }
    }

    /// Encrypts in place and returns the tag.
    pub(crate) fn seal(&self, id: PacketId, header: &[u8], payload: &mut [u8]) -> Result<Tag, TooLong> {
        self.key
            .seal_in_place_separate_tag(self.nonce(id), Aad::from(header), payload)
            .map_err(|_: ring::error::Unspecified| TooLong)
    }

    /// Decrypts in place what ends in its tag. A failure overwrites it.
    pub(crate) fn open(&self, id: PacketId, header: &[u8], sealed: &mut [u8]) -> Result<(), Discard> {
        match self.key.open_in_place(self.nonce(id), Aad::from(header), sealed) {
            Ok(_) => Ok(()),
            Err(ring::error::Unspecified) => Err(Discard::Unauthenticated),
        }
    }

    /// Two zero bytes, the SSRC and the index in 48 bits, under the salt: sections 8.1 and 9.1 are one formula.
    fn nonce(&self, id: PacketId) -> Nonce {
        let block = *self.salt ^ (u128::from(id.ssrc) << 48 | u128::from(id.index));
        let [_, _, _, _, nonce @ ..] = block.to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }
}
