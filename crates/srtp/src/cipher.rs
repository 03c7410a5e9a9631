//! The transforms of the profiles.
//!
//! A transform gets the end of the header and the identity of the packet. It does not know streams, windows or
//! lifetimes, and does not change a discarded packet, except where [`Cipher::wipes`] says so.

mod aes_cm;
mod aes_gcm;
mod hmac_sha1;

pub(crate) use aes_cm::AesCm;
pub(crate) use aes_gcm::AesGcm;
pub(crate) use hmac_sha1::HmacSha1;

use srtp_keys::{Profile, TransformKeys};

use crate::Discard;
use crate::index::Index;
use crate::rtcp::{EncryptedIndex, RtcpHeader};

/// The identity of a packet with one key. No two packets may have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PacketId {
    pub(crate) ssrc: u32,
    /// 48 bits for RTP, 31 for RTCP.
    pub(crate) index: u64,
}

/// The transform of one direction of RTP, or of RTCP.
#[expect(
    clippy::large_enum_variant,
    reason = "a context has two, and a box would cost every packet an indirection"
)]
pub(crate) enum Cipher {
    AesCm(AesCm),
    AesGcm(AesGcm),
}

/// The packet exceeds the maximum length of the cipher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Cipher {
    pub(crate) fn rtp(profile: Profile, keys: &TransformKeys) -> Self {
        Self::new(keys, profile.rtp_tag_len())
    }

    pub(crate) fn rtcp(profile: Profile, keys: &TransformKeys) -> Self {
        Self::new(keys, profile.rtcp_tag_len())
    }

    fn new(keys: &TransformKeys, tag_len: usize) -> Self {
        match keys {
            TransformKeys::AesCm(keys) => Self::AesCm(AesCm::new(keys, tag_len)),
            TransformKeys::AesGcm128(keys) => Self::AesGcm(AesGcm::aes_128(keys)),
            TransformKeys::AesGcm256(keys) => Self::AesGcm(AesGcm::aes_256(keys)),
        }
    }

    /// Returns the length of the tag in bytes.
    #[inline]
    pub(crate) fn tag_len(&self) -> usize {
        match self {
            Self::AesCm(cipher) => cipher.tag_len(),
            Self::AesGcm(_) => AesGcm::TAG_LEN,
        }
    }

    /// Returns whether a packet that fails to authenticate is overwritten.
    #[inline]
    pub(crate) fn wipes(&self) -> bool {
        match self {
            Self::AesCm(_) => false,
            Self::AesGcm(_) => true,
        }
    }

    /// Encrypts the packet at `out[start..]` behind its header and appends the tag.
    #[inline]
    pub(crate) fn seal_rtp(
        &self,
        ssrc: u32,
        index: Index,
        out: &mut Vec<u8>,
        start: usize,
        header_len: usize,
    ) -> Result<(), TooLong> {
        let id = PacketId { ssrc, index: index.number() };
        let packet = out.get_mut(start..).ok_or(TooLong)?;
        match self {
            Self::AesCm(cipher) => {
                cipher.apply_keystream(id, packet.get_mut(header_len..).ok_or(TooLong)?);
                let tag = cipher.tag(packet, index.rollover_counter());
                out.extend(tag.iter().take(cipher.tag_len()));
            }
            Self::AesGcm(cipher) => {
                let (header, payload) = packet.split_at_mut_checked(header_len).ok_or(TooLong)?;
                let tag = cipher.seal(id, header, payload)?;
                out.extend_from_slice(tag.as_ref());
            }
        }
        Ok(())
    }

    /// Authenticates and decrypts an SRTP packet. Returns the end of its payload.
    #[inline]
    pub(crate) fn open_rtp(
        &self,
        ssrc: u32,
        index: Index,
        packet: &mut [u8],
        header_len: usize,
    ) -> Result<usize, Discard> {
        let id = PacketId { ssrc, index: index.number() };
        let end = packet.len().checked_sub(self.tag_len()).ok_or(Discard::Malformed)?;
        match self {
            Self::AesCm(cipher) => {
                let (packet, tag) = packet.split_at_mut_checked(end).ok_or(Discard::Malformed)?;
                cipher.verify(packet, index.rollover_counter(), tag)?;
                cipher.apply_keystream(id, packet.get_mut(header_len..).ok_or(Discard::Malformed)?);
            }
            Self::AesGcm(cipher) => {
                let (header, sealed) = packet.split_at_mut_checked(header_len).ok_or(Discard::Malformed)?;
                cipher.open(id, header, sealed)?;
            }
        }
        Ok(end)
    }

    /// Encrypts the packet at `out[start..]` behind its first 8 bytes, and appends the tag and the index word in the
    /// order of the transform.
    pub(crate) fn seal_rtcp(
        &self,
        ssrc: u32,
        word: EncryptedIndex,
        out: &mut Vec<u8>,
        start: usize,
    ) -> Result<(), TooLong> {
        let id = PacketId { ssrc, index: word.index().into() };
        let packet = out.get_mut(start..).ok_or(TooLong)?;
        let (header, body) = packet.split_at_mut_checked(RtcpHeader::LEN).ok_or(TooLong)?;
        match self {
            Self::AesCm(cipher) => {
                cipher.apply_keystream(id, body);
                let tag = cipher.tag(packet, word.to_bytes());
                out.extend_from_slice(&word.to_bytes());
                out.extend(tag.iter().take(cipher.tag_len()));
            }
            Self::AesGcm(cipher) => {
                let tag = cipher.seal(id, &associated_data(header, word), body)?;
                out.extend_from_slice(tag.as_ref());
                out.extend_from_slice(&word.to_bytes());
            }
        }
        Ok(())
    }

    /// Parses the index word of an SRTCP packet, and returns it with the end of the encrypted part.
    pub(crate) fn read_index(&self, packet: &[u8]) -> Result<(EncryptedIndex, usize), Discard> {
        let trailer_len = self.tag_len() + EncryptedIndex::LEN;
        let end = packet.len().checked_sub(trailer_len).ok_or(Discard::Malformed)?;
        if end < RtcpHeader::LEN {
            return Err(Discard::Malformed);
        }
        let trailer = packet.get(end..).ok_or(Discard::Malformed)?;
        let word = match self {
            Self::AesCm(_) => trailer.first_chunk(),
            Self::AesGcm(_) => trailer.last_chunk(),
        };
        Ok((EncryptedIndex::read(*word.ok_or(Discard::Malformed)?)?, end))
    }

    /// Authenticates and decrypts an SRTCP packet with the word and the end from [`Self::read_index`].
    pub(crate) fn open_rtcp(
        &self,
        ssrc: u32,
        word: EncryptedIndex,
        packet: &mut [u8],
        end: usize,
    ) -> Result<(), Discard> {
        let id = PacketId { ssrc, index: word.index().into() };
        match self {
            Self::AesCm(cipher) => {
                let (packet, trailer) = packet.split_at_mut_checked(end).ok_or(Discard::Malformed)?;
                let tag = trailer.get(EncryptedIndex::LEN..).ok_or(Discard::Malformed)?;
                cipher.verify(packet, word.to_bytes(), tag)?;
                cipher.apply_keystream(id, packet.get_mut(RtcpHeader::LEN..).ok_or(Discard::Malformed)?);
            }
            Self::AesGcm(cipher) => {
                let (packet, _) =
                    packet.split_at_mut_checked(end + AesGcm::TAG_LEN).ok_or(Discard::Malformed)?;
                let (header, sealed) =
                    packet.split_at_mut_checked(RtcpHeader::LEN).ok_or(Discard::Malformed)?;
                cipher.open(id, &associated_data(header, word), sealed)?;
            }
        }
        Ok(())
    }
}

/// Returns the associated data of an RTCP packet (RFC 7714 section 9.2).
fn associated_data(header: &[u8], word: EncryptedIndex) -> [u8; RtcpHeader::LEN + EncryptedIndex::LEN] {
    let mut data = [0; RtcpHeader::LEN + EncryptedIndex::LEN];
    for (to, from) in data.iter_mut().zip(header.iter().chain(&word.to_bytes())) {
        *to = *from;
    }
    data
}
