//! What goes on after a handshake of DTLS 1.3: what is outstanding, and the messages that may
//! still come (RFC 9147 sections 5.8.1 and 8, RFC 8446 section 4.6).

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
use crate::record::epochs::FIRST_APPLICATION_EPOCH;
use crate::timer::Timer;
use std::time::Instant;

/// What both sides may still say to each other.
pub(super) struct PostHandshake {
    pub(super) reassembly: Reassembly,
    pub(super) outgoing: Outgoing,
    pub(super) received: Received,
    pub(super) outstanding: Outstanding,
    /// The peer asked for a KeyUpdate of ours while something else was outstanding.
    pub(super) update_wanted: bool,
    /// When a repeated flight of the server was answered last.
    answered_at: Option<Instant>,
}

/// What of ours is not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outstanding {
    Nothing,
    /// The client's last flight of the handshake.
    FinalFlight,
    KeyUpdate,
}

impl PostHandshake {
    /// What the handshake leaves: the server's received records are to be acknowledged, the client's own are
    /// outstanding.
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
                // Under the keys of the application it says that we are connected.
                received.tell_again();
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

    /// A record of this epoch authenticated. A server that has the client's last flight may still judge it; it is
    /// connected when it says something under the keys of the application.
    pub(super) fn note_server_connected(&mut self, epoch: u16) {
        if epoch >= FIRST_APPLICATION_EPOCH
            && let State::Connected(Established { post: Some(post), .. }) = &self.state
            && post.outstanding == Outstanding::FinalFlight
            && post.outgoing.flight.is_acknowledged()
        {
            self.complete_outstanding();
        }
    }

    /// Everything of ours was acknowledged.
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
                // The server has the whole handshake, so nothing of epoch 2 is sent any more by either side.
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

    /// The client's last flight is no longer repeated, although nobody acknowledged it.
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
                // Nobody repeats a handshake that is so old.
                self.records.epochs().end_reading_below(FIRST_APPLICATION_EPOCH);
            }
            _ => {}
        }
    }

    /// Whether the keys of DTLS 1.3 are there.
    pub(super) fn is_dtls13(&self) -> bool {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.machine.is_dtls13_protected(),
            _ => self.has_key_updates(),
        }
    }

    /// A handshake message under the keys of the application, or a repeated one under those of the handshake.
    pub(super) fn receive_post_handshake(&mut self, fragment: &Fragment<'_>, epoch: u16) -> Admitted {
        let State::Connected(Established { post: Some(post), .. }) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        if fragment.sequence < post.reassembly.next() {
            self.answer_repeated_flight();
            return self.discard(Discard::RepeatedMessage);
        }
        // What precedes a change of keys also ends its record (RFC 8446 section 5.1).
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

    /// The server repeats its flight because it has missed our last one, and hears that again at once (RFC 9147
    /// section 5.8.1). Keys protected the repeat, so nobody else asks for it. A flight of several datagrams is answered
    /// once, and what the timer sends meanwhile takes nothing away from that.
    fn answer_repeated_flight(&mut self) {
        let (now, pause) = (self.now, self.rto / 2);
        if let State::Connected(Established { post: Some(post), .. }) = &mut self.state
            && post.outstanding == Outstanding::FinalFlight
            && !post.outgoing.flight.is_acknowledged()
        {
            // Our flight says that theirs is here, so no ACK need say it (RFC 9147 section 7.1).
            self.answered = true;
            if post.answered_at.is_none_or(|at| now.saturating_duration_since(at) >= pause) {
                post.answered_at = Some(now);
                self.repeat_flight();
            }
        }
    }

    fn handle_post_handshake(&mut self, message: &Message<'_>) {
        match (message.kind, self.role) {
            (HandshakeType::KEY_UPDATE, _) => match KeyUpdate::decode(message.body) {
                Ok(request) => self.obey_key_update(request),
                Err(fault) => self.fail(fault.into()),
            },
            // Acknowledged like everything else, and not used: nothing is resumed.
            (HandshakeType::NEW_SESSION_TICKET, DtlsRole::Client) => {}
            _ => self.fail(Misbehaved::UnexpectedMessage.into()),
        }
    }
}
