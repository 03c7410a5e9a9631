//! Who gets a received packet? While two generations live, a datagram belongs to one of them.
//!
//! Plaintext DTLS is told apart by the hello's random and by what is awaited; everything protected by
//! whose keys open it. Trials run on a scratch copy where another candidate is left, because a failed
//! trial destroys the bytes. Knows nothing about what the packet then causes: that is for `route`.

use std::ops::Range;
use std::time::Instant;

use dtls_core::{Admitted, Hello, Peek};
use ice_agent::Path;
use srtp::RtpHeader;

use crate::association::{Association, Established, Protected};
use crate::generation::{Current, EarlyHello, Stage};
use crate::media::{Datagram, Media, RtcpPacket, RtpPacket};
use crate::phase::Phase;
use crate::stats::Discard;
use crate::transport::PeerTransport;

/// Which of the associations that may exist at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one that sends, or the first one.
    Current,
    /// The one of a restart.
    Next,
    /// The one before, which only reads.
    Draining,
}

impl Slot {
    /// In the order in which their events are read.
    pub(crate) const ALL: [Self; 3] = [Self::Current, Self::Next, Self::Draining];
}

/// A record that these keys do not open.
const BAD_RECORD: Admitted = Admitted::Discarded(dtls_core::Discard::BadRecord);

impl PeerTransport {
    pub(crate) fn receive_rtp<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<Media<'d>> {
        let Datagram { meta, payload } = datagram;
        if !self.ice.may_receive(meta.path) {
            return self.discard(Discard::UnknownPath);
        }
        if self.detached.has_receiver() {
            return Some(Media::Protected(Datagram { meta, payload }));
        }
        let header = match RtpHeader::parse(payload) {
            Ok(header) => header,
            Err(reason) => return self.discard(Discard::Srtp(reason)),
        };
        let (association, opened) =
            self.unprotect(now, meta.path, Protected::Rtp(header), header.ssrc(), payload)?;
        let packet = payload.get_mut(..opened.end)?;
        self.stats.rtp_received.add(packet.len());
        Some(RtpPacket::new(meta, association, header, packet).into())
    }

    pub(crate) fn receive_rtcp<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<Media<'d>> {
        let Datagram { meta, payload } = datagram;
        if !self.ice.may_receive(meta.path) {
            return self.discard(Discard::UnknownPath);
        }
        if self.detached.has_receiver() {
            return Some(Media::Protected(Datagram { meta, payload }));
        }
        // The sender's SSRC stands behind the first four bytes (RFC 3550 section 6.1).
        let Some(ssrc) = payload.get(4..8).and_then(|bytes| bytes.first_chunk()) else {
            return self.discard(Discard::Srtp(srtp::Discard::Malformed));
        };
        let ssrc = u32::from_be_bytes(*ssrc);
        let (association, opened) = self.unprotect(now, meta.path, Protected::Rtcp, ssrc, payload)?;
        let compound = payload.get_mut(..opened.end)?;
        self.stats.rtcp_received.add(compound.len());
        Some(RtcpPacket::new(meta, association, compound).into())
    }

    /// Opens a packet with the keys of whichever association it belongs to.
    fn unprotect(
        &mut self,
        now: Instant,
        path: Path,
        packet: Protected,
        ssrc: u32,
        bytes: &mut [u8],
    ) -> Option<(Association, Range<usize>)> {
        let [first, second, third] = self.media_readers(ssrc);
        let Some(first) = first else { return self.discard(Discard::NotReady) };
        let mut refused = None;
        let candidates = [Some(first), second, third].into_iter().flatten();
        let mut candidates = candidates.peekable();
        while let Some(slot) = candidates.next() {
            let mut scratch = std::mem::take(&mut self.scratch);
            let opened = match (self.established_mut(slot), candidates.peek()) {
                (Some(association), None) => association.unprotect(packet, bytes),
                (Some(association), Some(_)) => association.try_unprotect(packet, bytes, &mut scratch),
                (None, _) => continue,
            };
            self.scratch = scratch;
            match opened {
                Ok(range) => {
                    let association = self.established_mut(slot)?;
                    association.note_proven(now);
                    let number = association.identity.number;
                    self.ice.note_authenticated(now, path);
                    self.heard_under(now, slot);
                    return Some((number, range));
                }
                // A replay opened under nobody else's keys: its reason tells more than theirs.
                Err(reason) if refused.is_none() || reason == srtp::Discard::Replayed => {
                    refused = Some(reason);
                }
                Err(_) => {}
            }
        }
        self.discard(Discard::Srtp(refused.unwrap_or(srtp::Discard::Unauthenticated)))
    }

    /// The associations that can read media, the most likely one for this stream first: the newest that
    /// has read it before, then the newest.
    fn media_readers(&self, ssrc: u32) -> [Option<Slot>; 3] {
        let reads = |slot: Slot| {
            self.established(slot).filter(|association| association.can_read_media()).map(|_| slot)
        };
        let knows =
            |slot: Slot| self.established(slot).is_some_and(|association| association.knows_stream(ssrc));
        let mut readers = [reads(Slot::Next), reads(Slot::Current), reads(Slot::Draining)];
        // `false` sorts first, and a stable sort keeps the newest first among equals.
        readers.sort_by_key(|reader| (reader.is_none(), !reader.is_some_and(knows)));
        readers
    }

    pub(crate) fn receive_dtls(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        if !self.ice.may_receive(path) {
            return self.stats.discard(Discard::UnknownPath);
        }
        match dtls_core::peek(datagram) {
            Ok(Peek { epoch: 0, hello }) => self.receive_plaintext(now, path, hello, datagram),
            Ok(_) => self.receive_protected(now, path, datagram),
            Err(reason) => self.stats.discard(Discard::Dtls(reason)),
        }
    }

    /// Epoch 0: nothing is authenticated, so what is awaited decides.
    fn receive_plaintext(&mut self, now: Instant, path: Path, hello: Option<Hello>, datagram: &mut [u8]) {
        let random = match hello {
            Some(Hello::Client(random) | Hello::Server(random)) => random,
            None => None,
        };
        if random.is_some_and(|random| self.stale.contains(&random)) {
            return self.stats.discard(Discard::StaleHello);
        }
        match &self.restart {
            None => match &self.current {
                Current::Absent => self.hold_early(path, hello, datagram),
                Current::Handshaking(handshaking) if handshaking.begun().is_none() => {
                    self.hold_early(path, hello, datagram);
                }
                Current::Handshaking(_) | Current::Established(_) => {
                    self.give(now, path, Slot::Current, datagram);
                }
            },
            Some(restart) => match &restart.stage {
                // The peer may have our new parameters before we have its: its ClientHello comes early.
                Stage::Offered if self.is_fresh_hello(hello) => self.hold_early(path, hello, datagram),
                Stage::Offered | Stage::Retained { .. } => self.give(now, path, Slot::Current, datagram),
                Stage::Handshaking(attempt) if attempt.handshaking.begun().is_none() => {
                    if self.is_fresh_hello(hello) {
                        self.hold_early(path, hello, datagram);
                    } else {
                        self.give(now, path, Slot::Current, datagram);
                    }
                }
                // Before the hello of the new association nothing else can belong to it: it is a late
                // part of the one before.
                Stage::Handshaking(attempt) if !attempt.handshaking.heard() && hello.is_none() => {
                    self.give(now, path, Slot::Current, datagram);
                }
                // A server would take it for its client's wish to begin anew, and give up a handshake that the client
                // has finished.
                Stage::Handshaking(_) | Stage::Moving(_)
                    if random.is_some() && random == self.answered_hello() =>
                {
                    self.give(now, path, Slot::Current, datagram);
                }
                Stage::Handshaking(_) | Stage::Moving(_) => self.give(now, path, Slot::Next, datagram),
            },
        }
    }

    /// A ClientHello that the association before does not recognise as its own.
    fn is_fresh_hello(&self, hello: Option<Hello>) -> bool {
        let own = self.answered_hello();
        match hello {
            Some(Hello::Client(Some(random))) => own != Some(random),
            Some(Hello::Client(None)) => true,
            Some(Hello::Server(_)) | None => false,
        }
    }

    /// The random of the hello that the association before has taken.
    fn answered_hello(&self) -> Option<[u8; 32]> {
        match &self.current {
            Current::Absent => None,
            Current::Handshaking(handshaking) => handshaking.connection.remote_random(),
            Current::Established(association) => association.connection.remote_random(),
        }
    }

    /// Keeps a ClientHello until it can be answered. It must come from where the peer has used the newest
    /// credentials: one that an older attempt left behind would be answered in place of the right one.
    fn hold_early(&mut self, path: Path, hello: Option<Hello>, datagram: &[u8]) {
        let Some(Hello::Client(random)) = hello else {
            return self.stats.discard(Discard::NotReady);
        };
        if self.phase == Phase::Closed || !self.ice.is_bound(self.generation(), path) {
            return self.stats.discard(Discard::NotReady);
        }
        let replaced = self.early.expect(random);
        self.stats.absorb(Discard::StaleHello, replaced);
        if !self.early.hold(path, datagram) {
            self.stats.discard(Discard::EarlyBufferFull);
        }
    }

    /// What was held was held for an attempt that is over.
    pub(crate) fn forget_early(&mut self) {
        let held = self.early.drop_all();
        self.stats.absorb(Discard::NotReady, held);
        self.early = EarlyHello::default();
    }

    /// Protected records: whose keys open the first one, gets the datagram.
    fn receive_protected(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        // A handshake keeps protected records that come before their keys, so it is asked last.
        let mut candidates =
            [Slot::Current, Slot::Draining, Slot::Next].into_iter().filter(|slot| self.has(*slot));
        let [first, second, third] = [candidates.next(), candidates.next(), candidates.next()];
        let Some(first) = first else { return self.stats.discard(Discard::NotReady) };
        let mut candidates = [Some(first), second, third].into_iter().flatten().peekable();
        let mut failed = [None; 2];
        let mut places = failed.iter_mut();
        while let Some(slot) = candidates.next() {
            if candidates.peek().is_none() {
                if self.admit(now, path, slot, datagram) == Some(BAD_RECORD) {
                    // Nobody could open it, so it counts against the keys that were tried before, too.
                    for slot in failed.into_iter().flatten() {
                        if let Some(connection) = self.connection_mut(slot) {
                            connection.note_forgery(now);
                        }
                    }
                }
                return;
            }
            let mut scratch = std::mem::take(&mut self.scratch);
            let admitted =
                self.connection_mut(slot).map(|connection| connection.try_input(now, datagram, &mut scratch));
            self.scratch = scratch;
            if admitted == Some(Admitted::Authenticated) {
                return self.note_admitted(now, path, slot, Admitted::Authenticated);
            }
            if let (Some(BAD_RECORD), Some(place)) = (admitted, places.next()) {
                *place = Some(slot);
            }
        }
    }

    /// Hands a datagram to one association for good.
    fn give(&mut self, now: Instant, path: Path, slot: Slot, datagram: &mut [u8]) {
        let _admitted = self.admit(now, path, slot, datagram);
    }

    fn admit(&mut self, now: Instant, path: Path, slot: Slot, datagram: &mut [u8]) -> Option<Admitted> {
        let Some(connection) = self.connection_mut(slot) else { return self.discard(Discard::NotReady) };
        let admitted = connection.handle_input(now, datagram);
        self.note_admitted(now, path, slot, admitted);
        Some(admitted)
    }

    fn note_admitted(&mut self, now: Instant, path: Path, slot: Slot, admitted: Admitted) {
        self.dtls_path = Some(path);
        match admitted {
            Admitted::Discarded(reason) => self.stats.discard(Discard::Dtls(reason)),
            Admitted::Unauthenticated => self.note_handshake_heard(slot),
            Admitted::Authenticated => {
                self.ice.note_authenticated(now, path);
                self.note_handshake_heard(slot);
                if let Some(association) = self.established_mut(slot) {
                    association.note_heard(now);
                }
            }
        }
    }

    fn note_handshake_heard(&mut self, slot: Slot) {
        let handshaking = match (slot, &mut self.current, &mut self.restart) {
            (Slot::Current, Current::Handshaking(handshaking), _) => handshaking,
            (Slot::Next, _, Some(restart)) => match &mut restart.stage {
                Stage::Handshaking(attempt) => &mut attempt.handshaking,
                Stage::Offered | Stage::Retained { .. } | Stage::Moving(_) => return,
            },
            _ => return,
        };
        handshaking.note_heard();
    }

    pub(crate) fn established(&self, slot: Slot) -> Option<&Established> {
        match slot {
            Slot::Current => self.current.established(),
            Slot::Next => match &self.restart.as_ref()?.stage {
                Stage::Moving(association) => Some(association),
                Stage::Offered | Stage::Retained { .. } | Stage::Handshaking(_) => None,
            },
            Slot::Draining => self.draining.as_ref().map(|draining| &draining.association),
        }
    }

    pub(crate) fn established_mut(&mut self, slot: Slot) -> Option<&mut Established> {
        match slot {
            Slot::Current => self.current.established_mut(),
            Slot::Next => match &mut self.restart.as_mut()?.stage {
                Stage::Moving(association) => Some(association),
                Stage::Offered | Stage::Retained { .. } | Stage::Handshaking(_) => None,
            },
            Slot::Draining => self.draining.as_mut().map(|draining| &mut draining.association),
        }
    }

    fn has(&self, slot: Slot) -> bool {
        self.connection(slot).is_some()
    }

    pub(crate) fn connection(&self, slot: Slot) -> Option<&dtls_core::Connection> {
        if let Some(association) = self.established(slot) {
            return Some(&association.connection);
        }
        match (slot, &self.current) {
            (Slot::Current, Current::Handshaking(handshaking)) => Some(&handshaking.connection),
            (Slot::Next, _) => match &self.restart.as_ref()?.stage {
                Stage::Handshaking(attempt) => Some(&attempt.handshaking.connection),
                Stage::Offered | Stage::Retained { .. } | Stage::Moving(_) => None,
            },
            _ => None,
        }
    }

    pub(crate) fn connection_mut(&mut self, slot: Slot) -> Option<&mut dtls_core::Connection> {
        match slot {
            Slot::Current => match &mut self.current {
                Current::Absent => None,
                Current::Handshaking(handshaking) => Some(&mut handshaking.connection),
                Current::Established(association) => Some(&mut association.connection),
            },
            Slot::Next => match &mut self.restart.as_mut()?.stage {
                Stage::Handshaking(attempt) => Some(&mut attempt.handshaking.connection),
                Stage::Moving(association) => Some(&mut association.connection),
                Stage::Offered | Stage::Retained { .. } => None,
            },
            Slot::Draining => Some(&mut self.draining.as_mut()?.association.connection),
        }
    }

    pub(crate) fn connections(&self) -> impl Iterator<Item = &dtls_core::Connection> {
        Slot::ALL.into_iter().filter_map(|slot| self.connection(slot))
    }

    pub(crate) fn for_each_connection(&mut self, mut act: impl FnMut(&mut dtls_core::Connection)) {
        for slot in Slot::ALL {
            if let Some(connection) = self.connection_mut(slot) {
                act(connection);
            }
        }
    }
}
