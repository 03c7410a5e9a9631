//! Keeps what the endpoint knows about its peers true after something happened to one of them.
//!
//! Everything is compared with what the peer itself says, so it does not matter who polled what
//! before.

use std::time::Instant;

use ice_agent::Peek;

use super::PeerId;
use super::deadlines::Deadlines;
use super::index::{Entries, Index};
use super::keyed::Keyed;
use super::ready::{Mark, Ready};
use crate::demux::{self, Class};
use crate::transport::PeerTransport;

/// A peer, and where it stands in the indexes.
pub(super) struct Peer {
    pub(super) transport: PeerTransport,
    entries: Entries,
    /// [`PeerTransport::ice_changes`] as it was when names and paths were compared last.
    ice_changes: u64,
    deadline: Option<Instant>,
    pub(super) sending: Mark,
    pub(super) telling: Mark,
}

impl Peer {
    pub(super) fn new(transport: PeerTransport) -> Self {
        Self {
            transport,
            entries: Entries::default(),
            ice_changes: 0,
            deadline: None,
            sending: Mark::default(),
            telling: Mark::default(),
        }
    }
}

pub(super) struct Indexes {
    pub(super) names: Index,
    pub(super) deadlines: Deadlines,
    /// Peers that may have a datagram to send.
    pub(super) sending: Ready,
    /// Peers that may have an event to tell.
    pub(super) telling: Ready,
    max_paths_per_peer: usize,
}

impl Indexes {
    pub(super) fn new(keyed: &Keyed, max_paths_per_peer: usize) -> Self {
        Self {
            names: Index::new(keyed),
            deadlines: Deadlines::default(),
            sending: Ready::default(),
            telling: Ready::default(),
            max_paths_per_peer,
        }
    }

    /// After a command, which may mint names.
    pub(super) fn settle_after_command(&mut self, id: PeerId, peer: &mut Peer) {
        self.compare_names(id, peer);
        self.requeue(id, peer);
    }

    /// After a datagram or a deadline. Names and paths are compared only where ICE had something to
    /// say, so that a datagram which changes nothing costs the same however many paths a peer has.
    pub(super) fn settle(&mut self, id: PeerId, peer: &mut Peer) {
        if peer.ice_changes != peer.transport.ice_changes {
            self.compare_names(id, peer);
        }
        self.requeue(id, peer);
    }

    /// A datagram of a peer leaves: a request will be answered, and its answer has to be found.
    pub(super) fn note_sent(&mut self, now: Instant, id: PeerId, peer: &mut Peer, datagram: &[u8]) {
        if demux::classify(datagram) == Class::Stun
            && let Ok(Peek::Request { transaction_id, .. }) = ice_agent::peek(datagram)
        {
            self.names.sent(now, id, &mut peer.entries, transaction_id);
        }
    }

    /// The deadline of a peer was taken out because it has come.
    pub(super) fn deadline_taken(peer: &mut Peer) {
        peer.deadline = None;
    }

    /// A peer is gone.
    pub(super) fn remove(&mut self, id: PeerId, peer: &mut Peer) {
        self.names.remove(id, &mut peer.entries);
        self.deadlines.set(id, peer.deadline, None);
    }

    fn compare_names(&mut self, id: PeerId, peer: &mut Peer) {
        let ice = peer.transport.ice();
        self.names.sync_ufrags(id, &mut peer.entries, || ice.local_ufrags());
        let selected = ice.selected_pair().map(|pair| pair.path);
        let max = self.max_paths_per_peer;
        self.names.sync_paths(id, &mut peer.entries, || ice.bound_paths(), max, selected);
        peer.ice_changes = peer.transport.ice_changes;
    }

    fn requeue(&mut self, id: PeerId, peer: &mut Peer) {
        let deadline = peer.transport.poll_timeout();
        self.deadlines.set(id, peer.deadline, deadline);
        peer.deadline = deadline;
        self.sending.push(id, &mut peer.sending);
        self.telling.push(id, &mut peer.telling);
    }
}
