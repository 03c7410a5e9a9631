//! AES in Galois/counter mode (RFC 7714 sections 8 and 9), by ring, or by aws-lc-rs, which has the same interface.

#[cfg(feature = "aws-lc-rs")]
use aws_lc_rs as backend;
#[cfg(not(feature = "aws-lc-rs"))]
use ring as backend;

use backend::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};
use backend::error::Unspecified;
use srtp_keys::AesGcmKeys;
use zeroize::Zeroizing;

use super::{PacketId, TooLong};
use crate::Discard;

/// A key with its salt. The salt is zeroized on drop; ring does not zeroize its key objects.
pub(crate) struct AesGcm {
    key: LessSafeKey,
    /// The 96-bit salt.
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
        reason = "the types of the callers fix the length, and no other error exists"
    )]
    fn new(algorithm: &'static Algorithm, key: &[u8], salt: &[u8; 12]) -> Self {
        let key = UnboundKey::new(algorithm, key).expect("the key has the length of the algorithm");
        let mut padded = Zeroizing::new([0; 16]);
        for (to, from) in padded.iter_mut().skip(4).zip(salt) {
            *to = *from;
        }
        Self { key: LessSafeKey::new(key), salt: Zeroizing::new(u128::from_be_bytes(*padded)) }
    }

    /// Encrypts in place and returns the tag.
    #[inline]
    pub(crate) fn seal(&self, id: PacketId, header: &[u8], payload: &mut [u8]) -> Result<Tag, TooLong> {
        self.key
            .seal_in_place_separate_tag(self.nonce(id), Aad::from(header), payload)
            .map_err(|_: Unspecified| TooLong)
    }

    /// Decrypts in place; `sealed` ends with the tag. A failure overwrites it.
    #[inline]
    pub(crate) fn open(&self, id: PacketId, header: &[u8], sealed: &mut [u8]) -> Result<(), Discard> {
        match self.key.open_in_place(self.nonce(id), Aad::from(header), sealed) {
            Ok(_) => Ok(()),
            Err(Unspecified) => Err(Discard::Unauthenticated),
        }
    }

    /// Two zero bytes, the SSRC and the 48-bit index, XORed with the salt: sections 8.1 and 9.1 are one formula.
    #[inline]
    fn nonce(&self, id: PacketId) -> Nonce {
        let block = *self.salt ^ (u128::from(id.ssrc) << 48 | u128::from(id.index));
        let [_, _, _, _, nonce @ ..] = block.to_be_bytes();
        Nonce::assume_unique_for_key(nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: &[u8] =
        b"\x80\x40\xf1\x7b\x80\x41\xf8\xd3\x55\x01\xa0\xb2Gallia est omnis divisa in partes tres";
    const RTCP: &[u8] = b"\x81\xc8\x00\x0d\x4d\x61\x72\x73\x4e\x54\x50\x31\x4e\x54\x50\x32\x52\x54\x50\x20\
        \x00\x00\x04\x2a\x00\x00\xe9\x30\x4c\x75\x6e\x61\xde\xad\xbe\xef\xde\xad\xbe\xef\xde\xad\xbe\xef\
        \xde\xad\xbe\xef\xde\xad\xbe\xef\x00\x00\x05\xd4";

    fn keys<const N: usize>() -> AesGcmKeys<N> {
        AesGcmKeys {
            encryption: Zeroizing::new(std::array::from_fn(|i| u8::try_from(i).unwrap())),
            salt: Zeroizing::new(*b"Quid pro quo"),
        }
    }

    // Contexts never authenticate without encryption, so only this test checks these vectors.
    #[test]
    fn tags_without_encryption_match_rfc_7714() {
        let (aes_128, aes_256) = (AesGcm::aes_128(&keys()), AesGcm::aes_256(&keys()));
        let rtp = PacketId { ssrc: 0x5501_a0b2, index: 0xf17b };
        let rtcp = PacketId { ssrc: 0x4d61_7273, index: 0x5d4 };
        for (section, cipher, id, data, expected) in [
            ("16.1.3", &aes_128, rtp, RTP, 0x2249_3f82_d2bc_e397_e9d7_9e3b_19aa_4216_u128),
            ("16.2.3", &aes_256, rtp, RTP, 0xa866_d591_0f88_7463_067c_eefe_c452_15d4),
            ("17.3", &aes_128, rtcp, RTCP, 0x841d_d968_3dd7_8ec9_2ae5_8790_125f_62b3),
            ("17.4", &aes_256, rtcp, RTCP, 0x91db_4afb_feee_5a97_8fab_4393_ed26_15fe),
        ] {
            let tag = cipher.seal(id, data, &mut []).unwrap();
            assert_eq!(tag.as_ref(), expected.to_be_bytes(), "section {section}");
            assert_eq!(cipher.open(id, data, &mut expected.to_be_bytes()), Ok(()), "section {section}");
        }
    }
}
