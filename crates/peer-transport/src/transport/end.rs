//! Ends associations, restarts and the transport itself: closed by either side, or failed.
//!
//! Knows the final datagrams of an association that ends. Does not know how a restart reopens the transport.

use std::time::Instant;

use dtls_core::Connection;
use ice_agent::Path;

use super::PeerTransport;
use super::generation::{Current, Restart, RestartState};
use super::phase::Phase;
use super::rollback::Fallback;
use super::slot::Slot;
use crate::error::Failure;
use crate::event::{Event, Side, State};

/// The limit of queued final datagrams. A closing connection needs at most one for its alert.
const MAX_FINAL_DATAGRAMS: usize = 8;

impl PeerTransport {
    /// Closes the transport: sends close_notify on the selected pair, then nothing more. A restart reopens it.
    pub fn close(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.phase == Phase::Closed {
            return;
        }
        let path = self.ice.permission(now).map(|permission| permission.path);
        if let Current::Established(mut association) = std::mem::replace(&mut self.current, Current::Absent) {
            association.connection.close(now);
            self.queue_final_datagrams(path, &mut association.connection);
            self.events
                .push(Event::AssociationClosed { association: association.identity.number, by: Side::Local });
        }
        if let Some(Restart { state: RestartState::Unconfirmed(mut next), .. }) = self.restart.take() {
            next.connection.close(now);
            self.queue_final_datagrams(path, &mut next.connection);
            self.events.push(Event::AssociationClosed { association: next.identity.number, by: Side::Local });
        }
        self.end_transport(now, Phase::Closed);
        self.route(now);
    }

    /// Fails the transport, because no association is usable.
    pub(super) fn fail(&mut self, now: Instant, failure: Failure) {
        if self.phase != Phase::Open {
            return;
        }
        match failure {
            // A peer that still considers the association alive ignores a fresh handshake. So the association
            // is kept, without sending, for a restart that may find a path again.
            Failure::Ice(_) => {
                self.end_restart();
                self.phase = Phase::Failed(failure);
            }
            Failure::Dtls { .. } | Failure::HandshakeTimeout { .. } | Failure::Keys { .. } => {
                self.end_transport(now, Phase::Failed(failure));
            }
        }
        self.reported_state = State::Failed;
        self.events.push(Event::Failed(failure));
    }

    /// Ends every association, the restart and ICE.
    pub(super) fn end_transport(&mut self, now: Instant, phase: Phase) {
        self.end_restart();
        self.current.clear();
        self.draining = None;
        self.clear_early_hello();
        self.phase = phase;
        self.ice.close(now);
        self.ice_changes = self.ice_changes.wrapping_add(1);
    }

    /// Ends a restart without an event.
    pub(super) fn end_restart(&mut self) {
        self.stale.note(self.connection(Slot::Next).and_then(Connection::remote_random));
        self.restart = None;
    }

    /// Ends the current association while a restart is in progress. `fallback` is what a rollback then finds.
    pub(super) fn end_current_association(&mut self, fallback: Fallback) {
        self.stale.note(self.connection(Slot::Current).and_then(Connection::remote_random));
        self.current.clear();
        if let Some(restart) = &mut self.restart {
            restart.rollback.fallback = fallback;
        }
        self.move_sending(self.now);
    }

    /// Moves the pending datagrams of a connection that ends into the outbox.
    pub(super) fn queue_final_datagrams(&mut self, path: Option<Path>, connection: &mut Connection) {
        let mut datagrams = final_datagrams(connection);
        self.queue_datagrams(path, &mut datagrams);
    }

    pub(super) fn queue_datagrams(&mut self, path: Option<Path>, datagrams: &mut Vec<Vec<u8>>) {
        let Some(path) = path else { return };
        for datagram in datagrams.drain(..) {
            if self.outbox.len() < MAX_FINAL_DATAGRAMS {
                self.outbox.push_back((path, datagram));
            }
        }
    }
}

pub(super) fn final_datagrams(connection: &mut Connection) -> Vec<Vec<u8>> {
    let mut datagrams = Vec::new();
    let mut datagram = Vec::new();
    while connection.poll_transmit(&mut datagram).is_some() {
        datagrams.push(std::mem::take(&mut datagram));
    }
    // Anything queued before the last datagrams is application data that is no longer useful.
    if datagrams.len() > MAX_FINAL_DATAGRAMS {
        datagrams.drain(..datagrams.len() - MAX_FINAL_DATAGRAMS);
    }
    datagrams
}
