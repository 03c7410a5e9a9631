//! The life cycle of a transport: its state, how it ends, and which events report it.

use std::time::Instant;

use super::PeerTransport;
use super::generation::Current;
use crate::error::Failure;
use crate::event::{Event, State};

/// Whether the transport is usable. Finer states are derived from its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closed,
    Failed(Failure),
}

impl PeerTransport {
    /// Derives the state from the fields.
    fn derive_state(&self) -> State {
        let restarting = self.restart.as_ref().is_some_and(|restart| !restart.state.has_outcome());
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Failed(_) => State::Failed,
            Phase::Open if self.signalling.remote.is_none() => State::New,
            Phase::Open if restarting || self.sending_path(self.now).is_err() => State::Connecting,
            Phase::Open => State::Connected,
        }
    }

    /// Reports a state that was not reported yet. A failure has an event of its own.
    pub(super) fn report_state(&mut self) {
        let state = self.derive_state();
        if state != self.reported_state {
            self.reported_state = state;
            if state != State::Failed {
                self.events.push(Event::StateChanged(state));
            }
        }
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
                self.drop_restart();
                self.phase = Phase::Failed(failure);
            }
            Failure::Dtls { .. } | Failure::HandshakeTimeout { .. } | Failure::Keys { .. } => {
                self.end(now, Phase::Failed(failure));
            }
        }
        self.reported_state = State::Failed;
        self.events.push(Event::Failed(failure));
    }

    /// Drops every association and stops ICE.
    pub(super) fn end(&mut self, now: Instant, phase: Phase) {
        self.drop_restart();
        self.current = Current::Absent;
        self.draining = None;
        self.clear_early_hello();
        self.phase = phase;
        self.ice.close(now);
        self.ice_changes = self.ice_changes.wrapping_add(1);
    }
}
