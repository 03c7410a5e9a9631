//! A candidate pair as the application sees it: a snapshot with its state (RFC 8445 section 6.1.2).
//!
//! The folder has the pair as the agent works with it: `checklist_pair` its transactions, `checklist` the order of the
//! checks, `nomination` the selection, `consent` how long data may be sent.

pub(crate) mod checklist;
pub(crate) mod checklist_pair;
pub(crate) mod consent;
pub(crate) mod nomination;
pub(crate) mod priority;

use std::fmt;
use std::time::{Duration, Instant};

use crate::agent::generation_id::GenerationId;
use crate::candidate::Candidate;
use crate::path::Path;

/// The state of a pair (RFC 8445 section 6.1.2.6), with the end of consent that RFC 7675 adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PairState {
    /// Not to be checked yet.
    Frozen,
    /// The next check is due when the pace allows it.
    Waiting,
    /// A check is in progress.
    InProgress,
    /// A check succeeded, and the pair has consent.
    Succeeded,
    /// The last check failed.
    Failed,
    /// Consent ended; the pair is not used again with these credentials (RFC 7675 section 5.1).
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
#[non_exhaustive]
pub struct CandidatePair {
    /// The generation whose credentials check it.
    pub generation: GenerationId,
    /// The addresses of its packets.
    pub path: Path,
    /// The local candidate; peer-reflexive if the peer reported an unknown address.
    pub local: Candidate,
    /// The remote candidate.
    pub remote: Candidate,
    /// RFC 8445 section 6.1.2.3.
    pub priority: u64,
    /// The state.
    pub state: PairState,
    /// Whether the controlling side has nominated it.
    pub nominated: bool,
    /// The round-trip time of the latest answered check that was sent once.
    pub rtt: Option<Duration>,
}

/// The right to send on a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Permission {
    /// The path for sending.
    pub path: Path,
    /// The generation that holds the consent.
    pub generation: GenerationId,
    /// When consent expires unless it is renewed; `None` if it never does.
    pub until: Option<Instant>,
}
