//! Candidate pairs: the public snapshot and its state names (RFC 8445 section 6.1.2).

use std::fmt;
use std::time::{Duration, Instant};

use crate::candidate::Candidate;
use crate::generation::Generation;
use crate::path::Path;

/// Where a pair stands (RFC 8445 section 6.1.2.6), with the end that RFC 7675 adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// Not to be checked yet.
    Frozen,
    /// To be checked at the next opportunity.
    Waiting,
    /// A check is in progress.
    InProgress,
    /// A check succeeded; consent is alive.
    Succeeded,
    /// The last check failed.
    Failed,
    /// Consent ended here; the pair is dead for these credentials (RFC 7675 section 5.1).
    Ended,
}

impl fmt::Display for PairState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frozen => "frozen",
            Self::Waiting => "waiting",
            Self::InProgress => "in-progress",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Ended => "ended",
        })
    }
}

/// A snapshot of one candidate pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The generation whose credentials check it.
    pub generation: Generation,
    /// Where its packets travel.
    pub path: Path,
    /// Our candidate; peer-reflexive when the peer saw us at an address we did not know.
    pub local: Candidate,
    /// The peer's candidate.
    pub remote: Candidate,
    /// RFC 8445 section 6.1.2.3.
    pub priority: u64,
    /// Where it stands.
    pub state: PairState,
    /// Whether the controlling side has nominated it.
    pub nominated: bool,
    /// The round trip of the latest answered check that was sent once.
    pub rtt: Option<Duration>,
}

/// The right to send on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// Where to send.
    pub path: Path,
    /// The generation that holds the consent.
    pub generation: Generation,
    /// When it ends unless it is renewed; `None` when expiry is disabled.
    pub until: Option<Instant>,
}
