//! The RTP header (RFC 3550 sections 5.1 and 5.3.1): fields, offsets, length.
//!
//! The header is authenticated but not encrypted, so it is the same before and after protection. Does not interpret the
//! content of the extension (RFC 8285) or the payload.

use crate::Discard;

/// A parsed RTP header: numbers, and the offsets of the variable parts. Parsed once per packet.
///
/// Before the packet is unprotected, its values are not authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpHeader {
    padding: bool,
    marker: bool,
    payload_type: u8,
    sequence_number: u16,
    timestamp: u32,
    ssrc: u32,
    csrc_count: u8,
    extension: Option<HeaderExtension>,
}

impl RtpHeader {
    /// The length of the fixed part, in bytes.
    pub const FIXED_LEN: usize = 12;

    /// Parses the header at the start of an RTP or SRTP packet.
    ///
    /// # Errors
    /// [`Discard::Malformed`] unless the version is 2 and the packet contains the whole header.
    #[inline]
    pub fn parse(packet: &[u8]) -> Result<Self, Discard> {
        let (&[v, m, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3], rest) =
            packet.split_first_chunk::<{ Self::FIXED_LEN }>().ok_or(Discard::Malformed)?;
        if v >> 6 != 2 {
            return Err(Discard::Malformed);
        }
        let csrc_count = v & 0x0f;
        let csrc_len = 4 * usize::from(csrc_count);
        let (_, rest) = rest.split_at_checked(csrc_len).ok_or(Discard::Malformed)?;
        let extension = if v & 0x10 == 0 {
            None
        } else {
            let (&[p0, p1, w0, w1], data) = rest.split_first_chunk::<4>().ok_or(Discard::Malformed)?;
            let words = u16::from_be_bytes([w0, w1]);
            let extension = HeaderExtension { profile: u16::from_be_bytes([p0, p1]), csrc_count, words };
            if data.len() < extension.len() {
                return Err(Discard::Malformed);
            }
            Some(extension)
        };
        Ok(Self {
            padding: v & 0x20 != 0,
            marker: m & 0x80 != 0,
            payload_type: m & 0x7f,
            sequence_number: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            csrc_count,
            extension,
        })
    }

    /// Returns the length of the whole header in bytes, 12 to 262,216. The payload begins there.
    #[expect(clippy::len_without_is_empty, reason = "no header is empty")]
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.extension {
            Some(extension) => extension.offset() + extension.len(),
            None => Self::FIXED_LEN + 4 * usize::from(self.csrc_count),
        }
    }

    /// Returns the marker bit.
    #[must_use]
    #[inline]
    pub fn marker(&self) -> bool {
        self.marker
    }

    /// Returns the payload type, 7 bits.
    #[must_use]
    #[inline]
    pub fn payload_type(&self) -> u8 {
        self.payload_type
    }

    /// Returns the sequence number.
    #[must_use]
    #[inline]
    pub fn sequence_number(&self) -> u16 {
        self.sequence_number
    }

    /// Returns the timestamp, in units of the payload's clock.
    #[must_use]
    #[inline]
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// Returns the synchronization source.
    #[must_use]
    #[inline]
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Returns the number of contributing sources, 0 to 15.
    #[must_use]
    #[inline]
    pub fn csrc_count(&self) -> u8 {
        self.csrc_count
    }

    /// Returns the contributing sources. `packet` must be the packet of this header.
    pub fn csrcs<'p>(&self, packet: &'p [u8]) -> impl Iterator<Item = u32> + use<'p> {
        let (sources, _) = packet.get(Self::FIXED_LEN..).unwrap_or_default().as_chunks::<4>();
        sources.iter().take(usize::from(self.csrc_count)).map(|source| u32::from_be_bytes(*source))
    }

    /// Returns the header extension, if there is one.
    #[must_use]
    #[inline]
    pub fn extension(&self) -> Option<HeaderExtension> {
        self.extension
    }

    /// Returns whether the payload ends with padding. The padding length is the last byte, which is encrypted: see
    /// [`Self::unpadded`].
    #[must_use]
    #[inline]
    pub fn has_padding(&self) -> bool {
        self.padding
    }

    /// Returns a decrypted payload without its padding; `None` if the padding is longer than the payload or has length
    /// 0 (RFC 3550 section 5.1). A probe packet of padding only gives an empty slice.
    #[must_use]
    pub fn unpadded<'p>(&self, payload: &'p [u8]) -> Option<&'p [u8]> {
        if !self.padding {
            return Some(payload);
        }
        let padding = usize::from(*payload.last()?);
        if padding == 0 { None } else { payload.get(..payload.len().checked_sub(padding)?) }
    }
}

/// The position and the kind of the header extension (RFC 3550 section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderExtension {
    profile: u16,
    csrc_count: u8,
    words: u16,
}

impl HeaderExtension {
    /// Returns the kind of the data: 0xBEDE for one-byte elements, 0x1000 to 0x100F for two-byte ones (RFC 8285).
    #[must_use]
    #[inline]
    pub fn profile(&self) -> u16 {
        self.profile
    }

    /// Returns the offset of the data, in bytes from the start of the packet.
    #[must_use]
    #[inline]
    pub fn offset(&self) -> usize {
        RtpHeader::FIXED_LEN + 4 * usize::from(self.csrc_count) + 4
    }

    /// Returns the length of the data in bytes, a multiple of 4.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        4 * usize::from(self.words)
    }

    /// Returns whether there is no data.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words == 0
    }

    /// Returns the data. `packet` must be the packet of the header.
    #[must_use]
    pub fn data<'p>(&self, packet: &'p [u8]) -> &'p [u8] {
        packet.get(self.offset()..self.offset() + self.len()).unwrap_or_default()
    }

    /// Returns the data, to be rewritten in place before the packet is protected.
    #[must_use]
    pub fn data_mut<'p>(&self, packet: &'p mut [u8]) -> &'p mut [u8] {
        packet.get_mut(self.offset()..self.offset() + self.len()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Padding, two contributing sources, an extension of one word, marker, and a payload of 5 bytes with 3 bytes of
    /// padding.
    const FULL: [u8; 33] = [
        0xb2, 0xe0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe, // fixed
        0, 0, 0, 1, 0, 0, 0, 2, // contributing sources
        0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, // extension
        b'h', b'i', 0, 0, 3, // payload
    ];

    #[test]
    fn every_field_is_parsed() {
        let header = RtpHeader::parse(&FULL).unwrap();
        assert_eq!(header.len(), 28);
        assert!(header.marker() && header.has_padding());
        assert_eq!(header.payload_type(), 0x60);
        assert_eq!(header.sequence_number(), 0x1234);
        assert_eq!(header.timestamp(), 0xdead_beef);
        assert_eq!(header.ssrc(), 0xcafe_babe);
        assert_eq!(header.csrcs(&FULL).collect::<Vec<_>>(), [1, 2]);
        let extension = header.extension().unwrap();
        assert_eq!((extension.profile(), extension.data(&FULL)), (0xbede, &[0x10, 0xaa, 0, 0][..]));
        assert_eq!(header.unpadded(&FULL[header.len()..]), Some(&b"hi"[..]));
    }

    #[test]
    fn truncated_header_is_malformed() {
        for len in 0..28 {
            assert_eq!(RtpHeader::parse(&FULL[..len]), Err(Discard::Malformed), "{len} bytes");
        }
        assert!(RtpHeader::parse(&FULL[..28]).is_ok());
    }

    #[test]
    fn only_version_2_is_rtp() {
        for version in [0x00, 0x40, 0xc0] {
            let mut packet = FULL;
            packet[0] = packet[0] & 0x3f | version;
            assert_eq!(RtpHeader::parse(&packet), Err(Discard::Malformed));
        }
    }

    #[test]
    fn padding_length_is_between_one_and_the_payload() {
        let header = RtpHeader::parse(&FULL).unwrap();
        assert_eq!(header.unpadded(&[0, 0, 3]), Some(&[][..]));
        assert_eq!(header.unpadded(&[0, 0, 4]), None);
        assert_eq!(header.unpadded(&[0, 0, 0]), None);
        assert_eq!(header.unpadded(&[]), None);
    }
}
