//! Flights: their transmission in every state, their copies for piggybacking (SPED), and the anti-amplification limit.
//!
//! `link::retransmit` has the timer. Does not know the protocol that flights are piggybacked on.

use super::Connection;
use super::state::State;

impl Connection {
    /// Transmits the current flight.
    pub(super) fn transmit_flight(&mut self) {
        let sent = match &mut self.state {
            State::Handshaking(handshaking) => self.link.transmit(&mut handshaking.outgoing.flight),
            State::Connected(established) => established.transmit(&mut self.link),
            State::Idle { .. } | State::Closed | State::Failed => return,
        };
        self.apply(sent);
    }

    /// Retransmits the current flight, which the peer may have lost.
    pub(super) fn retransmit_flight(&mut self) {
        let sent = match &mut self.state {
            State::Handshaking(handshaking) => self.link.retransmit(&mut handshaking.outgoing.flight),
            State::Connected(established) => established.retransmit(&mut self.link),
            State::Idle { .. } | State::Closed | State::Failed => return,
        };
        self.apply(sent);
    }

    /// Passes copies of the datagrams of the current flight to `take`, and returns their number.
    pub(super) fn copy_flight_datagrams(&mut self, mtu: usize, take: impl FnMut(&[u8])) -> usize {
        let flight = match &mut self.state {
            State::Handshaking(handshaking) => Some(&mut handshaking.outgoing.flight),
            State::Connected(established) => established.flight_mut(),
            State::Idle { .. } | State::Closed | State::Failed => None,
        };
        flight.map_or(0, |flight| self.link.copy_flight_datagrams(flight, mtu, take))
    }

    /// Sends the datagrams that the anti-amplification limit blocked, as far as it allows.
    pub(super) fn release_blocked(&mut self) {
        if self.link.outbox.unblock() {
            self.on_flight_released();
        }
    }

    /// Ends the anti-amplification limit, because the peer's path is validated.
    pub(super) fn on_path_validated(&mut self) {
        if self.link.outbox.set_address_validated() {
            self.on_flight_released();
        }
    }

    fn on_flight_released(&mut self) {
        if let State::Handshaking(handshaking) = &mut self.state {
            self.link.on_flight_released(&mut handshaking.outgoing.flight);
        }
    }
}
