//! What the agent tells the layer above.

use std::fmt;
use std::time::Duration;

use crate::candidate::Candidate;
use crate::generation::Generation;
use crate::pair::Pair;
use crate::path::Path;
use crate::role::IceRole;

/// What became of ICE as a whole. The names are those of `RTCIceTransportState` in W3C WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No remote parameters yet.
    New,
    /// Looking for a pair that works.
    Checking,
    /// A pair works; data may be sent while [`permission`](crate::Agent::permission) says so.
    Connected,
    /// No generation works any more. A restart may help.
    Failed,
    /// Closed by command.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Checking => "checking",
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Closed => "closed",
        })
    }
}

/// What happened. Exhaustive on purpose: a new event has to break the layer that must decide about it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The state changed; not emitted for `Failed`, which has an event of its own.
    StateChanged(State),
    /// A role conflict was resolved by switching to this role.
    RoleChanged(IceRole),
    /// A candidate was learnt from a check.
    PeerReflexive {
        /// Where it was learnt.
        generation: Generation,
        /// Whose candidate it is.
        side: Side,
        /// The candidate.
        candidate: Candidate,
    },
    /// A check on this pair succeeded for the first time: consent begins, and data may flow on it.
    PairUsable(Pair),
    /// All sending moves to this pair now.
    PairSelected {
        /// The pair, with its generation.
        pair: Pair,
        /// Why it and why now.
        reason: SelectionReason,
    },
    /// Sending on this path has ended for this generation.
    ConsentLost {
        /// Where.
        path: Path,
        /// Under which credentials.
        generation: Generation,
        /// Why.
        failure: Failure,
    },
    /// Authenticated STUN bound this path to the agent: data may be received on it.
    PathBound(Path),
    /// Nothing binds this path to the agent any more.
    PathReleased(Path),
    /// The credentials of this generation are no longer answered.
    GenerationRetired(Generation),
    /// The base of the last usable pair was removed; only new candidates or a restart can help.
    RestartNeeded {
        /// The generation that has no usable pair left.
        generation: Generation,
    },
    /// A generation died, once. The agent as a whole has failed when [`State::Failed`] is its state.
    Failed {
        /// Which one.
        generation: Generation,
        /// Why.
        failure: Failure,
    },
}

/// Whose something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// Ours.
    Local,
    /// The peer's.
    Remote,
}

/// Why a pair was selected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SelectionReason {
    /// The first nominated pair of its generation.
    Nominated,
    /// A nominated pair with a higher priority than the selected one.
    HigherPriority,
    /// The selected pair lost consent or its base, or fell silent while the peer nominates this one.
    Fallback,
}

/// Why something died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No check succeeded within [`Config::patience`](crate::Config::patience).
    NoPairSucceeded,
    /// No authenticated response for the consent timeout (RFC 7675 section 5.1).
    ConsentExpired {
        /// Where.
        path: Path,
        /// How long ago the last proof of consent arrived.
        age: Duration,
    },
    /// Consent was revoked: by an authenticated 403, by the peer's authenticated close, or by our command.
    ConsentRevoked {
        /// Where.
        path: Path,
    },
    /// A lite agent heard no authenticated request for its liveness timeout.
    PeerSilent {
        /// For how long.
        age: Duration,
    },
    /// Checks were answered, but never with the right password (RFC 8489 section 9.1.4).
    IntegrityViolated {
        /// Where.
        path: Path,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPairSucceeded => f.write_str("no connectivity check succeeded"),
            Self::ConsentExpired { path, age } => {
                write!(f, "consent expired on {path}, last proof {} ms ago", age.as_millis())
            }
            Self::ConsentRevoked { path } => write!(f, "consent revoked on {path}"),
            Self::PeerSilent { age } => write!(f, "the peer was silent for {} ms", age.as_millis()),
            Self::IntegrityViolated { path } => {
                write!(f, "checks on {path} were answered, but never with the right password")
            }
        }
    }
}
