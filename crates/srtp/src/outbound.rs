//! The sending side: assigns the index of each packet and protects it, each index once.

use std::fmt;

use srtp_keys::{MasterKey, Profile, SessionKeys};

use crate::cipher::{Cipher, TooLong};
use crate::key_use::KeyUse;
use crate::rtcp::{EncryptedIndex, RtcpHeader};
use crate::streams::Streams;
use crate::{Error, MAX_PACKET_LEN, Options, RtpHeader};

//= rfc5764-4.1.3-one-master-key
/// Protects the packets of one direction of one association.
///
/// A master key must have exactly one context: a second one would reuse its indexes. A retained association keeps its
/// context; never rebuild it.
pub struct Outbound {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    streams: Streams,
    rtp_use: KeyUse,
    rtcp_use: KeyUse,
}

impl Outbound {
    /// Returns a context that has protected no packet.
    #[must_use]
    pub fn new(key: &MasterKey, options: &Options) -> Self {
        Self::with_session_keys(&key.session_keys(), options)
    }

    /// Like [`Self::new`], from session keys, for test vectors with session keys.
    #[must_use]
    pub fn with_session_keys(keys: &SessionKeys, options: &Options) -> Self {
        let profile = keys.profile();
        Self {
            profile,
            rtp: Cipher::rtp(profile, keys.rtp()),
            rtcp: Cipher::rtcp(profile, keys.rtcp()),
            streams: Streams::new(options),
            rtp_use: KeyUse::RTP,
            rtcp_use: KeyUse::RTCP,
        }
    }

    /// Appends the protected packet to `out` and returns its length in bytes: `header`, the encrypted `payload`, the
    /// tag ([`Profile::rtp_tag_len`]).
    ///
    /// `header` is a complete RTP header with its contributing sources and extension. If its padding bit is set,
    /// `payload` must end with the padding. The first sequence number of an SSRC should be in the lower half of the
    /// range, so that losing the first packets does not hide a rollover from the receiver (RFC 3711 section 3.3.1). A
    /// number that is half the range or more ahead of the newest one counts as an old one, so a restarted source needs
    /// a new SSRC or rewritten numbers.
    ///
    /// # Errors
    /// See [`Error`]; `out` and the context are unchanged.
    pub fn protect_rtp(&mut self, header: &[u8], payload: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        let start = out.len();
        out.reserve(header.len() + payload.len() + self.profile.rtp_tag_len());
        out.extend_from_slice(header);
        self.seal_payload(out, start, payload).inspect_err(|_| out.truncate(start))?;
        Ok(out.len() - start)
    }

    /// Protects the RTP packet `out[start..]` in place, appends the tag, and returns the new length of the packet in
    /// bytes.
    ///
    /// # Errors
    /// See [`Error`]; `out` and the context are unchanged.
    pub fn protect_rtp_in_place(&mut self, out: &mut Vec<u8>, start: usize) -> Result<usize, Error> {
        let packet = out.get(start..).ok_or(Error::Malformed)?;
        let header = RtpHeader::parse(packet).map_err(|_| Error::Malformed)?;
        self.seal_rtp(&header, out, start)?;
        Ok(out.len() - start)
    }

    /// Protects `payload` behind a header that is already in `out`: `out[start..]` must be the complete header. The
    /// encrypted payload and the tag are appended. Returns the length of the packet in bytes.
    ///
    /// One payload for many receivers, each with its own header:
    ///
    /// ```
    /// # use srtp::{Options, Outbound};
    /// # use srtp_keys::{DtlsRole, KeyingMaterial, Profile};
    /// # let profile = Profile::Aes128CmSha1_80;
    /// # let keys = |n| KeyingMaterial::new(profile, &vec![n; profile.keying_material_len()]).unwrap();
    /// # let outbound = |n| Outbound::new(&keys(n).split(DtlsRole::Server).outbound, &Options::default());
    /// # let mut receivers = [outbound(1), outbound(2)];
    /// let mut out = Vec::new();
    /// let mut lengths = Vec::new();
    /// for (ssrc, receiver) in (7_u8..).zip(&mut receivers) {
    ///     let start = out.len();
    ///     out.extend_from_slice(&[0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, ssrc]);
    ///     lengths.push(receiver.protect_rtp_payload(&mut out, start, b"payload")?);
    /// }
    /// assert_eq!(lengths, [12 + 7 + 10, 12 + 7 + 10]);
    /// # Ok::<(), srtp::Error>(())
    /// ```
    ///
    /// # Errors
    /// See [`Error`]; the context is unchanged, and `out` ends with the header as before.
    pub fn protect_rtp_payload(
        &mut self,
        out: &mut Vec<u8>,
        start: usize,
        payload: &[u8],
    ) -> Result<usize, Error> {
        self.seal_payload(out, start, payload)?;
        Ok(out.len() - start)
    }

    /// Appends the protected compound packet to `out` and returns its length in bytes: `compound`, encrypted except for
    /// its first 8 bytes, the index of 4 bytes, the tag ([`Profile::rtcp_tag_len`]).
    ///
    /// One index counts the packets of all SSRCs, so each SSRC has a rising index with gaps. A replay window needs no
    /// more, and the limit of 2^31 packets applies to the key, not to an SSRC.
    ///
    /// # Errors
    /// See [`Error`]; `out` and the context are unchanged.
    pub fn protect_rtcp(&mut self, compound: &[u8], out: &mut Vec<u8>) -> Result<usize, Error> {
        let start = out.len();
        out.reserve(compound.len() + EncryptedIndex::LEN + self.profile.rtcp_tag_len());
        out.extend_from_slice(compound);
        self.protect_rtcp_in_place(out, start).inspect_err(|_| out.truncate(start))
    }

    /// Protects the RTCP packet `out[start..]` in place, like [`Self::protect_rtcp`].
    ///
    /// # Errors
    /// See [`Error`]; `out` and the context are unchanged.
    pub fn protect_rtcp_in_place(&mut self, out: &mut Vec<u8>, start: usize) -> Result<usize, Error> {
        let packet = out.get(start..).ok_or(Error::Malformed)?;
        let header = RtcpHeader::parse(packet).map_err(|_| Error::Malformed)?;
        check_len(packet.len() + EncryptedIndex::LEN + self.profile.rtcp_tag_len())?;
        if self.rtcp_use.is_exhausted() {
            return Err(Error::KeyExhausted);
        }
        let index = u32::try_from(self.rtcp_use.packets()).map_err(|_| Error::KeyExhausted)?;
        self.rtcp
            .seal_rtcp(header.sender_ssrc(), EncryptedIndex::new(index), out, start)
            .map_err(|TooLong| Error::TooLarge)?;
        self.rtcp_use.count();
        Ok(out.len() - start)
    }

    /// Retires an SSRC, which frees its window. The SSRC cannot be used again with this key: [`Error::RetiredSsrc`].
    /// Returns whether it was live.
    ///
    /// # Errors
    /// [`Error::TooManyStreams`] if [`Options::max_retired`] are retired already; the stream then stays.
    pub fn retire(&mut self, ssrc: u32) -> Result<bool, Error> {
        self.streams.retire(ssrc)
    }

    /// Returns the profile of the keys.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the number of protected RTP packets.
    #[must_use]
    pub fn rtp_packets(&self) -> u64 {
        self.rtp_use.packets()
    }

    /// Returns the number of protected RTCP packets.
    #[must_use]
    pub fn rtcp_packets(&self) -> u64 {
        self.rtcp_use.packets()
    }

    /// Returns whether the master key has protected three quarters of its maximum number of packets (RFC 3711 section
    /// 9.2). Then restart, because there is no rekeying.
    #[must_use]
    pub fn key_nears_limit(&self) -> bool {
        self.rtp_use.nears_limit() || self.rtcp_use.nears_limit()
    }

    /// Appends `payload` to the header `out[start..]` and protects the packet.
    ///
    /// Returns an error of one byte only, which stays in a register. A returned length would go through memory at every
    /// level.
    #[inline]
    fn seal_payload(&mut self, out: &mut Vec<u8>, start: usize, payload: &[u8]) -> Result<(), Error> {
        let header = out.get(start..).ok_or(Error::Malformed)?;
        let parsed = RtpHeader::parse(header).map_err(|_| Error::Malformed)?;
        if parsed.len() != header.len() {
            return Err(Error::Malformed);
        }
        let end = out.len();
        out.reserve(payload.len() + self.profile.rtp_tag_len());
        out.extend_from_slice(payload);
        self.seal_rtp(&parsed, out, start).inspect_err(|_| out.truncate(end))
    }

    /// Protects the packet `out[start..]` with its parsed header.
    fn seal_rtp(&mut self, header: &RtpHeader, out: &mut Vec<u8>, start: usize) -> Result<(), Error> {
        check_len(out.len() - start + self.profile.rtp_tag_len())?;
        if self.rtp_use.is_exhausted() {
            return Err(Error::KeyExhausted);
        }
        let slot = self.streams.slot(header.ssrc())?;
        let index = slot.index_of(header.sequence_number())?;
        self.rtp
            .seal_rtp(header.ssrc(), index, out, start, header.len())
            .map_err(|TooLong| Error::TooLarge)?;
        slot.accept(index.number());
        self.rtp_use.count();
        Ok(())
    }
}

/// Shows the profile and the counts.
impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound")
            .field("profile", &self.profile)
            .field("streams", &self.streams.len())
            .field("rtp_packets", &self.rtp_packets())
            .field("rtcp_packets", &self.rtcp_packets())
            .finish_non_exhaustive()
    }
}

fn check_len(protected: usize) -> Result<(), Error> {
    if protected > MAX_PACKET_LEN { Err(Error::TooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worn(rtp_left: u64, rtcp_left: u64) -> Outbound {
        let key = MasterKey::new(Profile::AeadAes128Gcm, &[1; 16], &[2; 12]).unwrap();
        let new = Outbound::new(&key, &Options::default());
        Outbound {
            rtp_use: KeyUse::RTP.with_left(rtp_left),
            rtcp_use: KeyUse::RTCP.with_left(rtcp_left),
            ..new
        }
    }

    //= rfc5764-4.4-key-end
    #[test]
    fn last_packet_of_a_key_is_protected_and_the_next_refused() {
        let mut outbound = worn(1, 1);
        assert!(outbound.key_nears_limit());
        let mut out = Vec::new();
        assert!(outbound.protect_rtp(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1], b"last", &mut out).is_ok());
        assert!(outbound.protect_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 1], &mut out).is_ok());
        assert_eq!(out.last_chunk(), Some(&[0xff, 0xff, 0xff, 0xff]), "index 2^31 - 1 and the E bit");
        let full = out.clone();
        let refused = outbound.protect_rtp(&[0x80, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1], b"more", &mut out);
        assert_eq!(refused, Err(Error::KeyExhausted));
        let refused = outbound.protect_rtcp(&[0x80, 201, 0, 1, 0, 0, 0, 1], &mut out);
        assert_eq!(refused, Err(Error::KeyExhausted));
        assert_eq!(out, full);
    }

    #[test]
    fn key_is_near_its_limit_when_a_quarter_is_left() {
        assert!(!worn(1 << 46 | 1, 1 << 29 | 1).key_nears_limit());
        assert!(worn(1 << 46, 1 << 29 | 1).key_nears_limit());
        assert!(worn(1 << 46 | 1, 1 << 29).key_nears_limit());
    }
}
