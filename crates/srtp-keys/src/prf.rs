//! The AES-CM pseudo-random function (RFC 3711 section 4.3.3; with AES-256, RFC 6188 section 3).
//!
//! Knows keys, a salt and labels. Does not know the use of the output.

use aes::cipher::{BlockCipherEncrypt, InnerIvInit, KeyInit, StreamCipherCore, consts::U16};
use aes::{Aes128Enc, Aes256Enc};
use ctr::{CtrCore, flavors::Ctr128BE};
use zeroize::Zeroizing;

/// The label of a derived value (RFC 3711 sections 4.3.1 and 4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) u8);

impl Label {
    pub(crate) const RTP_ENCRYPTION: Self = Self(0x00);
    pub(crate) const RTP_AUTHENTICATION: Self = Self(0x01);
    pub(crate) const RTP_SALT: Self = Self(0x02);
    pub(crate) const RTCP_ENCRYPTION: Self = Self(0x03);
    pub(crate) const RTCP_AUTHENTICATION: Self = Self(0x04);
    pub(crate) const RTCP_SALT: Self = Self(0x05);
    /// The label of the check value. No RFC uses it, so the value reveals nothing of any key.
    pub(crate) const CHECK_VALUE: Self = Self(0xff);
}

/// PRF_n(k_master, x) for one master key and master salt, with an index of 0 (a key derivation rate of 0).
pub(crate) struct Prf {
    cipher: Cipher,
    /// The master salt times 2^16: the content of the counter block without the label.
    salt: Zeroizing<u128>,
}

impl Prf {
    /// `salt` is a master salt of 14 bytes, or of 12 bytes followed by zeros: RFC 7714 section 11 uses the function of
    /// RFC 3711, and every implementation aligns the shorter salt to the left.
    pub(crate) fn aes_128(key: &[u8; 16], salt: &[u8; 14]) -> Self {
        Self { cipher: Cipher::Aes128(Aes128Enc::new(key.into())), salt: counter_block(salt) }
    }

    /// Like [`Self::aes_128`].
    pub(crate) fn aes_256(key: &[u8; 32], salt: &[u8; 14]) -> Self {
        Self { cipher: Cipher::Aes256(Aes256Enc::new(key.into())), salt: counter_block(salt) }
    }

    /// Returns the first `N` bytes for `label`.
    pub(crate) fn derive<const N: usize>(&self, label: Label) -> Zeroizing<[u8; N]> {
        // The label is above the 48 bits of the index and the 16 bits of the block counter.
        let iv = (*self.salt ^ (u128::from(label.0) << 64)).to_be_bytes();
        let mut out = Zeroizing::new([0; N]);
        match &self.cipher {
            Cipher::Aes128(aes) => write_keystream(aes, iv, out.as_mut_slice()),
            Cipher::Aes256(aes) => write_keystream(aes, iv, out.as_mut_slice()),
        }
        out
    }
}

#[expect(clippy::large_enum_variant, reason = "it is on the stack during a key derivation")]
enum Cipher {
    Aes128(Aes128Enc),
    Aes256(Aes256Enc),
}

fn write_keystream<C: BlockCipherEncrypt<BlockSize = U16>>(cipher: &C, iv: [u8; 16], zeros: &mut [u8]) {
    CtrCore::<_, Ctr128BE>::inner_iv_init(cipher, &iv.into()).apply_keystream_partial(zeros.into());
}

fn counter_block(salt: &[u8; 14]) -> Zeroizing<u128> {
    let mut block = Zeroizing::new([0; 16]);
    for (to, from) in block.iter_mut().zip(salt) {
        *to = *from;
    }
    Zeroizing::new(u128::from_be_bytes(*block))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_vectors::hex;

    #[test]
    fn aes_128_keys_match_rfc_3711_appendix_b_3() {
        let prf =
            Prf::aes_128(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"), &hex("0EC675AD498AFEEBB6960B3AABE6"));
        assert_eq!(*prf.derive::<16>(Label::RTP_ENCRYPTION), hex("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(*prf.derive::<14>(Label::RTP_SALT), hex("30CBBC08863D8C85D49DB34A9AE1"));
        assert_eq!(
            *prf.derive::<94>(Label::RTP_AUTHENTICATION),
            hex("CEBE321F6FF7716B6FD4AB49AF256A15\
                 6D38BAA48F0A0ACF3C34E2359E6CDBCE\
                 E049646C43D9327AD175578EF7227098\
                 6371C10C9A369AC2F94A8C5FBCDDDC25\
                 6D6E919A48B610EF17C2041E47403576\
                 6B68642C59BBFC2F34DB60DBDFB2"),
        );
    }

    #[test]
    fn aes_256_keys_match_rfc_6188_section_7_2() {
        let prf = Prf::aes_256(
            &hex("f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"),
            &hex("3b04803de51ee7c96423ab5b78d2"),
        );
        assert_eq!(
            *prf.derive::<32>(Label::RTP_ENCRYPTION),
            hex("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"),
        );
        assert_eq!(*prf.derive::<14>(Label::RTP_SALT), hex("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(
            *prf.derive::<20>(Label::RTP_AUTHENTICATION),
            hex("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"),
        );
    }
}
