//! What a connection counted. Numbers only: nothing here names a key, an address or a payload.

use crate::discard::Discard;

/// Counters of one [`crate::Connection`] since it was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Datagrams given to `handle_input` and `try_input`.
    pub datagrams_received: u64,
    /// Datagrams queued for `poll_transmit`.
    pub datagrams_sent: u64,
    /// Handshake flights that had to wait under [`crate::PathValidation::ByHandshake`], repetitions included.
    pub flights_withheld: u64,
    /// Handshake flights sent again, by timeout or because the peer repeated its own.
    pub flights_repeated: u64,
    /// Protected records that failed authentication, those named by `note_forgery` included.
    pub forgeries: u64,
    discarded: Discarded,
}

impl Stats {
    /// How many inputs were dropped for this reason.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.of(reason)
    }

    /// How many inputs were dropped, for all reasons together.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded.total()
    }

    pub(crate) fn count(&mut self, reason: Discard) {
        self.discarded.count(reason);
    }
}

/// A counter for each reason.
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
    fn every_reason_has_a_counter_of_its_own() {
        let mut stats = Stats::default();
        for (index, reason) in Discard::ALL.into_iter().enumerate() {
            (0..=index).for_each(|_| stats.count(reason));
        }
        for (count, reason) in (1..).zip(Discard::ALL) {
            assert_eq!(stats.discarded(reason), count, "{reason:?}");
        }
    }
}
