//! Alerts, and the end of a connection: once, with an alert to the peer where one is required.

use super::Connection;
use super::state::State;
use crate::alert::{Alert, AlertDescription, AlertLevel};
use crate::config::DtlsRole;
use crate::event::{ClosedBy, Event};
use crate::failure::{Failure, Refusal};
use crate::record::dtls12::Epoch;
use crate::record::sequence::KeyExhausted;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

/// After this many timeouts without progress an unauthenticated alert is accepted.
const PENDING_ALERT_TIMEOUTS: u32 = 3;

impl Connection {
    pub(super) fn fail(&mut self, failure: Failure) {
        if self.has_ended() {
            return;
        }
        tracing::debug!(role = ?self.role, %failure, "failed");
        if let Some(description) = self.alert_for(failure) {
            self.send_alert(Alert::fatal(description));
        }
        self.end(State::Failed);
        self.events.push(Event::Failed(failure));
    }

    /// DTLS 1.3 has its own alert for a missing certificate (RFC 8446 section 4.4.2.4).
    fn alert_for(&self, failure: Failure) -> Option<AlertDescription> {
        let is_dtls13 = match &self.state {
            State::Handshaking(handshaking) => {
                matches!(handshaking.machine.epoch(), Epoch::Handshake | Epoch::Application(_))
            }
            _ => false,
        };
        match (failure, self.role) {
            (Failure::Refused(Refusal::NoCertificate), DtlsRole::Server) if is_dtls13 => {
                Some(AlertDescription::CERTIFICATE_REQUIRED)
            }
            (Failure::Refused(Refusal::NoCertificate), DtlsRole::Client) if is_dtls13 => {
                Some(AlertDescription::DECODE_ERROR)
            }
            _ => failure.alert(),
        }
    }

    pub(super) fn fail_by_timeout(&mut self, timer: Timer) {
        self.fail(Failure::Timeout(timer));
    }

    pub(super) fn close_by_us(&mut self) {
        if self.has_ended() {
            return;
        }
        let directions = self.directions();
        if directions.may_send() && !matches!(self.state, State::Idle { .. }) {
            self.send_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        }
        self.end(State::Closed);
        self.events.push(Event::Closed(directions.closer()));
    }

    /// Handles an authenticated alert.
    pub(super) fn on_alert(&mut self, alert: Alert) {
        if alert.is_close_notify() {
            self.on_close_notify();
        } else if alert.level == AlertLevel::Fatal {
            self.fail(Failure::AlertReceived(alert.description));
        }
    }

    /// Handles an authenticated alert in DTLS 1.3, where the level has no meaning (RFC 8446 section 6): every alert
    /// except the closure alerts is an error; a close_notify follows `user_canceled`.
    pub(super) fn on_alert13(&mut self, number: RecordNumber, alert: Alert) {
        if alert.is_close_notify() && self.established().is_some() {
            self.peer_closes_its_direction(number);
        } else if alert.description != AlertDescription::USER_CANCELED {
            self.on_alert(Alert { level: AlertLevel::Fatal, ..alert });
        }
    }

    /// RFC 5246 section 7.2.1: a close_notify is answered by a close_notify, unless it is an answer itself, and nothing
    /// more is sent.
    fn on_close_notify(&mut self) {
        if !self.directions().may_send() {
            return self.close_by_us();
        }
        self.send_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        self.end(State::Closed);
        self.events.push(Event::Closed(ClosedBy::Peer));
    }

    /// Handles an unauthenticated alert: it counts only if the handshake makes no more progress.
    pub(super) fn on_unauthenticated_alert(&mut self, description: AlertDescription) {
        if let State::Handshaking(handshaking) = &mut self.state
            && handshaking.pending_alert.is_none()
            && handshaking.machine.accepts_plaintext_alert()
        {
            handshaking.pending_alert = Some(description);
            self.timers.set(Timer::PendingAlert, self.now, self.rto.saturating_mul(PENDING_ALERT_TIMEOUTS));
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

    pub(super) fn refuse_renegotiation(&mut self) {
        if !self.is_outbox_full() {
            self.send_alert(Alert::warning(AlertDescription::NO_RENEGOTIATION));
        }
    }

    pub(super) fn send_alert(&mut self, alert: Alert) {
        let epoch = match &self.state {
            State::Connected(established) => established.connected.epoch(),
            State::Handshaking(handshaking) => handshaking.machine.epoch(),
            _ => Epoch::Plaintext,
        };
        self.outbox.finish_datagram();
        // A blocked flight is of no use any more.
        self.outbox.drop_blocked();
        let out = self.outbox.datagram();
        match self.records.write(epoch, ContentType::Alert, &alert.encode(), out) {
            Ok(_) => self.finish_datagram(),
            Err(KeyExhausted) => self.outbox.abandon_datagram(),
        }
    }

    fn end(&mut self, state: State) {
        self.state = state;
        self.records.forget_keys();
        self.timers.stop_all();
    }
}
