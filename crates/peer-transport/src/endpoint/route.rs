//! The destination of a datagram.

use super::PeerId;
use crate::stats::Discard;

/// The destination of a datagram, returned by [`Endpoint::route`](crate::Endpoint::route).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Route<'r> {
    /// A local peer: [`handle_input`](crate::Endpoint::handle_input) passes the datagram to it.
    Peer(PeerId),
    /// A STUN request for a username fragment of no local peer. Another thread, process or machine may have it.
    /// Pass the datagram on, and register the path with [`set_forward`](crate::Endpoint::set_forward) so that
    /// the following datagrams on it go there too.
    Foreign {
        /// The first half of the USERNAME, as received. Not authenticated.
        ufrag: &'r str,
    },
    /// A path registered with [`set_forward`](crate::Endpoint::set_forward).
    Forward(ForwardTag),
    /// No destination. `handle_input` drops the datagram for this reason.
    Unknown(Discard),
}

/// The application's name for the destination of a forwarded path: a shard, a machine, a relay. The endpoint
/// only stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardTag(pub u64);
