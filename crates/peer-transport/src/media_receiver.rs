//! The receiving half of media, for a thread of its own.
//!
//! It holds the only SRTP contexts of its keys, and tells the transport what authenticated, which
//! nothing else there can know. Knows nothing about ICE or DTLS.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use ice_agent::Path;
use srtp::{Inbound, RtpHeader};

use crate::association::Association;
use crate::demux::{self, Class};
use crate::mailbox::{Mailbox, Seen};
use crate::media::{Datagram, Media, RtcpPacket, RtpPacket};
use crate::stats::Discard;

/// Opens RTP and RTCP of one peer, apart from its [`PeerTransport`](crate::PeerTransport):
/// [`detach_inbound`](crate::PeerTransport::detach_inbound).
///
/// The transport goes on to see every datagram first, because it knows which paths are the peer's,
/// and hands out what belongs here as [`Media::Protected`].
///
/// The transport has to hear what authenticated: take the [evidence](Self::take_evidence) now and
/// then, every 100 ms while media flows is plenty, and give it to
/// [`note_authenticated`](crate::PeerTransport::note_authenticated). Without it a restart takes
/// longer to complete, and a DTLS server answers repeated final flights for longer.
pub struct MediaReceiver {
    mailbox: Arc<Mailbox<ReceiverFacts>>,
    seen: Seen,
    now: Instant,
    /// The newest association first.
    readers: Vec<Reader>,
    scratch: Vec<u8>,
}

/// What the transport tells its receiver.
#[derive(Default)]
pub(crate) struct ReceiverFacts {
    /// The associations whose packets are to be read.
    pub(crate) live: Vec<Association>,
    /// Contexts that the receiver has not fetched yet.
    pub(crate) new: Vec<(Association, Inbound)>,
}

struct Reader {
    association: Association,
    inbound: Inbound,
    evidence: Option<Evidence>,
}

/// What authenticated under the keys of one association since evidence was taken before. Only a
/// [`MediaReceiver`] makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the transport does not know it before note_authenticated"]
pub struct Evidence {
    association: Association,
    path: Path,
    at: Instant,
    packets: u64,
    key_wears_out: bool,
}

impl Evidence {
    /// Under whose keys.
    #[must_use]
    pub const fn association(&self) -> Association {
        self.association
    }

    /// On which path, the last time.
    #[must_use]
    pub const fn path(&self) -> Path {
        self.path
    }

    /// When, the last time.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// How many packets.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// Whether three quarters of what the peer's keys may protect are used up (RFC 3711 section 9.2).
    #[must_use]
    pub const fn key_wears_out(&self) -> bool {
        self.key_wears_out
    }
}

/// A packet as far as its clear bytes tell.
#[derive(Clone, Copy)]
enum Protected {
    Rtp(RtpHeader),
    Rtcp { ssrc: u32 },
}

impl MediaReceiver {
    pub(crate) fn new(now: Instant, mailbox: Arc<Mailbox<ReceiverFacts>>) -> Self {
        Self { mailbox, seen: Seen::default(), now, readers: Vec::new(), scratch: Vec::new() }
    }

    /// Opens what [`Media::Protected`] held, in place.
    ///
    /// # Errors
    /// Why it was dropped. Nothing else happens: the bytes may be destroyed, the contexts are as they were.
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
                // The sender's SSRC stands behind the first four bytes (RFC 3550 section 6.1).
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

    /// What authenticated since the last time, for one association; ask until there is nothing more.
    pub fn take_evidence(&mut self) -> Option<Evidence> {
        self.readers.iter_mut().find_map(|reader| reader.evidence.take())
    }

    /// Opens a packet with the keys of whichever association it belongs to: the newest one that knows
    /// its stream before the others, because while two associations live a stream stays with one.
    fn open(
        &mut self,
        packet: Protected,
        path: Path,
        bytes: &mut [u8],
    ) -> Result<(Association, Range<usize>), Discard> {
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
            // A failed trial may destroy the bytes, which matters while somebody else may want them.
            let opened = match order.peek() {
                None => reader.open(packet, bytes),
                Some(_) => reader.try_open(packet, bytes, &mut self.scratch),
            };
            match opened {
                Ok(range) => {
                    reader.note(self.now, path);
                    return Ok((reader.association, range));
                }
                // A replay opened under nobody else's keys: its reason tells more than theirs.
                Err(reason) if reason == srtp::Discard::Replayed || refused != srtp::Discard::Replayed => {
                    refused = reason;
                }
                Err(_) => {}
            }
        }
        Err(Discard::Srtp(refused))
    }

    fn refresh(&mut self) {
        let Some(mut facts) = self.mailbox.changed(&mut self.seen) else { return };
        for (association, inbound) in facts.new.drain(..) {
            self.readers.push(Reader { association, inbound, evidence: None });
        }
        self.readers.retain(|reader| facts.live.contains(&reader.association));
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
            key_wears_out: self.inbound.key_wears_out(),
        });
    }
}
