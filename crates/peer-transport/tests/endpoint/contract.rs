//! The contract of the workspace's state machines, kept by an endpoint: peers beside the one that is looked
//! at change nothing for it.

use std::collections::VecDeque;
use std::time::Instant;

use peer_transport::{
    Association, Candidate, Config, Datagram, DescriptionKind, Endpoint, EndpointConfig, Event, Path, PeerId,
    RestartOptions, Seed, State,
};
use sim::contract::{self, ADDRESSES, Subject};
use sim::{Ecn, Node, Rng, Sent};

use crate::network::{certificate, rtp_header};

const SEEDS: u64 = 12;

#[test]
fn two_endpoints_connect_under_every_seed() {
    contract::hold(&EndpointPair, SEEDS, contract::they_connect);
}

#[test]
fn any_order_and_number_of_polls_gives_the_same_result() {
    contract::hold(&EndpointPair, SEEDS, contract::polls_do_not_matter);
}

#[test]
fn junk_is_counted_and_changes_nothing() {
    contract::hold(&EndpointPair, SEEDS, contract::junk_changes_nothing);
}

#[test]
fn mutated_datagrams_never_panic() {
    contract::hold(&EndpointPair, SEEDS, contract::mutations_never_panic);
}

#[test]
fn a_failed_command_leaves_no_trace() {
    let failed = contract::hold(&EndpointPair, SEEDS, contract::failed_commands_leave_no_trace);
    assert!(failed.iter().sum::<usize>() > 0, "no command failed, so nothing was tested");
}

#[test]
fn a_clock_that_goes_back_is_treated_as_the_latest_time() {
    contract::hold(&EndpointPair, SEEDS, contract::time_never_goes_back);
}

#[test]
fn an_input_does_first_what_a_timeout_would() {
    contract::hold(&EndpointPair, SEEDS, contract::inputs_serve_deadlines);
}

#[test]
fn the_same_seed_tells_the_same_story() {
    contract::hold(&EndpointPair, SEEDS, contract::same_seed_same_story);
}

/// What the endpoint tells of the peer that is looked at.
#[derive(Clone, Debug, PartialEq)]
enum Output {
    Event(Event),
    Media { association: Option<Association>, bytes: Vec<u8> },
}

struct EndpointNode {
    endpoint: Endpoint,
    peer: PeerId,
    media: VecDeque<(Path, Vec<u8>)>,
    outputs: VecDeque<Output>,
    sequence_number: u16,
}

impl EndpointNode {
    /// A peer between one that knows nobody and one that is closed, in a slot that was used before.
    fn new(now: Instant, address: std::net::SocketAddr, rng: &mut Rng) -> Self {
        let mut endpoint = Endpoint::new(now, EndpointConfig::default(), Seed::new(rng.seed32()));
        let mut add = || endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let [_, gone, closed] = [add(), add(), add()];
        endpoint.remove_peer(gone).unwrap();
        endpoint.peer_mut(closed).unwrap().close(now);
        let peer = endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let mut looked_at = endpoint.peer_mut(peer).unwrap();
        looked_at.add_local_candidate(now, Candidate::host(address).unwrap()).unwrap();
        looked_at.end_of_local_candidates(now);
        while endpoint.poll_event().is_some() {}
        Self { endpoint, peer, media: VecDeque::new(), outputs: VecDeque::new(), sequence_number: 0 }
    }

    fn learn(&mut self, now: Instant, kind: DescriptionKind, from: &Self) -> Result<(), String> {
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

    fn tell(&mut self) {
        while let Some((peer, event)) = self.endpoint.poll_event() {
            assert_eq!(peer, self.peer, "the others have nothing to tell");
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
            // What happened before the packet could be opened comes first.
            self.tell();
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
            self.tell();
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
    SendToNobody,
    Restart,
    RestartUnanswered,
    Abandon,
    Revoke,
    Close,
}

impl Subject for EndpointPair {
    type Node = EndpointNode;
    type Command = Command;

    fn pair(&self, now: Instant, seed: u64) -> [EndpointNode; 2] {
        let mut rng = Rng::labelled(seed, "endpoints");
        let [mut offerer, mut answerer] = ADDRESSES.map(|address| EndpointNode::new(now, address, &mut rng));
        answerer.learn(now, DescriptionKind::Offer, &offerer).unwrap();
        offerer.learn(now, DescriptionKind::Answer, &answerer).unwrap();
        [offerer, answerer]
    }

    fn command(&self, rng: &mut Rng) -> Command {
        match rng.below(40) {
            0..=14 => Command::SendRtp,
            15..=20 => Command::SendData(rng.index(1500)),
            21..=24 => Command::SendToNobody,
            25..=29 => Command::Restart,
            30..=33 => Command::RestartUnanswered,
            34..=37 => Command::Abandon,
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
        let words = |error: peer_transport::Error| error.to_string();
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
            Command::SendToNobody => {
                let unconnected = node.endpoint.peers().find(|id| *id != to).unwrap();
                let sent = node.endpoint.send_data(now, unconnected, b"x");
                sent.map_err(|error| error.to_string())
            }
            Command::Restart => {
                let mut peer = node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map_err(words)?;
                // The other side may be closed or have an offer out; then nobody answers.
                if other.learn(now, DescriptionKind::Offer, node).is_ok() {
                    let _ = node.learn(now, DescriptionKind::Answer, other);
                }
                Ok(())
            }
            Command::RestartUnanswered => {
                let mut peer = node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map(drop).map_err(words)
            }
            Command::Abandon => node.endpoint.peer_mut(to).unwrap().abandon_restart(now).map_err(words),
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

    // DTLS has keys of its own in every run, so only the shape of a datagram repeats.
    fn wire(&self, datagram: &[u8]) -> String {
        sim::shape(datagram)
    }

    fn discarded(&self, node: &EndpointNode) -> u64 {
        let by_peer = node.endpoint.peer(node.peer).unwrap().stats();
        node.endpoint.discards().chain(by_peer.discards()).map(|(_, times)| times).sum()
    }

    // Early DTLS records, until the handshake they are early for is over.
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
