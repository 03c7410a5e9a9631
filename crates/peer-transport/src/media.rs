//! Types at the boundary to the application: received datagrams, datagrams to send, and media.
//!
//! Media borrows the datagram that it arrived in and never the transport, so that a packet can be forwarded
//! through the same endpoint in the same receive loop. Nothing here is queued or copied. Knows the path and the
//! kind of bytes. Does not know keys.

mod datagram;
mod packet;
mod receiver;
mod sender;
mod shared_snapshot;
mod transmit;

pub use datagram::{Datagram, Ecn, Meta};
pub use packet::{RtcpPacket, RtpPacket};
pub use receiver::{Evidence, MediaReceiver};
pub use sender::MediaSender;
pub use transmit::{Dscp, Transmit};

pub(crate) use receiver::ReceiverSnapshot;
pub(crate) use sender::{Keys, SenderSnapshot};
pub(crate) use shared_snapshot::SharedSnapshot;

use ice_agent::Path;
use srtp::RtpHeader;

use crate::association_id::AssociationId;

/// Media of a datagram: authenticated, not replayed, decrypted in place, and never queued.
#[derive(Debug)]
#[must_use = "media is returned once and not stored"]
#[non_exhaustive]
pub enum Media<'d> {
    /// An RTP packet.
    Rtp(RtpPacket<'d>),
    /// A compound RTCP packet.
    Rtcp(RtcpPacket<'d>),
    /// A datagram that is still encrypted, for the detached [`MediaReceiver`].
    Protected(Datagram<'d>),
}

impl Media<'_> {
    /// The datagram's metadata.
    #[must_use]
    pub const fn meta(&self) -> Meta {
        match self {
            Self::Rtp(packet) => packet.meta(),
            Self::Rtcp(packet) => packet.meta(),
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
            Self::Rtp(packet) => Some(packet.association()),
            Self::Rtcp(packet) => Some(packet.association()),
            Self::Protected(_) => None,
        }
    }

    /// The bytes: the whole packet without its protection, or the protected datagram.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::Rtp(packet) => packet.bytes(),
            Self::Rtcp(packet) => packet.bytes(),
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
                (Kind::Rtp(packet.association(), packet.header()), packet.meta(), packet.bytes().len())
            }
            Self::Rtcp(packet) => (Kind::Rtcp(packet.association()), packet.meta(), packet.bytes().len()),
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

#[cfg(test)]
mod tests {
    use super::{AssociationId, Datagram, Ecn, Media, Meta, Path, RtcpPacket, RtpHeader, RtpPacket};

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
}
