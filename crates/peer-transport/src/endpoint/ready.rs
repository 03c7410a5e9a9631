//! Who may have something to poll: a queue of peers, each in it at most once.
//!
//! Knows ids. The mark that a peer is in the queue lies with the peer, so nothing is searched.

use std::collections::VecDeque;

use super::PeerId;

/// Peers in the order in which they became ready. The first one stays first until it is empty.
#[derive(Default)]
pub(super) struct Ready(VecDeque<PeerId>);

/// Whether a peer is in a [`Ready`] queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    Absent,
    Queued,
}

impl Ready {
    /// Puts a peer at the end, unless it is in the queue.
    pub(super) fn push(&mut self, id: PeerId, mark: &mut Mark) {
        if *mark == Mark::Absent {
            *mark = Mark::Queued;
            self.0.push_back(id);
        }
    }

    /// The first peer.
    pub(super) fn first(&self) -> Option<PeerId> {
        self.0.front().copied()
    }

    /// Takes the first peer out. The caller clears the mark of the peer, if it is still there.
    pub(super) fn pop(&mut self) {
        self.0.pop_front();
    }
}
