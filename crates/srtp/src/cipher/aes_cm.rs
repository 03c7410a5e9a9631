//! AES in counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ctr::{CtrCore, flavors::Ctr32BE};
use srtp_keys::AesCmKeys;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{HmacSha1, PacketId};
use crate::Discard;

/// The expanded keys; zeroized on drop.
pub(crate) struct AesCm {
    aes: Aes128Enc,
    /// The 112-bit salt times 2^16.
    salt: Zeroizing<u128>,
    mac: HmacSha1,
    tag_len: usize,
}

impl AesCm {
    pub(crate) fn new(keys: &AesCmKeys, tag_len: usize) -> Self {
        let mut padded = Zeroizing::new([0; 16]);
        for (to, from) in padded.iter_mut().zip(keys.salt.iter()) {
            *to = *from;
        }
        Self {
            aes: Aes128Enc::new((&*keys.encryption).into()),
            salt: Zeroizing::new(u128::from_be_bytes(*padded)),
            mac: HmacSha1::new(&keys.authentication),
            tag_len,
        }
    }

    #[inline]
    pub(crate) fn tag_len(&self) -> usize {
        self.tag_len
    }

    /// Encrypts or decrypts. The block counter has 16 bits, so `bytes` must be shorter than 2^20.
    #[inline]
    pub(crate) fn apply_keystream(&self, id: PacketId, bytes: &mut [u8]) {
        let iv = *self.salt ^ (u128::from(id.ssrc) << 64) ^ (u128::from(id.index) << 16);
        let iv = iv.to_be_bytes();
        CtrCore::<_, Ctr32BE>::inner_iv_init(&self.aes, &iv.into()).apply_keystream_partial(bytes.into());
    }

    /// Returns the full tag over the packet and `trailer`, before it is truncated to [`Self::tag_len`].
    #[inline]
    pub(crate) fn tag(&self, packet: &[u8], trailer: [u8; 4]) -> [u8; 20] {
        self.mac.tag(packet, trailer)
    }

    #[inline]
    pub(crate) fn verify(&self, packet: &[u8], trailer: [u8; 4], tag: &[u8]) -> Result<(), Discard> {
        let expected = self.tag(packet, trailer);
        let expected = expected.get(..self.tag_len).ok_or(Discard::Malformed)?;
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(Discard::Unauthenticated) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keystream_matches_rfc_3711_appendix_b_2() {
        let cipher = AesCm::new(
            &AesCmKeys {
                encryption: Zeroizing::new(0x2B7E_1516_28AE_D2A6_ABF7_1588_09CF_4F3C_u128.to_be_bytes()),
                authentication: Zeroizing::new([0; 20]),
                salt: Zeroizing::new([
                    0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD,
                ]),
            },
            10,
        );
        let mut keystream = vec![0; 1_044_512];
        cipher.apply_keystream(PacketId { ssrc: 0, index: 0 }, &mut keystream);
        let (blocks, rest) = keystream.as_chunks::<16>();
        assert!(rest.is_empty());
        for (counter, expected) in [
            (0x0000, 0xE03E_AD09_35C9_5E80_E166_B16D_D92B_4EB4_u128),
            (0x0001, 0xD235_1316_2B02_D0F7_2A43_A2FE_4A5F_97AB),
            (0x0002, 0x41E9_5B3B_B0A2_E8DD_4779_01E4_FCA8_94C0),
            (0xFEFF, 0xEC8C_DF73_9860_7CB0_F2D2_1675_EA9E_A1E4),
            (0xFF00, 0x362B_7C3C_6773_5163_18A0_77D7_FC50_73AE),
            (0xFF01, 0x6A2C_C378_7889_374F_BEB4_C81B_17BA_6C44),
        ] {
            assert_eq!(u128::from_be_bytes(blocks[counter]), expected, "block {counter:#x}");
        }
    }

    #[test]
    fn ssrc_and_index_are_placed_as_in_rfc_3711() {
        let cipher = |salt: [u8; 14]| {
            AesCm::new(
                &AesCmKeys {
                    encryption: Zeroizing::new([7; 16]),
                    authentication: Zeroizing::new([0; 20]),
                    salt: Zeroizing::new(salt),
                },
                10,
            )
        };
        let mut by_id = [0; 32];
        cipher([0; 14]).apply_keystream(PacketId { ssrc: 0x0102_0304, index: 0x0506_0708_090a }, &mut by_id);
        let mut by_salt = [0; 32];
        cipher([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
            .apply_keystream(PacketId { ssrc: 0, index: 0 }, &mut by_salt);
        assert_eq!(by_id, by_salt);
    }
}
