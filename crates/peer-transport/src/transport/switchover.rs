//! Decides when sending moves to the keys of a new generation, and what the peer's silence means until then.
//!
//! The side that knows that both sides have all flights moves at once. The side whose final flight may be lost
//! sends under the old keys until something authenticates under the new keys, or until no more traffic arrives
//! under the old ones. Then the old keys only read for a short drain, and are erased.

use std::time::{Duration, Instant};

use dtls_core::{Connection, Negotiated};

use super::PeerTransport;
use super::association::Established;
use super::expiry::Expiry;
use super::generation::{Current, Decision, Draining, Restart, RestartState, RollbackState};
use super::receive::Slot;
use super::timer::Timer;
use super::verdict::{self, AttemptProgress};
use crate::error::Failure;
use crate::event::{Event, RestartOutcome, Side};

/// The limit after which the old keys are erased even if no traffic arrives under the new ones. A peer that is
/// silent for so long has no packets in flight.
const MAX_DRAIN: Duration = Duration::from_secs(30);

impl RestartState {
    /// Whether the restart's outcome was reported.
    pub(super) fn has_outcome(&self) -> bool {
        match self {
            Self::Offered | Self::Retained { .. } => false,
            Self::Handshaking(attempt) => attempt.decision == Decision::Retained,
            Self::Unconfirmed(_) => true,
        }
    }

    /// Whether the new generation keeps the previous association, by signalling or by the restart verdict.
    pub(super) fn retains_previous(&self) -> bool {
        match self {
            Self::Offered | Self::Unconfirmed(_) => false,
            Self::Retained { .. } => true,
            Self::Handshaking(attempt) => attempt.decision == Decision::Retained,
        }
    }
}

impl PeerTransport {
    /// Establishes the association of a completed handshake.
    pub(super) fn connected(&mut self, now: Instant, slot: Slot, negotiated: Negotiated) {
        match slot {
            Slot::Current => self.first_connected(now, negotiated),
            Slot::Next => self.next_connected(now, negotiated),
            Slot::Draining => {}
        }
    }

    fn first_connected(&mut self, now: Instant, negotiated: Negotiated) {
        match std::mem::replace(&mut self.current, Current::Absent) {
            Current::Handshaking(handshaking) => {
                match handshaking.establish(now, negotiated, &self.config.srtp) {
                    Ok(association) => {
                        self.current = Current::Established(Box::new(association));
                        self.report_keys_changed();
                    }
                    Err(failure) => self.fail(now, failure),
                }
            }
            other => self.current = other,
        }
    }

    fn next_connected(&mut self, now: Instant, negotiated: Negotiated) {
        let Some(Restart { generation, rollback, state }) = self.restart.take() else { return };
        let RestartState::Handshaking(attempt) = state else {
            self.restart = Some(Restart { generation, rollback, state });
            return;
        };
        let reported = attempt.decision == Decision::Retained;
        let association = match attempt.handshaking.establish(now, negotiated, &self.config.srtp) {
            Ok(association) => association,
            Err(failure) => {
                return self.conclude_failed_attempt(now, generation, rollback, reported, failure);
            }
        };
        let number = association.identity.number;
        let waits = association.peer_may_miss_final_flight() && self.current.established().is_some();
        self.restart =
            Some(Restart { generation, rollback, state: RestartState::Unconfirmed(Box::new(association)) });
        if !reported {
            self.events.push(Event::RestartCompleted {
                generation,
                outcome: RestartOutcome::FreshHandshake { association: number },
            });
        }
        if !waits {
            self.move_sending(now);
        }
    }

    /// Reacts to traffic that only a connected peer can have sent under an association.
    pub(super) fn on_authenticated(&mut self, now: Instant, slot: Slot) {
        match slot {
            Slot::Next => {
                self.move_sending(now);
                self.shorten_drain(now);
            }
            Slot::Current if self.is_draining_newer() => {}
            Slot::Current => self.shorten_drain(now),
            Slot::Draining if self.is_draining_newer() => self.promote_draining(now),
            Slot::Draining => {}
        }
    }

    /// Prepares for another restart while a complete association waits for confirmation that the peer has it
    /// too. The peer may never get it, so the previous association continues to send, and the unconfirmed one
    /// only reads.
    pub(super) fn drain_unconfirmed(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { state: RestartState::Unconfirmed(next), .. })
                if self.current.established().is_some() =>
            {
                self.draining = Some(Draining { association: *next, until: now + MAX_DRAIN });
            }
            other => {
                self.restart = other;
                self.move_sending(now);
            }
        }
    }

    /// Whether the draining association is newer than the sending one.
    fn is_draining_newer(&self) -> bool {
        let number = |association: &Established| association.identity.number;
        let draining = self.draining.as_ref().map(|draining| number(&draining.association));
        // Without a sending association, the draining one is the older one and only reads.
        let current = self.current.established().map(number);
        current.is_some() && draining > current
    }

    /// Returns sending to the draining newer association, because the peer sends under it.
    fn promote_draining(&mut self, now: Instant) {
        let Some(Draining { association, .. }) = self.draining.take() else { return };
        let before = std::mem::replace(&mut self.current, Current::Established(Box::new(association)));
        if let Current::Established(before) = before {
            self.draining = Some(Draining { association: *before, until: now + self.config.drain });
        }
        self.report_keys_changed();
    }

    /// Moves sending to the new keys.
    pub(super) fn move_sending(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { state: RestartState::Unconfirmed(next), .. }) => {
                let before = std::mem::replace(&mut self.current, Current::Established(next));
                match before {
                    Current::Established(association) => {
                        self.stale.note(association.connection.remote_random());
                        self.draining = Some(Draining { association: *association, until: now + MAX_DRAIN });
                    }
                    Current::Handshaking(handshaking) => {
                        self.stale.note(handshaking.connection.remote_random());
                    }
                    Current::Absent => {}
                }
                self.report_keys_changed();
            }
            other => self.restart = other,
        }
    }

    fn shorten_drain(&mut self, now: Instant) {
        let drain = self.config.drain;
        if let Some(draining) = &mut self.draining {
            draining.until = draining.until.min(now + drain);
        }
    }

    fn report_keys_changed(&mut self) {
        if let Some(association) = self.current.established() {
            self.events.push(Event::KeysChanged {
                association: association.identity.number,
                generation: association.identity.generation,
                profile: association.profile(),
            });
        }
    }

    /// The named deadlines of the transport itself.
    pub(super) fn deadlines(&self) -> impl Iterator<Item = (Timer, Instant)> {
        let state = self.restart.as_ref().map(|restart| &restart.state);
        let restart = match state {
            Some(RestartState::Retained { deadline, .. }) => Some(*deadline),
            Some(RestartState::Handshaking(attempt)) => Some(attempt.deadline),
            Some(RestartState::Offered | RestartState::Unconfirmed(_)) | None => None,
        };
        let silence_end = self
            .open_attempt()
            // After the silence, each retransmission triggers the decision, and DTLS sets that timer.
            .filter(|(_, decision)| *decision == Decision::Open)
            .map(|(progress, _)| progress.silence_end(&self.config.retention_policy));
        let quiet = match (state, self.current.established()) {
            (Some(RestartState::Unconfirmed(next)), Some(before)) => {
                let received = before.last_authenticated().max(next.last_authenticated());
                Some(received + verdict::quiet_time(self.round_trip_time()))
            }
            _ => None,
        };
        let drain = self.draining.as_ref().map(|draining| draining.until);
        [
            (Timer::RestartDeadline, restart),
            (Timer::RetainedVerdict, silence_end),
            (Timer::QuietMove, quiet),
            (Timer::DrainEnd, drain),
            (Timer::CertificateExpiry, self.unreported_expiry().map(|expiry| expiry.due)),
        ]
        .into_iter()
        .filter_map(|(timer, at)| Some((timer, at?)))
    }

    /// Runs the due timers. Each timer is cleared when it fires.
    pub(super) fn handle_deadlines(&mut self, now: Instant) {
        let is_due = |this: &Self, timer: Timer| this.deadlines().any(|(due, at)| due == timer && at <= now);
        if is_due(self, Timer::DrainEnd) {
            self.draining = None;
        }
        if is_due(self, Timer::CertificateExpiry)
            && let Some(Expiry { not_after, .. }) = self.unreported_expiry()
        {
            self.expiry_reported = Some(not_after);
            self.events.push(Event::CertificateExpiring { not_after });
        }
        if is_due(self, Timer::QuietMove) {
            self.move_sending(now);
        }
        let silence_elapsed = is_due(self, Timer::RetainedVerdict);
        match self.open_attempt() {
            Some((progress, _)) if progress.is_retained(now, &self.config.retention_policy) => {
                self.decide_retained(now);
            }
            Some(_) if silence_elapsed => self.set_open_after_silence(),
            Some(_) | None => {}
        }
        if is_due(self, Timer::RestartDeadline) {
            self.restart_deadline_passed(now);
        }
    }

    /// The attempt that the peer's silence may decide.
    fn open_attempt(&self) -> Option<(AttemptProgress, Decision)> {
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
            since: self.ice.asked_again(restart.generation).map_or(started_at, |asked| started_at.max(asked)),
            role: handshaking.identity.role,
            transmissions: handshaking.transmissions(),
        };
        Some((progress, attempt.decision))
    }

    const fn set_open_after_silence(&mut self) {
        if let Some(Restart { state: RestartState::Handshaking(attempt), .. }) = &mut self.restart {
            attempt.decision = Decision::OpenAfterSilence;
        }
    }

    /// Decides that the peer retained the association. The attempt can still complete until its deadline.
    fn decide_retained(&mut self, now: Instant) {
        let Some(restart) = &mut self.restart else { return };
        let generation = restart.generation;
        if let RestartState::Handshaking(attempt) = &mut restart.state {
            attempt.decision = Decision::Retained;
            let signalled = attempt.handshaking.identity.signalled.clone();
            self.report_retained(now, generation, signalled);
        }
    }

    fn restart_deadline_passed(&mut self, now: Instant) {
        let failure = Failure::HandshakeTimeout { within: self.config.handshake.deadline };
        let Some(restart) = &self.restart else { return };
        if restart.state.has_outcome() {
            self.drop_restart();
        } else if self.previous_is_usable(now) {
            self.fail_restart(now, failure);
        } else {
            self.fail(now, failure);
        }
    }

    /// Handles a failed handshake of a restart.
    pub(super) fn attempt_failed(&mut self, now: Instant, failure: Failure) {
        let round_trip_time = self.round_trip_time();
        let Some(Restart { generation, rollback, state }) = self.restart.take() else { return };
        let mut attempt = match state {
            RestartState::Handshaking(attempt) => attempt,
            // Only the local side had completed it. A peer that refused the final flight continues under the
            // previous association.
            RestartState::Unconfirmed(next) if self.previous_is_usable(now) => {
                self.stale.note(next.connection.remote_random());
                self.signalling.local = rollback.signalling.local;
                let association = next.identity.number;
                let by = if is_peer_alert(&failure) { Side::Peer } else { Side::Local };
                return self.events.push(Event::AssociationClosed { association, by });
            }
            RestartState::Unconfirmed(_) | RestartState::Offered | RestartState::Retained { .. } => {
                return self.fail(now, failure);
            }
        };
        if may_be_stale_content(&failure)
            && !attempt.handshaking.connection.is_connected()
            && attempt.handshaking.retry(now, round_trip_time)
        {
            self.restart = Some(Restart { generation, rollback, state: RestartState::Handshaking(attempt) });
            return;
        }
        let reported = attempt.decision == Decision::Retained;
        self.conclude_failed_attempt(now, generation, rollback, reported, failure);
    }

    fn conclude_failed_attempt(
        &mut self,
        now: Instant,
        generation: ice_agent::Generation,
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

    /// Whether the previous association can carry media now.
    pub(super) fn previous_is_usable(&self, now: Instant) -> bool {
        self.current.established().is_some() && self.ice.permission(now).is_some()
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

    /// Drops a restart without an event.
    pub(super) fn drop_restart(&mut self) {
        self.stale.note(self.connection(Slot::Next).and_then(Connection::remote_random));
        self.restart = None;
    }
}

/// Whether the peer ended the association with an alert.
const fn is_peer_alert(failure: &Failure) -> bool {
    matches!(failure, Failure::Dtls { failure: dtls_core::Failure::AlertReceived(_), .. })
}

/// Whether a packet of an earlier generation could have caused the failure.
const fn may_be_stale_content(failure: &Failure) -> bool {
    match failure {
        Failure::Dtls { failure, .. } => match failure {
            dtls_core::Failure::Peer(_)
            | dtls_core::Failure::NoOverlap(_)
            | dtls_core::Failure::AlertReceived(_)
            // In DTLS 1.2 a late Certificate of the previous association arrives in plaintext.
            | dtls_core::Failure::Refused(dtls_core::Refusal::FingerprintMismatch) => true,
            dtls_core::Failure::Refused(_)
            | dtls_core::Failure::Timeout(_)
            | dtls_core::Failure::Crypto(_) => false,
        },
        Failure::Ice(_) | Failure::HandshakeTimeout { .. } | Failure::Keys { .. } => false,
    }
}
