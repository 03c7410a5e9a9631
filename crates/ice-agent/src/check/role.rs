//! The ICE role, and the resolution of role conflicts (RFC 8445 section 7.3.1.1).
//!
//! Pure functions; the agent applies the result.

use std::fmt;

/// The role: which side nominates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceRole {
    /// This side nominates the pair; usually the offerer.
    Controlling,
    /// This side accepts the nomination.
    Controlled,
}

impl IceRole {
    /// Returns the other role.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Controlling => Self::Controlled,
            Self::Controlled => Self::Controlling,
        }
    }
}

impl fmt::Display for IceRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Controlling => "controlling",
            Self::Controlled => "controlled",
        })
    }
}

/// The role of one side with its tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) role: IceRole,
    pub(crate) tie_breaker: u64,
}

/// The resolution of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    /// The roles differ, as required.
    NoConflict,
    /// The peer must switch: respond with 487.
    PeerYields,
    /// This side must switch.
    WeSwitch,
}

/// Resolves a claim: the side with the larger tie-breaker becomes (or stays) controlling.
pub(crate) const fn resolve(ours: Claim, theirs: Claim) -> Resolution {
    match (ours.role, theirs.role) {
        (IceRole::Controlling, IceRole::Controlled) | (IceRole::Controlled, IceRole::Controlling) => {
            Resolution::NoConflict
        }
        (IceRole::Controlling, IceRole::Controlling) if ours.tie_breaker >= theirs.tie_breaker => {
            Resolution::PeerYields
        }
        (IceRole::Controlled, IceRole::Controlled) if ours.tie_breaker < theirs.tie_breaker => {
            Resolution::PeerYields
        }
        (IceRole::Controlling, IceRole::Controlling) | (IceRole::Controlled, IceRole::Controlled) => {
            Resolution::WeSwitch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_tie_breaker_becomes_controlling() {
        for role in [IceRole::Controlling, IceRole::Controlled] {
            for (ours, theirs) in [(1, 2), (2, 1)] {
                let (us, them) = (Claim { role, tie_breaker: ours }, Claim { role, tie_breaker: theirs });
                let after = match resolve(us, them) {
                    Resolution::WeSwitch => role.opposite(),
                    Resolution::PeerYields | Resolution::NoConflict => role,
                };
                assert_eq!(after == IceRole::Controlling, ours > theirs, "{role} {ours} {theirs}");
            }
        }
    }

    #[test]
    fn equal_tie_breakers_are_resolved_as_in_the_rfc() {
        let claim = |role| Claim { role, tie_breaker: 9 };
        assert_eq!(resolve(claim(IceRole::Controlling), claim(IceRole::Controlling)), Resolution::PeerYields);
        assert_eq!(resolve(claim(IceRole::Controlled), claim(IceRole::Controlled)), Resolution::WeSwitch);
    }
}
