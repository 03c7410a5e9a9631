//! The receiving side: authenticates packets, detects replays, and decrypts in place.

use std::fmt;
use std::ops::Range;

use srtp_keys::{MasterKey, Profile, SessionKeys};

use crate::cipher::Cipher;
use crate::key_use::KeyUse;
use crate::rtcp::RtcpHeader;
use crate::streams::Streams;
use crate::{Discard, Error, MAX_PACKET_LEN, Options, RtpHeader};

/// Unprotects the packets of one direction of one association.
///
/// A discarded packet does not change the context: only authenticated packets add streams, move replay windows and
/// count.
pub struct Inbound {
    profile: Profile,
    rtp: Cipher,
    rtcp: Cipher,
    rtp_streams: Streams,
    rtcp_streams: Streams,
    rtp_use: KeyUse,
    rtcp_use: KeyUse,
}

impl Inbound {
    /// Returns a context that has accepted no packet.
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
            rtp_streams: Streams::new(options),
            rtcp_streams: Streams::new(options),
            rtp_use: KeyUse::RTP,
            rtcp_use: KeyUse::RTCP,
        }
    }

    /// Authenticates an SRTP packet and decrypts it in place. Returns the range of its payload, padding included: from
    /// the end of the header to the start of the tag. `packet[..range.end]` is the RTP packet.
    ///
    /// `header` must be the parsed header of this packet.
    ///
    /// # Errors
    /// See [`Discard`]. The context is unchanged. `packet` may be overwritten (by the GCM profiles, for
    /// [`Discard::Unauthenticated`]). Use [`Self::try_unprotect_rtp`] if another context may own the packet.
    pub fn unprotect_rtp(&mut self, header: &RtpHeader, packet: &mut [u8]) -> Result<Range<usize>, Discard> {
        let start = header.len();
        if packet.len() < start + self.rtp.tag_len() || packet.len() > MAX_PACKET_LEN {
            return Err(Discard::Malformed);
        }
        if self.rtp_use.is_exhausted() {
            return Err(Discard::KeyExhausted);
        }
        let slot = self.rtp_streams.slot(header.ssrc())?;
        let index = slot.index_of(header.sequence_number())?;
        let end = self.rtp.open_rtp(header.ssrc(), index, packet, start)?;
        slot.accept(index.number());
        self.rtp_use.count();
        Ok(start..end)
    }

    /// Like [`Self::unprotect_rtp`], but does not change a discarded `packet`.
    ///
    /// `scratch` is overwritten. Keep it from packet to packet: it allocates only until it has the length of the
    /// longest packet. The cost is one copy with the GCM profiles, and none with the others.
    ///
    /// # Errors
    /// See [`Discard`]; the context and `packet` are unchanged.
    pub fn try_unprotect_rtp(
        &mut self,
        header: &RtpHeader,
        packet: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Range<usize>, Discard> {
        if !self.rtp.wipes() {
            return self.unprotect_rtp(header, packet);
        }
        keep(packet, scratch);
        self.unprotect_rtp(header, packet).inspect_err(|_| packet.copy_from_slice(scratch))
    }

    /// Authenticates an SRTCP packet and decrypts it in place. Returns the range of the compound packet, which starts
    /// at 0.
    ///
    /// # Errors
    /// Like [`Self::unprotect_rtp`].
    pub fn unprotect_rtcp(&mut self, packet: &mut [u8]) -> Result<Range<usize>, Discard> {
        let header = RtcpHeader::parse(packet)?;
        if packet.len() > MAX_PACKET_LEN {
            return Err(Discard::Malformed);
        }
        let (word, end) = self.rtcp.read_index(packet)?;
        if self.rtcp_use.is_exhausted() {
            return Err(Discard::KeyExhausted);
        }
        let slot = self.rtcp_streams.slot(header.sender_ssrc())?;
        slot.check(word.index().into())?;
        self.rtcp.open_rtcp(header.sender_ssrc(), word, packet, end)?;
        slot.accept(word.index().into());
        self.rtcp_use.count();
        Ok(0..end)
    }

    /// Like [`Self::unprotect_rtcp`], but does not change a discarded `packet`. `scratch` is used as in
    /// [`Self::try_unprotect_rtp`].
    ///
    /// # Errors
    /// See [`Discard`]; the context and `packet` are unchanged.
    pub fn try_unprotect_rtcp(
        &mut self,
        packet: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Range<usize>, Discard> {
        if !self.rtcp.wipes() {
            return self.unprotect_rtcp(packet);
        }
        keep(packet, scratch);
        self.unprotect_rtcp(packet).inspect_err(|_| packet.copy_from_slice(scratch))
    }

    /// Retires an SSRC after a BYE, or when signalling removed it: its RTP and RTCP streams end, and their windows are
    /// freed. From now on its packets are [`Discard::RetiredSsrc`]. Returns whether the SSRC was live.
    ///
    /// # Errors
    /// [`Error::TooManyStreams`] if [`Options::max_retired`] are retired already; the streams then stay.
    pub fn retire(&mut self, ssrc: u32) -> Result<bool, Error> {
        let rtp = self.rtp_streams.retire(ssrc)?;
        let rtcp = self.rtcp_streams.retire(ssrc)?;
        Ok(rtp || rtcp)
    }

    /// Returns whether a packet of this SSRC was accepted before, RTP or RTCP. With the keys of two associations, first
    /// try those that know the stream.
    #[must_use]
    pub fn knows_stream(&self, ssrc: u32) -> bool {
        self.rtp_streams.contains(ssrc) || self.rtcp_streams.contains(ssrc)
    }

    /// Returns the profile of the keys.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the number of accepted RTP packets.
    #[must_use]
    pub fn rtp_packets(&self) -> u64 {
        self.rtp_use.packets()
    }

    /// Returns the number of accepted RTCP packets.
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
}

/// Shows the profile and the counts.
impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inbound")
            .field("profile", &self.profile)
            .field("rtp_streams", &self.rtp_streams.len())
            .field("rtcp_streams", &self.rtcp_streams.len())
            .field("rtp_packets", &self.rtp_packets())
            .field("rtcp_packets", &self.rtcp_packets())
            .finish_non_exhaustive()
    }
}

fn keep(packet: &[u8], scratch: &mut Vec<u8>) {
    scratch.clear();
    scratch.extend_from_slice(packet);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outbound;

    //= rfc5764-4.4-key-end
    #[test]
    fn last_packet_of_a_key_is_accepted_and_the_next_discarded() {
        let key = MasterKey::new(Profile::Aes128CmSha1_80, &[1; 16], &[2; 14]).unwrap();
        let mut outbound = Outbound::new(&key, &Options::default());
        let mut inbound = Inbound {
            rtp_use: KeyUse::RTP.with_left(1),
            rtcp_use: KeyUse::RTCP.with_left(1),
            ..Inbound::new(&key, &Options::default())
        };
        for outcome in [Ok(()), Err(Discard::KeyExhausted)] {
            let sequence_number = u8::from(outcome.is_ok());
            let mut rtp = vec![0x80, 0, 1, sequence_number, 0, 0, 0, 0, 0, 0, 0, 1];
            outbound.protect_rtp_in_place(&mut rtp, 0).unwrap();
            let header = RtpHeader::parse(&rtp).unwrap();
            assert_eq!(inbound.unprotect_rtp(&header, &mut rtp).map(drop), outcome);

            let mut rtcp = vec![0x80, 201, 0, 1, 0, 0, 0, 1];
            outbound.protect_rtcp_in_place(&mut rtcp, 0).unwrap();
            assert_eq!(inbound.unprotect_rtcp(&mut rtcp).map(drop), outcome);
        }
    }
}
