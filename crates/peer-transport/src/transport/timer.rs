//! The transport's own timers: their names, deadlines and expiry.
//!
//! ICE and DTLS have timers of their own.

use std::time::Instant;

use super::PeerTransport;
use super::expiry::Expiry;
use super::generation::{Decision, RestartState};
use super::verdict;
use crate::event::Event;

/// The transport's own timers. ICE and DTLS have timers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The restart has taken too long. Counts from the remote parameters of the restart. The deadline of the first
    /// handshake counts from the first usable pair instead, because candidates may arrive at any time.
    RestartDeadline,
    /// The peer has been silent long enough during a fresh handshake for a verdict.
    Retention,
    /// No more traffic arrives under the old keys, so the peer has moved.
    QuietMove,
    /// The old keys have read the packets in flight and are erased.
    DrainEnd,
    /// A local certificate expires soon.
    CertificateExpiry,
}

impl PeerTransport {
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
            (Some(RestartState::Unconfirmed(next)), Some(previous)) => {
                let received = previous.last_authenticated().max(next.last_authenticated());
                Some(received + verdict::quiet_time(self.round_trip_time()))
            }
            _ => None,
        };
        let drain = self.draining.as_ref().map(|draining| draining.until);
        [
            (Timer::RestartDeadline, restart),
            (Timer::Retention, silence_end),
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
        let silence_elapsed = is_due(self, Timer::Retention);
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
}
