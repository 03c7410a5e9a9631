//! A handshake that another carrier takes part in, STUN for example: copies of flights, and who repeats them.
//!
//! Knows nothing about the carrier. What comes back by it is an input like any other.

use super::Connection;
use super::state::{Established, FinalFlight, State};
use crate::config::Config;
use crate::outbox::Outbox;
use crate::timer::Timer;
use std::time::Duration;

impl Connection {
    pub(super) fn copy_of_flight(&mut self, mtu: usize, mut take: impl FnMut(&[u8])) -> usize {
        let flight = match &mut self.state {
            State::Handshaking(handshaking) => &mut handshaking.outgoing.flight,
            State::Connected(Established { post: Some(post), .. }) => &mut post.outgoing.flight,
            State::Connected(Established { final_flight: FinalFlight::Kept(kept), .. }) => &mut kept.flight,
            State::Idle { .. } | State::Connected(_) | State::Closed | State::Failed => return 0,
        };
        let mut copies = Outbox::default();
        if flight.copy(mtu.max(Config::MIN_MTU), &mut self.records, &mut copies).is_err() {
            return 0;
        }
        let mut datagram = Vec::new();
        let mut count = 0;
        while copies.poll(&mut datagram).is_some() {
            take(&datagram);
            datagram.clear();
            count += 1;
        }
        count
    }

    /// Nothing is repeated before the end of what the carrier promised; what was to be repeated is, afterwards.
    pub(super) fn leave_repeats_to_carrier(&mut self, promised: Duration) {
        self.carried_until = self.now.checked_add(promised.min(self.config.schedule.deadline));
        if self.timers.is_set(Timer::Retransmit) {
            self.arm_retransmission(self.rto);
        }
    }

    /// The flight is repeated after this time, or when the carrier's promise ends.
    pub(super) fn arm_retransmission(&mut self, pause: Duration) {
        let promised =
            self.carried_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(self.now));
        self.timers.set(Timer::Retransmit, self.now, pause.max(promised));
    }
}
