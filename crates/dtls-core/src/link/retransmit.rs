//! Transmission and retransmission of flights (RFC 6347 section 4.2.4, RFC 9147 section 5.8), with the timer.

use super::Link;
use crate::config::Config;
use crate::end::End;
use crate::failure::{Failure, Operation};
use crate::handshake::flight::Flight;
use crate::outbox::Outbox;
use crate::timer::Timer;
use std::time::Duration;

/// The part of a flight that is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Everything that is not acknowledged.
    Everything,
    /// Everything that is neither acknowledged nor in flight.
    Lost,
}

impl Link {
    /// Transmits a flight that the peer answers, and arms the timer that retransmits it.
    pub(crate) fn transmit(&mut self, flight: &mut Flight) -> Result<(), End> {
        self.transmit_and_wait(flight, Extent::Everything)
    }

    /// Retransmits a flight that the peer answers, and may have lost.
    pub(crate) fn retransmit(&mut self, flight: &mut Flight) -> Result<(), End> {
        self.count_retransmission(flight);
        self.transmit(flight)
    }

    /// Retransmits the part of a flight that an ACK has shown to be lost.
    pub(crate) fn retransmit_lost(&mut self, flight: &mut Flight) -> Result<(), End> {
        if self.outbox.is_blocked() {
            return Ok(());
        }
        self.stats.flights_retransmitted = self.stats.flights_retransmitted.saturating_add(1);
        self.transmit_and_wait(flight, Extent::Lost)
    }

    /// Transmits a flight that the peer does not answer. Only the peer can ask for another transmission.
    pub(crate) fn transmit_final(&mut self, flight: &mut Flight) -> Result<(), End> {
        if flight.is_empty() { Ok(()) } else { self.seal_flight(flight, Extent::Everything) }
    }

    /// Retransmits a flight that the peer does not answer.
    pub(crate) fn retransmit_final(&mut self, flight: &mut Flight) -> Result<(), End> {
        self.count_retransmission(flight);
        self.transmit_final(flight)
    }

    /// Passes copies of the datagrams of a flight to `take`, and returns their number.
    pub(crate) fn copy_flight_datagrams(
        &mut self,
        flight: &mut Flight,
        mtu: usize,
        mut take: impl FnMut(&[u8]),
    ) -> usize {
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

    /// A flight that was blocked and is now sent counts as a retransmission.
    pub(crate) fn on_flight_released(&mut self, flight: &mut Flight) {
        flight.note_sent(self.now);
        if self.timers.is_set(Timer::Retransmit) {
            self.arm_retransmission(self.timeout(flight.transmissions()));
        }
    }

    /// Suspends retransmission for the promised time; a retransmission that was due then happens afterwards.
    pub(crate) fn suspend_retransmission(&mut self, promised: Duration) {
        self.suspended_until = self.now.checked_add(promised.min(self.config.retransmit.handshake_timeout));
        if self.timers.is_set(Timer::Retransmit) {
            self.arm_retransmission(self.rto);
        }
    }

    /// Arms the retransmission timer for this interval, or for the end of the suspension.
    pub(crate) fn arm_retransmission(&mut self, interval: Duration) {
        let promised =
            self.suspended_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(self.now));
        self.timers.set(Timer::Retransmit, self.now, interval.max(promised));
    }

    /// Returns the interval after this number of transmissions of a flight.
    pub(crate) fn timeout(&self, transmissions: u32) -> Duration {
        timeout(&self.config, self.rto, transmissions)
    }

    #[inline]
    fn count_retransmission(&mut self, flight: &Flight) {
        if flight.transmissions() > 0 && !self.outbox.is_blocked() {
            self.stats.flights_retransmitted = self.stats.flights_retransmitted.saturating_add(1);
        }
    }

    #[inline]
    fn transmit_and_wait(&mut self, flight: &mut Flight, extent: Extent) -> Result<(), End> {
        if flight.is_empty() {
            return Ok(());
        }
        self.seal_flight(flight, extent)?;
        // A blocked flight waits for input. A long interval keeps wake-ups for forged hellos rare.
        let interval = if self.outbox.is_blocked() {
            self.config.retransmit.max_rto.max(self.rto)
        } else {
            self.timeout(flight.transmissions())
        };
        self.arm_retransmission(interval);
        Ok(())
    }

    #[inline]
    fn seal_flight(&mut self, flight: &mut Flight, extent: Extent) -> Result<(), End> {
        if flight.is_new() {
            // Blocked datagrams were answered, or belong to another attempt.
            self.outbox.drop_blocked();
        }
        // If earlier transmissions are still queued or blocked, another one would only grow the queue.
        if self.is_outbox_full() || self.outbox.is_blocked() {
            return Ok(());
        }
        if extent == Extent::Everything {
            flight.mark_all_lost();
        }
        let mtu = mtu(&self.config, flight.transmissions());
        if flight.transmit(self.now, mtu, &mut self.records, &mut self.outbox).is_err() {
            self.outbox.abandon_datagram();
            return Err(Failure::Crypto(Operation::Seal).into());
        }
        if extent == Extent::Everything {
            flight.count_transmission();
        }
        self.stats.datagrams_sent = self.outbox.finished();
        self.outbox.unblock();
        if self.outbox.is_blocked() {
            self.stats.flights_blocked = self.stats.flights_blocked.saturating_add(1);
        }
        Ok(())
    }
}

/// Returns the interval after this number of transmissions of a flight.
fn timeout(config: &Config, rto: Duration, transmissions: u32) -> Duration {
    // The first interval is not doubled, whatever the configuration says about later ones.
    let doublings = transmissions.saturating_sub(config.retransmit.constant_retransmissions.max(1));
    rto.saturating_mul(2_u32.saturating_pow(doublings)).min(config.retransmit.max_rto.max(rto))
}

/// A path may have a smaller MTU than assumed, and not report it (RFC 6347 section 4.1.1.1).
fn mtu(config: &Config, transmissions: u32) -> usize {
    let reduced = match transmissions {
        0..=3 => config.mtu,
        4..=7 => config.mtu / 4 * 3,
        _ => config.mtu / 2,
    };
    reduced.max(Config::MIN_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RetransmitConfig;

    #[test]
    fn timeout_doubles_after_eight_transmissions() {
        let config = Config::default();
        let rto = Duration::from_millis(400);
        let waits: Vec<u128> = (1..=13).map(|sent| timeout(&config, rto, sent).as_millis()).collect();
        assert_eq!(waits, [400, 400, 400, 400, 400, 400, 400, 400, 800, 1600, 3000, 3000, 3000]);
        assert_eq!(timeout(&config, Duration::from_secs(9), u32::MAX), Duration::from_secs(9));
    }

    #[test]
    fn first_timeout_is_not_doubled_and_the_cap_holds() {
        let retransmit = RetransmitConfig {
            constant_retransmissions: 0,
            max_rto: Duration::from_secs(86_400),
            ..RetransmitConfig::default()
        };
        let config = Config { retransmit, ..Config::default() };
        let wait = |sent| timeout(&config, Duration::from_millis(1), sent);
        assert_eq!([1, 2, 3, 21].map(wait).map(|wait| wait.as_millis()), [1, 2, 4, 1 << 20]);
        assert_eq!([28, 64, u32::MAX].map(wait), [config.retransmit.max_rto; 3]);
    }

    #[test]
    fn datagrams_shrink_after_four_transmissions() {
        let config = Config::default();
        assert_eq!([0, 3, 4, 8].map(|sent| mtu(&config, sent)), [1200, 1200, 900, 600]);
        let small = Config { mtu: 256, ..Config::default() };
        assert_eq!([0, 4, 8].map(|sent| mtu(&small, sent)), [256; 3]);
    }
}
