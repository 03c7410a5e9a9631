//! The priority of a candidate (RFC 8445 section 5.1.2), as pure functions.

use std::net::{IpAddr, SocketAddr};

use crate::candidate::CandidateKind;

/// RFC 8445 section 5.1.2.1 with component 1: `2^24 * type + 2^8 * local + (256 - component)`.
pub(crate) fn candidate(kind: CandidateKind, local_preference: u16) -> u32 {
    (type_preference(kind) << 24) | (u32::from(local_preference) << 8) | 255
}

/// Returns the priority of a candidate as if it were peer-reflexive, for the PRIORITY of a check (section 7.1.1).
pub(crate) fn as_peer_reflexive(priority: u32) -> u32 {
    (type_preference(CandidateKind::PeerReflexive) << 24) | (priority & 0x00ff_ffff)
}

/// The recommended type preferences.
const fn type_preference(kind: CandidateKind) -> u32 {
    match kind {
        CandidateKind::Host => 126,
        CandidateKind::PeerReflexive => 110,
        CandidateKind::ServerReflexive => 100,
        CandidateKind::Relayed => 0,
    }
}

/// IPv6 has a slightly higher preference (RFC 8421 section 4); loopback and link-local addresses have the lowest.
/// `index` counts the earlier candidates, so that no two candidates of a multihomed host are equal.
pub(crate) fn local_preference(address: SocketAddr, index: u16) -> u16 {
    let rank: u16 = match address.ip() {
        ip if ip.is_loopback() => 0x1000,
        IpAddr::V6(ip) if ip.is_unicast_link_local() => 0x2000,
        IpAddr::V4(ip) if ip.is_link_local() => 0x2000,
        IpAddr::V4(_) => 0x7e00,
        IpAddr::V6(_) => 0x7f00,
    };
    rank.saturating_sub(index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidate_priority_matches_rfc_8445() {
        assert_eq!(candidate(CandidateKind::Host, 65_535), 2_130_706_431);
        // The example line of RFC 8839 section 5.1.
        assert_eq!(candidate(CandidateKind::ServerReflexive, 65_535), 1_694_498_815);
        assert_eq!(as_peer_reflexive(2_130_706_431), candidate(CandidateKind::PeerReflexive, 65_535));
    }
}
