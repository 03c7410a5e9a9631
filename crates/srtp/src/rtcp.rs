//! The start and the end of an SRTCP packet (RFC 3711 section 3.4): sender, E bit, index.
//!
//! A compound packet is protected as a whole, so only its first 8 bytes are parsed.

use crate::Discard;

/// Returns whether a packet with a first byte of 128..=191 (RFC 7983) is RTCP, by its second byte (RFC 5761 section 4).
#[must_use]
pub fn is_rtcp(packet: &[u8]) -> bool {
    packet.get(1).is_some_and(|kind| (192..=223).contains(kind))
}

/// The unencrypted start of every RTCP and SRTCP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcpHeader {
    packet_type: u8,
    sender_ssrc: u32,
}

impl RtcpHeader {
    /// The length of the unencrypted start, in bytes.
    pub const LEN: usize = 8;

    /// Parses the start of an RTCP or SRTCP packet.
    ///
    /// # Errors
    /// [`Discard::Malformed`] unless it has 8 bytes, version 2 and a packet type of RTCP.
    pub fn parse(packet: &[u8]) -> Result<Self, Discard> {
        match packet.first_chunk::<{ Self::LEN }>() {
            Some(&[v, packet_type, _, _, s0, s1, s2, s3]) if v >> 6 == 2 && is_rtcp(packet) => {
                Ok(Self { packet_type, sender_ssrc: u32::from_be_bytes([s0, s1, s2, s3]) })
            }
            _ => Err(Discard::Malformed),
        }
    }

    /// Returns the type of the first packet: 200 for a sender report, 201 for a receiver report.
    #[must_use]
    pub fn packet_type(&self) -> u8 {
        self.packet_type
    }

    /// Returns the SSRC of the sender, which selects the stream of the packet's index.
    #[must_use]
    pub fn sender_ssrc(&self) -> u32 {
        self.sender_ssrc
    }
}

/// The word behind the packet: the E bit and the 31-bit index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EncryptedIndex(u32);

impl EncryptedIndex {
    pub(crate) const LEN: usize = 4;
    const E_BIT: u32 = 1 << 31;

    /// Returns the word of an encrypted packet. Bits above the 31 of an index are ignored.
    pub(crate) fn new(index: u32) -> Self {
        Self(index | Self::E_BIT)
    }

    /// Parses the word of a received packet, which must be encrypted.
    pub(crate) fn read(word: [u8; 4]) -> Result<Self, Discard> {
        let word = u32::from_be_bytes(word);
        if word & Self::E_BIT == 0 { Err(Discard::NotEncrypted) } else { Ok(Self(word)) }
    }

    pub(crate) fn index(self) -> u32 {
        self.0 & !Self::E_BIT
    }

    pub(crate) fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn second_byte_distinguishes_rtcp_from_rtp() {
        for (second, rtcp) in [(96, false), (191, false), (192, true), (200, true), (223, true), (224, false)]
        {
            assert_eq!(is_rtcp(&[0x80, second]), rtcp, "{second}");
        }
        assert!(!is_rtcp(&[0x80]));
    }
}
