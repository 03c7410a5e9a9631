//! Acknowledgements of DTLS 1.3 (RFC 9147 section 7): what of the peer's flights we tell, and what of ours we are told.

use super::Connection;
use super::post_handshake::Outstanding;
use super::progress::timeout;
use super::state::{Established, State};
use crate::config::DtlsRole;
use crate::discard::Discard;
use crate::dtls13::ack;
use crate::event::Admitted;
use crate::failure::Misbehaved;
use crate::handshake::flight::Flight;
use crate::record::epochs::FIRST_APPLICATION_EPOCH;
use crate::record::protect::Epoch;
use crate::record::{ContentType, RecordNumber};
use crate::timer::Timer;

impl Connection {
    /// A handshake record of the peer was used.
    pub(super) fn note_received(&mut self, number: RecordNumber) {
        match &mut self.state {
            State::Handshaking(handshaking) if handshaking.machine.notes_records() => {
                handshaking.received.note(number);
            }
            State::Connected(Established { post: Some(post), .. }) => post.received.note(number),
            _ => {}
        }
    }

    /// At the end of a datagram: is there something to acknowledge, now or soon? (RFC 9147 section 7.1)
    pub(super) fn settle_acknowledgements(&mut self) {
        match &self.state {
            State::Handshaking(handshaking)
                if handshaking.received.has_news() && handshaking.machine.is_dtls13_protected() =>
            {
                if handshaking.reassembly.is_disrupted() {
                    self.send_ack();
                } else {
                    let delay = self.config.schedule.ack_delay.unwrap_or(self.rto / 4);
                    self.timers.set_no_later(Timer::Acknowledge, self.now, delay);
                }
            }
            State::Connected(Established { post: Some(post), .. }) if post.received.has_news() => {
                self.send_ack();
            }
            _ => {}
        }
    }

    pub(super) fn send_ack(&mut self) {
        self.timers.stop(Timer::Acknowledge);
        self.await_rest_of_flight();
        // Nothing is lost by waiting until somebody fetches: it comes again.
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
        received.told();
        if sealed.is_ok() {
            self.finish_datagram();
        } else {
            self.outbox.abandon_datagram();
        }
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state {
            post.received.clear();
        }
        self.mind_wear();
    }

    /// A client that has heard the beginning of the server's flight has nothing of its own to repeat. Its ACK keeps the
    /// handshake alive instead, on the schedule of a flight: a server may have to wait for it before it sends anything
    /// more (RFC 9147 section 5.1), and an ACK can be lost. While the application is asked, the handshake waits for it and
    /// not for the server.
    pub(super) fn await_rest_of_flight(&mut self) {
        if let State::Handshaking(handshaking) = &self.state
            && self.role == DtlsRole::Client
            && !handshaking.received.is_empty()
            && !handshaking.machine.awaits_answer()
        {
            let pause = timeout(&self.config, self.rto, handshaking.received.times_told() + 1);
            self.timers.set(Timer::Acknowledge, self.now, pause);
        }
    }

    /// An ACK that the peer protected.
    pub(super) fn receive_ack(&mut self, epoch: u16, content: &[u8]) {
        let Ok(numbers) = ack::decode(content) else {
            return self.fail(Misbehaved::Malformed.into());
        };
        // Both sides go through the epochs of the handshake together; afterwards each side counts its own.
        if epoch < FIRST_APPLICATION_EPOCH && numbers.clone().any(|number| number.epoch > epoch) {
            return self.fail(Misbehaved::ImpossibleAck.into());
        }
        let (now, rto) = (self.now, self.rto);
        let Some(flight) = self.flight_in_the_air() else { return };
        // The peer has nothing that it could name, and waits (RFC 9147 section 7.1).
        if numbers.clone().next().is_none() && flight.may_repeat(now, rto) {
            return self.repeat_flight();
        }
        let is_news = flight.acknowledge(numbers);
        if flight.is_acknowledged() {
            self.timers.stop(Timer::Retransmit);
            if self.outstanding() == Some(Outstanding::KeyUpdate) {
                self.complete_outstanding();
            }
        } else if is_news && flight.has_lost() {
            self.resend_lost();
        }
    }

    /// An ACK that anybody could have sent: it never suppresses anything. It means nothing before both sides have
    /// settled for DTLS 1.3, nor where it names records that were protected.
    pub(super) fn receive_plaintext_ack(&mut self, content: &[u8]) -> Admitted {
        let rto = self.rto;
        let now = self.now;
        let is_possible =
            ack::decode(content).is_ok_and(|mut numbers| numbers.all(|number| number.epoch == 0));
        let may_repeat = match &self.state {
            State::Handshaking(handshaking) if is_possible && handshaking.machine.has_settled_dtls13() => {
                handshaking.outgoing.flight.may_repeat(now, rto)
            }
            _ => false,
        };
        if may_repeat {
            self.repeat_flight();
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
