//! Acknowledgements of DTLS 1.3 (RFC 9147 section 7), sent and received.

use super::Connection;
use super::handshake::timeout;
use super::post_handshake::Outstanding;
use super::state::{Established, State};
use crate::config::DtlsRole;
use crate::discard::Discard;
use crate::dtls13::ack;
use crate::event::Admitted;
use crate::failure::Misbehaved;
use crate::handshake::flight::Flight;
use crate::record::dtls12::Epoch;
use crate::record::dtls13::FIRST_APPLICATION_EPOCH;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

impl Connection {
    /// Records that a handshake record of the peer was used.
    pub(super) fn note_received(&mut self, number: RecordNumber) {
        match &mut self.state {
            State::Handshaking(handshaking) if handshaking.machine.tracks_records() => {
                handshaking.received.note(number);
            }
            State::Connected(Established { post: Some(post), .. }) => post.received.note(number),
            _ => {}
        }
    }

    /// At the end of a datagram: schedules an ACK, now or after a delay, if one is needed (RFC 9147 section 7.1).
    pub(super) fn schedule_ack(&mut self) {
        match &self.state {
            State::Handshaking(handshaking)
                if handshaking.received.ack_pending() && handshaking.machine.is_dtls13_protected() =>
            {
                if handshaking.reassembly.is_disrupted() {
                    self.send_ack();
                } else {
                    let delay = self.config.retransmit.ack_delay.unwrap_or(self.rto / 4);
                    self.timers.set_no_later(Timer::Acknowledge, self.now, delay);
                }
            }
            State::Connected(Established { post: Some(post), .. }) if post.received.ack_pending() => {
                self.send_ack();
            }
            _ => {}
        }
    }

    pub(super) fn send_ack(&mut self) {
        self.timers.stop(Timer::Acknowledge);
        self.schedule_ack_retransmission();
        // The peer retransmits, so an ACK can be sent later, when the queue has room.
        if self.is_outbox_full() {
            return;
        }
        let (epoch, received) = match &mut self.state {
            State::Handshaking(handshaking) => (Epoch::Handshake, &mut handshaking.received),
            State::Connected(established) => {
                let epoch = established.connected.epoch();
                let Some(post) = &mut established.post else { return };
                (epoch, &mut post.received)
            }
            _ => return,
        };
        let room = self.config.mtu.saturating_sub(self.records.overhead(epoch));
        let out = self.outbox.datagram();
        let sealed = self.records.begin(epoch, ContentType::Ack, out).and_then(|record| {
            received.write(room, out);
            self.records.seal(&record, out)
        });
        received.mark_sent();
        if sealed.is_ok() {
            self.finish_datagram();
        } else {
            self.outbox.abandon_datagram();
        }
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state {
            post.received.clear();
        }
        self.check_key_limits();
    }

    /// A client that has received the beginning of the server's flight has no flight of its own to retransmit. It
    /// retransmits its ACK instead, on the schedule of a flight: a server may have to wait for it before it can send
    /// more (RFC 9147 section 5.1), and an ACK can be lost. While the application decides, the handshake waits for the
    /// application and not for the server.
    pub(super) fn schedule_ack_retransmission(&mut self) {
        if let State::Handshaking(handshaking) = &self.state
            && self.role == DtlsRole::Client
            && !handshaking.received.is_empty()
            && !handshaking.machine.awaits_answer()
        {
            let pause = timeout(&self.config, self.rto, handshaking.received.times_sent() + 1);
            self.timers.set(Timer::Acknowledge, self.now, pause);
        }
    }

    /// Handles a protected ACK.
    pub(super) fn receive_ack(&mut self, epoch: u16, content: &[u8]) {
        let Ok(numbers) = ack::decode(content) else {
            return self.fail(Misbehaved::Malformed.into());
        };
        // Both sides use the epochs of the handshake together; later epochs are numbered per direction.
        if epoch < FIRST_APPLICATION_EPOCH && numbers.clone().any(|number| number.epoch > epoch) {
            return self.fail(Misbehaved::ImpossibleAck.into());
        }
        let (now, rto) = (self.now, self.rto);
        let Some(flight) = self.flight_in_the_air() else { return };
        // The peer received no record that it could name, and waits (RFC 9147 section 7.1).
        if numbers.clone().next().is_none() && flight.may_retransmit(now, rto) {
            return self.retransmit_flight();
        }
        let is_news = flight.acknowledge(numbers);
        if flight.is_acknowledged() {
            self.timers.stop(Timer::Retransmit);
            if self.outstanding() == Some(Outstanding::KeyUpdate) {
                self.complete_outstanding();
            }
        } else if is_news && flight.has_lost() {
            self.retransmit_lost();
        }
    }

    /// Handles an unauthenticated ACK. It never suppresses a retransmission. It is ignored before both sides have
    /// selected DTLS 1.3, and if it names protected records.
    pub(super) fn receive_plaintext_ack(&mut self, content: &[u8]) -> Admitted {
        let rto = self.rto;
        let now = self.now;
        let is_possible =
            ack::decode(content).is_ok_and(|mut numbers| numbers.all(|number| number.epoch == 0));
        let may_retransmit = match &self.state {
            State::Handshaking(handshaking) if is_possible && handshaking.machine.has_settled_dtls13() => {
                handshaking.outgoing.flight.may_retransmit(now, rto)
            }
            _ => false,
        };
        if may_retransmit {
            self.retransmit_flight();
        }
        self.discard(Discard::PlaintextAck)
    }

    fn flight_in_the_air(&mut self) -> Option<&mut Flight> {
        match &mut self.state {
            State::Handshaking(handshaking) => Some(&mut handshaking.outgoing.flight),
            State::Connected(Established { post: Some(post), .. }) => Some(&mut post.outgoing.flight),
            _ => None,
        }
    }
}
