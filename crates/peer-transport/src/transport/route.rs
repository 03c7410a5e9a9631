//! Drains the events of the lower layers and translates them: events go up, calls go down, in a fixed order.
//!
//! ICE events are processed first, so that DTLS uses the newest path. A DTLS event may end consent and so cause
//! an ICE event. No reaction to an ICE event causes a DTLS event, so the loop terminates.

use std::time::{Duration, Instant};

use dtls_core::ClosedBy;
use ice_agent::{CandidatePair, GenerationId};

use super::generation::{Current, RestartState};
use super::phase::Phase;
use super::rollback::Fallback;
use super::slot::Slot;
use super::{PeerTransport, end};
use crate::error::Failure;
use crate::event::{Event, Side};
use crate::stats::Discard;

impl PeerTransport {
    pub(super) fn route(&mut self, now: Instant) {
        loop {
            if let Some(event) = self.ice.poll_event() {
                self.ice_changes = self.ice_changes.wrapping_add(1);
                self.on_ice(now, &event);
                continue;
            }
            let Some((slot, event)) = self.poll_dtls_event() else { break };
            self.on_dtls(now, slot, event);
        }
        self.report_state();
        self.publish_to_detached(now);
    }

    fn poll_dtls_event(&mut self) -> Option<(Slot, dtls_core::Event)> {
        Slot::ALL
            .into_iter()
            .find_map(|slot| self.connection_mut(slot)?.poll_event().map(|event| (slot, event)))
    }

    fn on_ice(&mut self, now: Instant, event: &ice_agent::Event) {
        match *event {
            ice_agent::Event::StateChanged(state) => self.events.push(Event::IceStateChanged(state)),
            ice_agent::Event::PairUsable(pair) => self.on_pair_usable(now, &pair),
            ice_agent::Event::PairSelected { pair, reason } => {
                self.on_pair_usable(now, &pair);
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
            | ice_agent::Event::GenerationEnded(_) => {}
        }
    }

    /// Starts the handshake of the pair's generation, or completes the restart that waited for a pair.
    fn on_pair_usable(&mut self, now: Instant, pair: &CandidatePair) {
        let generation = pair.generation;
        if let Current::Handshaking(handshaking) = &mut self.current
            && handshaking.identity.generation == generation
        {
            handshaking.start(now, pair.rtt);
        }
        if let Some(restart) = &mut self.restart
            && restart.generation == generation
        {
            match &mut restart.state {
                RestartState::Handshaking(attempt) => attempt.handshaking.start(now, pair.rtt),
                RestartState::Retained { .. } => self.complete_retained(now),
                RestartState::Offered | RestartState::Unconfirmed(_) => {}
            }
        }
        for (path, mut datagram) in self.early.take() {
            self.receive_dtls(now, path, &mut datagram);
        }
    }

    fn ice_failed(&mut self, now: Instant, generation: GenerationId, failure: ice_agent::Failure) {
        let failure = Failure::Ice(failure);
        let previous_is_usable = self.previous_is_usable(now);
        match &mut self.restart {
            Some(restart) if restart.generation == generation && previous_is_usable => {
                self.fail_restart(now, failure);
            }
            // The next generation may still find a working pair.
            Some(restart) if restart.generation != generation => {
                restart.rollback.fallback = Fallback::Failed(failure);
            }
            Some(_) | None => self.fail(now, failure),
        }
    }

    fn on_dtls(&mut self, now: Instant, slot: Slot, event: dtls_core::Event) {
        match event {
            dtls_core::Event::Connected(negotiated) => self.connected(now, slot, negotiated),
            dtls_core::Event::Data(bytes) => self.data(now, slot, bytes),
            dtls_core::Event::FinalFlightReleased => self.on_authenticated(now, slot),
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
            // A half-closed association has no meaning for media, so a close ends both directions.
            dtls_core::Event::PeerClosing => {
                if let Some(connection) = self.connection_mut(slot) {
                    connection.close(now);
                }
            }
            dtls_core::Event::Closed(by) => self.association_closed(now, slot, by),
            dtls_core::Event::Failed(failure) => self.association_failed(now, slot, failure),
            // The connection verifies certificates by their fingerprints, so the application has nothing to
            // decide.
            dtls_core::Event::CertificateReceived { .. } | dtls_core::Event::PskRequested(_) => {}
        }
    }

    fn data(&mut self, now: Instant, slot: Slot, bytes: bytes::Bytes) {
        let Some(association) = self.established_mut(slot) else {
            return self.stats.discard(Discard::NotReady);
        };
        association.on_traffic_authenticated(now);
        let number = association.identity.number;
        if !self.events.push_data(number, bytes) {
            self.stats.discard(Discard::DataQueueFull);
        }
        self.on_authenticated(now, slot);
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
            // A close under the old keys ends only the old association while the restart may still replace it.
            (Slot::Current, Some(restart)) if !restart.state.retains_previous() => {
                self.end_current_association(Fallback::Closed);
            }
            (Slot::Current | Slot::Next, _) => {
                if let Some(path) = self.dtls_path {
                    self.ice.peer_ended(now, path);
                }
                self.end_transport(now, Phase::Closed);
            }
        }
    }

    fn association_failed(&mut self, now: Instant, slot: Slot, failure: dtls_core::Failure) {
        let Some(association) = self.number(slot) else { return };
        let path = self.path_of(slot);
        if let Some(mut datagrams) = self.connection_mut(slot).map(end::final_datagrams) {
            self.queue_datagrams(path, &mut datagrams);
        }
        let failure = Failure::Dtls { association, failure };
        match (slot, &self.restart) {
            (Slot::Draining, _) => self.draining = None,
            (Slot::Current, Some(restart)) if !restart.state.retains_previous() => {
                self.end_current_association(Fallback::Failed(failure));
            }
            (Slot::Current, _) => self.fail(now, failure),
            (Slot::Next, _) => self.attempt_failed(now, failure),
        }
    }

    pub(super) fn round_trip_time(&self) -> Option<Duration> {
        self.ice.selected_pair().and_then(|pair| pair.rtt)
    }
}
