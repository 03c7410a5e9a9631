//! Reacts to a failed handshake of a restart: another attempt, a rollback, or the end of the transport.
//!
//! Knows which failures a late packet may cause. Does not know how the rollback is done.

use std::time::Instant;

use super::PeerTransport;
use super::generation::{Decision, Restart, RestartState};
use crate::error::Failure;
use crate::event::{Event, Side};

impl PeerTransport {
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

    pub(super) fn restart_deadline_passed(&mut self, now: Instant) {
        let failure = Failure::HandshakeTimeout { within: self.config.handshake.handshake_timeout };
        let Some(restart) = &self.restart else { return };
        if restart.state.has_outcome() {
            self.end_restart();
        } else if self.previous_is_usable(now) {
            self.fail_restart(now, failure);
        } else {
            self.fail(now, failure);
        }
    }

    /// Whether the previous association can carry media now.
    pub(super) fn previous_is_usable(&self, now: Instant) -> bool {
        self.current.established().is_some() && self.ice.permission(now).is_some()
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
