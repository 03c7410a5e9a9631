//! DTLS 1.2 after the handshake: the final flight, which the peer may have lost, and the close.
//!
//! Knows handshake messages only as requests for the final flight, or for a renegotiation, which is refused.

use crate::alert::{Alert, AlertDescription};
use crate::config::DtlsRole;
use crate::discard::Discard;
use crate::dtls12::connected::Connected;
use crate::end::End;
use crate::event::{Admitted, ClosedBy, Event};
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::{Fragment, HandshakeType, Outgoing};
use crate::link::Link;
use crate::record::epoch::Epoch;
use crate::timer::Timer;
use std::time::{Duration, Instant};

/// An established association of DTLS 1.2.
pub(crate) struct Established {
    connected: Box<Connected>,
    final_flight: FinalFlight,
    /// Whether this side has sent its close_notify. The one of the peer ends the connection.
    sending_closed: bool,
}

enum FinalFlight {
    /// The peer sent the final flight, so there is nothing to retransmit.
    ByPeer,
    Kept(Box<KeptFlight>),
    Released,
}

impl Established {
    /// Takes over from the handshake. A server keeps the flight that it has still to send.
    #[inline]
    pub(crate) fn new(
        connected: Box<Connected>,
        outgoing: Outgoing,
        reassembly: &Reassembly,
        link: &mut Link,
    ) -> Self {
        let final_flight = match link.role {
            DtlsRole::Client => FinalFlight::ByPeer,
            DtlsRole::Server => {
                let mut flight = outgoing.flight;
                flight.answers(reassembly.next());
                link.timers.set(Timer::FinalFlight, link.now, link.config.retransmit.final_flight_lifetime);
                FinalFlight::Kept(Box::new(KeptFlight::new(flight, link.now)))
            }
        };
        Self { connected, final_flight, sending_closed: false }
    }

    pub(crate) const fn connected(&self) -> &Connected {
        &self.connected
    }

    pub(crate) const fn may_send(&self) -> bool {
        !self.sending_closed
    }

    pub(crate) fn flight_mut(&mut self) -> Option<&mut Flight> {
        match &mut self.final_flight {
            FinalFlight::Kept(kept) => Some(&mut kept.flight),
            FinalFlight::ByPeer | FinalFlight::Released => None,
        }
    }

    /// Handles a protected handshake message: a retransmission, or a request to renegotiate.
    pub(crate) fn on_handshake(&mut self, fragment: &Fragment<'_>, link: &mut Link) -> Result<Admitted, End> {
        match (fragment.kind, link.role) {
            (HandshakeType::FINISHED, _) => self.on_retransmitted_message(fragment.sequence, link),
            (HandshakeType::CLIENT_HELLO, DtlsRole::Server)
            | (HandshakeType::HELLO_REQUEST, DtlsRole::Client) => {
                if !link.is_outbox_full() {
                    link.send_alert(Epoch::Protected, Alert::warning(AlertDescription::NO_RENEGOTIATION));
                }
                Ok(link.discard(Discard::UnexpectedMessage))
            }
            _ => Ok(link.discard(Discard::UnexpectedMessage)),
        }
    }

    /// Handles a message of the flight that our final one answered: the peer retransmits it, so it lost ours (RFC 6347
    /// section 4.2.4).
    pub(crate) fn on_retransmitted_message(
        &mut self,
        sequence: u16,
        link: &mut Link,
    ) -> Result<Admitted, End> {
        let reason = match &mut self.final_flight {
            FinalFlight::Kept(kept) if kept.flight.was_missed_by(sequence) => {
                if kept.is_due(link.now, link.rto) {
                    link.retransmit_final(&mut kept.flight)?;
                }
                Discard::RetransmittedMessage
            }
            FinalFlight::Kept(_) => Discard::UnexpectedMessage,
            FinalFlight::ByPeer => Discard::RetransmittedMessage,
            FinalFlight::Released => Discard::FlightReleased,
        };
        Ok(link.discard(reason))
    }

    /// Drops the final flight, because the peer has it or has had enough time.
    #[inline]
    pub(crate) fn release_final_flight(&mut self, link: &mut Link) {
        if let FinalFlight::Kept(_) = self.final_flight {
            self.final_flight = FinalFlight::Released;
            link.timers.stop(Timer::FinalFlight);
            link.events.push(Event::FinalFlightReleased);
        }
    }

    /// Closes our direction, which was open.
    pub(crate) fn close_sending(&mut self, link: &mut Link) {
        link.send_alert(Epoch::Protected, Alert::warning(AlertDescription::CLOSE_NOTIFY));
        self.sending_closed = true;
    }

    /// Returns the end by a close_notify of the peer. RFC 5246 section 7.2.1: it is answered by a close_notify, unless
    /// it is an answer itself, and nothing more is sent.
    pub(crate) const fn on_close_notify(&self) -> End {
        End::Closed(if self.sending_closed { ClosedBy::Us } else { ClosedBy::Peer })
    }
}

/// A flight that is retransmitted when the peer retransmits its own.
struct KeptFlight {
    flight: Flight,
    /// When it was sent last, or would have been by the timeout.
    paced: Instant,
}

impl KeptFlight {
    fn new(mut flight: Flight, now: Instant) -> Self {
        flight.shrink();
        Self { flight, paced: now }
    }

    /// Returns whether it is time to retransmit. Any sender can ask for it, so it is sent once per timeout. The peer's
    /// timeout may be shorter than ours, with varying delays: a request that comes half a timeout early is answered
    /// too, and the next timeout begins where it would have begun.
    fn is_due(&mut self, now: Instant, rto: Duration) -> bool {
        let since = now.saturating_duration_since(self.paced);
        if since < rto.saturating_sub(rto / 2) {
            return false;
        }
        self.paced = self.paced.checked_add(rto).map_or(now, |due| due.max(now));
        true
    }
}
