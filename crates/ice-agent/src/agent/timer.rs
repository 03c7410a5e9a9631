//! The names of the deadlines.

use std::time::Instant;

/// The purpose of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Ta allows the next check.
    Pacing,
    /// A check is to be retransmitted, or has failed.
    Retransmission,
    /// A consent check is due.
    ConsentCheck,
    /// Consent, or liveness, expires.
    ConsentExpiry,
    /// The search for a first usable pair ends.
    Patience,
    /// The controlling side stops waiting for a better pair.
    NominationWait,
    /// Old credentials are no longer answered.
    Drain,
}

/// A named instant, ordered by time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Deadline {
    pub(crate) at: Instant,
    pub(crate) timer: Timer,
}

impl Deadline {
    pub(crate) const fn new(timer: Timer, at: Instant) -> Self {
        Self { at, timer }
    }
}
