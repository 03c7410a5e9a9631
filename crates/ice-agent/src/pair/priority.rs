//! The priority of a pair (RFC 8445 section 6.1.2.3), as a pure function.

use crate::check::role::IceRole;

/// RFC 8445 section 6.1.2.3: `2^32 * MIN(G,D) + 2 * MAX(G,D) + (G > D ? 1 : 0)`.
pub(crate) fn pair_priority(role: IceRole, local: u32, remote: u32) -> u64 {
    let (controlling, controlled) = match role {
        IceRole::Controlling => (u64::from(local), u64::from(remote)),
        IceRole::Controlled => (u64::from(remote), u64::from(local)),
    };
    let smaller = controlling.min(controlled);
    let larger = controlling.max(controlled);
    (smaller << 32).saturating_add(larger << 1).saturating_add(u64::from(controlling > controlled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pair_priority_matches_rfc_8445() {
        assert_eq!(pair_priority(IceRole::Controlling, 3, 2), (2 << 32) + 6 + 1);
        assert_eq!(pair_priority(IceRole::Controlled, 3, 2), (2 << 32) + 6);
        // PRIORITY on the wire has 32 bits, one more than a candidate may have.
        assert_eq!(pair_priority(IceRole::Controlled, u32::MAX, u32::MAX), u64::MAX);
    }

    #[test]
    fn both_sides_compute_equal_pair_priorities() {
        for (local, remote) in [(1, 2), (2, 1), (5, 5)] {
            let controlling = pair_priority(IceRole::Controlling, local, remote);
            assert_eq!(controlling, pair_priority(IceRole::Controlled, remote, local));
        }
    }
}
