//! The counters of the sockets.

use std::io;

/// A snapshot of the counters of a driver since its creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Received datagrams.
    pub received: DatagramCount,
    /// System calls that received them.
    pub receive_calls: u64,
    /// Datagrams that the system accepted.
    pub sent: DatagramCount,
    /// System calls that sent them; fewer than datagrams if segmentation offload works.
    pub send_calls: u64,
    /// How often a blocked socket made datagrams wait.
    pub would_block: u64,
    /// Datagrams that met a full queue, and were dropped or refused.
    pub queue_full: u64,
    /// Datagrams that the system refused because they exceed the path's MTU.
    pub too_large: u64,
    /// Datagrams that the system could not deliver: no route, firewall, port unreachable.
    pub unreachable: u64,
    /// Datagrams that the system refused for other reasons.
    pub refused: u64,
    /// Datagrams from a local address without a socket, for instance after an interface was removed.
    pub no_socket: u64,
    /// Ignored receive errors that concern one datagram or one peer.
    pub receive_errors: u64,
}

/// Datagrams, and their bytes of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DatagramCount {
    /// The number of datagrams.
    pub datagrams: u64,
    /// The number of bytes.
    pub bytes: u64,
}

impl DatagramCount {
    pub(crate) fn add(&mut self, datagrams: usize, bytes: usize) {
        self.datagrams = self.datagrams.saturating_add(u64::try_from(datagrams).unwrap_or(u64::MAX));
        self.bytes = self.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }
}

impl DriverStats {
    pub(crate) fn count_send_error(&mut self, error: &io::Error) {
        use io::ErrorKind as Kind;
        let counter = match error.kind() {
            _ if quinn_udp::is_msg_size_err(error) => &mut self.too_large,
            Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable
            | Kind::PermissionDenied => &mut self.unreachable,
            _ => &mut self.refused,
        };
        *counter = counter.saturating_add(1);
    }
}
