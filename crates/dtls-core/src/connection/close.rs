//! Alerts, and the end of a connection: once, with an alert to the peer where one is required.

use super::Connection;
use super::state::State;
use crate::alert::{Alert, AlertDescription, AlertLevel};
use crate::config::DtlsRole;
use crate::end::End;
use crate::established::Established;
use crate::event::{ClosedBy, Event};
use crate::failure::{Failure, Refusal};
use crate::record::RecordNumber;
use crate::record::epoch::Epoch;
use crate::timer::Timer;

/// After this many timeouts without progress an unauthenticated alert is accepted.
const PENDING_ALERT_TIMEOUTS: u32 = 3;

impl Connection {
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.state.has_ended() {
            return;
        }
        tracing::debug!(role = ?self.link.role, %failure, "failed");
        if let Some(description) = self.alert_for(failure) {
            self.send_alert(Alert::fatal(description));
        }
        self.end(State::Failed);
        self.link.events.push(Event::Failed(failure));
    }

    /// DTLS 1.3 has its own alert for a missing certificate (RFC 8446 section 4.4.2.4).
    fn alert_for(&self, failure: Failure) -> Option<AlertDescription> {
        let is_dtls13 = match &self.state {
            State::Handshaking(handshaking) => {
                matches!(handshaking.machine.epoch(), Epoch::Handshake | Epoch::Application(_))
            }
            _ => false,
        };
        match (failure, self.link.role) {
            (Failure::Refused(Refusal::NoCertificate), DtlsRole::Server) if is_dtls13 => {
                Some(AlertDescription::CERTIFICATE_REQUIRED)
            }
            (Failure::Refused(Refusal::NoCertificate), DtlsRole::Client) if is_dtls13 => {
                Some(AlertDescription::DECODE_ERROR)
            }
            _ => failure.alert(),
        }
    }

    /// Ends the connection if a state requested it.
    #[inline]
    pub(super) fn apply(&mut self, outcome: Result<(), End>) {
        if let Err(end) = outcome {
            self.on_end(end);
        }
    }

    /// Ends the connection as a state requested it.
    pub(super) fn on_end(&mut self, end: End) {
        match end {
            End::Failed(failure) => self.fail(failure),
            End::Closed(by) => self.close_by(by),
        }
    }

    /// Ends the connection by a command of the application.
    pub(super) fn close_by_us(&mut self) {
        self.close_by(self.established().map_or(ClosedBy::Us, Established::closer));
    }

    /// Ends the connection, with a close_notify unless this side has sent one.
    fn close_by(&mut self, by: ClosedBy) {
        let may_send = match &self.state {
            State::Idle { .. } => false,
            State::Handshaking(_) => true,
            State::Connected(established) => established.may_send(),
            State::Closed | State::Failed => return,
        };
        if may_send {
            self.send_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        }
        self.end(State::Closed);
        self.link.events.push(Event::Closed(by));
    }

    /// Handles an authenticated alert.
    pub(super) fn on_alert(&mut self, number: RecordNumber, alert: Alert) {
        if alert.is_close_notify() {
            let closed = match &mut self.state {
                State::Connected(established) => established.on_close_notify(number, &mut self.link),
                _ => Err(End::Closed(ClosedBy::Peer)),
            };
            self.apply(closed);
        } else if alert.level == AlertLevel::Fatal {
            self.fail(Failure::AlertReceived(alert.description));
        }
    }

    /// Handles an unauthenticated alert: it counts only if the handshake makes no more progress.
    pub(super) fn on_unauthenticated_alert(&mut self, description: AlertDescription) {
        if let State::Handshaking(handshaking) = &mut self.state
            && handshaking.pending_alert.is_none()
            && handshaking.machine.accepts_plaintext_alert()
        {
            handshaking.pending_alert = Some(description);
            self.link.timers.set(
                Timer::PendingAlert,
                self.link.now,
                self.link.rto.saturating_mul(PENDING_ALERT_TIMEOUTS),
            );
        }
    }

    /// Accepts the pending alert, because the handshake made no progress since.
    pub(super) fn accept_pending_alert(&mut self) {
        if let State::Handshaking(handshaking) = &self.state
            && let Some(description) = handshaking.pending_alert
        {
            self.fail(Failure::AlertReceived(description));
        }
    }

    fn send_alert(&mut self, alert: Alert) {
        let epoch = match &self.state {
            State::Connected(established) => established.epoch(),
            State::Handshaking(handshaking) => handshaking.machine.epoch(),
            State::Idle { .. } | State::Closed | State::Failed => Epoch::Plaintext,
        };
        self.link.send_alert(epoch, alert);
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.link.records.forget_keys();
        self.link.timers.stop_all();
    }
}
