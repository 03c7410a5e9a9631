//! `ice_agent::Agent`: two agents over a network that the input controls.
//!
//! The first byte chooses the setup: who is lite, whether both claim the controlling role, whether one restarts in the
//! middle, and whether the peer misbehaves. With a conforming peer, a message that the script changed no longer
//! authenticates. A misbehaving peer signs the changed messages, so that the code behind the integrity check is
//! reached. When the network delivers everything unchanged again, each agent becomes connected, failed or closed.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use ice_agent::{Agent, Candidate, Config, Datagram, IceRole, Parameters, Path, Seed, State};
use stun::{Class, IntegrityKey, Message, MessageWriter};

use crate::{
    input::Input,
    network::{self, Network, Side},
};

/// The module documentation describes the input and the checks.
pub fn ice_agent(data: &[u8]) {
    play(data);
}

/// Returns the states of both agents in the end.
fn play(data: &[u8]) -> [State; 2] {
    let mut input = Input::new(data);
    let setting = input.byte();
    let roles = match setting & 0b11 {
        0 | 1 => [IceRole::Controlling, IceRole::Controlled],
        2 => [IceRole::Controlling, IceRole::Controlling],
        _ => [IceRole::Controlled, IceRole::Controlled],
    };
    let lite = setting & 4 != 0;
    let lies = setting & 8 != 0;
    let now = network::beginning();
    let addresses = [address(1), address(2)];
    let mut network = Network::new(
        now,
        [
            Endpoint::new(now, roles[0], false, lies, Path::udp(addresses[0], addresses[1])),
            Endpoint::new(now, roles[1], lite, lies, Path::udp(addresses[1], addresses[0])),
        ],
    );
    introduce(&mut network);
    if setting & 16 != 0 {
        let before = usize::from(input.byte());
        network.play(&mut Input::new(input.take(before)));
        let now = network.now;
        if network.sides[0].agent.restart(now).is_ok() {
            introduce(&mut network);
        }
    }
    network.play(&mut input);
    network.settle(Duration::from_secs(120));
    for side in &network.sides {
        let state = side.agent.state();
        assert!(
            matches!(state, State::Connected | State::Failed | State::Closed),
            "still {state}: {:?}, next {:?}, {:?}",
            side.path,
            side.agent.next_generation(),
            side.agent.stats()
        );
        assert_eq!(side.agent.permission(network.now).is_some(), state == State::Connected);
    }
    [network.sides[0].agent.state(), network.sides[1].agent.state()]
}

/// Signalling: each agent receives the other's newest parameters and its candidate.
fn introduce(network: &mut Network<Endpoint>) {
    let now = network.now;
    for (to, from) in [(1, 0), (0, 1)] {
        let parameters = network.sides[from].agent.local_parameters().clone();
        let candidate = Candidate::host(network.sides[from].path.local()).expect("a usable address");
        let side = &mut network.sides[to];
        if side.agent.set_remote_parameters(now, parameters.clone()).is_ok() {
            let ufrag = parameters.ufrag.clone();
            let _ = side.agent.add_remote_candidate(now, candidate, Some(&ufrag));
            side.agent.end_of_remote_candidates(now, Some(&ufrag));
            side.remote = Some(parameters);
        }
    }
}

fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 5000))
}

struct Endpoint {
    agent: Agent,
    path: Path,
    remote: Option<Parameters>,
    lies: bool,
}

impl Endpoint {
    fn new(now: Instant, role: IceRole, lite: bool, lies: bool, path: Path) -> Self {
        let config = Config { lite, ..Config::default() };
        let [.., last] = path.local().ip().to_canonical().to_string().into_bytes()[..] else {
            unreachable!()
        };
        let mut agent = Agent::new(now, config, role, Seed::new([last; 32]));
        let candidate = Candidate::host(path.local()).expect("a usable address");
        agent.add_local_candidate(now, candidate).expect("the first one");
        agent.end_of_local_candidates(now);
        Self { agent, path, remote: None, lies }
    }

    /// The message as a misbehaving peer would have signed it.
    fn signed(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        let message = Message::decode(datagram).ok()?;
        if message.check_fingerprint().is_ok() {
            return None;
        }
        let password = match message.message_type().class {
            Class::Request | Class::Indication => &self.agent.local_parameters().password,
            Class::Success | Class::Error => &self.remote.as_ref()?.password,
        };
        let mut signed = Vec::new();
        let mut writer = MessageWriter::new(&mut signed, message.message_type(), message.transaction_id());
        for attribute in message.attributes() {
            let _ = writer.attribute(attribute.attribute_type, attribute.value);
        }
        writer.finish(Some(&IntegrityKey::short_term(password.expose())));
        Some(signed)
    }
}

impl Side for Endpoint {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        let _ = ice_agent::peek(datagram);
        self.agent.handle_input(now, Datagram { path: self.path, payload: datagram });
        if self.lies
            && let Some(signed) = self.signed(datagram)
        {
            self.agent.handle_input(now, Datagram { path: self.path, payload: &signed });
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.agent.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        let transmit = self.agent.poll_transmit(buffer)?;
        assert_eq!(transmit.path, self.path, "there is no other path");
        let message = Message::decode(transmit.bytes(buffer)).expect("what leaves is STUN");
        message.check_fingerprint().expect("what leaves has a fingerprint");
        Some(transmit.len)
    }

    fn drain_events(&mut self) {
        while self.agent.poll_event().is_some() {}
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.agent.poll_timeout()
    }

    fn command(&mut self, now: Instant, which: u8) {
        match which {
            0..=149 => self.agent.note_authenticated(now, self.path),
            150..=189 => self.agent.revoke_consent(now),
            190..=209 => self.agent.peer_ended(now, self.path),
            210..=229 => {
                let generation = self.agent.generation();
                self.agent.end_generation(now, generation);
            }
            _ => self.agent.close(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_network_connects_both_in_every_setup() {
        for setting in [0, 2, 3, 4, 8, 16, 20, 24] {
            assert_eq!(play(&[setting]), [State::Connected; 2], "setting {setting}");
        }
    }

    #[test]
    fn revoked_consent_ends_both() {
        let mut script = vec![0];
        script.extend([0, 16, 13].repeat(10));
        script.extend([14, 150]);
        assert_eq!(play(&script), [State::Failed; 2]);
    }
}
