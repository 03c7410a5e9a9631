//! An ICE agent as a node of the virtual network, and two of them as a subject of the contract.

use std::net::SocketAddr;
use std::time::Instant;

use ice_agent::{Agent, Candidate, Config, Datagram, Event, IceRole, Parameters, Seed, State};
use sim::contract::{ADDRESSES, Subject};
use sim::{Ecn, Node, Path, Rng, Sent};

/// An agent with the methods of a [`Node`].
pub struct IceNode {
    /// The agent itself.
    pub agent: Agent,
}

impl IceNode {
    /// An agent whose random numbers come from `rng`.
    #[must_use]
    pub fn new(now: Instant, config: Config, role: IceRole, rng: &mut Rng) -> Self {
        Self { agent: Agent::new(now, config, role, Seed::new(rng.seed32())) }
    }

    /// Two agents that know each other's parameters and the host candidates at `addresses`.
    #[must_use]
    pub fn pair(now: Instant, configs: [Config; 2], addresses: [SocketAddr; 2], seed: u64) -> [Self; 2] {
        let mut rng = Rng::labelled(seed, "ice");
        let [left, right] = configs;
        let mut pair = [
            Self::new(now, left, IceRole::Controlling, &mut rng),
            Self::new(now, right, IceRole::Controlled, &mut rng),
        ];
        for (node, address) in pair.iter_mut().zip(addresses) {
            let candidate = Candidate::host(address).expect("a test's address is reachable");
            node.agent.add_local_candidate(now, candidate).expect("one candidate is not too many");
            node.agent.end_of_local_candidates(now);
        }
        let [left, right] = &mut pair;
        left.signal(right, now);
        pair
    }

    /// Signalling: each agent receives the other's newest parameters and candidates.
    pub fn signal(&mut self, peer: &mut Self, now: Instant) {
        set_remote(&self.agent, &mut peer.agent, now);
        set_remote(&peer.agent, &mut self.agent, now);
    }
}

/// A closed agent refuses parameters; a scenario that signals to one does so on purpose.
fn set_remote(from: &Agent, to: &mut Agent, now: Instant) {
    let parameters = from.local_parameters().clone();
    let ufrag = parameters.ufrag.clone();
    if to.set_remote_parameters(now, parameters).is_err() {
        return;
    }
    for candidate in from.local_candidates() {
        // A known candidate changes nothing; a candidate above the limit is refused.
        let _ = to.add_remote_candidate(now, *candidate, Some(&ufrag));
    }
    to.end_of_remote_candidates(now, Some(&ufrag));
}

impl Node for IceNode {
    type Output = Event;

    fn handle_input(&mut self, now: Instant, path: Path, _ecn: Ecn, payload: &mut [u8]) {
        let path = ice_agent::Path::udp(path.local, path.remote);
        self.agent.handle_input(now, Datagram { path, payload });
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let transmit = self.agent.poll_transmit(buffer)?;
        let path = Path { local: transmit.path.local(), remote: transmit.path.remote() };
        Some(Sent { path, len: transmit.len, ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<Event> {
        self.agent.poll_event()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }
}

/// Two agents under the contract.
pub struct IcePair {
    /// The configuration of both agents.
    pub config: Config,
}

/// A call by the application, allowed or not.
#[derive(Clone, Debug)]
pub enum IceCommand {
    /// Restart, and signal at once.
    Restart,
    /// Restart; the offer is not answered yet.
    RestartUnanswered,
    /// Roll the offer back.
    Abandon,
    /// Set the peer's current parameters again.
    SameParameters,
    /// Set the peer's ufrag with another password.
    HalfChanged,
    /// Add a candidate of the peer.
    RemoteCandidate(SocketAddr),
    /// Add a candidate with a ufrag of no generation.
    UnknownUfrag(SocketAddr),
    /// Revoke consent.
    Revoke,
    /// Close.
    Close,
}

impl Subject for IcePair {
    type Node = IceNode;
    type Command = IceCommand;

    fn pair(&self, now: Instant, seed: u64) -> [IceNode; 2] {
        IceNode::pair(now, [self.config.clone(), self.config.clone()], ADDRESSES, seed)
    }

    fn command(&self, rng: &mut Rng) -> IceCommand {
        let candidate = SocketAddr::from(([10, 0, 0, 3], 1 + u16::try_from(rng.below(5)).unwrap_or(0)));
        match rng.below(40) {
            0..=7 => IceCommand::Restart,
            8..=12 => IceCommand::RestartUnanswered,
            13..=18 => IceCommand::Abandon,
            19..=24 => IceCommand::SameParameters,
            25..=30 => IceCommand::HalfChanged,
            31..=33 => IceCommand::RemoteCandidate(candidate),
            34..=37 => IceCommand::UnknownUfrag(candidate),
            38 => IceCommand::Revoke,
            _ => IceCommand::Close,
        }
    }

    fn execute(
        &self,
        node: &mut IceNode,
        peer: &mut IceNode,
        now: Instant,
        command: &IceCommand,
    ) -> Result<(), String> {
        let agent = &mut node.agent;
        let done = match command {
            IceCommand::Restart => agent.restart(now).map(|_| node.signal(peer, now)),
            IceCommand::RestartUnanswered => agent.restart(now).map(drop),
            IceCommand::Abandon => agent.rollback_restart(now),
            IceCommand::SameParameters => {
                agent.set_remote_parameters(now, peer.agent.local_parameters().clone()).map(drop)
            }
            IceCommand::HalfChanged => {
                let ufrag = peer.agent.local_parameters().ufrag.clone();
                let password = agent.local_parameters().password.clone();
                agent.set_remote_parameters(now, Parameters::new(ufrag, password)).map(drop)
            }
            IceCommand::RemoteCandidate(address) => {
                let candidate = Candidate::host(*address).map_err(|error| error.to_string())?;
                agent.add_remote_candidate(now, candidate, None)
            }
            IceCommand::UnknownUfrag(address) => {
                let candidate = Candidate::host(*address).map_err(|error| error.to_string())?;
                let unknown = "unknown".parse().map_err(|error| format!("{error:?}"))?;
                agent.add_remote_candidate(now, candidate, Some(&unknown))
            }
            IceCommand::Revoke => {
                agent.revoke_consent(now);
                Ok(())
            }
            IceCommand::Close => {
                agent.close(now);
                Ok(())
            }
        };
        done.map_err(|error| error.to_string())
    }

    fn discarded(&self, node: &IceNode) -> u64 {
        node.agent.stats().discarded_total()
    }

    fn is_failure(&self, output: &Event) -> bool {
        matches!(output, Event::Failed { .. })
    }

    fn withdraws(&self, output: &Event) -> bool {
        let closed = Event::StateChanged(State::Closed);
        matches!(output, Event::ConsentLost { .. } | Event::Failed { .. }) || *output == closed
    }

    fn is_connected(&self, node: &IceNode) -> bool {
        node.agent.state() == State::Connected && node.agent.selected_pair().is_some()
    }
}
