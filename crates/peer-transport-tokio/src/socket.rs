//! One UDP socket: receives and sends batches, and reports the local address of each datagram.
//!
//! Knows the socket options (segmentation and receive offload, ECN, destination addresses). Does not know peers or
//! protocols.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::task::{Context, Poll};

use peer_transport::Ecn;
use quinn_udp::{EcnCodepoint, RecvMeta, UdpSocketState};
use tokio::io::Interest;

/// A bound socket, registered with the runtime.
#[derive(Debug)]
pub(crate) struct Socket {
    io: tokio::net::UdpSocket,
    state: UdpSocketState,
    local: SocketAddr,
}

impl Socket {
    /// Registers a bound socket with the runtime.
    pub(crate) fn new(socket: std::net::UdpSocket) -> io::Result<Self> {
        let local = socket.local_addr()?;
        let state = UdpSocketState::new((&socket).into())?;
        socket.set_nonblocking(true)?;
        Ok(Self { io: tokio::net::UdpSocket::from_std(socket)?, state, local })
    }

    pub(crate) fn local(&self) -> SocketAddr {
        self.local
    }

    /// Sets the kernel's buffers, in bytes. The kernel may grant less.
    pub(crate) fn set_buffers(&self, receive: Option<usize>, send: Option<usize>) -> io::Result<()> {
        if let Some(bytes) = receive {
            self.state.set_recv_buffer_size((&self.io).into(), bytes)?;
        }
        if let Some(bytes) = send {
            self.state.set_send_buffer_size((&self.io).into(), bytes)?;
        }
        Ok(())
    }

    /// Returns how well this socket can send from `base`: not at all, as a wildcard, or as exactly this address.
    pub(crate) fn claim(&self, base: SocketAddr) -> Claim {
        if self.local == base {
            Claim::Exact
        } else if self.local.port() != base.port() || !self.local.ip().is_unspecified() {
            Claim::No
        } else if self.local.is_ipv4() == base.is_ipv4() {
            Claim::Wildcard
        } else if self.local.is_ipv6() {
            // An IPv6 wildcard also serves IPv4 if the system binds both.
            Claim::Mapped
        } else {
            Claim::No
        }
    }

    /// Returns the local base of a received datagram: for a socket bound to a wildcard address, the destination that
    /// the kernel reports.
    pub(crate) fn base(&self, meta: &RecvMeta) -> SocketAddr {
        if !self.local.ip().is_unspecified() {
            return self.local;
        }
        let Some(destination) = meta.dst_ip else { return self.local };
        match destination.to_canonical() {
            IpAddr::V6(ip) if ip.is_unicast_link_local() => {
                let scope = meta.interface_index.unwrap_or_default();
                SocketAddrV6::new(ip, self.local.port(), 0, scope).into()
            }
            ip => SocketAddr::new(ip, self.local.port()),
        }
    }

    /// Fills `slots` with the datagrams that the kernel has, without waiting. Returns the number of filled slots.
    pub(crate) fn receive(&self, slots: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, || self.state.recv((&self.io).into(), slots, metas))
    }

    /// Sends one datagram, or several of `segment` bytes, in one system call, without waiting.
    pub(crate) fn send(&self, to: &Destination, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: self.in_own_family(to.remote),
            ecn: codepoint(to.ecn),
            contents,
            segment_size: segment,
            // A socket bound to the address needs no source address.
            src_ip: self
                .local
                .ip()
                .is_unspecified()
                .then(|| self.in_own_family(SocketAddr::new(to.local.ip(), 0)).ip())
                .filter(|source| !source.is_unspecified()),
        };
        self.io.try_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit))
    }

    /// Returns how many datagrams one system call may send at present; 1 without offload.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments().max(1)
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(cx)
    }

    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_send_ready(cx)
    }

    /// An IPv6 socket sends to IPv4 through IPv4-mapped addresses (RFC 4291 section 2.5.5.2).
    fn in_own_family(&self, address: SocketAddr) -> SocketAddr {
        match (self.local, address) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        }
    }
}

/// The match of a socket with a local address; the best of several sockets sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// Another port or another address.
    No,
    /// An IPv6 wildcard for an IPv4 address.
    Mapped,
    /// A wildcard of the same family.
    Wildcard,
    /// Bound to it.
    Exact,
}

/// The addresses and marks of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) ecn: Ecn,
}

/// Returns the ECN mark of a received datagram.
pub(crate) fn ecn(codepoint: Option<EcnCodepoint>) -> Ecn {
    match codepoint {
        None => Ecn::NotEct,
        Some(EcnCodepoint::Ect0) => Ecn::Ect0,
        Some(EcnCodepoint::Ect1) => Ecn::Ect1,
        Some(EcnCodepoint::Ce) => Ecn::Ce,
    }
}

fn codepoint(ecn: Ecn) -> Option<EcnCodepoint> {
    match ecn {
        Ecn::NotEct => None,
        Ecn::Ect0 => Some(EcnCodepoint::Ect0),
        Ecn::Ect1 => Some(EcnCodepoint::Ect1),
        Ecn::Ce => Some(EcnCodepoint::Ce),
    }
}
