//! Returns from a restart to the previous generation: signalling rolled it back, or it failed.
//!
//! Knows what remains of the previous generation. Does not know how far the restart has come.

use std::time::Instant;

use ice_agent::GenerationId;

use super::PeerTransport;
use super::phase::Phase;
use super::signalling::Signalling;
use crate::error::{Error, Failure};
use crate::event::Event;

/// The state that a rolled back or failed restart returns to.
#[derive(Clone, Debug)]
pub(super) struct RollbackState {
    /// The signalled parameters of the previous generation.
    pub(super) signalling: Signalling,
    pub(super) fallback: Fallback,
}

/// The remainder of the previous generation after a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// The previous generation, connected or connecting.
    PreviousGeneration,
    /// Nothing: either side closed it.
    Closed,
    /// Nothing usable: it failed.
    Failed(Failure),
}

impl PeerTransport {
    /// Rolls a restart back to the previous generation, because signalling rolled back the offer. If the
    /// previous generation was closed or failed, before or during the restart, the transport is closed or
    /// failed again.
    ///
    /// # Errors
    /// [`Error::NoRestart`] if no restart is in progress, or if it has completed.
    pub fn rollback_restart(&mut self, now: Instant) -> Result<(), Error> {
        let now = self.advance(now);
        if self.restart.as_ref().is_none_or(|restart| restart.state.has_outcome()) {
            return Err(Error::NoRestart);
        }
        self.ice.rollback_restart(now)?;
        self.clear_early_hello();
        if let Some(restart) = self.restart.take() {
            let RollbackState { signalling, fallback } = restart.rollback;
            self.signalling = signalling;
            match fallback {
                Fallback::PreviousGeneration if !self.current.is_absent() => {}
                // The restart discarded the initial handshake, so there is nothing to return to.
                Fallback::PreviousGeneration | Fallback::Closed => self.end_transport(now, Phase::Closed),
                Fallback::Failed(failure) => self.fail(now, failure),
            }
        }
        self.route(now);
        Ok(())
    }

    /// Drops a restart that is in progress, and returns the state that a rollback of the next one restores.
    pub(super) fn prepare_rollback(&mut self, now: Instant) -> RollbackState {
        // A restart without an outcome is replaced, so a rollback returns to the generation before it.
        let previous = match &self.restart {
            Some(restart) if !restart.state.has_outcome() => restart.rollback.clone(),
            Some(_) | None => RollbackState {
                signalling: self.signalling.clone(),
                fallback: match self.phase {
                    Phase::Open => Fallback::PreviousGeneration,
                    Phase::Closed => Fallback::Closed,
                    Phase::Failed(failure) => Fallback::Failed(failure),
                },
            },
        };
        self.drain_unconfirmed(now);
        self.end_restart();
        previous
    }

    /// Ends a failed restart and returns to the previous generation.
    pub(super) fn fail_restart(&mut self, now: Instant, failure: Failure) {
        let Some(restart) = self.restart.take() else { return };
        let (generation, reported) = (restart.generation, restart.state.has_outcome());
        // ICE refuses if the new pair already carries traffic under the old keys, or if ICE itself failed the
        // generation.
        let _refused = self.ice.rollback_restart(now);
        if self.ice.generation() == generation {
            self.signalling.local = restart.rollback.signalling.local;
        } else {
            self.signalling = restart.rollback.signalling;
        }
        // The previous generation may have failed while the restart was in progress.
        if self.ice.permission(now).is_none() && self.ice.state() == ice_agent::State::Failed {
            return self.fail(now, failure);
        }
        if !reported {
            self.events.push(Event::RestartFailed { generation, failure });
        }
    }

    /// Reports a failed attempt and returns to the previous generation, or fails the transport.
    pub(super) fn conclude_failed_attempt(
        &mut self,
        now: Instant,
        generation: GenerationId,
        rollback: RollbackState,
        reported: bool,
        failure: Failure,
    ) {
        if reported {
            return;
        }
        if self.previous_is_usable(now) {
            self.signalling.local = rollback.signalling.local;
            self.events.push(Event::RestartFailed { generation, failure });
        } else {
            self.fail(now, failure);
        }
    }
}
