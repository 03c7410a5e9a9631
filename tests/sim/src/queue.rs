//! Datagrams in flight, in the order of their arrival.
//!
//! Two that arrive at one instant keep the order in which they were sent, so that nothing depends on hashing.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

use crate::classify::Class;
use crate::node::Ecn;
use crate::trace::EntryId;
use crate::world::NodeId;

/// A datagram in flight, addressed as the network between the NATs sees it.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    pub(crate) ecn: Ecn,
    pub(crate) bytes: Vec<u8>,
    pub(crate) entry: EntryId,
    /// The tally that it counts for; none for a copy or an injected datagram.
    pub(crate) counts_for: Option<(NodeId, Class)>,
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    arrivals: BTreeMap<(Instant, u64), Arrival>,
    sequence: u64,
}

impl Queue {
    pub(crate) fn push(&mut self, at: Instant, arrival: Arrival) {
        self.arrivals.insert((at, self.sequence), arrival);
        self.sequence += 1;
    }

    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.arrivals.first_key_value().map(|((at, _), _)| *at)
    }

    /// The first arrival that is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Arrival> {
        let first = self.arrivals.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    pub(crate) fn len(&self) -> usize {
        self.arrivals.len()
    }
}
