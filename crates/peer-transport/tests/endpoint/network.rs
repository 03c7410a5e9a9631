//! Endpoints in a [`World`] without loss or delay.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use peer_transport::{Candidate, DescriptionKind, Endpoint, Event, PeerId, State, Transmit};
use sim::{NodeId, Trace, World};

use crate::node::{EndpointNode, Output};

pub(crate) struct Network {
    world: World<EndpointNode>,
    seed: u8,
    addresses: Vec<(NodeId, SocketAddr)>,
}

/// Received media.
pub(crate) struct Received {
    pub(crate) peer: PeerId,
    pub(crate) bytes: Vec<u8>,
}

impl Network {
    pub(crate) fn new(seed: u8) -> Self {
        Self { world: World::new(seed.into()), seed, addresses: Vec::new() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.world.now()
    }

    /// Adds an endpoint at an address.
    pub(crate) fn node(&mut self, address: &str) -> NodeId {
        let mut seed = [self.seed; 32];
        seed[0] = u8::try_from(self.addresses.len()).unwrap();
        let socket = address.parse().unwrap();
        let node = self.world.add(address, socket, EndpointNode::new(self.now(), seed));
        self.addresses.push((node, socket));
        node
    }

    fn address(&self, node: NodeId) -> SocketAddr {
        self.addresses.iter().find(|(id, _)| *id == node).unwrap().1
    }

    /// An endpoint, whose datagrams and events stay in it until the network runs.
    pub(crate) fn endpoint(&mut self, node: NodeId) -> &mut Endpoint {
        &mut self.world.node_mut(node).endpoint
    }

    pub(crate) fn events(&self, node: NodeId) -> Vec<(PeerId, Event)> {
        let events = self.world.outputs(node).iter().filter_map(|(_, output)| match output {
            Output::Event(peer, event) => Some((*peer, event.clone())),
            Output::Media { .. } => None,
        });
        events.collect()
    }

    pub(crate) fn received(&self, node: NodeId) -> Vec<Received> {
        let received = self.world.outputs(node).iter().filter_map(|(_, output)| match output {
            Output::Media { peer, bytes, .. } => Some(Received { peer: *peer, bytes: bytes.clone() }),
            Output::Event(..) => None,
        });
        received.collect()
    }

    /// Adds a peer with a host candidate.
    pub(crate) fn add_peer(&mut self, node: NodeId) -> PeerId {
        let (now, address) = (self.now(), self.address(node));
        self.world.node_mut(node).add_peer(now, address)
    }

    /// Adds two peers and exchanges offer, answer and candidates. Sends nothing yet.
    pub(crate) fn introduce(&mut self, one: NodeId, other: NodeId) -> (PeerId, PeerId) {
        let (offerer, answerer) = (self.add_peer(one), self.add_peer(other));
        let offer = self.endpoint(one).peer(offerer).unwrap().local_parameters();
        self.set_remote(other, answerer, DescriptionKind::Offer, offer, one);
        let answer = self.endpoint(other).peer(answerer).unwrap().local_parameters();
        self.set_remote(one, offerer, DescriptionKind::Answer, answer, other);
        (offerer, answerer)
    }

    fn set_remote(
        &mut self,
        node: NodeId,
        id: PeerId,
        kind: DescriptionKind,
        parameters: peer_transport::Parameters,
        from: NodeId,
    ) {
        let now = self.now();
        self.endpoint(node).peer_mut(id).unwrap().set_remote_parameters(now, kind, parameters).unwrap();
        self.offer_candidates(node, id, from);
    }

    /// Adds the other node's host candidate to a peer.
    pub(crate) fn offer_candidates(&mut self, node: NodeId, id: PeerId, from: NodeId) {
        let (now, address) = (self.now(), self.address(from));
        let mut peer = self.endpoint(node).peer_mut(id).unwrap();
        peer.add_remote_candidate(now, Candidate::host(address).unwrap(), None).unwrap();
        peer.end_of_remote_candidates(now, None);
    }

    /// Introduces two peers and runs until both are connected, in steps of 100 ms.
    pub(crate) fn connect(&mut self, one: NodeId, other: NodeId) -> (PeerId, PeerId) {
        let (offerer, answerer) = self.introduce(one, other);
        let states = |network: &Self| {
            [(one, offerer), (other, answerer)]
                .map(|(node, id)| network.world.node(node).endpoint.peer(id).unwrap().state())
        };
        for _ in 0..100 {
            self.run(Duration::from_millis(100));
            if states(self) == [State::Connected; 2] {
                return (offerer, answerer);
            }
        }
        panic!("{:?} after 10 s", states(self));
    }

    /// Runs the network for this time.
    pub(crate) fn run(&mut self, span: Duration) {
        self.world.run_for(span);
    }

    pub(crate) fn send_rtp(&mut self, from: NodeId, to: PeerId, header: &[u8], payload: &[u8]) {
        self.world.act(from, |node, now| node.send_rtp(now, to, header, payload)).unwrap();
    }

    pub(crate) fn send_rtcp(&mut self, from: NodeId, to: PeerId, compound: &[u8]) {
        self.world.act(from, |node, now| node.send_rtcp(now, to, compound)).unwrap();
    }

    /// Returns the node's first datagram without delivering it.
    pub(crate) fn first_datagram(&mut self, node: NodeId) -> (Transmit, Vec<u8>) {
        let endpoint = self.endpoint(node);
        let mut buffer = Vec::new();
        loop {
            if let Some(transmit) = endpoint.poll_transmit(&mut buffer) {
                return (transmit, buffer);
            }
            let deadline = endpoint.poll_timeout().unwrap();
            endpoint.handle_timeout(deadline);
        }
    }

    /// The datagrams and events so far, for failure messages.
    pub(crate) fn trace(&self) -> &Trace {
        self.world.trace()
    }
}
