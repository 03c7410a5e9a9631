//! The counters of a connection. They contain no key, address or payload.

use crate::discard::Discard;

/// The counters of one [`crate::Connection`] since its creation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams passed to `handle_input` and `try_input`.
    pub datagrams_received: u64,
    /// Datagrams queued for `poll_transmit`.
    pub datagrams_sent: u64,
    /// Handshake flights that [`crate::PathValidation::ByHandshake`] blocked, retransmissions included.
    pub flights_blocked: u64,
    /// Retransmitted handshake flights, by timeout or because the peer retransmitted its own.
    pub flights_retransmitted: u64,
    /// Protected records that failed authentication, including those reported by `on_authentication_failure`.
    pub authentication_failures: u64,
    discarded: Discarded,
}

impl Stats {
    /// Returns how many inputs were discarded for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.of(reason)
    }

    /// Returns how many inputs were discarded for any reason.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded.total()
    }

    pub(crate) fn count(&mut self, reason: Discard) {
        self.discarded.count(reason);
    }
}

/// One counter for each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Discarded([u64; Discard::ALL.len()]);

impl Discarded {
    pub(crate) fn of(&self, reason: Discard) -> u64 {
        Discard::ALL.iter().zip(&self.0).find(|(each, _)| **each == reason).map_or(0, |(_, count)| *count)
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn count(&mut self, reason: Discard) {
        for (each, count) in Discard::ALL.iter().zip(&mut self.0) {
            if *each == reason {
                *count = count.saturating_add(1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_counter() {
        let mut stats = Stats::default();
        for (index, reason) in Discard::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| stats.count(reason));
        }
        for (count, reason) in (1..).zip(Discard::ALL) {
            assert_eq!(stats.discarded(reason), count, "{reason:?}");
        }
    }
}
