//! The interface of a state machine in a [`World`](crate::World).
//!
//! The five methods of the workspace's state machines (two inputs, three polls), with output types that can be
//! stored and compared. The layers share these methods by convention; only this trait declares them together.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::Instant;

/// The two ends of a datagram from the view of its sender or receiver: the local socket and the remote address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path {
    /// The address of the local socket.
    pub local: SocketAddr,
    /// The address of the other side, outside its NAT where it has one.
    pub remote: SocketAddr,
}

/// The two ECN bits of the IP header (RFC 3168 section 5), carried from sender to receiver untouched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ecn {
    /// The transport does not take part.
    #[default]
    NotEct,
    /// ECN-capable, codepoint 01.
    Ect1,
    /// ECN-capable, codepoint 10.
    Ect0,
    /// Congestion experienced.
    Ce,
}

/// One transmitted datagram; its bytes are the last `len` of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The sending socket and the destination.
    pub path: Path,
    /// Length in bytes.
    pub len: usize,
    /// The ECN codepoint to send with.
    pub ecn: Ecn,
}

/// A Sans-IO state machine, driven by inputs and polls.
pub trait Node {
    /// Events, media and data, copied, so that two runs compare.
    type Output: Clone + Debug + PartialEq;

    /// A datagram arrived.
    fn handle_input(&mut self, now: Instant, path: Path, ecn: Ecn, payload: &mut [u8]);

    /// The deadline of [`poll_timeout`](Self::poll_timeout) has come.
    fn handle_timeout(&mut self, now: Instant);

    /// The next datagram to send, appended to `buffer`.
    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent>;

    /// The next output for the application.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When this node next wants [`handle_timeout`](Self::handle_timeout).
    fn poll_timeout(&self) -> Option<Instant>;
}

impl<N: Node + ?Sized> Node for Box<N> {
    type Output = N::Output;

    fn handle_input(&mut self, now: Instant, path: Path, ecn: Ecn, payload: &mut [u8]) {
        (**self).handle_input(now, path, ecn, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        (**self).handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        (**self).poll_transmit(buffer)
    }

    fn poll_output(&mut self) -> Option<Self::Output> {
        (**self).poll_output()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        (**self).poll_timeout()
    }
}
