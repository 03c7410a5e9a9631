//! The events for the layer above.

use std::fmt;
use std::time::Duration;

use crate::agent::generation_id::GenerationId;
use crate::candidate::Candidate;
use crate::check::role::IceRole;
use crate::pair::CandidatePair;
use crate::path::Path;

/// The state of ICE as a whole. The names are those of `RTCIceTransportState` in W3C WebRTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// There are no remote parameters yet.
    New,
    /// Checks are running; no pair is usable yet.
    Checking,
    /// A pair is usable; [`permission`](crate::Agent::permission) tells whether data may be sent.
    Connected,
    /// No generation has a usable pair any more. A restart may help.
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

/// An event. Exhaustive on purpose: a new event must fail the build of the layer that has to handle it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The state changed; not emitted for `Failed`, which has an event of its own.
    StateChanged(State),
    /// A role conflict was resolved by switching to this role.
    RoleChanged(IceRole),
    /// A peer-reflexive candidate was learnt from a check.
    PeerReflexive {
        /// The generation of the check.
        generation: GenerationId,
        /// The side that the candidate belongs to.
        side: Side,
        /// The candidate.
        candidate: Candidate,
    },
    /// A check of this pair succeeded for the first time: consent begins, and data may be sent on it.
    PairUsable(CandidatePair),
    /// This pair was selected: all sending moves to it now.
    PairSelected {
        /// The pair, with its generation.
        pair: CandidatePair,
        /// The reason for the selection.
        reason: SelectionReason,
    },
    /// Sending on this path has ended for this generation.
    ConsentLost {
        /// The path.
        path: Path,
        /// The generation whose credentials lost consent.
        generation: GenerationId,
        /// The reason.
        failure: Failure,
    },
    /// Authenticated STUN bound this path to the agent: data may be received on it.
    PathBound(Path),
    /// The path is no longer bound to the agent.
    PathReleased(Path),
    /// The credentials of this generation are no longer answered.
    GenerationEnded(GenerationId),
    /// The base of the last usable pair was removed; only new candidates or a restart can help.
    RestartNeeded {
        /// The generation that has no usable pair left.
        generation: GenerationId,
    },
    /// A generation failed, once per generation. The agent has failed if its state is [`State::Failed`].
    Failed {
        /// The generation.
        generation: GenerationId,
        /// The reason.
        failure: Failure,
    },
}

/// A side of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// This agent.
    Local,
    /// The peer.
    Remote,
}

/// The reason for selecting a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SelectionReason {
    /// The first nominated pair of its generation.
    Nominated,
    /// A nominated pair with a higher priority than the selected one.
    HigherPriority,
    /// The previous pair lost consent or its base, or no longer responds while the peer nominates this one.
    Fallback,
}

/// The reason for the failure of a generation, or for the loss of consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// No check succeeded within [`Config::patience`](crate::Config::patience).
    NoPairSucceeded,
    /// No authenticated response arrived within the consent timeout (RFC 7675 section 5.1).
    ConsentExpired {
        /// The path.
        path: Path,
        /// The time since the last proof of consent.
        age: Duration,
    },
    /// Consent was revoked: by an authenticated 403, by the peer's authenticated close, or by our command.
    ConsentRevoked {
        /// The path.
        path: Path,
    },
    /// A lite agent received no authenticated request within its liveness timeout.
    PeerSilent {
        /// The time since the last authenticated request.
        age: Duration,
    },
    /// Checks were answered, but never with valid integrity (RFC 8489 section 9.1.4).
    IntegrityViolated {
        /// The path.
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
                write!(f, "checks on {path} were answered, but never with valid integrity")
            }
        }
    }
}
