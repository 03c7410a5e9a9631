//! Counters. They are never reset, and no decision depends on them.

use crate::discard::Discard;

/// The counters of an agent since its creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    discarded: [u64; Discard::ALL.len()],
    /// Received authenticated requests.
    pub requests_received: u64,
    /// Sent responses, success and error.
    pub responses_sent: u64,
    /// Sent connectivity checks, including retransmissions.
    pub checks_sent: u64,
    /// Sent consent checks.
    pub consent_checks_sent: u64,
    /// Responses that were matched, authenticated and used.
    pub responses_received: u64,
}

impl Stats {
    /// Returns how many inputs were discarded for `reason`.
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        Discard::ALL
            .iter()
            .zip(&self.discarded)
            .find_map(|(&each, &count)| (each == reason).then_some(count))
            .unwrap_or_default()
    }

    /// Returns how many inputs were discarded for any reason.
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
    fn each_discard_reason_has_its_own_counter() {
        let mut stats = Stats::default();
        for reason in Discard::ALL {
            assert_eq!(stats.discarded(reason), 0);
            stats.discard(reason);
            assert_eq!(stats.discarded(reason), 1);
        }
        assert_eq!(stats.discarded_total(), 18);
    }
}
