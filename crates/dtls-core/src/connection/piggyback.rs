//! Piggybacking: flights for another protocol, such as STUN, and the suspension of our own retransmission (SPED).
//!
//! Does not know the other protocol. Its datagrams are handled like all others.

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

    /// Suspends retransmission for the promised time; a retransmission that was due then happens afterwards.
    pub(super) fn suspend_retransmission_for(&mut self, promised: Duration) {
        self.retransmission_suspended_until =
            self.now.checked_add(promised.min(self.config.retransmit.handshake_timeout));
        if self.timers.is_set(Timer::Retransmit) {
            self.arm_retransmission(self.rto);
        }
    }

    /// Arms the retransmission timer for this interval, or for the end of the suspension.
    pub(super) fn arm_retransmission(&mut self, pause: Duration) {
        let promised = self
            .retransmission_suspended_until
            .map_or(Duration::ZERO, |until| until.saturating_duration_since(self.now));
        self.timers.set(Timer::Retransmit, self.now, pause.max(promised));
    }
}
