//! Moves sending to the keys of a new generation.
//!
//! The side that knows that both sides have all flights moves at once. The side whose final flight may be lost
//! sends under the old keys until something authenticates under the new keys, or until no more traffic arrives
//! under the old ones. Then the old keys only read for a short drain, and are erased.

use std::time::{Duration, Instant};

use dtls_core::Negotiated;

use super::PeerTransport;
use super::association::Established;
use super::generation::{Current, Decision, Draining, Restart, RestartState};
use super::slot::Slot;
use crate::event::{Event, RestartOutcome};

/// The limit after which the old keys are erased even if no traffic arrives under the new ones. A peer that is
/// silent for so long has no packets in flight.
const MAX_DRAIN: Duration = Duration::from_secs(30);

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
        let previous = std::mem::replace(&mut self.current, Current::Established(Box::new(association)));
        if let Current::Established(previous) = previous {
            self.draining = Some(Draining { association: *previous, until: now + self.config.drain });
        }
        self.report_keys_changed();
    }

    /// Moves sending to the new keys.
    pub(super) fn move_sending(&mut self, now: Instant) {
        match self.restart.take() {
            Some(Restart { state: RestartState::Unconfirmed(next), .. }) => {
                let previous = std::mem::replace(&mut self.current, Current::Established(next));
                match previous {
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
}
