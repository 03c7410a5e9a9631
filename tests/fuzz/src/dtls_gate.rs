//! `dtls_core::CookieGate` in front of a client, and of spoofers that send copies of its datagrams.
//!
//! Two bytes choose versions and authentication ([`Setup`]); then come steps: the client sends, or one of its datagrams
//! arrives from one of four addresses, unchanged, tampered with or in fragments, or bytes of the input arrive, or time
//! passes. The gate never answers with more bytes than it received; its memory is bounded; it admits only the client at
//! its own address, after it has sent a cookie there; an admitted client gets a connection that ends.

use std::time::{Duration, Instant};

use dtls_core::{Connection, CookieGate, GateConfig, GateVerdict};

use crate::{
    dtls_endpoint::Endpoint,
    dtls_setup::{CLIENT, SERVER, Setup},
    input::Input,
    network::{self, Side},
};

/// The module documentation describes the input and the checks.
pub fn dtls_gate(data: &[u8]) {
    play(data);
}

/// Returns the number of admissions.
fn play(data: &[u8]) -> usize {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input);
    let mut host = GateHost::new(setup);
    while let Some(step) = input.next() {
        let address = usize::from(input.byte()) % ADDRESSES.len();
        match step % 6 {
            0 => host.listen(),
            1 => {
                let datagram = host.said(input.byte());
                host.arrive(address, &datagram);
            }
            2 => {
                let mut datagram = host.said(input.byte());
                let at = usize::from(input.word()) % datagram.len().max(1);
                if let Some(byte) = datagram.get_mut(at) {
                    *byte ^= input.byte();
                }
                host.arrive(address, &datagram);
            }
            3 => {
                let datagram = host.said(input.byte());
                for fragment in fragments(&datagram, usize::from(input.word())) {
                    host.arrive(address, &fragment);
                }
            }
            4 => {
                let len = usize::from(input.byte());
                host.arrive(address, input.take(len));
            }
            _ => host.now += Duration::from_millis(100) * u32::from(input.byte()),
        }
    }
    host.admitted
}

/// The client's address is the first one.
const ADDRESSES: [&[u8]; 4] = [b"198.51.100.1:1", b"198.51.100.1:2", b"198.51.100.2:1", b""];
const ROOM: usize = 4096;

struct GateHost {
    now: Instant,
    client: Endpoint,
    gate: CookieGate,
    /// Every datagram that the client has sent.
    said: Vec<Vec<u8>>,
    /// Bytes from and to each address.
    received: [usize; ADDRESSES.len()],
    sent: [usize; ADDRESSES.len()],
    admitted: usize,
}

impl GateHost {
    fn new(setup: Setup) -> Self {
        let now = network::beginning();
        let [client, _] = setup.set(now);
        let room = GateConfig { reassembly: ROOM, ..GateConfig::default() };
        let gate = CookieGate::new(now, setup.config(SERVER), room).expect("the configuration is sound");
        assert_eq!(CLIENT, 0);
        Self { now, client, gate, said: Vec::new(), received: [0; 4], sent: [0; 4], admitted: 0 }
    }

    fn listen(&mut self) {
        let mut buffer = Vec::new();
        while let Some(len) = self.client.poll_transmit(&mut buffer) {
            self.said.push(buffer.split_off(buffer.len() - len));
        }
    }

    fn said(&self, which: u8) -> Vec<u8> {
        let which = usize::from(which) % self.said.len().max(1);
        self.said.get(which).cloned().unwrap_or_default()
    }

    fn arrive(&mut self, address: usize, datagram: &[u8]) {
        self.received[address] += datagram.len();
        let mut answer = Vec::new();
        let verdict = self.gate.handle_input(self.now, ADDRESSES[address], datagram, &mut answer);
        self.sent[address] += answer.len();
        assert!(self.sent[address] <= self.received[address], "more than was brought");
        assert!(self.gate.held() <= 2 * ROOM, "more is kept than there is room for");
        match verdict {
            GateVerdict::Respond(transmit) => {
                assert_eq!(transmit.len, answer.len());
                if address == CLIENT {
                    let now = network::beginning();
                    self.client.handle_input(now, &mut answer);
                    self.client.drain_events();
                }
            }
            GateVerdict::Accept(admission) => {
                assert!(address == CLIENT && self.sent[address] > 0, "the gate sent no cookie to it");
                self.admitted += 1;
                let connection = Connection::accept(self.now, admission).expect("there is randomness");
                end(connection);
            }
            GateVerdict::Wait | GateVerdict::Discard(_) => assert_eq!(answer, [], "it said nothing"),
        }
    }
}

/// A connection that receives nothing more.
fn end(mut connection: Connection) {
    let mut buffer = Vec::new();
    for _ in 0..200 {
        while connection.poll_event().is_some() {}
        while connection.poll_transmit(&mut buffer).is_some() {}
        let Some(deadline) = connection.poll_timeout() else { return };
        connection.handle_timeout(deadline);
    }
    panic!("a handshake that never ends");
}

/// Splits the message in the first record of a datagram into two fragments.
fn fragments(datagram: &[u8], at: usize) -> Vec<Vec<u8>> {
    let (Some(record), Some(message), Some(body)) =
        (datagram.get(..11), datagram.get(13..19), datagram.get(25..))
    else {
        return Vec::new();
    };
    let at = at % body.len().max(1);
    let offset = usize::from(datagram[20]) << 16 | usize::from(datagram[21]) << 8 | usize::from(datagram[22]);
    let fragment = |start: usize, body: &[u8]| {
        let [.., high, low] = (body.len() + 12).to_be_bytes();
        let range =
            [(offset + start).to_be_bytes(), body.len().to_be_bytes()].map(|number| number[5..].to_vec());
        [record, &[high, low], message, &range.concat(), body].concat()
    };
    vec![fragment(0, &body[..at]), fragment(at, &body[at..])]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The client sends and its datagram arrives, first without a cookie and then with one.
    const RECOVERY: [u8; 10] = [0, 0, 1, 0, 0, 0, 0, 1, 0, 1];

    #[test]
    fn only_the_client_at_its_own_address_is_admitted() {
        for versions in [0, 2, 4, 6, 8] {
            let script = [&[versions, 2], &RECOVERY[..]].concat();
            assert_eq!(play(&script), 1, "{versions}");
            let elsewhere = [&[versions, 2], &RECOVERY[..7], &[1, 1, 1]].concat();
            assert_eq!(play(&elsewhere), 0, "{versions}");
        }
    }
}
