//! `dtls_core::CookieGate` in front of a server, and a client, over a network that the input controls.
//!
//! Two bytes are the [`Setup`]; the rest is a script that tampers with real flights. A command to the server's side
//! gives the next datagram one of three other source addresses, as a spoofer would. The server does what the crate page
//! says: a datagram that no connection takes goes to the gate, and a client that the gate admits gets a connection.
//!
//! The gate never sends an address more bytes than it received from there, and it keeps no more than its bound. It
//! admits a client only from an address that it has answered, and only once. When the network delivers everything
//! unchanged again, the client has connected to the server or ended, and two connected sides have the same keys and
//! carry data.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use dtls_core::{Admitted, Connection, CookieGate, Discard, GateConfig, GateVerdict};

use crate::{
    dtls_endpoint::Endpoint,
    dtls_setup::{CLIENT, SERVER, Setup},
    input::Input,
    network::{self, Network, Side},
};

/// The module documentation describes the input and the checks.
pub fn dtls_cookie_gate(data: &[u8]) {
    play(data);
}

/// Whether client and server are connected in the end.
fn play(data: &[u8]) -> [bool; 2] {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input).with_matching_credentials();
    let now = network::beginning();
    let [client, _] = setup.set(now);
    let sides = [World::Client(Box::new(client)), World::Server(Box::new(Server::new(now, setup)))];
    let mut network = Network::new(now, sides);
    network.play(&mut input);
    network.sides[SERVER].forge_no_more();
    network.sides.iter_mut().flat_map(World::endpoints).for_each(Endpoint::answer);
    network.settle(Duration::from_secs(45));

    let mut open = [false; 2];
    for (side, open) in network.sides.iter_mut().zip(&mut open) {
        for endpoint in side.endpoints() {
            assert!(endpoint.connected.is_some() || endpoint.ended.is_some(), "a handshake without end");
        }
        *open = side.of_client().is_some_and(|endpoint| endpoint.is_open());
    }
    if open == [true; 2] {
        let now = network.now;
        let [client, server] = network.sides.each_mut().map(|side| side.of_client().expect("open"));
        assert_eq!(client.exported(), server.exported());
        let sent = [client, server].map(|endpoint| endpoint.send(now).expect("connected"));
        network.settle(Duration::from_secs(1));
        for (side, number) in [(SERVER, sent[CLIENT]), (CLIENT, sent[SERVER])] {
            let endpoint = network.sides[side].of_client().expect("open");
            assert!(endpoint.received.contains(&number), "an open connection carries data");
        }
    }
    open
}

enum World {
    Client(Box<Endpoint>),
    Server(Box<Server>),
}

struct Server {
    setup: Setup,
    gate: CookieGate,
    bound: usize,
    /// By address; the client's is 0.
    connections: BTreeMap<u8, Endpoint>,
    /// The source address of the next datagram.
    from: u8,
    /// By address: the bytes received from there, and the bytes that the gate sent there.
    bytes: [[usize; 2]; ADDRESSES],
    /// The gate's answers to the client.
    answers: VecDeque<Vec<u8>>,
}

const ADDRESSES: usize = 4;

impl Server {
    fn new(now: Instant, setup: Setup) -> Self {
        let mut config = GateConfig::default();
        if setup.is_narrow() {
            config.reassembly = 4096;
        }
        let gate = CookieGate::new(now, setup.config(SERVER), config).expect("the configuration is sound");
        Self {
            setup,
            gate,
            bound: 2 * config.reassembly,
            connections: BTreeMap::new(),
            from: 0,
            bytes: [[0; 2]; ADDRESSES],
            answers: VecDeque::new(),
        }
    }

    fn receive(&mut self, now: Instant, datagram: &mut [u8]) {
        let from = std::mem::take(&mut self.from);
        let untouched = datagram.to_vec();
        if let Some(connection) = self.connections.get_mut(&from)
            && connection.receive(now, datagram) != Admitted::Discarded(Discard::FreshClientHello)
        {
            return;
        }
        let [arrived, sent] = &mut self.bytes[usize::from(from)];
        *arrived += untouched.len();
        let mut answer = Vec::new();
        match self.gate.handle_input(now, &[from], &untouched, &mut answer) {
            GateVerdict::Accept(admission) => {
                assert!(answer.is_empty());
                assert!(*sent > 0, "a cookie that was never given to this address");
                let connection = Connection::accept(now, admission).expect("there is randomness");
                let mut endpoint = Endpoint::around(connection, now, self.setup, SERVER);
                endpoint.answer();
                // An attacker that changes a ClientHello in transit and receives the answer is another client.
                let random = endpoint.connection.remote_random();
                let before = self.connections.insert(from, endpoint);
                let is_another = before.is_none_or(|before| before.connection.remote_random() != random);
                assert!(is_another, "one client, admitted twice");
            }
            GateVerdict::Respond(transmit) => {
                assert_eq!(transmit.len, answer.len());
                *sent += answer.len();
                assert!(sent <= arrived, "{sent} bytes to an address that sent {arrived}");
                if from == 0 {
                    self.answers.push_back(answer);
                }
            }
            GateVerdict::Wait | GateVerdict::Discard(_) => assert!(answer.is_empty()),
        }
        assert!(self.gate.held() <= self.bound, "{} bytes are kept", self.gate.held());
    }
}

impl World {
    fn endpoints(&mut self) -> Vec<&mut Endpoint> {
        match self {
            Self::Client(client) => vec![client],
            Self::Server(server) => server.connections.values_mut().collect(),
        }
    }

    fn forge_no_more(&mut self) {
        if let Self::Server(server) = self {
            server.from = 0;
        }
    }

    /// The client, or the server's connection with it.
    fn of_client(&mut self) -> Option<&mut Endpoint> {
        match self {
            Self::Client(client) => Some(client),
            Self::Server(server) => server.connections.get_mut(&0),
        }
    }
}

impl Side for World {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        match self {
            Self::Client(client) => client.handle_input(now, datagram),
            Self::Server(server) => server.receive(now, datagram),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        for endpoint in self.endpoints() {
            if endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
                endpoint.handle_timeout(now);
            }
        }
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        if let Self::Server(server) = self {
            if let Some(answer) = server.answers.pop_front() {
                buffer.extend(&answer);
                return Some(answer.len());
            }
            // Datagrams to the other addresses are lost.
            for (_, lost) in server.connections.range_mut(1..) {
                while lost.poll_transmit(&mut Vec::new()).is_some() {}
            }
        }
        self.of_client()?.poll_transmit(buffer)
    }

    fn drain_events(&mut self) {
        self.endpoints().into_iter().for_each(Endpoint::drain_events);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Client(client) => client.poll_timeout(),
            Self::Server(server) => server.connections.values().filter_map(Side::poll_timeout).min(),
        }
    }

    fn command(&mut self, now: Instant, which: u8) {
        if let Self::Server(server) = self
            && which < 128
        {
            server.from = which & 3;
        } else if let Some(endpoint) = self.of_client() {
            endpoint.command(now, which);
        }
    }

    fn forged(&self, script: &mut Input<'_>) -> Vec<u8> {
        crate::dtls_forgery::datagram(script)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_client_is_admitted_in_every_setup() {
        for number in 0..36 {
            for shape in [0, 1, 2, 4, 8, 0x40, 0x43] {
                assert_eq!(super::play(&[number, shape]), [true; 2], "{number} {shape}");
            }
        }
    }

    #[test]
    fn a_cookie_from_another_address_admits_no_client() {
        // The ClientHello and its answer, and then the ClientHello with the cookie from address 2.
        assert_eq!(super::play(&[0, 0, 16, 0, 30, 2, 16]), [true; 2]);
    }
}
