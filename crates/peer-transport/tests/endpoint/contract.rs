//! The contract of the workspace's state machines, checked for an endpoint: other peers do not affect the
//! observed peer.

use std::collections::VecDeque;
use std::time::Instant;

use peer_transport::{
    AssociationId, Candidate, Config, Datagram, DescriptionKind, Endpoint, EndpointConfig, Event, Path,
    PeerId, RestartOptions, Seed, State,
};
use sim::contract::{self, ADDRESSES, Subject};
use sim::{Ecn, Node, Rng, Sent};

use crate::network::{certificate, rtp_header};

const SEEDS: u64 = 12;

#[test]
fn endpoints_connect_under_every_seed() {
    contract::hold(&EndpointPair, SEEDS, contract::they_connect);
}

#[test]
fn poll_order_does_not_change_result() {
    contract::hold(&EndpointPair, SEEDS, contract::polls_do_not_matter);
}

#[test]
fn malformed_input_is_counted_and_ignored() {
    contract::hold(&EndpointPair, SEEDS, contract::malformed_datagrams_change_nothing);
}

#[test]
fn mutated_datagrams_never_panic() {
    contract::hold(&EndpointPair, SEEDS, contract::mutations_never_panic);
}

#[test]
fn failed_command_changes_nothing() {
    let failed = contract::hold(&EndpointPair, SEEDS, contract::failed_commands_leave_no_trace);
    assert!(failed.iter().sum::<usize>() > 0, "no command failed");
}

#[test]
fn earlier_time_counts_as_latest() {
    contract::hold(&EndpointPair, SEEDS, contract::time_never_goes_back);
}

#[test]
fn input_runs_due_timers_first() {
    contract::hold(&EndpointPair, SEEDS, contract::inputs_serve_deadlines);
}

#[test]
fn same_seed_gives_same_run() {
    contract::hold(&EndpointPair, SEEDS, contract::same_seed_same_run);
}

/// The endpoint's outputs for the observed peer.
#[derive(Clone, Debug, PartialEq)]
enum Output {
    Event(Event),
    Media { association: Option<AssociationId>, bytes: Vec<u8> },
}

struct EndpointNode {
    endpoint: Endpoint,
    peer: PeerId,
    media: VecDeque<(Path, Vec<u8>)>,
    outputs: VecDeque<Output>,
    sequence_number: u16,
}

impl EndpointNode {
    /// The observed peer uses a slot that was used before. One of its neighbours is unconnected and one is
    /// closed.
    fn new(now: Instant, address: std::net::SocketAddr, rng: &mut Rng) -> Self {
        let mut endpoint = Endpoint::new(now, EndpointConfig::default(), Seed::new(rng.seed32()));
        let mut add = || endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let [_, removed, closed] = [add(), add(), add()];
        endpoint.remove_peer(removed).unwrap();
        endpoint.peer_mut(closed).unwrap().close(now);
        let peer = endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let mut observed = endpoint.peer_mut(peer).unwrap();
        observed.add_local_candidate(now, Candidate::host(address).unwrap()).unwrap();
        observed.end_of_local_candidates(now);
        while endpoint.poll_event().is_some() {}
        Self { endpoint, peer, media: VecDeque::new(), outputs: VecDeque::new(), sequence_number: 0 }
    }

    fn set_remote(&mut self, now: Instant, kind: DescriptionKind, from: &Self) -> Result<(), String> {
        let theirs = from.endpoint.peer(from.peer).unwrap();
        let parameters = theirs.local_parameters();
        let ufrag = parameters.ice.ufrag.clone();
        let mut peer = self.endpoint.peer_mut(self.peer).unwrap();
        peer.set_remote_parameters(now, kind, parameters).map_err(|error| error.to_string())?;
        for candidate in theirs.ice().local_candidates() {
            let _ = peer.add_remote_candidate(now, *candidate, Some(&ufrag));
        }
        peer.end_of_remote_candidates(now, Some(&ufrag));
        Ok(())
    }

    fn collect_events(&mut self) {
        while let Some((peer, event)) = self.endpoint.poll_event() {
            assert_eq!(peer, self.peer, "only the observed peer has events");
            self.outputs.push_back(Output::Event(event));
        }
    }
}

impl Node for EndpointNode {
    type Output = Output;

    fn handle_input(&mut self, now: Instant, path: sim::Path, _ecn: Ecn, payload: &mut [u8]) {
        let path = Path::udp(path.local, path.remote);
        let media = self.endpoint.handle_input(now, Datagram::new(path, payload)).map(|(_, media)| {
            Output::Media { association: media.association(), bytes: media.bytes().to_vec() }
        });
        if let Some(media) = media {
            // The events that preceded the packet come first.
            self.collect_events();
            self.outputs.push_back(media);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let (path, len) = if let Some(transmit) = self.endpoint.poll_transmit(buffer) {
            (transmit.path, transmit.len)
        } else {
            let (path, bytes) = self.media.pop_front()?;
            buffer.extend_from_slice(&bytes);
            (path, bytes.len())
        };
        let path = sim::Path { local: path.local(), remote: path.remote() };
        Some(Sent { path, len, ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty() {
            self.collect_events();
        }
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}

/// Two endpoints under the contract; the left one offers.
struct EndpointPair;

#[derive(Clone, Debug)]
enum Command {
    SendRtp,
    SendData(usize),
    SendToUnconnected,
    Restart,
    RestartUnanswered,
    Rollback,
    Revoke,
    Close,
}

impl Subject for EndpointPair {
    type Node = EndpointNode;
    type Command = Command;

    fn pair(&self, now: Instant, seed: u64) -> [EndpointNode; 2] {
        let mut rng = Rng::labelled(seed, "endpoints");
        let [mut offerer, mut answerer] = ADDRESSES.map(|address| EndpointNode::new(now, address, &mut rng));
        answerer.set_remote(now, DescriptionKind::Offer, &offerer).unwrap();
        offerer.set_remote(now, DescriptionKind::Answer, &answerer).unwrap();
        [offerer, answerer]
    }

    fn command(&self, rng: &mut Rng) -> Command {
        match rng.below(40) {
            0..=14 => Command::SendRtp,
            15..=20 => Command::SendData(rng.index(1500)),
            21..=24 => Command::SendToUnconnected,
            25..=29 => Command::Restart,
            30..=33 => Command::RestartUnanswered,
            34..=37 => Command::Rollback,
            38 => Command::Revoke,
            _ => Command::Close,
        }
    }

    fn execute(
        &self,
        node: &mut EndpointNode,
        other: &mut EndpointNode,
        now: Instant,
        command: &Command,
    ) -> Result<(), String> {
        let message = |error: peer_transport::Error| error.to_string();
        let to = node.peer;
        match command {
            Command::SendRtp => {
                let (header, mut out) = (rtp_header(node.sequence_number, 7), Vec::new());
                let sent = node.endpoint.send_rtp(now, to, &header, b"frame", &mut out);
                let sent = sent.map_err(|error| error.to_string())?;
                node.sequence_number += 1;
                node.media.push_back((sent.path, out));
                Ok(())
            }
            Command::SendData(len) => {
                node.endpoint.send_data(now, to, &vec![7; *len]).map_err(|error| error.to_string())
            }
            Command::SendToUnconnected => {
                let unconnected = node.endpoint.peers().find(|id| *id != to).unwrap();
                let sent = node.endpoint.send_data(now, unconnected, b"x");
                sent.map_err(|error| error.to_string())
            }
            Command::Restart => {
                let mut peer = node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map_err(message)?;
                // The other side may be closed or have an outstanding offer of its own; then there is no
                // answer.
                if other.set_remote(now, DescriptionKind::Offer, node).is_ok() {
                    let _ = node.set_remote(now, DescriptionKind::Answer, other);
                }
                Ok(())
            }
            Command::RestartUnanswered => {
                let mut peer = node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map(drop).map_err(message)
            }
            Command::Rollback => node.endpoint.peer_mut(to).unwrap().rollback_restart(now).map_err(message),
            Command::Revoke => {
                node.endpoint.peer_mut(to).unwrap().revoke_consent(now);
                Ok(())
            }
            Command::Close => {
                node.endpoint.peer_mut(to).unwrap().close(now);
                Ok(())
            }
        }
    }

    // DTLS draws its keys from the system, so only the shape of a datagram is deterministic.
    fn wire(&self, datagram: &[u8]) -> String {
        sim::shape(datagram)
    }

    fn discarded(&self, node: &EndpointNode) -> u64 {
        let by_peer = node.endpoint.peer(node.peer).unwrap().stats();
        node.endpoint.discards().chain(by_peer.discards()).map(|(_, times)| times).sum()
    }

    // Early DTLS records are stored until their handshake has ended.
    fn may_hold(&self, datagram: &[u8]) -> bool {
        sim::Class::of(datagram) == sim::Class::Dtls
    }

    fn is_failure(&self, output: &Output) -> bool {
        matches!(output, Output::Event(Event::Failed(_)))
    }

    fn withdraws(&self, output: &Output) -> bool {
        let Output::Event(event) = output else { return false };
        let ended =
            matches!(event, Event::ConsentLost { .. } | Event::Failed(_) | Event::AssociationClosed { .. });
        ended || *event == Event::StateChanged(State::Closed)
    }

    fn is_connected(&self, node: &EndpointNode) -> bool {
        let transport = node.endpoint.peer(node.peer).unwrap();
        transport.state() == State::Connected && transport.association().is_some()
    }
}
