//! What the sockets did, counted.

use std::io;

/// A snapshot of a driver's counters; all of them count from its creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DriverStats {
    /// Datagrams that arrived.
    pub received: DatagramCount,
    /// System calls that received them.
    pub receive_calls: u64,
    /// Datagrams that the system took.
    pub sent: DatagramCount,
    /// System calls that sent them; fewer than datagrams where segmentation offload works.
    pub send_calls: u64,
    /// How often a full socket made the queue wait.
    pub would_block: u64,
    /// Datagrams that found the queue of a full socket full, and were dropped or refused.
    pub queue_full: u64,
    /// Datagrams that the system refused as larger than the path's MTU.
    pub too_large: u64,
    /// Datagrams that the system had no way to deliver: no route, a firewall, nobody listening.
    pub unreachable: u64,
    /// Datagrams that the system refused for other reasons.
    pub refused: u64,
    /// Datagrams from a local address that no socket has, for instance after an interface went away.
    pub no_socket: u64,
    /// Receive errors that concerned one datagram or one peer and were passed over.
    pub receive_errors: u64,
}

/// Datagrams and their bytes of UDP payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DatagramCount {
    /// How many.
    pub datagrams: u64,
    /// Their bytes.
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
