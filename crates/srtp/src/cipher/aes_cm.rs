//! AES in counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2.1).

use aes::Aes128Enc;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipherCore};
use ctr::{CtrCore, flavors::Ctr32BE};
use srtp_keys::AesCmKeys;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::{HmacSha1, PacketId};
use crate::Discard;

/// The keys, scheduled once; erased when dropped.
pub(crate) struct AesCm {
    aes: Aes128Enc,
    /// 112 bits, times 2^16.
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

    pub(crate) fn tag_len(&self) -> usize {
        self.tag_len
    }

    /// Encrypts or decrypts. The block counter has 16 bits, so `bytes` must be shorter than 2^20.
    pub(crate) fn apply_keystream(&self, id: PacketId, bytes: &mut [u8]) {
        let iv = *self.salt ^ (u128::from(id.ssrc) << 64) ^ (u128::from(id.index) << 16);
        let iv = iv.to_be_bytes();
        CtrCore::<_, Ctr32BE>::inner_iv_init(&self.aes, &iv.into()).apply_keystream_partial(bytes.into());
    }

    /// The whole tag, before it is cut to [`Self::tag_len`], over the packet and what is authenticated after it.
    pub(crate) fn tag(&self, packet: &[u8], trailer: [u8; 4]) -> [u8; 20] {
        self.mac.tag(packet, trailer)
    }

    pub(crate) fn verify(&self, packet: &[u8], trailer: [u8; 4], tag: &[u8]) -> Result<(), Discard> {
        let expected = self.tag(packet, trailer);
        let expected = expected.get(..self.tag_len).ok_or(Discard::Malformed)?;
        if bool::from(expected.ct_eq(tag)) { Ok(()) } else { Err(Discard::Unauthenticated) }
    }
}
