//! RTP and RTCP packets, decrypted in place in their datagram.
//!
//! Knows the RTP header. Does not know keys.

use srtp::RtpHeader;

use super::Meta;
use crate::association_id::AssociationId;

/// An RTP packet (RFC 3550 section 5.1), decrypted in place, with its parsed header.
///
/// The setters rewrite the header in the datagram, for a forwarder between two peers.
#[derive(Debug)]
pub struct RtpPacket<'d> {
    meta: Meta,
    association: AssociationId,
    header: RtpHeader,
    packet: &'d mut [u8],
}

impl<'d> RtpPacket<'d> {
    /// `packet` is the header and the decrypted payload, without authentication tag.
    pub(crate) const fn new(
        meta: Meta,
        association: AssociationId,
        header: RtpHeader,
        packet: &'d mut [u8],
    ) -> Self {
        Self { meta, association, header, packet }
    }

    /// The datagram's metadata.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        self.meta
    }

    /// The DTLS association whose keys decrypted it.
    #[must_use]
    pub const fn association(&self) -> AssociationId {
        self.association
    }

    /// The parsed header.
    #[must_use]
    pub const fn header(&self) -> RtpHeader {
        self.header
    }

    /// The header as bytes: the fixed 12, the contributing sources and the extension.
    #[must_use]
    pub fn header_bytes(&self) -> &[u8] {
        self.packet.get(..self.header.len()).unwrap_or_default()
    }

    /// Everything after the header, including padding, in the form that `send_rtp` takes together with
    /// [`header_bytes`](Self::header_bytes). For the payload without padding see [`RtpHeader::unpadded`].
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.packet.get(self.header.len()..).unwrap_or_default()
    }

    /// Everything after the header, including padding.
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        self.packet.get_mut(self.header.len()..).unwrap_or_default()
    }

    /// Rewrites the synchronization source.
    pub fn set_ssrc(&mut self, ssrc: u32) {
        self.write(8, ssrc.to_be_bytes());
    }

    /// Rewrites the sequence number.
    pub fn set_sequence_number(&mut self, sequence_number: u16) {
        self.write(2, sequence_number.to_be_bytes());
    }

    /// Rewrites the timestamp.
    pub fn set_timestamp(&mut self, timestamp: u32) {
        self.write(4, timestamp.to_be_bytes());
    }

    /// Rewrites the payload type, 0 to 127, and keeps the marker. The high bit of `payload_type`
    /// is ignored.
    pub fn set_payload_type(&mut self, payload_type: u8) {
        const MARKER: u8 = 0b1000_0000;
        let marker = self.packet.get(1).map_or(0, |byte| byte & MARKER);
        self.write(1, [marker | (payload_type & !MARKER)]);
    }

    /// Rewrites the marker and keeps the payload type.
    pub fn set_marker(&mut self, marker: bool) {
        const MARKER: u8 = 0b1000_0000;
        let payload_type = self.packet.get(1).map_or(0, |byte| byte & !MARKER);
        self.write(1, [if marker { MARKER } else { 0 } | payload_type]);
    }

    /// The whole packet, header and payload, without protection.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        self.packet
    }

    /// The whole packet, borrowed from the datagram.
    #[must_use]
    pub const fn into_bytes(self) -> &'d mut [u8] {
        self.packet
    }

    fn write<const N: usize>(&mut self, at: usize, value: [u8; N]) {
        if let Some(field) = self.packet.get_mut(at..at + N) {
            field.copy_from_slice(&value);
            if let Ok(header) = RtpHeader::parse(self.packet) {
                self.header = header;
            }
        }
    }
}

/// A compound RTCP packet (RFC 3550 section 6.1), decrypted in place.
#[derive(Debug)]
pub struct RtcpPacket<'d> {
    meta: Meta,
    association: AssociationId,
    compound: &'d mut [u8],
}

impl<'d> RtcpPacket<'d> {
    /// `compound` is the decrypted packet without SRTCP index and authentication tag.
    pub(crate) const fn new(meta: Meta, association: AssociationId, compound: &'d mut [u8]) -> Self {
        Self { meta, association, compound }
    }

    /// The datagram's metadata.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        self.meta
    }

    /// The DTLS association whose keys decrypted it.
    #[must_use]
    pub const fn association(&self) -> AssociationId {
        self.association
    }

    /// The compound packet: one or more RTCP packets in sequence.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        self.compound
    }

    /// The compound packet, borrowed from the datagram.
    #[must_use]
    pub const fn into_bytes(self) -> &'d mut [u8] {
        self.compound
    }
}

#[cfg(test)]
mod tests {
    use ice_agent::Path;

    use super::{AssociationId, Meta, RtpHeader, RtpPacket};

    /// One contributing source, an extension of one word, and a payload of five bytes.
    const PACKET: [u8; 29] = [
        0x91, 0xe0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe, // fixed
        0, 0, 0, 1, // contributing source
        0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, // extension
        b'h', b'e', b'l', b'l', b'o', // payload
    ];

    fn meta() -> Meta {
        let path = Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        Meta::new(path)
    }

    fn rtp(packet: &mut [u8]) -> RtpPacket<'_> {
        let header = RtpHeader::parse(packet).unwrap();
        RtpPacket::new(meta(), AssociationId::FIRST, header, packet)
    }

    #[test]
    fn rtp_packet_splits_into_header_and_payload() {
        let mut bytes = PACKET;
        let mut packet = rtp(&mut bytes);
        assert_eq!(packet.header_bytes(), &PACKET[..24]);
        assert_eq!(packet.payload(), b"hello");
        packet.payload_mut()[0] = b'j';
        assert_eq!(packet.into_bytes(), [&PACKET[..24], b"jello"].concat());
    }

    #[test]
    fn setters_update_bytes_and_parsed_header() {
        let mut bytes = PACKET;
        let mut packet = rtp(&mut bytes);
        packet.set_ssrc(1);
        packet.set_sequence_number(2);
        packet.set_timestamp(3);
        packet.set_payload_type(111);
        let header = packet.header();
        assert_eq!((header.ssrc(), header.sequence_number(), header.timestamp()), (1, 2, 3));
        assert_eq!((header.payload_type(), header.marker()), (111, true));
        assert_eq!(RtpHeader::parse(packet.bytes()), Ok(header));
        packet.set_marker(false);
        assert_eq!((packet.header().payload_type(), packet.header().marker()), (111, false));
        packet.set_payload_type(0xff);
        assert_eq!((packet.header().payload_type(), packet.header().marker()), (127, false));
        assert_eq!(packet.header_bytes()[12..], PACKET[12..24], "other fields are unchanged");
    }
}
