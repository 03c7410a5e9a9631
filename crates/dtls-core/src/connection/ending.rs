//! Alerts, and how a connection ends: once, and told to the peer where there is somebody to be told.

use super::Connection;
use super::state::State;
use crate::alert::{Alert, AlertDescription, AlertLevel};
use crate::config::DtlsRole;
use crate::event::{ClosedBy, Event};
use crate::failure::{Failure, Refusal};
use crate::record::protect::Epoch;
use crate::record::sequence::KeyExhausted;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

/// How many timeouts an unauthenticated alert must stand without any progress before it is believed.
const HINT_TIMEOUTS: u32 = 3;

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

    /// DTLS 1.3 has names of its own for an absent certificate (RFC 8446 section 4.4.2.4).
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

    /// An alert that the peer authenticated.
    pub(super) fn obey_alert(&mut self, alert: Alert) {
        if alert.is_close_notify() {
            self.obey_close();
        } else if alert.level == AlertLevel::Fatal {
            self.fail(Failure::AlertReceived(alert.description));
        }
    }

    /// An alert that the peer authenticated in DTLS 1.3, where the level says nothing (RFC 8446 section 6): what does not
    /// close is an error, but for `user_canceled`, which a close_notify follows.
    pub(super) fn obey_alert13(&mut self, number: RecordNumber, alert: Alert) {
        if alert.is_close_notify() && self.established().is_some() {
            self.peer_closes_its_direction(number);
        } else if alert.description != AlertDescription::USER_CANCELED {
            self.obey_alert(Alert { level: AlertLevel::Fatal, ..alert });
        }
    }

    /// RFC 5246 section 7.2.1: a close_notify is answered by ours, unless it answers ours, and nothing more is sent.
    fn obey_close(&mut self) {
        if !self.directions().may_send() {
            return self.close_by_us();
        }
        self.send_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
        self.end(State::Closed);
        self.events.push(Event::Closed(ClosedBy::Peer));
    }

    /// An alert that anybody could have sent: it counts only if the handshake does not go on.
    pub(super) fn remember_alert(&mut self, description: AlertDescription) {
        if let State::Handshaking(handshaking) = &mut self.state
            && handshaking.alert_hint.is_none()
            && handshaking.machine.may_hear_plaintext_alert()
        {
            handshaking.alert_hint = Some(description);
            self.timers.set(Timer::AlertHint, self.now, self.rto.saturating_mul(HINT_TIMEOUTS));
        }
    }

    /// Nothing contradicted the alert.
    pub(super) fn believe_alert(&mut self) {
        if let State::Handshaking(handshaking) = &self.state
            && let Some(description) = handshaking.alert_hint
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
        // A flight that waits leads nowhere any more.
        self.outbox.forget_withheld();
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
