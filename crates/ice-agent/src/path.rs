//! The path of a datagram: local base, remote address, protocol.
//!
//! Addresses are normalised here, once, so that equal paths are the same 5-tuple everywhere else.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// The transport protocol of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Protocol {
    /// Each datagram is one UDP packet.
    #[default]
    Udp,
    /// Each datagram is one RFC 4571 frame on a connection of the application.
    Tcp,
}

/// A 5-tuple from the socket's point of view: the local *base* (never an announced address), the remote address and the
/// protocol.
///
/// IPv4-mapped IPv6 addresses are unmapped and the flow label is dropped. A scope id is kept only for link-local
/// addresses, where it is part of the address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    local: SocketAddr,
    remote: SocketAddr,
    protocol: Protocol,
}

impl Path {
    /// Returns the path between two addresses over `protocol`.
    #[must_use]
    pub fn new(local: SocketAddr, remote: SocketAddr, protocol: Protocol) -> Self {
        Self { local: normalise(local), remote: normalise(remote), protocol }
    }

    /// Returns the UDP path between two addresses.
    #[must_use]
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self::new(local, remote, Protocol::Udp)
    }

    /// Returns the local base: the address of the socket that sends and receives.
    #[must_use]
    pub const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Returns the address of the peer in packets.
    #[must_use]
    pub const fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// Returns the transport protocol.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.local, self.remote)?;
        match self.protocol {
            Protocol::Udp => Ok(()),
            Protocol::Tcp => f.write_str(" (tcp)"),
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

/// Returns the normal form of a transport address.
pub(crate) fn normalise(address: SocketAddr) -> SocketAddr {
    match (address.ip().to_canonical(), address) {
        (IpAddr::V6(ip), SocketAddr::V6(v6)) => {
            let scope = if ip.is_unicast_link_local() { v6.scope_id() } else { 0 };
            SocketAddr::V6(SocketAddrV6::new(ip, v6.port(), 0, scope))
        }
        (ip, _) => SocketAddr::new(ip, address.port()),
    }
}

/// Returns whether a packet can be sent to, and come from, this address.
pub(crate) fn is_reachable(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = matches!(ip, IpAddr::V4(v4) if v4.is_broadcast());
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// Link-local IPv6 addresses reach only each other (RFC 8445 section 6.1.2.2); other addresses reach their own family.
pub(crate) fn can_pair(local: SocketAddr, remote: SocketAddr) -> bool {
    match (local.ip(), remote.ip()) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.is_unicast_link_local() == b.is_unicast_link_local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v6(text: &str, scope: u32) -> SocketAddr {
        SocketAddr::V6(SocketAddrV6::new(text.parse().unwrap(), 1, 9, scope))
    }

    #[test]
    fn equal_addresses_have_one_normal_form() {
        assert_eq!(normalise(v6("::ffff:192.0.2.1", 3)), "192.0.2.1:1".parse().unwrap());
        assert_eq!(normalise(v6("2001:db8::1", 3)), v6_plain("2001:db8::1", 0));
        assert_eq!(normalise(v6("fe80::1", 3)), v6_plain("fe80::1", 3));
    }

    fn v6_plain(text: &str, scope: u32) -> SocketAddr {
        SocketAddr::V6(SocketAddrV6::new(text.parse().unwrap(), 1, 0, scope))
    }

    #[test]
    fn link_local_addresses_pair_with_each_other_only() {
        assert!(can_pair(v6("fe80::1", 1), v6("fe80::2", 1)));
        assert!(!can_pair(v6("fe80::1", 1), v6("2001:db8::2", 0)));
        assert!(!can_pair(v6("2001:db8::2", 0), "192.0.2.1:1".parse().unwrap()));
    }
}
