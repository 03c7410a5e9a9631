//! Two agents, a virtual clock, and a network that the test controls.
#![allow(dead_code, reason = "each test file uses other parts of the fixture")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ice_agent::{
    Agent, Candidate, CandidatePair, Config, Datagram, Event, Failure, IceRole, Path, Seed, SelectionReason,
    State,
};

pub(crate) const LEFT: usize = 0;
pub(crate) const RIGHT: usize = 1;

/// One datagram in flight, as its sender sent it.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) from: usize,
    pub(crate) path: Path,
    pub(crate) bytes: Vec<u8>,
}

/// The treatment of a packet: dropped, or delivered after a delay, perhaps with another source or destination.
pub(crate) type Network = Box<dyn FnMut(Duration, Packet) -> Vec<(Duration, Packet)>>;

pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) agents: [Agent; 2],
    pub(crate) events: [Vec<Event>; 2],
    pub(crate) network: Network,
    pub(crate) trace: String,
    wire: BTreeMap<(Instant, u64), Packet>,
    sequence: u64,
}

pub(crate) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(crate) fn host(text: &str) -> Candidate {
    Candidate::host(address(text)).unwrap()
}

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// Ten milliseconds one way.
pub(crate) fn perfect() -> Network {
    Box::new(|_, packet| vec![(ms(10), packet)])
}

/// Seeded independent loss, ten milliseconds one way.
pub(crate) fn lossy(seed: u64, percent: u64) -> Network {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    Box::new(move |_, packet| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        if state % 100 < percent { Vec::new() } else { vec![(ms(10), packet)] }
    })
}

impl World {
    /// Two agents without candidates or remote parameters.
    pub(crate) fn unconnected(seed: u64, roles: [IceRole; 2], configs: [Config; 2]) -> Self {
        let start = Instant::now();
        let [left, right] = configs;
        let seed = Seed::new([u8::try_from(seed % 251).unwrap(); 32]).derive(seed);
        let agents = [
            Agent::new(start, left, roles[0], seed.derive(1)),
            Agent::new(start, right, roles[1], seed.derive(2)),
        ];
        Self {
            start,
            now: start,
            agents,
            events: [Vec::new(), Vec::new()],
            network: perfect(),
            trace: String::new(),
            wire: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// Two agents with one IPv4 host candidate each and all signalling done.
    pub(crate) fn signalled(seed: u64, roles: [IceRole; 2], configs: [Config; 2]) -> Self {
        let mut world = Self::unconnected(seed, roles, configs);
        world.add(LEFT, host("192.0.2.1:1000"));
        world.add(RIGHT, host("192.0.2.2:2000"));
        world.exchange_parameters();
        world.exchange_candidates();
        world
    }

    /// Two connected agents with consent; the left one controls.
    pub(crate) fn connected(seed: u64) -> Self {
        let roles = [IceRole::Controlling, IceRole::Controlled];
        let mut world = Self::signalled(seed, roles, [Config::default(), Config::default()]);
        world.run_until(ms(5000), World::both_selected);
        world
    }

    pub(crate) fn add(&mut self, who: usize, candidate: Candidate) {
        self.agents[who].add_local_candidate(self.now, candidate).unwrap();
    }

    pub(crate) fn exchange_parameters(&mut self) {
        self.tell_parameters(LEFT);
        self.tell_parameters(RIGHT);
    }

    /// Passes the parameters of `who` to the other agent.
    pub(crate) fn tell_parameters(&mut self, who: usize) -> ice_agent::Applied {
        let parameters = self.agents[who].local_parameters().clone();
        self.agents[1 - who].set_remote_parameters(self.now, parameters).unwrap()
    }

    pub(crate) fn exchange_candidates(&mut self) {
        self.tell_candidates(LEFT);
        self.tell_candidates(RIGHT);
    }

    pub(crate) fn tell_candidates(&mut self, who: usize) {
        let candidates: Vec<_> = self.agents[who].local_candidates().copied().collect();
        for candidate in candidates {
            let line = ice_agent::CandidateLine::of(candidate, None).to_string();
            let ice_agent::CandidateLine::Candidate { candidate, .. } = line.parse().unwrap() else {
                panic!("{line} is no candidate");
            };
            self.agents[1 - who].add_remote_candidate(self.now, candidate, None).unwrap();
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Runs until `done` holds, or panics with the trace after `limit`.
    pub(crate) fn run_until(&mut self, limit: Duration, done: impl Fn(&World) -> bool) {
        let end = self.now + limit;
        self.drain();
        while !done(self) {
            assert!(self.step(end), "not within {limit:?}:\n{}", self.trace);
        }
    }

    /// Runs for a duration. The clock then stands exactly at its end.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain();
        while self.step(end) {}
        self.now = end;
        for agent in &mut self.agents {
            agent.handle_timeout(end);
        }
        self.drain();
    }

    /// Processes the next event up to `end`.
    pub(crate) fn step(&mut self, end: Instant) -> bool {
        let timeouts = self.agents.iter().filter_map(Agent::poll_timeout);
        let arrival = self.wire.keys().next().map(|(at, _)| *at);
        let Some(next) = timeouts.chain(arrival).min().filter(|next| *next <= end) else { return false };
        self.now = self.now.max(next);
        match arrival {
            Some(at) if at <= self.now => {
                let (_, packet) = self.wire.pop_first().unwrap();
                self.deliver(&packet);
            }
            _ => {
                for agent in &mut self.agents {
                    agent.handle_timeout(self.now);
                    assert!(agent.poll_timeout().is_none_or(|at| at > self.now), "deadline stands still");
                }
            }
        }
        self.drain();
        true
    }

    pub(crate) fn deliver(&mut self, packet: &Packet) {
        let to = 1 - packet.from;
        let path = Path::udp(packet.path.remote(), packet.path.local());
        self.agents[to].handle_input(self.now, Datagram { path, payload: &packet.bytes });
    }

    pub(crate) fn drain(&mut self) {
        let elapsed = self.elapsed();
        for from in [LEFT, RIGHT] {
            let mut buf = Vec::new();
            while let Some(transmit) = self.agents[from].poll_transmit(&mut buf) {
                let bytes = transmit.bytes(&buf).to_vec();
                let packet = Packet { from, path: transmit.path, bytes };
                let kind = describe(&packet.bytes);
                writeln!(self.trace, "{elapsed:>12.3?} {from} {} {kind}", packet.path).unwrap();
                for (delay, packet) in (self.network)(elapsed, packet) {
                    self.sequence += 1;
                    self.wire.insert((self.now + delay, self.sequence), packet);
                }
            }
            while let Some(event) = self.agents[from].poll_event() {
                writeln!(self.trace, "{elapsed:>12.3?} {from} {event:?}").unwrap();
                self.events[from].push(event);
            }
        }
    }

    pub(crate) fn both_selected(&self) -> bool {
        self.agents.iter().all(|agent| agent.selected_pair().is_some())
    }

    pub(crate) fn selections(&self, who: usize) -> Vec<(CandidatePair, SelectionReason)> {
        let selections = self.events[who].iter().filter_map(|event| match event {
            Event::PairSelected { pair, reason } => Some((*pair, *reason)),
            _ => None,
        });
        selections.collect()
    }

    pub(crate) fn failures(&self, who: usize) -> Vec<Failure> {
        let failures = self.events[who].iter().filter_map(|event| match event {
            Event::Failed { failure, .. } => Some(*failure),
            _ => None,
        });
        failures.collect()
    }

    pub(crate) fn states(&self, who: usize) -> Vec<State> {
        let states = self.events[who].iter().filter_map(|event| match event {
            Event::StateChanged(state) => Some(*state),
            _ => None,
        });
        states.collect()
    }

    pub(crate) fn permitted(&self, who: usize) -> bool {
        self.agents[who].permission(self.now).is_some()
    }
}

pub(crate) fn describe(bytes: &[u8]) -> String {
    let Ok(message) = stun::Message::decode(bytes) else { return format!("{} bytes", bytes.len()) };
    let code = message.error_code().ok().flatten().map(|(code, _)| code.number());
    format!(
        "{:?} {} {}{}",
        message.message_type().class,
        message.username().ok().flatten().unwrap_or_default(),
        code.map(|code| code.to_string()).unwrap_or_default(),
        if message.use_candidate() { "use-candidate" } else { "" }
    )
}

pub(crate) fn class(bytes: &[u8]) -> Option<stun::Class> {
    stun::Message::decode(bytes).ok().map(|message| message.message_type().class)
}

pub(crate) fn is_request(bytes: &[u8]) -> bool {
    class(bytes) == Some(stun::Class::Request)
}

pub(crate) fn error_code(bytes: &[u8]) -> Option<u16> {
    stun::Message::decode(bytes).ok()?.error_code().ok()?.map(|(code, _)| code.number())
}
