//! The receiving side: tells what is authentic and new, and decrypts it in place.

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
/// A packet that is discarded leaves the context as it was, whatever it claims to be: streams begin, windows
/// move and counters count only for packets that authenticated.
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
    /// A context that has accepted nothing.
    #[must_use]
    pub fn new(key: &MasterKey, options: &Options) -> Self {
        Self::with_session_keys(&key.session_keys(), options)
    }

    /// As [`Self::new`], from session keys, for test vectors that print those.
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

    /// Authenticates an SRTP packet and decrypts it in place. Returns where its payload is, padding included:
    /// from the end of the header to the start of what was the tag. `packet[..range.end]` is the RTP packet.
    ///
    /// `header` is that of this very packet.
    ///
    /// # Errors
    /// See [`Discard`]. The context is as it was; `packet` may have been overwritten (by the GCM profiles, when
    /// it was [`Discard::Unauthenticated`]). Use [`Self::try_unprotect_rtp`] where somebody else may want it.
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

    /// As [`Self::unprotect_rtp`], and `packet` is intact when it was discarded.
    ///
    /// `scratch` is overwritten; kept from packet to packet, it allocates only until it has grown to the
    /// longest one. The price is one copy under the GCM profiles, and nothing under the others.
    ///
    /// # Errors
    /// See [`Discard`]; the context and `packet` are as they were.
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

    /// Authenticates an SRTCP packet and decrypts it in place. Returns where the compound packet is: from 0 to
    /// the start of what followed it.
    ///
    /// # Errors
    /// As [`Self::unprotect_rtp`].
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

    /// As [`Self::unprotect_rtcp`], and `packet` is intact when it was discarded; `scratch` as in
    /// [`Self::try_unprotect_rtp`].
    ///
    /// # Errors
    /// See [`Discard`]; the context and `packet` are as they were.
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

    /// Ends the streams of an SSRC, of RTP and of RTCP, which frees their windows; after a BYE, or when
    /// signalling says that it is gone. Its packets are [`Discard::RetiredSsrc`] from now on. Whether it was
    /// live.
    ///
    /// # Errors
    /// [`Error::TooManyStreams`] after [`Options::max_retired`] of them; the streams then stay.
    pub fn retire(&mut self, ssrc: u32) -> Result<bool, Error> {
        let rtp = self.rtp_streams.retire(ssrc)?;
        let rtcp = self.rtcp_streams.retire(ssrc)?;
        Ok(rtp || rtcp)
    }

    /// Whether a packet of this SSRC was accepted before, RTP or RTCP. Who holds the keys of two associations tries
    /// those first that know the stream.
    #[must_use]
    pub fn knows_stream(&self, ssrc: u32) -> bool {
        self.rtp_streams.contains(ssrc) || self.rtcp_streams.contains(ssrc)
    }

    /// The profile of the keys.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// How many RTP packets were accepted.
    #[must_use]
    pub fn rtp_packets(&self) -> u64 {
        self.rtp_use.packets()
    }

    /// How many RTCP packets were accepted.
    #[must_use]
    pub fn rtcp_packets(&self) -> u64 {
        self.rtcp_use.packets()
    }

    /// Whether three quarters of what the master key may protect are gone (RFC 3711 section 9.2): time for a
    /// restart, since there is no rekeying.
    #[must_use]
    pub fn key_wears_out(&self) -> bool {
        self.rtp_use.wears_out() || self.rtcp_use.wears_out()
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
    fn the_last_packet_of_a_key_is_accepted_and_the_one_after_it_is_not() {
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
