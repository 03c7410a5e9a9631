//! Updates the endpoint's indexes after a peer changed.
//!
//! All entries are compared with the peer's current state, so the order of polls does not matter.

use std::time::Instant;

use ice_agent::Peek;

use super::PeerId;
use super::deadlines::Deadlines;
use super::index::{Entries, Index};
use super::keyed::Keyed;
use super::ready::{Mark, Ready};
use crate::demux::{self, Class};
use crate::transport::PeerTransport;

/// A peer and its state in the indexes.
pub(super) struct Peer {
    pub(super) transport: PeerTransport,
    entries: Entries,
    /// The value of [`PeerTransport::ice_changes`] at the last comparison of ufrags and paths.
    ice_changes: u64,
    deadline: Option<Instant>,
    pub(super) transmits: Mark,
    pub(super) events: Mark,
}

impl Peer {
    pub(super) fn new(transport: PeerTransport) -> Self {
        Self {
            transport,
            entries: Entries::default(),
            ice_changes: 0,
            deadline: None,
            transmits: Mark::default(),
            events: Mark::default(),
        }
    }
}

pub(super) struct Indexes {
    pub(super) index: Index,
    pub(super) deadlines: Deadlines,
    /// Peers that may have a datagram to send.
    pub(super) transmits: Ready,
    /// Peers that may have an event.
    pub(super) events: Ready,
    max_paths_per_peer: usize,
}

impl Indexes {
    pub(super) fn new(keyed: &Keyed, max_paths_per_peer: usize) -> Self {
        Self {
            index: Index::new(keyed),
            deadlines: Deadlines::default(),
            transmits: Ready::default(),
            events: Ready::default(),
            max_paths_per_peer,
        }
    }

    /// Updates after a command, which may have created ufrags.
    pub(super) fn update_after_command(&mut self, id: PeerId, peer: &mut Peer) {
        self.sync_index(id, peer);
        self.requeue(id, peer);
    }

    /// Updates after a datagram or a timer. Ufrags and paths are compared only after a change in ICE, so the
    /// cost of any other datagram does not depend on the number of paths.
    pub(super) fn update_after_input(&mut self, id: PeerId, peer: &mut Peer) {
        if peer.ice_changes != peer.transport.ice_changes {
            self.sync_index(id, peer);
        }
        self.requeue(id, peer);
    }

    /// Records the transaction of an outgoing request, so that its response finds the peer.
    pub(super) fn note_sent(&mut self, now: Instant, id: PeerId, peer: &mut Peer, datagram: &[u8]) {
        if demux::classify(datagram) == Class::Stun
            && let Ok(Peek::Request { transaction_id, .. }) = ice_agent::peek(datagram)
        {
            self.index.sent(now, id, &mut peer.entries, transaction_id);
        }
    }

    /// Records that the peer's deadline was removed because it is due.
    pub(super) fn deadline_taken(peer: &mut Peer) {
        peer.deadline = None;
    }

    /// Removes the entries of a removed peer.
    pub(super) fn remove(&mut self, id: PeerId, peer: &mut Peer) {
        self.index.remove(id, &mut peer.entries);
        self.deadlines.set(id, peer.deadline, None);
    }

    fn sync_index(&mut self, id: PeerId, peer: &mut Peer) {
        let ice = peer.transport.ice();
        self.index.sync_ufrags(id, &mut peer.entries, || ice.local_ufrags());
        let selected = ice.selected_pair().map(|pair| pair.path);
        let max = self.max_paths_per_peer;
        self.index.sync_paths(id, &mut peer.entries, || ice.bound_paths(), max, selected);
        peer.ice_changes = peer.transport.ice_changes;
    }

    fn requeue(&mut self, id: PeerId, peer: &mut Peer) {
        let deadline = peer.transport.poll_timeout();
        self.deadlines.set(id, peer.deadline, deadline);
        peer.deadline = deadline;
        self.transmits.push(id, &mut peer.transmits);
        self.events.push(id, &mut peer.events);
    }
}
