//! Where a datagram goes: to a peer, to somebody else's peer, or nowhere.

use super::PeerId;
use crate::stats::Discard;

/// Where a datagram belongs, as [`Endpoint::route`](crate::Endpoint::route) sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'r> {
    /// To this peer: [`handle_input`](crate::Endpoint::handle_input) gives it to it.
    Peer(PeerId),
    /// A STUN request for a username fragment that no peer here has. Another thread, process or
    /// machine may have it; hand it the datagram and, so that what follows on the same path goes
    /// there too, name it with [`set_forward`](crate::Endpoint::set_forward).
    Foreign {
        /// The first half of the USERNAME, exactly as it was sent. Not authenticated.
        ufrag: &'r str,
    },
    /// On a path that [`set_forward`](crate::Endpoint::set_forward) gave away.
    Forward(ForwardTag),
    /// To nobody. `handle_input` drops it for this reason.
    Unknown(Discard),
}

/// What an application calls the place that it forwards a path to: a shard, a machine, a relay.
/// The endpoint only stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForwardTag(pub u64);
