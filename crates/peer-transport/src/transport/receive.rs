//! Assigns received packets to associations. While two generations exist, a datagram belongs to exactly one of
//! them.
//!
//! Plaintext DTLS is assigned by the random of its hello and by the awaited message; protected packets by the
//! keys that open them. The randoms of earlier hellos come from the connections. Except for the last candidate,
//! trials run on a scratch copy, because a failed trial destroys the bytes. Does not know the consequences of a
//! packet: `route` handles them.

use std::ops::Range;
use std::time::Instant;

use dtls_core::{Admitted, Hello, Peek};
use ice_agent::Path;
use srtp::RtpHeader;

use super::PeerTransport;
use super::association::Protected;
use super::early_hello::EarlyHello;
use super::generation::{Current, RestartState};
use super::phase::Phase;
use super::slot::Slot;
use crate::association_id::AssociationId;
use crate::media::{Datagram, Media, RtcpPacket, RtpPacket};
use crate::stats::Discard;

/// The result for a record that these keys do not open.
const BAD_RECORD: Admitted = Admitted::Discarded(dtls_core::Discard::BadRecord);

impl PeerTransport {
    pub(super) fn receive_rtp<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<Media<'d>> {
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

    pub(super) fn receive_rtcp<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<Media<'d>> {
        let Datagram { meta, payload } = datagram;
        if !self.ice.may_receive(meta.path) {
            return self.discard(Discard::UnknownPath);
        }
        if self.detached.has_receiver() {
            return Some(Media::Protected(Datagram { meta, payload }));
        }
        // The sender's SSRC follows the first four bytes (RFC 3550 section 6.1).
        let Some(ssrc) = payload.get(4..8).and_then(|bytes| bytes.first_chunk()) else {
            return self.discard(Discard::Srtp(srtp::Discard::Malformed));
        };
        let ssrc = u32::from_be_bytes(*ssrc);
        let (association, opened) = self.unprotect(now, meta.path, Protected::Rtcp, ssrc, payload)?;
        let compound = payload.get_mut(..opened.end)?;
        self.stats.rtcp_received.add(compound.len());
        Some(RtcpPacket::new(meta, association, compound).into())
    }

    /// Opens a packet with the keys of the association that it belongs to.
    fn unprotect(
        &mut self,
        now: Instant,
        path: Path,
        packet: Protected,
        ssrc: u32,
        bytes: &mut [u8],
    ) -> Option<(AssociationId, Range<usize>)> {
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
                    association.on_traffic_authenticated(now);
                    let number = association.identity.number;
                    self.ice.note_authenticated(now, path);
                    self.on_authenticated(now, slot);
                    return Some((number, range));
                }
                // A replay authenticates under exactly one association, so its reason is the most specific one.
                Err(reason) if refused.is_none() || reason == srtp::Discard::Replayed => {
                    refused = Some(reason);
                }
                Err(_) => {}
            }
        }
        self.discard(Discard::Srtp(refused.unwrap_or(srtp::Discard::Unauthenticated)))
    }

    /// The associations that can read media, most likely first for this stream: the newest that has read the
    /// stream before, then the newest.
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

    pub(super) fn receive_dtls(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        if !self.ice.may_receive(path) {
            return self.stats.discard(Discard::UnknownPath);
        }
        match dtls_core::peek(datagram) {
            Ok(Peek { epoch: 0, hello }) => self.receive_plaintext(now, path, hello, datagram),
            Ok(_) => self.receive_protected(now, path, datagram),
            Err(reason) => self.stats.discard(Discard::Dtls(reason)),
        }
    }

    /// Assigns an epoch 0 datagram by the awaited message, because nothing in it is authenticated.
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
                Current::Absent => self.buffer_early_hello(path, hello, datagram),
                Current::Handshaking(handshaking) if handshaking.started_at().is_none() => {
                    self.buffer_early_hello(path, hello, datagram);
                }
                Current::Handshaking(_) | Current::Established(_) => {
                    self.deliver(now, path, Slot::Current, datagram);
                }
            },
            Some(restart) => match &restart.state {
                // The peer may have the new local parameters first, so its ClientHello arrives before its
                // parameters.
                RestartState::Offered if self.is_fresh_hello(hello) => {
                    self.buffer_early_hello(path, hello, datagram);
                }
                RestartState::Offered | RestartState::Retained { .. } => {
                    self.deliver(now, path, Slot::Current, datagram);
                }
                RestartState::Handshaking(attempt) if attempt.handshaking.started_at().is_none() => {
                    if self.is_fresh_hello(hello) {
                        self.buffer_early_hello(path, hello, datagram);
                    } else {
                        self.deliver(now, path, Slot::Current, datagram);
                    }
                }
                // Before its hello, the new association can receive no other message: this is a late message of
                // the previous association.
                RestartState::Handshaking(attempt) if !attempt.handshaking.received() && hello.is_none() => {
                    self.deliver(now, path, Slot::Current, datagram);
                }
                // A server would treat it as a restart by the client, and abandon a handshake that the client
                // has completed.
                RestartState::Handshaking(_) | RestartState::Unconfirmed(_)
                    if random.is_some() && random == self.previous_hello_random() =>
                {
                    self.deliver(now, path, Slot::Current, datagram);
                }
                RestartState::Handshaking(_) | RestartState::Unconfirmed(_) => {
                    self.deliver(now, path, Slot::Next, datagram);
                }
            },
        }
    }

    /// Whether this is a ClientHello other than that of the previous association.
    fn is_fresh_hello(&self, hello: Option<Hello>) -> bool {
        let own = self.previous_hello_random();
        match hello {
            Some(Hello::Client(Some(random))) => own != Some(random),
            Some(Hello::Client(None)) => true,
            Some(Hello::Server(_)) | None => false,
        }
    }

    /// The random of the peer's hello in the previous association.
    fn previous_hello_random(&self) -> Option<[u8; 32]> {
        match &self.current {
            Current::Absent => None,
            Current::Handshaking(handshaking) => handshaking.connection.remote_random(),
            Current::Established(association) => association.connection.remote_random(),
        }
    }

    /// Stores a ClientHello until it can be answered. It must arrive on a path where the peer has used the
    /// newest credentials, because a ClientHello of an older attempt would be answered instead of the right
    /// one.
    fn buffer_early_hello(&mut self, path: Path, hello: Option<Hello>, datagram: &[u8]) {
        let Some(Hello::Client(random)) = hello else {
            return self.stats.discard(Discard::NotReady);
        };
        if self.phase == Phase::Closed || !self.ice.is_bound(self.generation(), path) {
            return self.stats.discard(Discard::NotReady);
        }
        let replaced = self.early.begin_hello(random);
        self.stats.absorb(Discard::StaleHello, replaced);
        if !self.early.push(path, datagram) {
            self.stats.discard(Discard::EarlyBufferFull);
        }
    }

    /// Drops the stored fragments of an attempt that has ended.
    pub(super) fn clear_early_hello(&mut self) {
        let dropped = self.early.clear();
        self.stats.absorb(Discard::NotReady, dropped);
        self.early = EarlyHello::default();
    }

    /// Gives protected records to the association whose keys open the first one.
    fn receive_protected(&mut self, now: Instant, path: Path, datagram: &mut [u8]) {
        // A handshake stores protected records that arrive before their keys, so it is tried last.
        let mut candidates =
            [Slot::Current, Slot::Draining, Slot::Next].into_iter().filter(|slot| self.has(*slot));
        let [first, second, third] = [candidates.next(), candidates.next(), candidates.next()];
        let Some(first) = first else { return self.stats.discard(Discard::NotReady) };
        let mut candidates = [Some(first), second, third].into_iter().flatten().peekable();
        let mut failed = [None; 2];
        let mut places = failed.iter_mut();
        while let Some(slot) = candidates.next() {
            if candidates.peek().is_none() {
                if self.process(now, path, slot, datagram) == Some(BAD_RECORD) {
                    // No association could open it, so the failure also counts against the keys that were tried
                    // before.
                    for slot in failed.into_iter().flatten() {
                        if let Some(connection) = self.connection_mut(slot) {
                            connection.on_authentication_failure(now);
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
                return self.on_admitted(now, path, slot, Admitted::Authenticated);
            }
            if let (Some(BAD_RECORD), Some(place)) = (admitted, places.next()) {
                *place = Some(slot);
            }
        }
    }

    /// Gives a datagram to one association without further trials.
    fn deliver(&mut self, now: Instant, path: Path, slot: Slot, datagram: &mut [u8]) {
        let _admitted = self.process(now, path, slot, datagram);
    }

    fn process(&mut self, now: Instant, path: Path, slot: Slot, datagram: &mut [u8]) -> Option<Admitted> {
        let Some(connection) = self.connection_mut(slot) else { return self.discard(Discard::NotReady) };
        let admitted = connection.handle_input(now, datagram);
        self.on_admitted(now, path, slot, admitted);
        Some(admitted)
    }

    fn on_admitted(&mut self, now: Instant, path: Path, slot: Slot, admitted: Admitted) {
        self.dtls_path = Some(path);
        match admitted {
            Admitted::Discarded(reason) => self.stats.discard(Discard::Dtls(reason)),
            Admitted::Unauthenticated => self.on_handshake_received(slot),
            Admitted::Authenticated => {
                self.ice.note_authenticated(now, path);
                self.on_handshake_received(slot);
                if let Some(association) = self.established_mut(slot) {
                    association.on_record_authenticated(now);
                }
            }
        }
    }

    fn on_handshake_received(&mut self, slot: Slot) {
        let handshaking = match (slot, &mut self.current, &mut self.restart) {
            (Slot::Current, Current::Handshaking(handshaking), _) => handshaking,
            (Slot::Next, _, Some(restart)) => match &mut restart.state {
                RestartState::Handshaking(attempt) => &mut attempt.handshaking,
                RestartState::Offered | RestartState::Retained { .. } | RestartState::Unconfirmed(_) => {
                    return;
                }
            },
            _ => return,
        };
        handshaking.on_record_authenticated();
    }
}
