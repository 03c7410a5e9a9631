//! Drains the layers below and translates: events go up, calls go down, in a fixed order.
//!
//! ICE is read first, so that DTLS sees the newest path. A DTLS event may end consent and so make an ICE
//! event, but nothing that ICE answers makes a DTLS event, so the loop ends.

use std::time::{Duration, Instant};

use dtls_core::{ClosedBy, Connection};
use ice_agent::{Generation, Pair, PairState, Path};

use crate::error::Failure;
use crate::event::{Event, RestartOutcome, Side};
use crate::generation::{Current, Otherwise, Restart, Stage};
use crate::media::Transmit;
use crate::phase::Phase;
use crate::reception::Slot;
use crate::stats::Discard;
use crate::transport::PeerTransport;
use crate::verdict::{self, Ends};

/// A connection that ends has at most an alert to say, so this many datagrams never wait.
const MAX_LAST_WORDS: usize = 8;

impl PeerTransport {
    pub(crate) fn route(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.ice.poll_event() {
                self.ice_changes = self.ice_changes.wrapping_add(1);
                self.on_ice(now, &event);
                continue;
            }
            let Some((slot, event)) = self.poll_dtls_event() else { break };
            self.on_dtls(now, slot, event);
        }
        self.announce_state();
        self.tell_detached(now);
    }

    fn poll_dtls_event(&mut self) -> Option<(Slot, dtls_core::Event)> {
        Slot::ALL
            .into_iter()
            .find_map(|slot| self.connection_mut(slot)?.poll_event().map(|event| (slot, event)))
    }

    fn on_ice(&mut self, now: Instant, event: &ice_agent::Event) {
        match *event {
            ice_agent::Event::StateChanged(state) => self.events.push(Event::IceStateChanged(state)),
            ice_agent::Event::PairUsable(pair) => self.pair_works(now, &pair),
            ice_agent::Event::PairSelected { pair, reason } => {
                self.pair_works(now, &pair);
                self.events.push(Event::PairSelected { pair: Box::new(pair), reason });
            }
            ice_agent::Event::ConsentLost { path, generation, failure } => {
                self.events.push(Event::ConsentLost { path, generation, failure });
            }
            ice_agent::Event::PathBound(path) => self.events.push(Event::PathBound(path)),
            ice_agent::Event::PathReleased(path) => self.events.push(Event::PathReleased(path)),
            ice_agent::Event::RestartNeeded { .. } => self.events.push(Event::RestartNeeded),
            ice_agent::Event::Failed { generation, failure } => self.ice_failed(now, generation, failure),
            ice_agent::Event::RoleChanged(_)
            | ice_agent::Event::PeerReflexive { .. }
            | ice_agent::Event::GenerationRetired(_) => {}
        }
    }

    /// A pair of this generation works: its handshake may begin, or its restart is complete.
    fn pair_works(&mut self, now: Instant, pair: &Pair) {
        let generation = pair.generation;
        if let Current::Handshaking(handshaking) = &mut self.current
            && handshaking.identity.generation == generation
        {
            handshaking.begin(now, pair.rtt);
        }
        if let Some(restart) = &mut self.restart
            && restart.generation == generation
        {
            match &mut restart.stage {
                Stage::Handshaking(attempt) => attempt.handshaking.begin(now, pair.rtt),
                Stage::Retained { .. } => self.complete_retained(now),
                Stage::Offered | Stage::Moving(_) => {}
            }
        }
        for (path, mut datagram) in self.early.take() {
            self.receive_dtls(now, path, &mut datagram);
        }
    }

    fn ice_failed(&mut self, now: Instant, generation: Generation, failure: ice_agent::Failure) {
        let failure = Failure::Ice(failure);
        let previous_works = self.previous_works(now);
        match &mut self.restart {
            Some(restart) if restart.generation == generation && previous_works => {
                self.fail_restart(now, failure);
            }
            // The next generation may still find a way.
            Some(restart) if restart.generation != generation => {
                restart.before.otherwise = Otherwise::Failed(failure);
            }
            Some(_) | None => self.fail(now, failure),
        }
    }

    fn on_dtls(&mut self, now: Instant, slot: Slot, event: dtls_core::Event) {
        match event {
            dtls_core::Event::Connected(negotiated) => self.connected(now, slot, negotiated),
            dtls_core::Event::Data(bytes) => self.data(now, slot, bytes),
            dtls_core::Event::FinalFlightReleased => self.heard_under(now, slot),
            dtls_core::Event::RekeyNeeded => {
                if slot == Slot::Current {
                    self.events.push(Event::RestartNeeded);
                }
            }
            dtls_core::Event::FreshClientHello => {
                if let (Slot::Current, None, Some(path)) = (slot, &self.restart, self.dtls_path) {
                    self.events.push_fresh_hello(path);
                }
            }
            dtls_core::Event::KeyLog(line) => self.events.push(Event::KeyLog(line)),
            // Whoever closes means both directions, because media knows no half of an association.
            dtls_core::Event::PeerClosing => {
                if let Some(connection) = self.connection_mut(slot) {
                    connection.close(now);
                }
            }
            dtls_core::Event::Closed(by) => self.association_closed(now, slot, by),
            dtls_core::Event::Failed(failure) => self.association_failed(now, slot, failure),
            // Certificates are judged by their fingerprints, so nobody is asked.
            dtls_core::Event::CertificateReceived { .. } | dtls_core::Event::PskRequested(_) => {}
        }
    }

    fn data(&mut self, now: Instant, slot: Slot, bytes: bytes::Bytes) {
        let Some(association) = self.established_mut(slot) else {
            return self.stats.discard(Discard::NotReady);
        };
        association.note_proven(now);
        let number = association.identity.number;
        if !self.events.push_data(number, bytes) {
            self.stats.discard(Discard::DataQueueFull);
        }
        self.heard_under(now, slot);
    }

    fn association_closed(&mut self, now: Instant, slot: Slot, by: ClosedBy) {
        let Some(association) = self.established(slot).map(|association| association.identity.number) else {
            return;
        };
        let by = match by {
            ClosedBy::Us => return,
            ClosedBy::Peer => Side::Peer,
        };
        self.events.push(Event::AssociationClosed { association, by });
        match (slot, &self.restart) {
            (Slot::Draining, _) => self.draining = None,
            // A close under the old keys ends only the old association, as long as another one may follow it.
            (Slot::Current, Some(restart)) if !restart.stage.retains() => self.end_current(Otherwise::Closed),
            (Slot::Current | Slot::Next, _) => {
                if let Some(path) = self.dtls_path {
                    self.ice.peer_ended(now, path);
                }
                self.end(now, Phase::Closed);
            }
        }
    }

    /// The old association is over while a restart is under way.
    fn end_current(&mut self, otherwise: Otherwise) {
        self.stale.note(self.connection(Slot::Current).and_then(Connection::remote_random));
        self.current = Current::Absent;
        if let Some(restart) = &mut self.restart {
            restart.before.otherwise = otherwise;
        }
        self.move_sending(self.now);
    }

    fn association_failed(&mut self, now: Instant, slot: Slot, failure: dtls_core::Failure) {
        let Some(association) = self.number(slot) else { return };
        let path = self.path_of(slot);
        if let Some(mut words) = self.connection_mut(slot).map(last_words) {
            self.say(path, &mut words);
        }
        let failure = Failure::Dtls { association, failure };
        match (slot, &self.restart) {
            (Slot::Draining, _) => self.draining = None,
            (Slot::Current, Some(restart)) if !restart.stage.retains() => {
                self.end_current(Otherwise::Failed(failure));
            }
            (Slot::Current, _) => self.fail(now, failure),
            (Slot::Next, _) => self.attempt_failed(now, failure),
        }
    }

    fn number(&self, slot: Slot) -> Option<crate::association::Association> {
        if let Some(association) = self.established(slot) {
            return Some(association.identity.number);
        }
        match (slot, &self.current, &self.restart) {
            (Slot::Current, Current::Handshaking(handshaking), _) => Some(handshaking.identity.number),
            (Slot::Next, _, Some(restart)) => match &restart.stage {
                Stage::Handshaking(attempt) => Some(attempt.handshaking.identity.number),
                Stage::Offered | Stage::Retained { .. } | Stage::Moving(_) => None,
            },
            _ => None,
        }
    }

    /// The new pair works, and signalling said that the association stays.
    fn complete_retained(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { generation, stage: Stage::Retained { ends, .. }, .. }) => {
                self.report_retained(now, generation, *ends);
            }
            other => self.restart = other,
        }
    }

    /// Says that the association before goes on under the new ICE generation, and under the names that
    /// were signalled with it.
    pub(crate) fn report_retained(&mut self, now: Instant, generation: Generation, ends: Ends) {
        let recent = verdict::proof_age(self.round_trip_time());
        let Some(association) = self.current.established_mut() else { return };
        association.identity.ends = ends;
        let proven = now.checked_sub(recent).is_some_and(|earliest| association.was_heard_since(earliest));
        let association = association.identity.number;
        self.events.push(Event::RestartCompleted {
            generation,
            outcome: RestartOutcome::AssociationRetained { association, proven },
        });
    }

    pub(crate) fn round_trip_time(&self) -> Option<Duration> {
        self.ice.selected_pair().and_then(|pair| pair.rtt)
    }

    /// The path that an association's DTLS records take: that of everything else, or the best pair of its
    /// own generation while that is still to be selected.
    pub(crate) fn path_of(&self, slot: Slot) -> Option<Path> {
        let permission = self.ice.permission(self.now);
        let permitted = permission.map(|permission| permission.path);
        match (slot, &self.restart) {
            (Slot::Next, Some(restart))
                if permission.is_none_or(|permission| permission.generation != restart.generation) =>
            {
                let usable =
                    |pair: &Pair| pair.generation == restart.generation && pair.state == PairState::Succeeded;
                self.ice.pairs().filter(usable).max_by_key(|pair| pair.priority).map(|pair| pair.path)
            }
            _ => permitted,
        }
    }

    pub(crate) fn poll_dtls(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        for slot in Slot::ALL {
            let Some(path) = self.path_of(slot) else { continue };
            if let Some(transmit) =
                self.connection_mut(slot).and_then(|connection| connection.poll_transmit(buf))
            {
                return Some(Transmit::new(path, transmit.len));
            }
        }
        None
    }

    /// Takes out what a connection that is about to be dropped still has to say.
    pub(crate) fn keep_last_words(&mut self, path: Option<Path>, connection: &mut Connection) {
        let mut words = last_words(connection);
        self.say(path, &mut words);
    }

    fn say(&mut self, path: Option<Path>, words: &mut Vec<Vec<u8>>) {
        let Some(path) = path else { return };
        for datagram in words.drain(..) {
            if self.outbox.len() < MAX_LAST_WORDS {
                self.outbox.push_back((path, datagram));
            }
        }
    }
}

fn last_words(connection: &mut Connection) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut datagram = Vec::new();
    while connection.poll_transmit(&mut datagram).is_some() {
        words.push(std::mem::take(&mut datagram));
    }
    // What was queued before the last datagrams is data that nobody waits for any more.
    if words.len() > MAX_LAST_WORDS {
        words.drain(..words.len() - MAX_LAST_WORDS);
    }
    words
}
