//! `dtls_core::Connection`: a client and a server of ours over a network that the input plays.
//!
//! The script tampers with real flights in any state. Afterwards the network is honest, and then: each side has
//! connected or failed; a side that was connected fails or closes only because its peer did; nothing arrives that was
//! not sent; two sides that are connected export the same keys and carry data both ways.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use dtls_core::{Authentication, Certificate, Config, Connection, Event, HashAlgorithm, PeerPolicy};

use crate::{
    input::Input,
    network::{self, Network, Side},
};

/// See the head of the file.
pub fn dtls_connection(data: &[u8]) {
    play(data);
}

/// Which sides are connected in the end.
fn play(data: &[u8]) -> [bool; 2] {
    let now = network::beginning();
    let mut client = Connection::client(now, config()).expect("the configuration is sound");
    client.start(now, None).expect("not started before");
    let mut server = Connection::server(now, config()).expect("the configuration is sound");
    server.start(now, None).expect("not started before");
    let mut network = Network::new(now, [Endpoint::new(client), Endpoint::new(server)]);

    network.play(&mut Input::new(data));
    network.settle(Duration::from_secs(45));

    for (side, peer) in [(0, 1), (1, 0)] {
        let (side, peer) = (&network.sides[side], &network.sides[peer]);
        assert!(
            side.connected || side.ended.is_some(),
            "a handshake without end: {:?}",
            side.connection.stats()
        );
        if side.connected && side.ended.is_some() && !side.closed_by_us {
            assert!(peer.ended.is_some(), "a connection ended and its peer knows nothing: {:?}", side.ended);
        }
        for data in &side.received {
            assert!(MESSAGES.contains(&&data[..]), "received what was never sent: {data:?}");
        }
    }
    let [client, server] = &network.sides;
    if client.is_open() && server.is_open() {
        assert_eq!(client.exported(), server.exported());
        let now = network.now;
        for side in &mut network.sides {
            side.received.clear();
            side.connection.send(now, MESSAGES[2]).expect("connected");
        }
        network.settle(Duration::from_secs(1));
        for side in &network.sides {
            assert_eq!(side.received, [MESSAGES[2]], "an open connection carries data");
        }
    }
    [network.sides[0].is_open(), network.sides[1].is_open()]
}

/// What is sent, and so the only thing that may arrive.
const MESSAGES: [&[u8]; 3] = [b"one", b"another", b"last"];

struct Endpoint {
    connection: Connection,
    connected: bool,
    /// `Failed` or `Closed`, which come once.
    ended: Option<Event>,
    closed_by_us: bool,
    received: Vec<Vec<u8>>,
}

impl Endpoint {
    fn new(connection: Connection) -> Self {
        Self { connection, connected: false, ended: None, closed_by_us: false, received: Vec::new() }
    }

    fn is_open(&self) -> bool {
        self.connected && self.ended.is_none()
    }

    fn exported(&self) -> [u8; 60] {
        let mut exported = [0; 60];
        self.connection.export("EXTRACTOR-dtls_srtp", None, &mut exported).expect("connected");
        exported
    }
}

impl Side for Endpoint {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        let _ = dtls_core::peek(datagram);
        let _ = self.connection.handle_input(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        self.connection.poll_transmit(buffer).map(|transmit| transmit.len)
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Connected(_) => {
                    assert!(!self.connected && self.ended.is_none(), "connected twice, or after the end");
                    self.connected = true;
                }
                Event::Data(data) => self.received.push(data.to_vec()),
                Event::Failed(_) | Event::Closed(_) => {
                    assert!(self.ended.is_none(), "{event:?} after {:?}", self.ended);
                    self.ended = Some(event);
                }
                _ => {}
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    fn command(&mut self, now: Instant, which: u8) {
        match which {
            0..=99 => drop(self.connection.send(now, MESSAGES[usize::from(which & 1)])),
            100..=149 => self.connection.retransmit(now),
            150..=179 => self.connection.release_final_flight(now),
            180..=199 => {
                let mut scratch = Vec::new();
                let _ = self.connection.try_input(now, &[which; 40], &mut scratch);
            }
            200..=219 => self.connection.note_forgery(now),
            _ => {
                self.closed_by_us = true;
                self.connection.close(now);
            }
        }
    }
}

/// A certificate of our own, and nobody else is accepted.
pub(crate) fn config() -> Arc<Config> {
    static CONFIG: OnceLock<Arc<Config>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let own = Certificate::generate(today, Duration::from_secs(86_400)).expect("a certificate");
        let peer = PeerPolicy::Fingerprints(vec![own.fingerprint(HashAlgorithm::Sha256)]);
        let authentication = Authentication::Certificates { own: vec![own], peer, require_peer: true };
        Arc::new(Config { authentication, ..Config::default() })
    });
    Arc::clone(config)
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_honest_network_connects_both_sides() {
        assert_eq!(super::play(&[]), [true, true]);
    }

    #[test]
    fn a_closed_connection_is_closed_on_both_sides() {
        let mut script = [0, 16].repeat(8);
        script.extend([14, 255]);
        assert_eq!(super::play(&script), [false, false]);
    }
}
