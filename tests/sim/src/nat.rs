//! A NAT with its mapping and filtering behaviour (the four classic kinds; terms of RFC 4787 sections 4 and 5).
//!
//! It translates addresses. It knows no nodes, links or time: a mapping generations until [`Nat::forget`], which a scenario
//! calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// The mapping and the filter of a NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// One public port for each inner socket; any address may send to it.
    FullCone,
    /// One public port for each inner socket; only addresses it has sent to may answer, from any port.
    AddressRestricted,
    /// One public port for each inner socket; only the exact addresses and ports it has sent to may answer.
    PortRestricted,
    /// A public port for each inner socket and destination; only that destination may answer.
    Symmetric,
}

#[derive(Clone, Debug)]
pub(crate) struct Nat {
    kind: NatKind,
    public: IpAddr,
    next_port: u16,
    /// From the inner socket, and the destination where the kind asks for it, to the public port.
    outward: BTreeMap<(SocketAddr, Option<SocketAddr>), u16>,
    inward: BTreeMap<u16, Mapping>,
}

#[derive(Clone, Debug)]
struct Mapping {
    inner: SocketAddr,
    sent_to: BTreeSet<SocketAddr>,
}

impl Nat {
    pub(crate) const fn new(kind: NatKind, public: IpAddr) -> Self {
        Self { kind, public, next_port: FIRST_PORT, outward: BTreeMap::new(), inward: BTreeMap::new() }
    }

    pub(crate) const fn public(&self) -> IpAddr {
        self.public
    }

    /// The source address that `destination` sees when `inner` sends to it. Creates the mapping.
    pub(crate) fn translate_out(&mut self, inner: SocketAddr, destination: SocketAddr) -> SocketAddr {
        let key = (inner, (self.kind == NatKind::Symmetric).then_some(destination));
        let port = *self.outward.entry(key).or_insert_with(|| {
            let port = self.next_port;
            self.next_port = self.next_port.checked_add(1).unwrap_or(FIRST_PORT);
            port
        });
        let mapping = self.inward.entry(port).or_insert_with(|| Mapping { inner, sent_to: BTreeSet::new() });
        mapping.sent_to.insert(destination);
        SocketAddr::new(self.public, port)
    }

    /// The inner socket for a datagram from `source` to the public `port`, if the filter lets it in.
    pub(crate) fn translate_in(&self, source: SocketAddr, port: u16) -> Option<SocketAddr> {
        let mapping = self.inward.get(&port)?;
        let admitted = match self.kind {
            NatKind::FullCone => true,
            NatKind::AddressRestricted => mapping.sent_to.iter().any(|known| known.ip() == source.ip()),
            NatKind::PortRestricted | NatKind::Symmetric => mapping.sent_to.contains(&source),
        };
        admitted.then_some(mapping.inner)
    }

    /// Drops every mapping, as a reboot does, and continues at `public`; new mappings get new ports.
    pub(crate) fn forget(&mut self, public: IpAddr) {
        self.public = public;
        self.outward.clear();
        self.inward.clear();
    }
}

/// The first public port: far from the ports that tests bind, so that a trace tells them apart.
const FIRST_PORT: u16 = 40_000;

#[cfg(test)]
mod tests {
    use super::*;

    const PUBLIC: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1));

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_kind_filters_as_its_name_says() {
        let contacted = addr("198.51.100.1:1000");
        let other_port = addr("198.51.100.1:2000");
        let stranger = addr("198.51.100.9:1000");
        for (kind, admits_port, admits_stranger) in [
            (NatKind::FullCone, true, true),
            (NatKind::AddressRestricted, true, false),
            (NatKind::PortRestricted, false, false),
            (NatKind::Symmetric, false, false),
        ] {
            let mut nat = Nat::new(kind, PUBLIC);
            let inner = addr("10.0.0.1:5000");
            let mapped = nat.translate_out(inner, contacted);
            assert_eq!(nat.translate_in(contacted, mapped.port()), Some(inner), "{kind:?}");
            assert_eq!(nat.translate_in(other_port, mapped.port()).is_some(), admits_port, "{kind:?}");
            assert_eq!(nat.translate_in(stranger, mapped.port()).is_some(), admits_stranger, "{kind:?}");
        }
    }

    #[test]
    fn only_the_symmetric_kind_maps_by_destination() {
        for kind in
            [NatKind::FullCone, NatKind::AddressRestricted, NatKind::PortRestricted, NatKind::Symmetric]
        {
            let mut nat = Nat::new(kind, PUBLIC);
            let first = nat.translate_out(addr("10.0.0.1:5000"), addr("198.51.100.1:1000"));
            let second = nat.translate_out(addr("10.0.0.1:5000"), addr("198.51.100.2:1000"));
            assert_eq!(first == second, kind != NatKind::Symmetric, "{kind:?}");
        }
    }

    #[test]
    fn a_dropped_mapping_filters_all_and_the_next_has_a_new_port() {
        let mut nat = Nat::new(NatKind::FullCone, PUBLIC);
        let (inner, outer) = (addr("10.0.0.1:5000"), addr("198.51.100.1:1000"));
        let before = nat.translate_out(inner, outer);
        nat.forget(PUBLIC);
        assert_eq!(nat.translate_in(outer, before.port()), None);
        assert_ne!(nat.translate_out(inner, outer), before);
    }
}
