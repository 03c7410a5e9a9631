//! Counters. They are never reset and never decide anything.

use crate::discard::Discard;

/// What an agent has counted since it was built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    discarded: [u64; Discard::ALL.len()],
    /// Authenticated requests that were received.
    pub requests_received: u64,
    /// Responses that were sent, success and error alike.
    pub responses_sent: u64,
    /// Connectivity checks that were sent, retransmissions included.
    pub checks_sent: u64,
    /// Consent checks that were sent.
    pub consent_checks_sent: u64,
    /// Responses that were matched, authenticated and used.
    pub responses_received: u64,
}

impl Stats {
    /// How many inputs were dropped for `reason`.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        Discard::ALL
            .iter()
            .zip(&self.discarded)
            .find_map(|(&each, &count)| (each == reason).then_some(count))
            .unwrap_or_default()
    }

    /// How many inputs were dropped at all.
    #[must_use]
    pub fn discarded_total(&self) -> u64 {
        self.discarded.iter().fold(0, |sum, &count| sum.saturating_add(count))
    }

    pub(crate) fn discard(&mut self, reason: Discard) {
        for (each, count) in Discard::ALL.iter().zip(&mut self.discarded) {
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
    fn every_reason_has_its_own_counter() {
        let mut stats = Stats::default();
        for reason in Discard::ALL {
            assert_eq!(stats.discarded(reason), 0);
            stats.discard(reason);
            assert_eq!(stats.discarded(reason), 1);
        }
        assert_eq!(stats.discarded_total(), 18);
    }
}
