//! `dtls_core::Connection` with a tamperer between client and server: handshake messages, extensions and reassembly.
//!
//! The tamperer takes the plaintext messages of real flights out of their records, changes and fragments them as the
//! input says, and sends the result. It treats retransmitted flights alike, so that the received messages are known.
//! Other datagrams pass unchanged. In the end:
//!
//! - a side that received a changed message does not connect, and neither does its peer: Finished covers every message,
//!   so that no offer can be changed in transit;
//! - where all messages arrived unchanged, both sides connect, however the messages were fragmented, overlapped,
//!   duplicated or reordered.
//!
//! Two bytes are the [`Setup`], three choose the fragmentation, and the rest is operations, each for one message.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    dtls_connection::assert_works,
    dtls_endpoint::Commands,
    dtls_setup::Setup,
    input::Input,
    network::{self, Network},
};

/// The module documentation describes the input and the checks.
pub fn dtls_messages(data: &[u8]) {
    play(data);
}

/// Returns which sides are connected in the end, and whether a message was changed.
fn play(data: &[u8]) -> ([bool; 2], bool) {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input).with_matching_credentials();
    let now = network::beginning();
    let mut network = Network::new(now, setup.set(now));
    for side in &mut network.sides {
        side.commands = Commands::NoClose;
        side.answer();
    }
    let mut tamperer = Tamperer::new(&mut input);
    let end = now + Duration::from_secs(45);
    while network.now < end {
        let mut is_silent = true;
        for to in 0..2 {
            if let Some(datagram) = network.take_next(to) {
                is_silent = false;
                for datagram in tamperer.treat(to, &datagram) {
                    network.deliver(to, datagram);
                    network.collect();
                }
            }
        }
        if is_silent {
            let Some(next) = network.next_deadline() else { break };
            network.wait(next.saturating_duration_since(network.now));
            network.collect();
        }
    }

    let open = [0, 1].map(|side| network.sides[side].is_open());
    if tamperer.has_changed {
        for side in &network.sides {
            assert!(side.connected.is_none(), "connected over a message that was never sent");
            assert!(side.ended.is_some(), "a handshake without end");
        }
    } else {
        let states = network.sides.each_ref().map(|side| (&side.ended, side.connection.stats()));
        assert_eq!(open, [true; 2], "the same messages in other fragments: {setup:?} {states:?}");
        assert_works(&mut network);
    }
    (open, tamperer.has_changed)
}

struct Tamperer {
    cut: Cut,
    /// The operations on a message, by receiver and number.
    operations: BTreeMap<(usize, u8), Vec<Operation>>,
    /// The fragments collected so far, by receiver and number.
    partial: [BTreeMap<u8, Partial>; 2],
    next_number: u32,
    has_changed: bool,
}

/// How messages are fragmented.
struct Cut {
    size: usize,
    overlap: usize,
    /// Bits: 0 reverse order, 1 every fragment twice, 2 the first fragment last, 3 fragments share a record, 4 they
    /// share a datagram, 5 an empty fragment first.
    shape: u8,
}

struct Partial {
    kind: u8,
    body: Vec<u8>,
    is_known: Vec<bool>,
}

#[derive(Debug)]
struct Operation {
    kind: u8,
    at: u8,
    bytes: Vec<u8>,
}

/// Further operations are ignored.
const MAX_OPERATIONS: usize = 16;

/// A message becomes at most about this many fragments.
const MAX_FRAGMENTS: usize = 40;

impl Tamperer {
    fn new(input: &mut Input<'_>) -> Self {
        let cut = Cut {
            size: usize::from(input.byte()) + 1,
            overlap: usize::from(input.byte()),
            shape: input.byte(),
        };
        let mut operations: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for _ in 0..MAX_OPERATIONS {
            let Some(target) = input.next() else { break };
            let (kind, at, len) = (input.byte(), input.byte(), usize::from(input.byte()) & 0x7f);
            let operation = Operation { kind, at, bytes: input.take(len).to_vec() };
            operations.entry((usize::from(target) & 1, target >> 1 & 7)).or_default().push(operation);
        }
        // Far above the numbers of real records, so that no acknowledgement names one of them.
        Self { cut, operations, partial: Default::default(), next_number: 1000, has_changed: false }
    }

    /// Returns the datagrams that arrive instead of this one.
    fn treat(&mut self, to: usize, datagram: &[u8]) -> Vec<Vec<u8>> {
        let mut treated = Vec::new();
        let mut rest = datagram;
        while let [22, _, _, 0, 0, _, _, _, _, _, _, high, low, after @ ..] = rest {
            let len = usize::from(u16::from_be_bytes([*high, *low]));
            let (mut content, after) = after.split_at(len);
            while let [kind, 0, total @ ..] = content {
                let (kind, header) = (*kind, &total[..10]);
                let number = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
                let (total, offset, len) = (number(0), number(5), number(8));
                let fragment = &content[12..12 + len];
                if let Some(message) = self.collect(to, header[3], kind, total, offset, fragment) {
                    treated.extend(self.operate(to, header[3], &message));
                }
                content = &content[12 + len..];
            }
            rest = after;
        }
        if !rest.is_empty() {
            treated.push(rest.to_vec());
        }
        treated
    }

    /// Returns the message once it is complete.
    fn collect(
        &mut self,
        to: usize,
        number: u8,
        kind: u8,
        total: usize,
        offset: usize,
        fragment: &[u8],
    ) -> Option<Partial> {
        let fresh = || Partial { kind, body: vec![0; total], is_known: vec![false; total] };
        let partial = self.partial[to].entry(number).or_insert_with(fresh);
        if partial.kind != kind || partial.body.len() != total {
            *partial = fresh();
        }
        partial.body[offset..offset + fragment.len()].copy_from_slice(fragment);
        partial.is_known[offset..offset + fragment.len()].fill(true);
        if partial.is_known.iter().all(|known| *known) { self.partial[to].remove(&number) } else { None }
    }

    fn operate(&mut self, to: usize, number: u8, message: &Partial) -> Vec<Vec<u8>> {
        let (mut kind, mut body) = (message.kind, message.body.clone());
        for operation in self.operations.get(&(to, number)).into_iter().flatten() {
            operation.apply(&mut kind, &mut body);
        }
        self.has_changed |= (kind, &body) != (message.kind, &message.body);
        self.cut(kind, number, &body)
    }

    /// Returns the message in datagrams.
    fn cut(&mut self, kind: u8, number: u8, body: &[u8]) -> Vec<Vec<u8>> {
        let size = self.cut.size.max(body.len() / MAX_FRAGMENTS + 1);
        let mut ranges: Vec<_> = (0..body.len().max(1))
            .step_by(size)
            .map(|start| {
                let first = start.saturating_sub(self.cut.overlap);
                first..(start + size + self.cut.overlap).min(body.len())
            })
            .collect();
        let shape = self.cut.shape;
        if shape & 1 != 0 {
            ranges.reverse();
        }
        if shape & 2 != 0 {
            ranges = ranges.into_iter().flat_map(|range| [range.clone(), range]).collect();
        }
        if shape & 4 != 0 {
            ranges.rotate_left(1);
        }
        if shape & 32 != 0 {
            let end = body.len();
            ranges.insert(0, end..end);
        }
        let u24 = |number: usize| {
            let [.., a, b, c] = number.to_be_bytes();
            [a, b, c]
        };
        let fragments = ranges.into_iter().map(|range| {
            let mut fragment = vec![kind];
            fragment.extend(u24(body.len()));
            fragment.extend([0, number]);
            fragment.extend(u24(range.start));
            fragment.extend(u24(range.len()));
            fragment.extend(&body[range]);
            fragment
        });
        let mut datagrams: Vec<Vec<u8>> = Vec::new();
        let mut contents: Vec<Vec<u8>> = Vec::new();
        for fragment in fragments {
            match contents.last_mut() {
                Some(content) if shape & 8 != 0 && content.len() + fragment.len() < MAX_RECORD => {
                    content.extend(fragment);
                }
                _ => contents.push(fragment),
            }
        }
        for content in contents {
            let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0];
            record.extend(self.next_number.to_be_bytes());
            record.extend(u16::try_from(content.len()).expect("below 2^14").to_be_bytes());
            record.extend(content);
            self.next_number += 1;
            match datagrams.last_mut() {
                Some(datagram) if shape & 16 != 0 && datagram.len() + record.len() < MAX_RECORD => {
                    datagram.extend(record);
                }
                _ => datagrams.push(record),
            }
        }
        datagrams
    }
}

/// A record of several fragments is shorter than this.
const MAX_RECORD: usize = 4000;

impl Operation {
    fn apply(&self, kind: &mut u8, body: &mut Vec<u8>) {
        let at = usize::from(self.at).checked_rem(body.len()).unwrap_or(0);
        match self.kind & 15 {
            0 => {
                if let Some(byte) = body.get_mut(at) {
                    *byte ^= 1 << (self.kind >> 5);
                }
            }
            1 => {
                for (byte, new) in body.iter_mut().skip(at).zip(&self.bytes) {
                    *byte = *new;
                }
            }
            2 => body.truncate(at),
            3 => drop(body.splice(at..at, self.bytes.iter().copied())),
            4 => *kind = self.at,
            5 => body.clone_from(&self.bytes),
            6 => body.extend(&self.bytes),
            _ => self.apply_to_hello(*kind, body),
        }
    }

    /// Parses a hello; leaves other messages unchanged.
    fn apply_to_hello(&self, kind: u8, body: &mut Vec<u8>) {
        let Some(mut hello) = Hello::read(kind, body) else { return };
        let which = usize::from(self.at).checked_rem(hello.extensions.len()).unwrap_or(0);
        let mut extension = self.bytes.clone();
        let other_kind = KINDS[usize::from(self.kind >> 4 | self.at & 0xf0) % KINDS.len()];
        match self.kind & 15 {
            7 if !hello.extensions.is_empty() => drop(hello.extensions.remove(which)),
            8 if !hello.extensions.is_empty() => hello.extensions.push(hello.extensions[which].clone()),
            9 if !hello.extensions.is_empty() => hello.extensions.rotate_left(which),
            10 if !hello.extensions.is_empty() => hello.extensions[which].1 = extension,
            11 if !hello.extensions.is_empty() => hello.extensions[which].0 = other_kind,
            12 => hello.extensions.insert(which, (other_kind, extension)),
            13 => hello.fields = extension,
            14 => {
                // Two bytes of an extension, which are mostly one value of a list.
                if let Some((_, list)) = hello.extensions.get_mut(which) {
                    let from = usize::from(self.kind >> 4).checked_rem(list.len()).unwrap_or(0);
                    let to = (from + 2).min(list.len());
                    list.splice(from..to, extension.drain(..extension.len().min(2)));
                }
            }
            _ => {
                // The fields before the extensions, behind version and random.
                let from = (34 + usize::from(self.at)).min(hello.fields.len());
                let to = (from + usize::from(self.kind >> 4)).min(hello.fields.len());
                hello.fields.splice(from..to, extension);
            }
        }
        *body = hello.write();
    }
}

/// Extensions of the two versions, and one unknown extension.
const KINDS: [u16; 20] =
    [0, 10, 11, 13, 14, 16, 20, 21, 22, 23, 35, 41, 42, 43, 44, 45, 50, 51, 0xff01, 0x1a1a];

/// A ClientHello or ServerHello, parsed as far as its extensions.
struct Hello {
    /// Everything before the extensions.
    fields: Vec<u8>,
    extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    fn read(kind: u8, body: &[u8]) -> Option<Self> {
        let mut at = 34;
        at += 1 + usize::from(*body.get(at)?);
        match kind {
            1 => {
                at += 1 + usize::from(*body.get(at)?);
                at += 2 + usize::from(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
                at += 1 + usize::from(*body.get(at)?);
            }
            2 => at += 3,
            _ => return None,
        }
        let (fields, mut rest) = body.split_at_checked(at)?;
        let mut extensions = Vec::new();
        rest = rest.get(2..).unwrap_or_default();
        while let [a, b, high, low, after @ ..] = rest {
            let (extension, after) =
                after.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            extensions.push((u16::from_be_bytes([*a, *b]), extension.to_vec()));
            rest = after;
        }
        Some(Self { fields: fields.to_vec(), extensions })
    }

    fn write(&self) -> Vec<u8> {
        let length = |len: usize| u16::try_from(len).expect("of some hundred bytes").to_be_bytes();
        let mut extensions = Vec::new();
        for (kind, extension) in &self.extensions {
            extensions.extend(kind.to_be_bytes());
            extensions.extend(length(extension.len()));
            extensions.extend(extension);
        }
        [&self.fields[..], &length(extensions.len()), &extensions].concat()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn messages_in_any_fragments_are_the_same_messages() {
        for number in 0..36 {
            for (size, overlap, shape) in [
                (255, 0, 0),
                (20, 0, 0),
                (20, 0, 1),
                (20, 7, 2),
                (90, 9, 4),
                (9, 0, 8),
                (50, 0, 24),
                (50, 9, 63),
            ] {
                let played = super::play(&[number, 0, size, overlap, shape]);
                assert_eq!(played, ([true; 2], false), "{number} {size} {overlap} {shape}");
            }
        }
    }

    #[test]
    fn a_hello_without_an_extension_prevents_the_connection() {
        for versions in [0, 4, 8] {
            for target in [0, 1] {
                for which in 0..12 {
                    let played = super::play(&[versions, 0, 255, 0, 0, target, 7, which, 0]);
                    assert_eq!(played, ([false; 2], true), "{versions} {target} {which}");
                }
            }
        }
    }
}
