//! Controlling or controlled, and what happens when both claim the same (RFC 8445 section 7.3.1.1).
//!
//! Pure decisions; the agent applies them.

use std::fmt;

/// Who nominates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IceRole {
    /// This side nominates the pair; usually the offerer.
    Controlling,
    /// This side accepts the nomination.
    Controlled,
}

impl IceRole {
    /// The other role.
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

/// The role that a request claims for its sender, with the sender's tie-breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) role: IceRole,
    pub(crate) tie_breaker: u64,
}

/// What a claim means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The roles differ, as they should.
    NoConflict,
    /// The peer has to give way: answer 487.
    PeerYields,
    /// We have to give way.
    WeSwitch,
}

/// The side with the larger tie-breaker becomes (or stays) controlling.
pub(crate) const fn judge(ours: Claim, theirs: Claim) -> Verdict {
    match (ours.role, theirs.role) {
        (IceRole::Controlling, IceRole::Controlled) | (IceRole::Controlled, IceRole::Controlling) => {
            Verdict::NoConflict
        }
        (IceRole::Controlling, IceRole::Controlling) if ours.tie_breaker >= theirs.tie_breaker => {
            Verdict::PeerYields
        }
        (IceRole::Controlled, IceRole::Controlled) if ours.tie_breaker < theirs.tie_breaker => {
            Verdict::PeerYields
        }
        (IceRole::Controlling, IceRole::Controlling) | (IceRole::Controlled, IceRole::Controlled) => {
            Verdict::WeSwitch
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_tie_breaker_ends_up_controlling_whatever_both_claimed() {
        for role in [IceRole::Controlling, IceRole::Controlled] {
            for (ours, theirs) in [(1, 2), (2, 1)] {
                let (us, them) = (Claim { role, tie_breaker: ours }, Claim { role, tie_breaker: theirs });
                let after = match judge(us, them) {
                    Verdict::WeSwitch => role.opposite(),
                    Verdict::PeerYields | Verdict::NoConflict => role,
                };
                assert_eq!(after == IceRole::Controlling, ours > theirs, "{role} {ours} {theirs}");
            }
        }
    }

    #[test]
    fn equal_tie_breakers_follow_the_or_equal_of_the_rfc() {
        let claim = |role| Claim { role, tie_breaker: 9 };
        assert_eq!(judge(claim(IceRole::Controlling), claim(IceRole::Controlling)), Verdict::PeerYields);
        assert_eq!(judge(claim(IceRole::Controlled), claim(IceRole::Controlled)), Verdict::WeSwitch);
    }
}
