//! DTLS 1.3 after the handshake: the unacknowledged message, and the messages that may still arrive (RFC 9147 sections
//! 5.8.1 and 8, RFC 8446 section 4.6).

use super::Connection;
use super::state::{Established, State};
use crate::config::DtlsRole;
use crate::connected::Connected;
use crate::discard::Discard;
use crate::dtls13::ack::Received;
use crate::event::{Admitted, Event};
use crate::failure::{Failure, Misbehaved, Operation};
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::transcript::Transcript;
use crate::handshake::{Fragment, HandshakeType, Message, Outgoing};
use crate::message::key_update::KeyUpdate;
use crate::record::dtls13::FIRST_APPLICATION_EPOCH;
use crate::timer::Timer;
use std::time::Instant;

/// The state of DTLS 1.3 after the handshake.
pub(super) struct PostHandshake {
    pub(super) reassembly: Reassembly,
    pub(super) outgoing: Outgoing,
    pub(super) received: Received,
    pub(super) outstanding: Outstanding,
    /// The peer requested a KeyUpdate while another message of ours was unacknowledged.
    pub(super) update_wanted: bool,
    /// When a retransmitted flight of the server was last answered.
    answered_at: Option<Instant>,
}

/// The message of ours that is not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outstanding {
    Nothing,
    /// The client's final flight of the handshake.
    FinalFlight,
    KeyUpdate,
}

impl PostHandshake {
    /// Takes over from the handshake: the server has received records to acknowledge, the client has an unacknowledged
    /// flight.
    pub(super) fn new(
        role: DtlsRole,
        reassembly: Reassembly,
        mut outgoing: Outgoing,
        mut received: Received,
    ) -> Self {
        outgoing.transcript = Transcript::default();
        let (received, outstanding) = match role {
            DtlsRole::Client => (Received::default(), Outstanding::FinalFlight),
            DtlsRole::Server => {
                outgoing.flight = Flight::default();
                // An ACK with the application keys tells the client that the server is connected.
                received.mark_unsent();
                (received, Outstanding::Nothing)
            }
        };
        Self { reassembly, outgoing, received, outstanding, update_wanted: false, answered_at: None }
    }
}

impl Connection {
    pub(super) fn outstanding(&self) -> Option<Outstanding> {
        self.established()?.post.as_ref().map(|post| post.outstanding)
    }

    /// Handles an authenticated record of this epoch. A server that has the client's final flight may still verify it;
    /// it is connected when it sends a record with the application keys.
    pub(super) fn on_server_connected(&mut self, epoch: u16) {
        if epoch >= FIRST_APPLICATION_EPOCH
            && let State::Connected(Established { post: Some(post), .. }) = &self.state
            && post.outstanding == Outstanding::FinalFlight
            && post.outgoing.flight.is_acknowledged()
        {
            self.complete_outstanding();
        }
    }

    /// Handles the acknowledgement of everything that was outstanding.
    pub(super) fn complete_outstanding(&mut self) {
        let State::Connected(established) = &mut self.state else { return };
        let Established { connected: Connected::Dtls13(connected), post: Some(post), .. } = established
        else {
            return;
        };
        post.outgoing.flight = Flight::default();
        match std::mem::replace(&mut post.outstanding, Outstanding::Nothing) {
            Outstanding::Nothing => {}
            Outstanding::FinalFlight => {
                // The server has the whole handshake, so neither side sends in epoch 2 any more.
                let epochs = self.records.epochs();
                epochs.end_writing_below(FIRST_APPLICATION_EPOCH);
                epochs.end_reading_below(FIRST_APPLICATION_EPOCH);
                self.timers.stop(Timer::FinalFlight);
                self.events.push(Event::FinalFlightReleased);
            }
            Outstanding::KeyUpdate => {
                let Some((epoch, key)) = connected.advance_writing() else {
                    return self.fail(Failure::Crypto(Operation::Seal));
                };
                let epochs = self.records.epochs();
                epochs.begin_writing(epoch, key);
                epochs.end_writing_below(epoch);
            }
        }
        self.answer_update_request();
    }

    /// Stops retransmitting the client's final flight, although it was not acknowledged.
    pub(super) fn give_up_final_flight(&mut self) {
        match (&mut self.state, self.role) {
            (State::Connected(Established { post: Some(post), .. }), DtlsRole::Client)
                if post.outstanding == Outstanding::FinalFlight =>
            {
                post.outstanding = Outstanding::Nothing;
                post.outgoing.flight = Flight::default();
                self.timers.stop(Timer::Retransmit);
                let epochs = self.records.epochs();
                epochs.end_writing_below(FIRST_APPLICATION_EPOCH);
                epochs.end_reading_below(FIRST_APPLICATION_EPOCH);
                self.answer_update_request();
            }
            (State::Connected(Established { post: Some(_), .. }), DtlsRole::Server) => {
                // No peer retransmits a handshake of this age.
                self.records.epochs().end_reading_below(FIRST_APPLICATION_EPOCH);
            }
            _ => {}
        }
    }

    /// Returns whether the keys of DTLS 1.3 are installed.
    pub(super) fn is_dtls13(&self) -> bool {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.machine.is_dtls13_protected(),
            _ => self.has_key_updates(),
        }
    }

    /// Handles a handshake message with the application keys, or a retransmitted one with the handshake keys.
    pub(super) fn receive_post_handshake(&mut self, fragment: &Fragment<'_>, epoch: u16) -> Admitted {
        let State::Connected(Established { post: Some(post), .. }) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        if fragment.sequence < post.reassembly.next() {
            self.answer_retransmitted_flight();
            return self.discard(Discard::RetransmittedMessage);
        }
        // A message before a change of keys must end its record (RFC 8446 section 5.1).
        if self.records.epochs().newest_reading() != Some(epoch) {
            self.fail(Misbehaved::UnexpectedMessage.into());
            return Admitted::Authenticated;
        }
        if let Err(reason) = post.reassembly.insert(fragment, true, &self.config.limits) {
            return self.discard(reason);
        }
        while let State::Connected(Established { post: Some(post), .. }) = &mut self.state
            && let Some(assembled) = post.reassembly.take_complete()
        {
            post.reassembly.advance();
            self.handle_post_handshake(&assembled.message());
        }
        Admitted::Authenticated
    }

    /// The server retransmits its flight because it lost our final one, so that is retransmitted at once (RFC 9147
    /// section 5.8.1). The records authenticated, so only the server can cause this. A flight of several datagrams is
    /// answered once; retransmissions by the timer do not count.
    fn answer_retransmitted_flight(&mut self) {
        let (now, pause) = (self.now, self.rto / 2);
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state
            && post.outstanding == Outstanding::FinalFlight
            && !post.outgoing.flight.is_acknowledged()
        {
            // Our flight acknowledges theirs, so no ACK is needed (RFC 9147 section 7.1).
            self.answered = true;
            if post.answered_at.is_none_or(|at| now.saturating_duration_since(at) >= pause) {
                post.answered_at = Some(now);
                self.retransmit_flight();
            }
        }
    }

    fn handle_post_handshake(&mut self, message: &Message<'_>) {
        match (message.kind, self.role) {
            (HandshakeType::KEY_UPDATE, _) => match KeyUpdate::decode(message.body) {
                Ok(request) => self.on_key_update(request),
                Err(fault) => self.fail(fault.into()),
            },
            // Acknowledged like all messages, but not used: there is no resumption.
            (HandshakeType::NEW_SESSION_TICKET, DtlsRole::Client) => {}
            _ => self.fail(Misbehaved::UnexpectedMessage.into()),
        }
    }
}
