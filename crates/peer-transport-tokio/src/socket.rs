//! One UDP socket: batches in, batches out, and which of this machine's addresses a datagram used.
//!
//! Knows the socket options (segmentation and receive offload, ECN, destination addresses). Knows
//! nothing about peers or protocols.

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
    /// Takes over a bound socket, inside a runtime.
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

    /// How well this socket can send from `base`: not at all, as a wildcard, or as exactly this address.
    pub(crate) fn claim(&self, base: SocketAddr) -> Claim {
        if self.local == base {
            Claim::Exact
        } else if self.local.port() != base.port() || !self.local.ip().is_unspecified() {
            Claim::No
        } else if self.local.is_ipv4() == base.is_ipv4() {
            Claim::Wildcard
        } else if self.local.is_ipv6() {
            // An IPv6 wildcard also serves IPv4 where the system binds both.
            Claim::Mapped
        } else {
            Claim::No
        }
    }

    /// The address that a received datagram was sent to, as ICE knows it: for a socket bound to a
    /// wildcard, the destination that the kernel reports.
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

    /// Fills as many of `slots` as the kernel has datagrams for, without waiting.
    pub(crate) fn receive(&self, slots: &mut [IoSliceMut<'_>], metas: &mut [RecvMeta]) -> io::Result<usize> {
        self.io.try_io(Interest::READABLE, || self.state.recv((&self.io).into(), slots, metas))
    }

    /// Sends one datagram, or several of `segment` bytes in one system call, without waiting.
    pub(crate) fn send(&self, to: &Destination, contents: &[u8], segment: Option<usize>) -> io::Result<()> {
        let transmit = quinn_udp::Transmit {
            destination: self.in_own_family(to.remote),
            ecn: codepoint(to.ecn),
            contents,
            segment_size: segment,
            // An address that the socket is bound to needs no mention.
            src_ip: self
                .local
                .ip()
                .is_unspecified()
                .then(|| self.in_own_family(SocketAddr::new(to.local.ip(), 0)).ip())
                .filter(|source| !source.is_unspecified()),
        };
        self.io.try_io(Interest::WRITABLE, || self.state.try_send((&self.io).into(), &transmit))
    }

    /// How many datagrams one system call may carry at this moment; 1 without offload.
    pub(crate) fn max_segments(&self) -> usize {
        self.state.max_gso_segments().max(1)
    }

    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_recv_ready(cx)
    }

    pub(crate) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.io.poll_send_ready(cx)
    }

    /// IPv4 addresses are written as IPv4-mapped ones for an IPv6 socket (RFC 4291 section 2.5.5.2).
    fn in_own_family(&self, address: SocketAddr) -> SocketAddr {
        match (self.local, address) {
            (SocketAddr::V6(_), SocketAddr::V4(v4)) => {
                SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port())
            }
            _ => address,
        }
    }
}

/// How well a socket matches a local address; the best one of several sends.
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

/// Where a datagram goes, from where, and how it is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) ecn: Ecn,
}

/// The mark of a received datagram.
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
