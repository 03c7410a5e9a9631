//! The description of one datagram to send.

/// A datagram that [`crate::Connection::poll_transmit`] appended to the buffer: the last `len` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Transmit {
    /// The length of the datagram in bytes; at most [`crate::Config::mtu`].
    pub len: usize,
}
