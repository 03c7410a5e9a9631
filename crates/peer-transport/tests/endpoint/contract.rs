//! The contract of the workspace's state machines, checked for an endpoint: other peers do not affect the
//! observed peer.

use std::time::Instant;

use peer_transport::{Config, DescriptionKind, Event, PeerId, RestartOptions, State};
use sim::contract::{self, ADDRESSES, Subject};
use sim::{Ecn, Node, Rng, Sent};

use crate::node::{EndpointNode, Output, certificate, rtp_header};

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

/// An endpoint with one observed peer.
struct Observed {
    node: EndpointNode,
    peer: PeerId,
    sequence_number: u16,
}

impl Observed {
    /// The observed peer uses a slot that was used before. One of its neighbours is unconnected and one is
    /// closed.
    fn new(now: Instant, address: std::net::SocketAddr, rng: &mut Rng) -> Self {
        let mut node = EndpointNode::new(now, rng.seed32());
        let mut add = || node.endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let [_, removed, closed] = [add(), add(), add()];
        node.endpoint.remove_peer(removed).unwrap();
        node.endpoint.peer_mut(closed).unwrap().close(now);
        let peer = node.add_peer(now, address);
        while node.poll_output().is_some() {}
        Self { node, peer, sequence_number: 0 }
    }

    fn set_remote(&mut self, now: Instant, kind: DescriptionKind, from: &Self) -> Result<(), String> {
        let theirs = from.node.endpoint.peer(from.peer).unwrap();
        let parameters = theirs.local_parameters();
        let ufrag = parameters.ice.ufrag.clone();
        let mut peer = self.node.endpoint.peer_mut(self.peer).unwrap();
        peer.set_remote_parameters(now, kind, parameters).map_err(|error| error.to_string())?;
        for candidate in theirs.ice().local_candidates() {
            let _ = peer.add_remote_candidate(now, *candidate, Some(&ufrag));
        }
        peer.end_of_remote_candidates(now, Some(&ufrag));
        Ok(())
    }
}

impl Node for Observed {
    type Output = Output;

    fn handle_input(&mut self, now: Instant, path: sim::Path, ecn: Ecn, payload: &mut [u8]) {
        self.node.handle_input(now, path, ecn, payload);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.node.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        self.node.poll_transmit(buffer)
    }

    fn poll_output(&mut self) -> Option<Output> {
        let output = self.node.poll_output()?;
        let (Output::Event(peer, _) | Output::Media { peer, .. }) = &output;
        assert_eq!(*peer, self.peer, "only the observed peer has outputs");
        Some(output)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.node.poll_timeout()
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
    type Node = Observed;
    type Command = Command;

    fn pair(&self, now: Instant, seed: u64) -> [Observed; 2] {
        let mut rng = Rng::labelled(seed, "endpoints");
        let [mut offerer, mut answerer] = ADDRESSES.map(|address| Observed::new(now, address, &mut rng));
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
        node: &mut Observed,
        other: &mut Observed,
        now: Instant,
        command: &Command,
    ) -> Result<(), String> {
        let message = |error: peer_transport::Error| error.to_string();
        let to = node.peer;
        match command {
            Command::SendRtp => {
                let header = rtp_header(node.sequence_number, 7);
                let sent = node.node.send_rtp(now, to, &header, b"frame");
                sent.map_err(|error| error.to_string())?;
                node.sequence_number += 1;
                Ok(())
            }
            Command::SendData(len) => {
                node.node.endpoint.send_data(now, to, &vec![7; *len]).map_err(|error| error.to_string())
            }
            Command::SendToUnconnected => {
                let unconnected = node.node.endpoint.peers().find(|id| *id != to).unwrap();
                let sent = node.node.endpoint.send_data(now, unconnected, b"x");
                sent.map_err(|error| error.to_string())
            }
            Command::Restart => {
                let mut peer = node.node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map_err(message)?;
                // The other side may be closed or have an outstanding offer of its own; then there is no
                // answer.
                if other.set_remote(now, DescriptionKind::Offer, node).is_ok() {
                    let _ = node.set_remote(now, DescriptionKind::Answer, other);
                }
                Ok(())
            }
            Command::RestartUnanswered => {
                let mut peer = node.node.endpoint.peer_mut(to).unwrap();
                peer.restart(now, RestartOptions::default()).map(drop).map_err(message)
            }
            Command::Rollback => {
                node.node.endpoint.peer_mut(to).unwrap().rollback_restart(now).map_err(message)
            }
            Command::Revoke => {
                node.node.endpoint.peer_mut(to).unwrap().revoke_consent(now);
                Ok(())
            }
            Command::Close => {
                node.node.endpoint.peer_mut(to).unwrap().close(now);
                Ok(())
            }
        }
    }

    // DTLS draws its keys from the system, so only the shape of a datagram is deterministic.
    fn wire(&self, datagram: &[u8]) -> String {
        sim::shape(datagram)
    }

    fn discarded(&self, node: &Observed) -> u64 {
        let by_peer = node.node.endpoint.peer(node.peer).unwrap().stats();
        node.node.endpoint.discards().chain(by_peer.discards()).map(|(_, times)| times).sum()
    }

    // Early DTLS records are stored until their handshake has ended.
    fn may_hold(&self, datagram: &[u8]) -> bool {
        sim::Class::of(datagram) == sim::Class::Dtls
    }

    fn is_failure(&self, output: &Output) -> bool {
        matches!(output, Output::Event(_, Event::Failed(_)))
    }

    fn withdraws(&self, output: &Output) -> bool {
        let Output::Event(_, event) = output else { return false };
        let ended =
            matches!(event, Event::ConsentLost { .. } | Event::Failed(_) | Event::AssociationClosed { .. });
        ended || *event == Event::StateChanged(State::Closed)
    }

    fn is_connected(&self, node: &Observed) -> bool {
        let transport = node.node.endpoint.peer(node.peer).unwrap();
        transport.state() == State::Connected && transport.association().is_some()
    }
}
