//! After any sequence of actions, an endpoint's indexes match the state of its peers.

use std::time::Duration;

use peer_transport::{
    Datagram, DescriptionKind, Discard, Endpoint, ForwardTag, Path, PeerId, RestartOptions, Route,
};
use proptest::prelude::*;
use sim::NodeId;

use crate::network::Network;

#[derive(Clone, Debug)]
enum Step {
    /// Adds two peers that know each other's parameters.
    Introduce,
    /// Removes one side of a pair without a close.
    Remove { pair: usize, side: usize },
    /// Closes one side of a pair.
    Close { pair: usize, side: usize },
    /// Restarts one side of a pair, with or without signalling to the other.
    Restart { pair: usize, side: usize, answered: bool },
    /// Revokes the consent of one side of a pair.
    Revoke { pair: usize, side: usize },
    /// Delivers arbitrary bytes, from the peer's address or another.
    MalformedInput { side: usize, port: u16, bytes: Vec<u8> },
    /// Sets or removes a forward.
    Forward { side: usize, port: u16, tag: Option<u64> },
    /// Lets time pass.
    Run { millis: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let port = || prop_oneof![Just(5000u16), 1u16..];
    prop_oneof![
        2 => Just(Step::Introduce),
        1 => (0..4usize, 0..2usize).prop_map(|(pair, side)| Step::Remove { pair, side }),
        1 => (0..4usize, 0..2usize).prop_map(|(pair, side)| Step::Close { pair, side }),
        2 => (0..4usize, 0..2usize, any::<bool>())
            .prop_map(|(pair, side, answered)| Step::Restart { pair, side, answered }),
        1 => (0..4usize, 0..2usize).prop_map(|(pair, side)| Step::Revoke { pair, side }),
        2 => (0..2usize, port(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(side, port, bytes)| Step::MalformedInput { side, port, bytes }),
        1 => (0..2usize, port(), any::<Option<u64>>())
            .prop_map(|(side, port, tag)| Step::Forward { side, port, tag }),
        6 => (0..2_000u64).prop_map(|millis| Step::Run { millis }),
        1 => (0..60_000u64).prop_map(|millis| Step::Run { millis }),
    ]
}

/// Both nodes and all pairs of peers, including removed ones.
struct Scenario {
    network: Network,
    nodes: [NodeId; 2],
    pairs: Vec<[PeerId; 2]>,
}

impl Scenario {
    fn new(seed: u8) -> Self {
        let mut network = Network::new(seed);
        let nodes = [network.node("192.0.2.1:5000"), network.node("192.0.2.2:5000")];
        Self { network, nodes, pairs: Vec::new() }
    }

    fn act(&mut self, step: Step) {
        let now = self.network.now();
        match step {
            Step::Introduce => {
                let (one, other) = self.network.introduce(self.nodes[0], self.nodes[1]);
                self.pairs.push([one, other]);
            }
            Step::Remove { pair, side } => {
                let Some(id) = self.peer(pair, side) else { return };
                // A second removal is refused.
                let _ = self.endpoint(side).remove_peer(id);
            }
            Step::Close { pair, side } => {
                let Some(id) = self.peer(pair, side) else { return };
                if let Ok(mut peer) = self.endpoint(side).peer_mut(id) {
                    peer.close(now);
                }
            }
            Step::Revoke { pair, side } => {
                let Some(id) = self.peer(pair, side) else { return };
                if let Ok(mut peer) = self.endpoint(side).peer_mut(id) {
                    peer.revoke_consent(now);
                }
            }
            Step::Restart { pair, side, answered } => self.restart(pair, side, answered),
            Step::MalformedInput { side, port, mut bytes } => {
                let path = path_from(side, port);
                let media = self.endpoint(side).handle_input(now, Datagram::new(path, &mut bytes));
                assert!(media.is_none());
            }
            Step::Forward { side, port, tag } => {
                let path = path_from(side, port);
                // The path of a peer cannot be forwarded.
                let _ = self.endpoint(side).set_forward(now, path, tag.map(ForwardTag));
            }
            Step::Run { millis } => self.network.run(Duration::from_millis(millis)),
        }
    }

    fn restart(&mut self, pair: usize, side: usize, answered: bool) {
        let now = self.network.now();
        let Some(ids) = self.pairs.get(pair) else { return };
        let (id, partner) = (ids[side], ids[1 - side]);
        let Ok(mut peer) = self.endpoint(side).peer_mut(id) else { return };
        if peer.restart(now, RestartOptions::default()).is_err() || !answered {
            return;
        }
        let offer = peer.local_parameters();
        let Ok(mut other) = self.endpoint(1 - side).peer_mut(partner) else { return };
        if other.set_remote_parameters(now, DescriptionKind::Offer, offer).is_err() {
            return;
        }
        let answer = other.local_parameters();
        if let Ok(mut peer) = self.endpoint(side).peer_mut(id) {
            // Two simultaneous restarts are glare, which is refused.
            let _ = peer.set_remote_parameters(now, DescriptionKind::Answer, answer);
        }
    }

    fn peer(&self, pair: usize, side: usize) -> Option<PeerId> {
        self.pairs.get(pair).map(|pair| pair[side])
    }

    fn endpoint(&mut self, side: usize) -> &mut Endpoint {
        self.network.endpoint(self.nodes[side])
    }

    fn check(&mut self) {
        for side in 0..2 {
            let endpoint = self.endpoint(side);
            let ids: Vec<PeerId> = endpoint.peers().collect();
            assert_eq!(ids.len(), endpoint.len());
            let peers = || ids.iter().map(|id| (*id, endpoint.peer(*id).unwrap()));

            let deadline = peers().filter_map(|(_, peer)| peer.poll_timeout()).min();
            assert_eq!(endpoint.poll_timeout(), deadline, "the earliest deadline of all peers");

            let unknown_path = Path::udp(([192, 0, 2, 1], 1).into(), ([203, 0, 113, 9], 9).into());
            for (id, peer) in peers() {
                for ufrag in peer.ice().local_ufrags() {
                    let mut request = binding_request(ufrag.as_str());
                    let route = endpoint.route(&Datagram::new(unknown_path, &mut request)) == Route::Peer(id);
                    assert!(route, "a request for {ufrag} goes to {id}");
                }
                for path in peer.ice().bound_paths() {
                    let holder = match endpoint.route(&Datagram::new(path, &mut [0x80; 40])) {
                        Route::Peer(holder) => holder,
                        other => panic!("{path} leads to {other:?}"),
                    };
                    let holder = endpoint.peer(holder).unwrap();
                    assert!(holder.ice().bound_paths().any(|bound| bound == path));
                }
            }

            for port in [5000, 5001] {
                let path = path_from(side, port);
                let endpoint = self.endpoint(side);
                let mut media = [0x80; 40];
                let datagram = Datagram::new(path, &mut media);
                let route = endpoint.route(&datagram);
                let bound = ids
                    .iter()
                    .any(|id| endpoint.peer(*id).unwrap().ice().bound_paths().any(|bound| bound == path));
                assert_eq!(matches!(route, Route::Peer(_)), bound, "{path} leads to {route:?}");
                assert!(bound || matches!(route, Route::Forward(_) | Route::Unknown(Discard::UnknownPath)));
            }
        }
    }
}

/// A path from a port of the other node's host.
fn path_from(side: usize, port: u16) -> Path {
    let hosts = [[192, 0, 2, 1], [192, 0, 2, 2]];
    Path::udp((hosts[side], 5000).into(), (hosts[1 - side], port).into())
}

/// A Binding request with only a USERNAME (RFC 8489 sections 5 and 14.3).
fn binding_request(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:them");
    let padded = username.len().next_multiple_of(4);
    let mut message = vec![0, 1, 0, u8::try_from(4 + padded).unwrap(), 0x21, 0x12, 0xa4, 0x42];
    message.extend([7; 12]);
    message.extend([0, 6, 0, u8::try_from(username.len()).unwrap()]);
    message.extend(username.as_bytes());
    message.resize(20 + 4 + padded, 0);
    message
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn indexes_match_peers(seed: u8, steps in prop::collection::vec(step(), 1..24)) {
        let mut scenario = Scenario::new(seed);
        for step in steps {
            scenario.act(step);
            scenario.check();
        }
    }
}
