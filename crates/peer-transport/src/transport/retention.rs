//! Retains the previous association in a restart, after signalling or the peer's silence decided it.
//!
//! Knows the attempt beside the association. The decisions themselves are in `verdict`.

use std::time::Instant;

use ice_agent::GenerationId;

use super::PeerTransport;
use super::generation::{Decision, Restart, RestartState};
use super::signalling::SignalledParameters;
use super::verdict::{self, AttemptProgress};
use crate::event::{Event, RestartOutcome};

impl PeerTransport {
    /// The attempt that the peer's silence may decide.
    pub(super) fn open_attempt(&self) -> Option<(AttemptProgress, Decision)> {
        let restart = self.restart.as_ref()?;
        let RestartState::Handshaking(attempt) = &restart.state else { return None };
        let handshaking = &attempt.handshaking;
        let is_open = match attempt.decision {
            Decision::Open | Decision::OpenAfterSilence => !handshaking.received(),
            Decision::Fresh | Decision::Retained => false,
        };
        if !is_open || self.current.established().is_none() {
            return None;
        }
        // A peer that has not received the responses to its checks cannot have started, so its silence means
        // nothing.
        let started_at = handshaking.started_at()?;
        let progress = AttemptProgress {
            since: self
                .ice
                .request_retransmitted_at(restart.generation)
                .map_or(started_at, |asked| started_at.max(asked)),
            role: handshaking.identity.role,
            transmissions: handshaking.transmissions(),
        };
        Some((progress, attempt.decision))
    }

    pub(super) const fn set_open_after_silence(&mut self) {
        if let Some(Restart { state: RestartState::Handshaking(attempt), .. }) = &mut self.restart {
            attempt.decision = Decision::OpenAfterSilence;
        }
    }

    /// Decides that the peer retained the association. The attempt can still complete until its deadline.
    pub(super) fn decide_retained(&mut self, now: Instant) {
        let Some(restart) = &mut self.restart else { return };
        let generation = restart.generation;
        if let RestartState::Handshaking(attempt) = &mut restart.state {
            attempt.decision = Decision::Retained;
            let signalled = attempt.handshaking.identity.signalled.clone();
            self.report_retained(now, generation, signalled);
        }
    }

    /// Completes a restart for which signalling retained the association: its new pair is usable.
    pub(super) fn complete_retained(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { generation, state: RestartState::Retained { signalled, .. }, .. }) => {
                self.report_retained(now, generation, *signalled);
            }
            other => self.restart = other,
        }
    }

    /// Reports that the previous association was retained under the new ICE generation, and stores the
    /// parameters that were signalled for it.
    pub(super) fn report_retained(
        &mut self,
        now: Instant,
        generation: GenerationId,
        signalled: SignalledParameters,
    ) {
        let recent = verdict::proof_age(self.round_trip_time());
        let Some(association) = self.current.established_mut() else { return };
        association.identity.signalled = signalled;
        let proven =
            now.checked_sub(recent).is_some_and(|earliest| association.authenticated_since(earliest));
        let association = association.identity.number;
        self.events.push(Event::RestartCompleted {
            generation,
            outcome: RestartOutcome::AssociationRetained { association, proven },
        });
    }
}
