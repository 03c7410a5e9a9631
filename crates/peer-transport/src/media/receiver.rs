//! The receiving half of media, for a thread of its own.
//!
//! It holds the only inbound SRTP contexts of its keys, and reports to the transport what authenticated, which
//! the transport cannot observe. Does not know ICE or DTLS.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ice_agent::Path;
use srtp::{Inbound, RtpHeader};

use super::shared_snapshot::{ReadEpoch, SharedSnapshot};
use super::{Datagram, Media, RtcpPacket, RtpPacket};
use crate::association_id::AssociationId;
use crate::demux::{self, Class};
use crate::stats::Discard;

/// Opens RTP and RTCP of one peer outside its [`PeerTransport`](crate::PeerTransport). Created by
/// [`detach_inbound`](crate::PeerTransport::detach_inbound).
///
/// The transport still receives every datagram first, because it knows which paths belong to the peer, and
/// returns the receiver's datagrams as [`Media::Protected`].
///
/// The transport must learn what authenticated: take the [evidence](Self::take_evidence) regularly (every 100
/// ms during media is sufficient) and pass it to
/// [`note_authenticated`](crate::PeerTransport::note_authenticated). Without it a restart takes longer to
/// complete, and a DTLS server answers retransmitted final flights for longer.
pub struct MediaReceiver {
    shared: Arc<SharedSnapshot<ReceiverSnapshot>>,
    read_epoch: ReadEpoch,
    now: Instant,
    /// The newest association first.
    readers: Vec<Reader>,
    scratch: Vec<u8>,
}

/// The state that the transport publishes to its receiver.
#[derive(Default)]
pub(crate) struct ReceiverSnapshot {
    /// The associations whose packets are to be read.
    pub(crate) live: Vec<AssociationId>,
    /// Contexts that the receiver has not taken yet.
    pub(crate) new: Vec<(AssociationId, Inbound)>,
}

struct Reader {
    association: AssociationId,
    inbound: Inbound,
    evidence: Option<Evidence>,
}

/// The packets that authenticated under the keys of one association since the previous evidence. Only a
/// [`MediaReceiver`] creates it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "pass it to PeerTransport::note_authenticated"]
pub struct Evidence {
    association: AssociationId,
    path: Path,
    at: Instant,
    packets: u64,
    key_nears_limit: bool,
}

impl Evidence {
    /// The association whose keys opened the packets.
    #[must_use]
    pub const fn association(&self) -> AssociationId {
        self.association
    }

    /// The path of the latest packet.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// The time of the latest packet.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// The number of packets.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Whether three quarters of the packet limit of the peer's keys are used (RFC 3711 section 9.2).
    #[must_use]
    pub const fn key_nears_limit(&self) -> bool {
        self.key_nears_limit
    }
}

/// A protected packet, classified by its clear bytes.
#[derive(Clone, Copy)]
enum Protected {
    Rtp(RtpHeader),
    Rtcp { ssrc: u32 },
}

impl MediaReceiver {
    pub(crate) fn new(now: Instant, shared: Arc<SharedSnapshot<ReceiverSnapshot>>) -> Self {
        Self { shared, read_epoch: ReadEpoch::default(), now, readers: Vec::new(), scratch: Vec::new() }
    }

    /// Opens the datagram of a [`Media::Protected`] in place.
    ///
    /// # Errors
    /// Returns the reason for dropping it. The bytes may be destroyed; the contexts are unchanged.
    pub fn unprotect<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Result<Media<'d>, Discard> {
        self.now = self.now.max(now);
        self.refresh();
        let Datagram { meta, payload } = datagram;
        match demux::classify(payload) {
            Class::Rtp => {
                let header = RtpHeader::parse(payload).map_err(Discard::Srtp)?;
                let (association, opened) = self.open(Protected::Rtp(header), meta.path, payload)?;
                let packet = payload.get_mut(..opened.end).unwrap_or_default();
                Ok(RtpPacket::new(meta, association, header, packet).into())
            }
            Class::Rtcp => {
                // The sender's SSRC follows the first four bytes (RFC 3550 section 6.1).
                let ssrc = payload.get(4..8).and_then(|bytes| bytes.first_chunk());
                let ssrc = u32::from_be_bytes(*ssrc.ok_or(Discard::Srtp(srtp::Discard::Malformed))?);
                let (association, opened) = self.open(Protected::Rtcp { ssrc }, meta.path, payload)?;
                let compound = payload.get_mut(..opened.end).unwrap_or_default();
                Ok(RtcpPacket::new(meta, association, compound).into())
            }
            Class::Empty => Err(Discard::Empty),
            Class::Stun | Class::Dtls | Class::Unknown => Err(Discard::UnknownClass),
        }
    }

    /// Returns the evidence since the previous call for one association. Call it until it returns `None`.
    pub fn take_evidence(&mut self) -> Option<Evidence> {
        self.readers.iter_mut().find_map(|reader| reader.evidence.take())
    }

    /// Opens a packet with the keys of the association that it belongs to. The newest association that knows
    /// the stream is tried first, because a stream stays with one of two associations.
    fn open(
        &mut self,
        packet: Protected,
        path: Path,
        bytes: &mut [u8],
    ) -> Result<(AssociationId, Range<usize>), Discard> {
        let ssrc = match packet {
            Protected::Rtp(header) => header.ssrc(),
            Protected::Rtcp { ssrc } => ssrc,
        };
        let count = self.readers.len();
        if count == 0 {
            return Err(Discard::NotReady);
        }
        let first = self.readers.iter().position(|reader| reader.inbound.knows_stream(ssrc)).unwrap_or(0);
        let mut order = std::iter::once(first).chain((0..count).filter(|index| *index != first)).peekable();
        let mut refused = srtp::Discard::Unauthenticated;
        while let Some(index) = order.next() {
            let Some(reader) = self.readers.get_mut(index) else { continue };
            // A failed trial may destroy the bytes, so only the last candidate opens in place.
            let opened = match order.peek() {
                None => reader.open(packet, bytes),
                Some(_) => reader.try_open(packet, bytes, &mut self.scratch),
            };
            match opened {
                Ok(range) => {
                    reader.note(self.now, path);
                    return Ok((reader.association, range));
                }
                // A replay authenticates under exactly one association, so its reason is the most specific one.
                Err(reason) if reason == srtp::Discard::Replayed || refused != srtp::Discard::Replayed => {
                    refused = reason;
                }
                Err(_) => {}
            }
        }
        Err(Discard::Srtp(refused))
    }

    fn refresh(&mut self) {
        let Some(mut snapshot) = self.shared.changed(&mut self.read_epoch) else { return };
        for (association, inbound) in snapshot.new.drain(..) {
            self.readers.push(Reader { association, inbound, evidence: None });
        }
        self.readers.retain(|reader| snapshot.live.contains(&reader.association));
        self.readers.sort_by_key(|reader| Reverse(reader.association));
    }
}

impl Reader {
    fn open(&mut self, packet: Protected, bytes: &mut [u8]) -> Result<Range<usize>, srtp::Discard> {
        match packet {
            Protected::Rtp(header) => self.inbound.unprotect_rtp(&header, bytes),
            Protected::Rtcp { .. } => self.inbound.unprotect_rtcp(bytes),
        }
    }

    fn try_open(
        &mut self,
        packet: Protected,
        bytes: &mut [u8],
        scratch: &mut Vec<u8>,
    ) -> Result<Range<usize>, srtp::Discard> {
        match packet {
            Protected::Rtp(header) => self.inbound.try_unprotect_rtp(&header, bytes, scratch),
            Protected::Rtcp { .. } => self.inbound.try_unprotect_rtcp(bytes, scratch),
        }
    }

    fn note(&mut self, now: Instant, path: Path) {
        let before = self.evidence.map_or(0, |evidence| evidence.packets);
        self.evidence = Some(Evidence {
            association: self.association,
            path,
            at: now,
            packets: before.saturating_add(1),
            key_nears_limit: self.inbound.key_nears_limit(),
        });
    }
}
