//! The names of the deadlines.

use std::time::Instant;

/// What a deadline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// Ta allows the next check.
    Pacing,
    /// A check has to be sent again, or has failed.
    Retransmission,
    /// A consent check is due.
    ConsentCheck,
    /// Consent, or liveness, ends.
    ConsentExpiry,
    /// The search for a first usable pair ends.
    Patience,
    /// The controlling side stops waiting for a better pair.
    NominationWait,
    /// Old credentials are answered no longer.
    Drain,
}

/// A named instant; the earlier one is the smaller one.
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
