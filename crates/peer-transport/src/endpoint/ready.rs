//! A queue of peers to poll, each in it at most once.
//!
//! Knows ids. Each peer stores its own mark of being queued, so that no search is necessary.

use std::collections::VecDeque;

use super::PeerId;

/// Peers in the order in which they became ready. The first one stays first until it has no more output.
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
    /// Appends a peer unless it is already queued.
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

    /// Removes the first peer. The caller clears the mark of a peer that still exists.
    pub(super) fn pop(&mut self) {
        self.0.pop_front();
    }
}
