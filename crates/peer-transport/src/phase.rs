//! Where a transport stands in its life, how it ends, and what the application is told of that.

use std::time::Instant;

use crate::error::Failure;
use crate::event::{Event, State};
use crate::generation::Current;
use crate::transport::PeerTransport;

/// Whether the transport lives. Everything finer follows from what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    Closed,
    Failed(Failure),
}

impl PeerTransport {
    /// The state that follows from what the transport holds.
    fn derive_state(&self) -> State {
        let restarting = self.restart.as_ref().is_some_and(|restart| !restart.stage.is_settled());
        match self.phase {
            Phase::Closed => State::Closed,
            Phase::Failed(_) => State::Failed,
            Phase::Open if self.signalling.remote.is_none() => State::New,
            Phase::Open if restarting || self.sending_path(self.now).is_err() => State::Connecting,
            Phase::Open => State::Connected,
        }
    }

    /// Tells the application where it has not been told. A failure was told by its own event.
    pub(crate) fn announce_state(&mut self) {
        let state = self.derive_state();
        if state != self.announced {
            self.announced = state;
            if state != State::Failed {
                self.events.push(Event::StateChanged(state));
            }
        }
    }

    /// Nothing works any more.
    pub(crate) fn fail(&mut self, now: Instant, failure: Failure) {
        if self.phase != Phase::Open {
            return;
        }
        match failure {
            // A peer whose side still believes in the association ignores a fresh handshake, so the
            // association stays, silent, for the restart that may find a path again.
            Failure::Ice(_) => {
                self.drop_restart();
                self.phase = Phase::Failed(failure);
            }
            Failure::Dtls { .. } | Failure::HandshakeTimeout { .. } | Failure::Keys { .. } => {
                self.end(now, Phase::Failed(failure));
            }
        }
        self.announced = State::Failed;
        self.events.push(Event::Failed(failure));
    }

    /// Lets go of every association and stops ICE.
    pub(crate) fn end(&mut self, now: Instant, phase: Phase) {
        self.drop_restart();
        self.current = Current::Absent;
        self.draining = None;
        self.forget_early();
        self.phase = phase;
        self.ice.close(now);
        self.ice_changes = self.ice_changes.wrapping_add(1);
    }
}
