//! Types at the boundary to the application: received datagrams, datagrams to send, and media.
//!
//! Media borrows the datagram that it arrived in and never the transport, so that a packet can be forwarded
//! through the same endpoint in the same receive loop. Nothing here is queued or copied. Knows the path and the
//! kind of bytes. Does not know keys.

use std::time::Instant;

use ice_agent::Path;
use srtp::RtpHeader;

use crate::association_id::AssociationId;

/// Explicit congestion notification, the two low bits of the IP traffic class (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// `00`: not ECN-capable. Also the value for a socket that cannot read the field.
    #[default]
    NotEct,
    /// `01`: ECN-capable, used by L4S (RFC 9331).
    Ect1,
    /// `10`: ECN-capable.
    Ect0,
    /// `11`: congestion experienced.
    Ce,
}

impl Ecn {
    /// Reads the two low bits of the traffic class; the other six are ignored.
    #[must_use]
    pub const fn from_bits(traffic_class: u8) -> Self {
        match traffic_class & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits, 0 to 3.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

/// A differentiated services code point, the six high bits of the IP traffic class (RFC 2474).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dscp(u8);

impl Dscp {
    /// Default forwarding, 0.
    pub const DEFAULT: Self = Self(0);
    /// Assured forwarding 42, 36: interactive video (RFC 8837 section 5).
    pub const AF42: Self = Self(36);
    /// Expedited forwarding, 46: interactive audio (RFC 8837 section 5).
    pub const EF: Self = Self(46);

    /// A code point of six bits, 0 to 63; `None` above.
    #[must_use]
    pub const fn new(code_point: u8) -> Option<Self> {
        if code_point < 64 { Some(Self(code_point)) } else { None }
    }

    /// The code point, 0 to 63.
    #[must_use]
    pub const fn code_point(self) -> u8 {
        self.0
    }
}

/// The metadata of a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The local base and the remote address of the datagram.
    pub path: Path,
    /// The congestion mark set by the network.
    pub ecn: Ecn,
    /// When the kernel or the network card received it, if the socket provides that.
    ///
    /// Passed on to the media unchanged, for bandwidth estimation. No timer uses it.
    pub received_at: Option<Instant>,
}

impl Meta {
    /// Creates metadata with a path only.
    #[must_use]
    pub const fn new(path: Path) -> Self {
        Self { path, ecn: Ecn::NotEct, received_at: None }
    }
}

/// A received UDP datagram, or one segment of a batch that generic receive offload joined.
///
/// The payload is mutable because it is decrypted in place.
#[derive(Debug)]
pub struct Datagram<'d> {
    /// The path and the socket's metadata.
    pub meta: Meta,
    /// The UDP payload.
    pub payload: &'d mut [u8],
}

impl<'d> Datagram<'d> {
    /// Creates a datagram with a path only.
    #[must_use]
    pub const fn new(path: Path, payload: &'d mut [u8]) -> Self {
        Self { meta: Meta::new(path), payload }
    }
}

/// A datagram to send. Its bytes are the last [`Transmit::len`] of the buffer that it was
/// appended to: [`Transmit::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the appended bytes must be sent"]
pub struct Transmit {
    /// The local base to send from, and the remote address to send to.
    pub path: Path,
    /// The congestion mark to set.
    pub ecn: Ecn,
    /// The code point to set.
    pub dscp: Dscp,
    /// How many bytes were appended to the buffer.
    pub len: usize,
    /// `Some(size)`: the bytes are several datagrams of `size` bytes, the last one possibly shorter, for
    /// generic segmentation offload. `None`: they are one datagram.
    pub segment_size: Option<usize>,
}

impl Transmit {
    /// Creates a transmit of one datagram of `len` bytes on `path`, without marks.
    pub const fn new(path: Path, len: usize) -> Self {
        Self { path, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, len, segment_size: None }
    }

    /// Returns the bytes to send: the last [`len`](Self::len) bytes of the buffer that they were appended to,
    /// or nothing if `buffer` is shorter than `len`.
    #[must_use]
    pub fn bytes<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.len().checked_sub(self.len).and_then(|start| buffer.get(start..)).unwrap_or_default()
    }
}

/// Media of a datagram: authenticated, not replayed, decrypted in place, and never queued.
#[derive(Debug)]
#[must_use = "media is returned once and not stored"]
pub enum Media<'d> {
    /// An RTP packet.
    Rtp(RtpPacket<'d>),
    /// A compound RTCP packet.
    Rtcp(RtcpPacket<'d>),
    /// A datagram that is still encrypted, for the detached [`MediaReceiver`](crate::MediaReceiver).
    Protected(Datagram<'d>),
}

impl Media<'_> {
    /// The datagram's metadata.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        match self {
            Self::Rtp(packet) => packet.meta,
            Self::Rtcp(packet) => packet.meta,
            Self::Protected(datagram) => datagram.meta,
        }
    }

    /// The path of the datagram.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.meta().path
    }

    /// The DTLS association whose keys decrypted it, or `None` while it is protected.
    #[must_use]
    pub const fn association(&self) -> Option<AssociationId> {
        match self {
            Self::Rtp(packet) => Some(packet.association),
            Self::Rtcp(packet) => Some(packet.association),
            Self::Protected(_) => None,
        }
    }

    /// The bytes: the whole packet without its protection, or the protected datagram.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Rtp(packet) => packet.packet,
            Self::Rtcp(packet) => packet.compound,
            Self::Protected(datagram) => datagram.payload,
        }
    }

    /// Releases the datagram and keeps the metadata.
    ///
    /// Media returned from inside a receive loop borrows the buffer for the whole loop. Call `detach` inside
    /// the loop and [`MediaMeta::attach`] once after it.
    pub fn detach(self) -> MediaMeta {
        let (kind, meta, len) = match self {
            Self::Rtp(packet) => {
                (Kind::Rtp(packet.association, packet.header), packet.meta, packet.packet.len())
            }
            Self::Rtcp(packet) => (Kind::Rtcp(packet.association), packet.meta, packet.compound.len()),
            Self::Protected(datagram) => (Kind::Protected, datagram.meta, datagram.payload.len()),
        };
        MediaMeta { kind, meta, len }
    }
}

impl<'d> From<RtpPacket<'d>> for Media<'d> {
    fn from(packet: RtpPacket<'d>) -> Self {
        Self::Rtp(packet)
    }
}

impl<'d> From<RtcpPacket<'d>> for Media<'d> {
    fn from(packet: RtcpPacket<'d>) -> Self {
        Self::Rtcp(packet)
    }
}

/// [`Media`] without its bytes.
#[derive(Clone, Copy, Debug)]
#[must_use = "the metadata is needed to attach the bytes again"]
pub struct MediaMeta {
    kind: Kind,
    meta: Meta,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Rtp(AssociationId, RtpHeader),
    Rtcp(AssociationId),
    Protected,
}

impl MediaMeta {
    /// The datagram's metadata.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        self.meta
    }

    /// The number of bytes that [`attach`](Self::attach) takes from the front of its argument.
    #[expect(clippy::len_without_is_empty, reason = "media always has bytes")]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Combines the metadata with its bytes again. `datagram` is the buffer from the first byte of the original
    /// datagram on, and may be longer.
    ///
    /// With the bytes of another datagram the media is meaningless; with too short a buffer it is truncated.
    /// Neither panics.
    pub fn attach(self, datagram: &mut [u8]) -> Media<'_> {
        let len = self.len.min(datagram.len());
        let bytes = datagram.get_mut(..len).unwrap_or_default();
        match self.kind {
            Kind::Rtp(association, header) => {
                Media::Rtp(RtpPacket::new(self.meta, association, header, bytes))
            }
            Kind::Rtcp(association) => Media::Rtcp(RtcpPacket::new(self.meta, association, bytes)),
            Kind::Protected => Media::Protected(Datagram { meta: self.meta, payload: bytes }),
        }
    }
}

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
    use super::{
        AssociationId, Datagram, Ecn, Media, Meta, Path, RtcpPacket, RtpHeader, RtpPacket, Transmit,
    };

    /// One contributing source, an extension of one word, and a payload of five bytes.
    const PACKET: [u8; 29] = [
        0x91, 0xe0, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0xca, 0xfe, 0xba, 0xbe, // fixed
        0, 0, 0, 1, // contributing source
        0xbe, 0xde, 0, 1, 0x10, 0xaa, 0, 0, // extension
        b'h', b'e', b'l', b'l', b'o', // payload
    ];

    fn meta() -> Meta {
        let path = Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        Meta { ecn: Ecn::Ce, ..Meta::new(path) }
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

    #[test]
    fn detached_media_can_be_attached_again() {
        // The original datagram was longer: it ended with an authentication tag.
        let mut datagram = [&PACKET[..], &[0xee; 10]].concat();
        let detached = Media::from(rtp(&mut datagram[..29])).detach();
        assert_eq!((detached.len(), detached.meta()), (29, meta()));
        let Media::Rtp(packet) = detached.attach(&mut datagram) else { panic!("not RTP") };
        assert_eq!((packet.payload(), packet.header().ssrc()), (&b"hello"[..], 0xcafe_babe));

        let mut compound = [0x80, 201, 0, 1, 0, 0, 0, 7];
        let detached = Media::from(RtcpPacket::new(meta(), AssociationId::FIRST, &mut compound)).detach();
        let media = detached.attach(&mut compound);
        assert_eq!((media.bytes().len(), media.association()), (8, Some(AssociationId::FIRST)));

        let protected = Media::Protected(Datagram { meta: meta(), payload: &mut compound });
        let media = protected.detach().attach(&mut compound);
        assert_eq!((media.meta().ecn, media.association()), (Ecn::Ce, None));
    }

    #[test]
    fn media_attached_to_short_buffer_is_truncated() {
        for len in 0..PACKET.len() {
            let mut datagram = PACKET;
            let detached = Media::from(rtp(&mut datagram)).detach();
            let Media::Rtp(mut packet) = detached.attach(&mut datagram[..len]) else { panic!("not RTP") };
            packet.set_ssrc(1);
            packet.set_payload_type(1);
            assert_eq!(packet.payload(), PACKET.get(24..len).unwrap_or_default());
            packet.payload_mut().fill(0);
            assert_eq!(packet.into_bytes().len(), len);
        }
    }

    #[test]
    fn transmit_bytes_are_end_of_buffer() {
        let transmit = Transmit::new(meta().path, 3);
        assert_eq!(transmit.bytes(b"before123"), b"123");
        assert_eq!(transmit.bytes(b"123"), b"123");
        assert_eq!(transmit.bytes(b"12"), b"");
    }

    #[test]
    fn ecn_bits_match_rfc_3168() {
        for bits in 0..=255 {
            assert_eq!(Ecn::from_bits(bits).bits(), bits & 3);
        }
        assert_eq!([Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce].map(Ecn::bits), [0, 1, 2, 3]);
    }
}
