//! The name of a peer at an endpoint, which never comes to mean another peer.

use std::fmt;

/// Names one peer of one [`Endpoint`](crate::Endpoint), for as long as that peer is there.
///
/// A slot that becomes free is used again under another generation, so the id of a removed peer
/// is an error and never a stranger. An id means nothing to another endpoint.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId {
    slot: u32,
    generation: u32,
}

impl PeerId {
    pub(super) const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    pub(super) const fn slot(self) -> u32 {
        self.slot
    }

    pub(super) const fn generation(self) -> u32 {
        self.generation
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.slot, self.generation)
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({self})")
    }
}
