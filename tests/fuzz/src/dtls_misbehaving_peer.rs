//! `dtls_core::Connection` against a peer that has all keys and violates the protocol.
//!
//! Two real sides write a key log. With it the input opens their protected records, changes their contents, and makes
//! its own records: handshake messages, acknowledgements, alerts and data that authenticate but are malformed or out of
//! place. This takes the tampering of `dtls_connection` behind the encryption and beyond the handshake. A misbehaving
//! peer may end a connection. It must not cause a panic, connect without proofs, end twice, or cause endless output.
//!
//! The first byte chooses the version and the MTU; the rest is the script.

use std::time::Duration;

use dtls_core::Versions;

use crate::{
    dtls_endpoint::{Commands, Endpoint},
    dtls_keys::{Keys, Opened},
    dtls_setup::{CLIENT, Credentials, SERVER, Setup},
    input::Input,
    network::{self, Network},
};

/// The module documentation describes the input and the checks.
pub fn dtls_misbehaving_peer(data: &[u8]) {
    play(data);
}

/// Returns how many records the input changed or made.
fn play(data: &[u8]) -> usize {
    let mut input = Input::new(data);
    let setting = input.byte();
    let versions = if setting & 1 == 0 { Versions::Dtls13 } else { Versions::Dtls12 };
    let now = network::beginning();
    let mut sides = Setup::of(versions, Credentials::Fingerprints).with_key_log(setting & 2 != 0).set(now);
    for side in &mut sides {
        side.commands = Commands::WithForgedRecords;
    }
    let mut insider = MisbehavingPeer { network: Network::new(now, sides), next: [[0; 3]; 2], records: 0 };
    for _ in 0..MAX_STEPS {
        let Some(step) = input.next() else { break };
        insider.step(step, &mut input);
        insider.network.collect();
    }
    let network = &mut insider.network;
    network.settle(Duration::from_secs(45));
    for side in &network.sides {
        assert!(side.connected.is_some() || side.ended.is_some(), "a handshake without end");
    }
    let [client, server] = &network.sides;
    if client.is_open() && server.is_open() {
        assert_eq!(client.exported(), server.exported());
    }
    insider.records
}

/// A longer script is cut off, like that of every target here.
const MAX_STEPS: usize = 96;

struct MisbehavingPeer {
    network: Network<Endpoint>,
    /// By direction and epoch: the number after the largest one seen.
    next: [[u64; 3]; 2],
    records: usize,
}

impl MisbehavingPeer {
    /// The lower half of a step chooses the action, the bit above it the side.
    fn step(&mut self, step: u8, script: &mut Input<'_>) {
        let to = usize::from(step >> 4) & 1;
        let network = &mut self.network;
        match step & 15 {
            0..=4 => {
                if let Some(datagram) = network.next_to(to).cloned() {
                    self.note_numbers(to, &datagram);
                    self.network.deliver_next(to);
                }
            }
            5 => network.drop_next(to),
            6 => network.repeat_next(to),
            7 => network.delay_next(to),
            8..=10 => self.change_next(to, script),
            11..=13 => self.deliver_forged(to, script),
            14 => network.wait(Duration::from_millis(u64::from(script.byte()) * 8)),
            _ => network.command(to, script.byte()),
        }
    }

    /// The keys of the direction towards a side; `None` early in a handshake.
    fn keys(&self, to: usize) -> Option<Keys> {
        let sides = &self.network.sides;
        let lines = sides.each_ref().map(|side| side.secrets.as_slice()).concat();
        let keys = Keys::dtls13(&lines).or_else(|| {
            let randoms = sides[CLIENT].randoms?;
            Keys::dtls12(&lines, randoms)
        })?;
        let [client, server] = keys;
        Some(if to == SERVER { client } else { server })
    }

    fn note_numbers(&mut self, to: usize, mut datagram: &[u8]) {
        let Some(keys) = self.keys(to) else { return };
        while let Some((record, rest)) = keys.open(datagram) {
            self.note(to, &record);
            datagram = rest;
        }
    }

    fn note(&mut self, to: usize, record: &Opened) {
        let next = &mut self.next[to][usize::from(record.epoch.saturating_sub(2)).min(2)];
        *next = (*next).max(record.sequence + 1);
    }

    /// Delivers the next datagram with one of its protected records changed.
    fn change_next(&mut self, to: usize, script: &mut Input<'_>) {
        let Some(datagram) = self.network.take_next(to) else { return };
        let Some(keys) = self.keys(to) else { return self.network.deliver(to, datagram) };
        let mut changed = Vec::new();
        let mut rest = &datagram[..];
        let mut which = script.byte() & 3;
        while !rest.is_empty() {
            if let Some((mut record, after)) = keys.open(rest) {
                self.note(to, &record);
                if which == 0 {
                    change(&mut record, script);
                    self.records += 1;
                }
                which = which.wrapping_sub(1);
                keys.seal(&record, &mut changed);
                rest = after;
            } else {
                // A plaintext record, or nothing that could be opened.
                let len = match rest {
                    [20..=26, _, _, 0, 0, _, _, _, _, _, _, high, low, ..] => {
                        13 + usize::from(u16::from_be_bytes([*high, *low]))
                    }
                    _ => rest.len(),
                };
                let (record, after) = rest.split_at(len.min(rest.len()));
                changed.extend(record);
                rest = after;
            }
        }
        self.network.deliver(to, changed);
    }

    /// Delivers records that neither side wrote.
    fn deliver_forged(&mut self, to: usize, script: &mut Input<'_>) {
        let Some(keys) = self.keys(to) else { return };
        let mut datagram = Vec::new();
        let shape = script.byte();
        for _ in 0..=shape & 3 {
            let epoch = match &keys {
                Keys::Dtls12 { .. } => 1,
                Keys::Dtls13 { .. } => [2, 3, 3, 4][usize::from(shape >> 2 & 3)],
            };
            let slot = usize::from(epoch.clamp(2, 4) - 2);
            let sequence = self.next[to][slot] + u64::from(shape >> 6);
            let (content_type, content) = forged_content(script);
            let record = Opened { epoch, sequence, content_type, content };
            if keys.seal(&record, &mut datagram) {
                self.note(to, &record);
                self.records += 1;
            }
        }
        if !datagram.is_empty() {
            self.network.deliver(to, datagram);
        }
    }
}

/// Changes the content of the record.
fn change(record: &mut Opened, script: &mut Input<'_>) {
    let (how, at) = (script.byte(), usize::from(script.byte()));
    let content = &mut record.content;
    let at = at.checked_rem(content.len()).unwrap_or(0);
    match how & 7 {
        0 => {
            if let Some(byte) = content.get_mut(at) {
                *byte ^= 1 << (how >> 5);
            }
        }
        1 => {
            let len = usize::from(how >> 3);
            for (byte, new) in content.iter_mut().skip(at).zip(script.take(len)) {
                *byte = *new;
            }
        }
        2 => content.truncate(at),
        3 => drop(content.drain(at..(at + 1 + usize::from(how >> 3)).min(content.len()))),
        4 => drop(content.splice(at..at, script.take(usize::from(how >> 3)).to_vec())),
        5 => record.content_type = script.byte(),
        // Changes the message type, length, sequence number or fragment range.
        6 => {
            if let Some(byte) = content.get_mut(usize::from(how >> 3) % 12) {
                *byte = script.byte();
            }
        }
        // A handshake message whose inner length matches its header.
        _ => {
            if content.len() > 12 {
                let body = script.take(usize::from(how >> 3) * 4);
                content.truncate(12);
                content.extend(body);
                let len = u16::try_from(body.len()).expect("of one byte").to_be_bytes();
                content[2..4].copy_from_slice(&len);
                content[10..12].copy_from_slice(&len);
            }
        }
    }
}

/// A content type and a matching content.
fn forged_content(script: &mut Input<'_>) -> (u8, Vec<u8>) {
    let (kind, len) = (script.byte(), usize::from(script.byte()));
    match kind & 7 {
        0 => (21, vec![1 + (kind >> 3 & 1), script.byte()]),
        1 => {
            // Acknowledges records by arbitrary numbers.
            let numbers: Vec<u8> = (0..len & 15)
                .flat_map(|_| {
                    let (epoch, sequence) = (u64::from(script.byte() & 7), u64::from(script.byte()));
                    [epoch.to_be_bytes(), sequence.to_be_bytes()].concat()
                })
                .collect();
            let len = u16::try_from(numbers.len() + usize::from(kind >> 7)).expect("short").to_be_bytes();
            (26, [&len[..], &numbers].concat())
        }
        2 => (23, script.take(len).to_vec()),
        3 => (kind >> 3, script.take(len).to_vec()),
        4 => (22, message(24, script.byte(), &[kind >> 3])),
        5 => {
            // A ticket.
            let mut ticket = vec![0, 0, 0, 1, 0, 0, 0, 2, 1, 7, 0, 2, 9, 9, 0, 0];
            ticket.extend(script.take(usize::from(kind >> 5)));
            (22, message(4, script.byte(), &ticket))
        }
        _ => {
            let (kind, sequence) = (script.byte(), script.byte());
            (22, message(kind, sequence, script.take(len)))
        }
    }
}

fn message(kind: u8, sequence: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("of one byte").to_be_bytes();
    let mut message = vec![kind, 0, len[0], len[1], 0, sequence & 15, 0, 0, 0, 0, len[0], len[1]];
    message.extend(body);
    message
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_misbehaving_peer_changes_protected_records_on_both_sides() {
        for version in [0, 1] {
            for to in [0, 16] {
                let mut script = vec![version];
                script.extend([0, 16].repeat(8));
                // Data from the other side, changed in transit.
                script.extend([15 + (16 - to), 0, 8 + to, 0, 0, 0]);
                assert_eq!(super::play(&script), 1, "{version} {to}");
                let mut script = vec![version];
                script.extend([0, 16].repeat(8));
                script.extend([11 + to, 4, 2, 1, 7]);
                assert_eq!(super::play(&script), 1, "{version} {to}");
            }
        }
    }
}
