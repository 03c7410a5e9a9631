//! Nodes, the network between them, and virtual time.
//!
//! 1. Time jumps to the next arrival or deadline.
//! 2. Every affected node gets its input, and is polled until it has no output.
//! 3. Its datagrams pass the test's taps, its NAT and its link, and enter the queue of arrivals.
//!
//! [`Polling`] and the two settings beside it choose how a node is served, within the limits of the workspace's
//! contract.

mod serve;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::classify::Class;
use crate::clock::epoch;
use crate::link::Link;
use crate::nat::NatKind;
use crate::network::{NatId, Network};
use crate::node::{Ecn, Node};
use crate::queue::{Arrival, Queue};
use crate::rng::Rng;
use crate::trace::{DatagramState, Trace, TraceEntry};

/// A node of a [`World`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(usize);

/// The order and frequency of polls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// After each input everything is polled: transmits, then outputs.
    #[default]
    Eager,
    /// After each input some polls, in any order and perhaps none; the rest before time moves. Whether a deadline or a
    /// datagram of the same instant is served first is random as well.
    Shuffled,
}

/// A datagram at a tap, before it leaves its sender. The bytes may be changed.
#[derive(Debug)]
pub struct Flight<'a> {
    /// The time since the beginning of the world.
    pub at: Duration,
    /// The sender's own address, before any NAT.
    pub from: SocketAddr,
    /// The destination that the sender wrote.
    pub to: SocketAddr,
    /// The payload.
    pub bytes: &'a mut Vec<u8>,
}

/// The decision of a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Pass it to the next tap and the link.
    Pass,
    /// Drop it.
    Drop,
    /// Delay it by this much more than the link does, behind later datagrams.
    Delay(Duration),
}

/// The counts of a sender's datagrams. Copies made by the network count as delivered once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Handed to the network.
    pub sent: u64,
    /// Lost for any [`crate::Loss`].
    pub lost: u64,
    /// Arrived at a node.
    pub delivered: u64,
}

/// A node broke the contract of the workspace, or an expected event did not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

struct Host<N: Node> {
    name: String,
    node: N,
    deadline: Option<Deadline>,
    outputs: Vec<(Duration, N::Output)>,
    deadlines: Vec<(Duration, Option<Duration>)>,
    touched: bool,
}

/// A node's deadline, and the time when this world serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Deadline {
    asked: Instant,
    served: Instant,
}

type Tap = Box<dyn FnMut(&mut Flight<'_>) -> Verdict>;

/// Nodes on a virtual network. The crate documentation has an example.
pub struct World<N: Node> {
    seed: u64,
    now: Instant,
    hosts: Vec<Host<N>>,
    network: Network,
    queue: Queue,
    trace: Trace,
    taps: Vec<Tap>,
    tallies: BTreeMap<(NodeId, Class), Tally>,
    polling: Polling,
    polling_rng: Rng,
    lateness: Duration,
    timeout_before_input: bool,
    backward: Duration,
    buffer: Vec<u8>,
}

/// The number of lines of each kind in the trace.
const TRACE_LINES: usize = 200;

impl<N: Node> World<N> {
    /// An empty world; `seed` determines every random decision in it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            now: epoch(),
            hosts: Vec::new(),
            network: Network::new(seed),
            queue: Queue::default(),
            trace: Trace::new(TRACE_LINES),
            taps: Vec::new(),
            tallies: BTreeMap::new(),
            polling: Polling::Eager,
            polling_rng: Rng::labelled(seed, "polling"),
            lateness: Duration::ZERO,
            timeout_before_input: false,
            backward: Duration::ZERO,
            buffer: Vec::new(),
        }
    }

    /// Sets the link of every pair of addresses without a link of its own.
    #[must_use]
    pub fn with_link(mut self, link: Link) -> Self {
        self.set_default_link(link);
        self
    }

    /// How nodes are polled.
    #[must_use]
    pub const fn with_polling(mut self, polling: Polling) -> Self {
        self.polling = polling;
        self
    }

    /// Serves deadlines late by at most this much, as a busy thread does; the same deadline always by the same time.
    #[must_use]
    pub const fn with_lateness(mut self, lateness: Duration) -> Self {
        self.lateness = lateness;
        self
    }

    /// Every datagram is preceded by a `handle_timeout` of the same instant.
    #[must_use]
    pub const fn with_timeout_before_input(mut self) -> Self {
        self.timeout_before_input = true;
        self
    }

    /// Sometimes passes an instant to a node that is up to this much before the latest one.
    #[must_use]
    pub const fn with_backward_clock(mut self, at_most: Duration) -> Self {
        self.backward = at_most;
        self
    }

    /// Changes the link of every pair of addresses that has none of its own.
    pub fn set_default_link(&mut self, link: Link) {
        self.network.set_default_link(link);
    }

    /// Changes the link of one direction between two hosts, as the network between the NATs addresses them.
    pub fn set_link(&mut self, from: IpAddr, to: IpAddr, link: Link) {
        self.network.set_link(from, to, link);
    }

    /// Adds a node with a socket at `address`.
    ///
    /// # Panics
    /// Where the address is taken.
    pub fn add(&mut self, name: &str, address: SocketAddr, node: N) -> NodeId {
        let id = self.add_host(name, node);
        self.network.bind(address, id, None);
        id
    }

    /// Adds a node with a socket at the private `address` behind `nat`. Private addresses are unique in a world.
    ///
    /// # Panics
    /// Where the address is taken.
    pub fn add_behind(&mut self, nat: NatId, name: &str, address: SocketAddr, node: N) -> NodeId {
        let id = self.add_host(name, node);
        self.network.bind(address, id, Some(nat));
        id
    }

    fn add_host(&mut self, name: &str, node: N) -> NodeId {
        let id = NodeId(self.hosts.len());
        let outputs = Vec::new();
        let deadlines = Vec::new();
        self.hosts.push(Host { name: name.into(), node, deadline: None, outputs, deadlines, touched: true });
        self.reschedule(id);
        id
    }

    /// Gives a node one more socket.
    ///
    /// # Panics
    /// Where the address is taken.
    pub fn bind(&mut self, id: NodeId, address: SocketAddr, behind: Option<NatId>) {
        self.network.bind(address, id, behind);
    }

    /// Closes a socket: nothing leaves it and nothing reaches it any more.
    pub fn unbind(&mut self, address: SocketAddr) {
        self.network.unbind(address);
    }

    /// Adds a NAT with a public address of its own.
    pub fn add_nat(&mut self, kind: NatKind, public: IpAddr) -> NatId {
        self.network.add_nat(kind, public)
    }

    /// The NAT drops its mappings, as in a reboot; with `public` it also gets another address.
    pub fn rebind_nat(&mut self, nat: NatId, public: Option<IpAddr>) {
        self.network.forget_mappings(nat, public);
    }

    /// The address of `id` that a STUN server at `server` would see.
    #[must_use]
    pub fn reflexive(&mut self, id: NodeId, socket: SocketAddr, server: SocketAddr) -> Option<SocketAddr> {
        self.network.leave(id, socket, server).ok()
    }

    /// Adds a tap. Every datagram passes the taps, in the order in which they were added, when a node sends it.
    pub fn tap(&mut self, tap: impl FnMut(&mut Flight<'_>) -> Verdict + 'static) {
        self.taps.push(Box::new(tap));
    }

    /// Puts a datagram with a spoofed source address on the network; it arrives at once, without a link.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let entry = TraceEntry {
            at: self.elapsed(),
            from,
            to,
            bytes: bytes.clone(),
            state: DatagramState::InFlight,
            injected: true,
        };
        let entry = self.trace.datagram(entry);
        let arrival =
            Arrival { source: from, destination: to, ecn: Ecn::NotEct, bytes, entry, counts_for: None };
        self.queue.push(self.now, arrival);
    }

    /// The virtual time.
    #[must_use]
    pub const fn now(&self) -> Instant {
        self.now
    }

    /// The virtual time since the beginning.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.now.duration_since(epoch())
    }

    /// The seed of this world.
    #[must_use]
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The packet trace so far.
    #[must_use]
    pub const fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Adds a line to the trace.
    pub fn note(&mut self, what: impl Into<String>) {
        let at = self.elapsed();
        self.trace.said(at, "test", what.into());
    }

    /// A node.
    #[must_use]
    pub fn node(&self, id: NodeId) -> &N {
        &self.host(id).node
    }

    /// A node, for a command whose datagrams and outputs stay in it until the world runs.
    pub fn node_mut(&mut self, id: NodeId) -> &mut N {
        let host = self.host_mut(id);
        host.touched = true;
        &mut host.node
    }

    /// Every output of a node, with its time.
    #[must_use]
    pub fn outputs(&self, id: NodeId) -> &[(Duration, N::Output)] {
        &self.host(id).outputs
    }

    /// Each change of a node's deadline at the end of an instant, since the beginning of the world.
    #[must_use]
    pub fn deadlines(&self, id: NodeId) -> &[(Duration, Option<Duration>)] {
        &self.host(id).deadlines
    }

    /// The counts of all datagrams of a node.
    #[must_use]
    pub fn tally(&self, id: NodeId) -> Tally {
        let own = self.tallies.iter().filter(|((sender, _), _)| *sender == id);
        own.fold(Tally::default(), |sum, (_, tally)| Tally {
            sent: sum.sent + tally.sent,
            lost: sum.lost + tally.lost,
            delivered: sum.delivered + tally.delivered,
        })
    }

    /// The counts of a node's datagrams of one class.
    #[must_use]
    pub fn tally_of(&self, id: NodeId, class: Class) -> Tally {
        self.tallies.get(&(id, class)).copied().unwrap_or_default()
    }

    /// The number of datagrams in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.queue.len()
    }

    /// Runs a command on a node, and sends the node's output.
    pub fn act<R>(&mut self, id: NodeId, command: impl FnOnce(&mut N, Instant) -> R) -> R {
        let now = self.tell_time(id);
        let host = self.host_mut(id);
        host.touched = true;
        let answer = command(&mut host.node, now);
        self.serve_polls(id);
        self.reschedule(id);
        answer
    }

    /// Runs a command on two nodes together, as signalling does.
    ///
    /// # Panics
    ///
    ///
    /// The two nodes are the same.
    pub fn act_on_both<R>(
        &mut self,
        first: NodeId,
        second: NodeId,
        command: impl FnOnce(&mut N, &mut N, Instant) -> R,
    ) -> R {
        let now = self.now;
        let Ok([one, other]) = self.hosts.get_disjoint_mut([first.0, second.0]) else {
            panic!("two different nodes of this world are needed, not {first:?} and {second:?}");
        };
        one.touched = true;
        other.touched = true;
        let answer = command(&mut one.node, &mut other.node, now);
        for id in [first, second] {
            self.serve_polls(id);
            self.reschedule(id);
        }
        answer
    }

    /// Lets time pass until `done`.
    ///
    /// # Panics
    /// With the trace, where that takes longer than `limit`, or where a node breaks the contract.
    pub fn run_until(&mut self, what: &str, limit: Duration, done: impl FnMut(&Self) -> bool) -> Duration {
        match self.try_run_until(limit, done) {
            Ok(Some(at)) => at,
            Ok(None) => panic!("not within {limit:?}: {what}"),
            Err(violation) => panic!("{violation}"),
        }
    }

    /// Lets `duration` pass.
    ///
    /// # Panics
    /// With the trace, where a node breaks the contract.
    pub fn run_for(&mut self, duration: Duration) {
        if let Err(violation) = self.try_run_until(duration, |_| false) {
            panic!("{violation}");
        }
    }

    /// Lets time pass until `done`, at most for `limit`. Returns the time when it was done, since the beginning.
    ///
    /// # Errors
    ///
    ///
    /// A node breaks the contract.
    pub fn try_run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&Self) -> bool,
    ) -> Result<Option<Duration>, Violation> {
        let horizon = self.now + limit;
        self.settle()?;
        loop {
            if done(self) {
                return Ok(Some(self.elapsed()));
            }
            match self.next_instant().filter(|next| *next <= horizon) {
                Some(next) => self.now = self.now.max(next),
                None => break,
            }
            self.settle()?;
        }
        self.now = horizon;
        Ok(None)
    }
}

impl<N: Node> Drop for World<N> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("seed {}, at {:?}; the trace:\n{}", self.seed, self.elapsed(), self.trace);
        }
    }
}
