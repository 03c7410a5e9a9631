//! DTLS 1.3 after the handshake: the message of ours that is not acknowledged, and the records to acknowledge (RFC 9147
//! sections 5.8.1 and 7).
//!
//! `post_handshake` has the peer's messages, `key_update` the change of keys, `directions` the close.

mod directions;
mod key_update;
mod post_handshake;

use crate::config::DtlsRole;
use crate::dtls13::ack::{self, Received};
use crate::dtls13::connected::Connected;
use crate::end::End;
use crate::event::Event;
use crate::failure::{Failure, Operation};
use crate::handshake::Outgoing;
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::transcript::Transcript;
use crate::link::Link;
use crate::record::RecordNumber;
use crate::record::epoch::Epoch;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;
use crate::timer::Timer;
use directions::Directions;
use std::time::Instant;

pub(crate) use key_update::KeyChange;

/// An established association of DTLS 1.3.
pub(crate) struct Established {
    connected: Box<Connected>,
    directions: Directions,
    reassembly: Reassembly,
    outgoing: Outgoing,
    received: Received,
    outstanding: Outstanding,
    /// The peer requested a KeyUpdate while another message of ours was unacknowledged.
    update_wanted: bool,
    /// When a retransmitted flight of the server was last answered.
    answered_at: Option<Instant>,
}

/// The message of ours that is not acknowledged yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstanding {
    Nothing,
    /// The client's final flight of the handshake.
    FinalFlight,
    KeyUpdate,
}

impl Established {
    /// Takes over from the handshake: the server has received records to acknowledge, the client has an unacknowledged
    /// flight.
    #[inline]
    pub(crate) fn new(
        connected: Box<Connected>,
        mut outgoing: Outgoing,
        reassembly: Reassembly,
        mut received: Received,
        link: &mut Link,
    ) -> Self {
        outgoing.transcript = Transcript::default();
        let retransmit = &link.config.retransmit;
        let (received, outstanding, lifetime) = match link.role {
            DtlsRole::Client => (Received::default(), Outstanding::FinalFlight, retransmit.handshake_timeout),
            DtlsRole::Server => {
                outgoing.flight = Flight::default();
                // An ACK with the application keys tells the client that the server is connected.
                received.mark_unsent();
                link.records.epochs().end_writing_below(FIRST_APPLICATION_EPOCH);
                (received, Outstanding::Nothing, retransmit.final_flight_lifetime)
            }
        };
        link.timers.set(Timer::FinalFlight, link.now, lifetime);
        link.answered = outstanding == Outstanding::FinalFlight;
        Self {
            connected,
            directions: Directions::Both,
            reassembly,
            outgoing,
            received,
            outstanding,
            update_wanted: false,
            answered_at: None,
        }
    }

    pub(crate) const fn connected(&self) -> &Connected {
        &self.connected
    }

    /// Returns the epoch in which this side sends.
    pub(crate) const fn epoch(&self) -> Epoch {
        Epoch::Application(self.connected.writing())
    }

    pub(crate) const fn flight_mut(&mut self) -> &mut Flight {
        &mut self.outgoing.flight
    }

    /// Handles an authenticated record of this epoch. A server that has the client's final flight may still verify it;
    /// it is connected when it sends a record with the application keys.
    #[inline]
    pub(crate) fn on_authenticated(&mut self, epoch: u16, link: &mut Link) -> Result<(), End> {
        if epoch >= FIRST_APPLICATION_EPOCH
            && self.outstanding == Outstanding::FinalFlight
            && self.outgoing.flight.is_acknowledged()
        {
            self.on_acknowledged(link)?;
        }
        Ok(())
    }

    /// Handles an ACK of the peer.
    pub(crate) fn on_ack(&mut self, epoch: u16, content: &[u8], link: &mut Link) -> Result<(), End> {
        let acknowledged = ack::on_ack(epoch, content, &mut self.outgoing.flight, link)?;
        // The final flight waits for a record with the application keys, see `on_authenticated`.
        if acknowledged && self.outstanding == Outstanding::KeyUpdate {
            self.on_acknowledged(link)?;
        }
        Ok(())
    }

    /// Records that a handshake record of the peer was used.
    pub(crate) fn on_record_used(&mut self, number: RecordNumber) {
        self.received.note(number);
    }

    /// Returns whether records wait for an ACK.
    pub(crate) const fn ack_pending(&self) -> bool {
        self.received.ack_pending()
    }

    /// Sends an ACK, unless the queue is full: the peer retransmits, so the ACK can be sent later. Returns whether it
    /// was sent.
    pub(crate) fn send_ack(&mut self, link: &mut Link) -> bool {
        link.timers.stop(Timer::Acknowledge);
        if link.is_outbox_full() {
            return false;
        }
        self.received.send(self.epoch(), link);
        self.received.clear();
        true
    }

    /// Stops waiting for the peer's part of the handshake: a client no longer retransmits its final flight, although it
    /// was not acknowledged, and a server no longer reads retransmissions of it.
    pub(crate) fn on_final_flight_timeout(&mut self, link: &mut Link) -> Result<(), End> {
        match link.role {
            DtlsRole::Client if self.outstanding == Outstanding::FinalFlight => {
                self.outstanding = Outstanding::Nothing;
                self.outgoing.flight = Flight::default();
                link.timers.stop(Timer::Retransmit);
                drop_handshake_keys(link);
                self.answer_update_request(link)
            }
            DtlsRole::Client => Ok(()),
            DtlsRole::Server => {
                link.records.epochs().end_reading_below(FIRST_APPLICATION_EPOCH);
                Ok(())
            }
        }
    }

    /// Handles the acknowledgement of everything that was outstanding.
    fn on_acknowledged(&mut self, link: &mut Link) -> Result<(), End> {
        self.outgoing.flight = Flight::default();
        match std::mem::replace(&mut self.outstanding, Outstanding::Nothing) {
            Outstanding::Nothing => {}
            Outstanding::FinalFlight => {
                // The server has the whole handshake, so neither side sends in epoch 2 any more.
                drop_handshake_keys(link);
                link.timers.stop(Timer::FinalFlight);
                link.events.push(Event::FinalFlightReleased);
            }
            Outstanding::KeyUpdate => {
                let (epoch, key) =
                    self.connected.advance_writing().ok_or(Failure::Crypto(Operation::Seal))?;
                let epochs = link.records.epochs();
                epochs.begin_writing(epoch, key);
                epochs.end_writing_below(epoch);
            }
        }
        self.answer_update_request(link)
    }
}

/// Drops the keys of the handshake in both directions.
fn drop_handshake_keys(link: &mut Link) {
    let epochs = link.records.epochs();
    epochs.end_writing_below(FIRST_APPLICATION_EPOCH);
    epochs.end_reading_below(FIRST_APPLICATION_EPOCH);
}

#[cfg(test)]
impl Established {
    pub(crate) const fn connected_mut(&mut self) -> &mut Connected {
        &mut self.connected
    }

    pub(crate) const fn outstanding(&self) -> Outstanding {
        self.outstanding
    }

    /// Stops waiting for an acknowledgement, as a misbehaving peer does.
    pub(crate) const fn forget_outstanding(&mut self) {
        self.outstanding = Outstanding::Nothing;
    }

    pub(crate) const fn use_up_sequence(&mut self) {
        self.outgoing.use_up_sequence();
    }

    /// Returns the sequence number of the peer's next message.
    pub(crate) const fn next_sequence(&self) -> u16 {
        self.reassembly.next()
    }
}
