//! Generations of a transport: the current one, the next one of a restart, and the draining one.
//!
//! At most one generation is sending, one handshaking, one draining. Does not know packets.

use std::time::Instant;

use ice_agent::GenerationId;

use super::association::{Established, Handshaking};
use super::rollback::RollbackState;
use super::signalling::SignalledParameters;

/// The association that sends, or the initial handshake.
pub(super) enum Current {
    /// No association: before the first handshake, after a close, or after a failure.
    Absent,
    /// The initial handshake.
    Handshaking(Box<Handshaking>),
    /// Carries media and data.
    Established(Box<Established>),
}

impl Current {
    /// Drops the association or handshake.
    pub(super) fn clear(&mut self) {
        *self = Self::Absent;
    }

    pub(super) const fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) const fn established(&self) -> Option<&Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }

    pub(super) const fn established_mut(&mut self) -> Option<&mut Established> {
        match self {
            Self::Established(association) => Some(association),
            Self::Absent | Self::Handshaking(_) => None,
        }
    }
}

/// The next generation in progress, and the state that a rollback restores.
pub(super) struct Restart {
    pub(super) generation: GenerationId,
    /// Restored by a rollback or a failed restart.
    pub(super) rollback: RollbackState,
    pub(super) state: RestartState,
}

/// The progress of a restart.
pub(super) enum RestartState {
    /// Offered by the local side. Waits for the peer's parameters, without a local deadline.
    Offered,
    /// Signalling retains the association. Waits for the new pair only.
    Retained {
        /// The parameters now signalled for the association.
        signalled: Box<SignalledParameters>,
        /// When the wait for a pair fails.
        deadline: Instant,
    },
    /// A fresh handshake is in progress, while the previous association carries media.
    Handshaking(Box<Attempt>),
    /// The fresh handshake is complete, but the peer may have missed the final flight. Sending moves when the
    /// peer's traffic confirms that it has not.
    Unconfirmed(Box<Established>),
}

impl RestartState {
    /// Whether the restart's outcome was reported.
    pub(super) fn has_outcome(&self) -> bool {
        match self {
            Self::Offered | Self::Retained { .. } => false,
            Self::Handshaking(attempt) => attempt.decision == Decision::Retained,
            Self::Unconfirmed(_) => true,
        }
    }

    /// Whether the new generation keeps the previous association, by signalling or by the restart verdict.
    pub(super) fn retains_previous(&self) -> bool {
        match self {
            Self::Offered | Self::Unconfirmed(_) => false,
            Self::Retained { .. } => true,
            Self::Handshaking(attempt) => attempt.decision == Decision::Retained,
        }
    }
}

/// A fresh handshake beside an established association.
pub(super) struct Attempt {
    pub(super) handshaking: Handshaking,
    pub(super) decision: Decision,
    /// When the attempt ends.
    pub(super) deadline: Instant,
}

/// The decision about the previous association while a fresh handshake is attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Signalling announced a fresh handshake, so silence proves nothing.
    Fresh,
    /// Undecided: silence of the required length will decide.
    Open,
    /// The silence has lasted, but too few ClientHellos were sent.
    OpenAfterSilence,
    /// The association is retained. The attempt can still complete until its deadline.
    Retained,
}

/// The previous association, which only reads packets that are still in flight.
pub(super) struct Draining {
    pub(super) association: Established,
    /// When it is erased. The first traffic of the next association brings it forward.
    pub(super) until: Instant,
}
