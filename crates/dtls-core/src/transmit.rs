//! One datagram to send, described beside the caller's buffer.

/// A datagram was appended to the buffer given to [`crate::Connection::poll_transmit`]: its last `len` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Transmit {
    /// Length of the datagram in bytes; never above [`crate::Config::mtu`].
    pub len: usize,
}
