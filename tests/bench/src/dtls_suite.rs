//! DTLS: the cost of a handshake on both sides together, and the cost of a record of application data.
//!
//! Handshake: client and server authenticate each other's ECDSA P-256 certificate by fingerprint over X25519, with one
//! version configured, and both export the SRTP keys. All stacks use the same two certificates. Keys are parsed before
//! the clock starts, and so is everything else that another stack prepares for a connection; our preparation is
//! counted. "bare" is the public-key work of any such handshake: for each side one key generation, one key agreement,
//! one signature and one verification. "hashes" is the hashing that the RFCs require beside that. It has no goal; it
//! explains a part of the ratio to "bare", above all on a processor without SHA instructions. Over X25519MLKEM768 we
//! compare with BoringSSL alone, because dimpl and ring do not have that group.
//!
//! Record: one side sends, the other side reads. "bare" copies, seals and opens the same bytes with the AEAD alone, in
//! one buffer that never moves. It is a lower bound that no engine reaches: an engine that stores a record until it is
//! polled, and returns owned data, copies twice more, and DTLS 1.3 seals one byte more and masks record numbers.
//! "contract" does that too and nothing else, so the difference from it is the cost of our own code.

mod bare;
#[cfg(feature = "boring")]
mod boring;
mod dimpl;
mod fixture;
mod hashes;
mod ours;

use std::hint::black_box;
use std::time::Instant;

use crate::allocations;
use crate::measure::{Effort, Subject, compare};
use crate::report::{BARE, Report};
use fixture::{Fixture, Setting, Version};
use ours::Ours;

/// Allocations of both sides together.
const MOST_ALLOCATIONS: u64 = 40;
/// Of one connected endpoint: its heap bytes and its own size.
const MOST_MEMORY: u64 = 5_000;

/// Handshakes per turn: the first one starts with the caches that the previous subject left.
const HANDSHAKES: u32 = 3;

/// Records per turn, and the payload of each.
const BATCH: u32 = 64;
const DATA: [u8; 1_200] = [0x5a; 1_200];

const PEERS: &[&str] = &[dimpl::NAME, BORINGSSL];
const BORINGSSL: &str = "BoringSSL";

/// One stack with two identities, over a wire that loses nothing.
trait Stack {
    const NAME: &'static str;
    /// The state that exists before the clock starts.
    type Prepared;
    /// A client and a server that are connected.
    type Pair;

    fn prepare(&self) -> Self::Prepared;

    /// The whole handshake, with the peer's fingerprint compared and the keys of SRTP exported on both sides.
    fn connect(&self, prepared: Self::Prepared, wire: &mut Wire) -> Self::Pair;

    /// The client sends the data, the server reads it.
    fn deliver(pair: &mut Self::Pair, data: &[u8]);
}

/// Counts of the datagrams and bytes on the wire.
#[derive(Clone, Copy, Debug, Default)]
struct Wire {
    datagrams: u64,
    bytes: u64,
}

impl Wire {
    fn carry(&mut self, datagram: &[u8]) {
        self.datagrams += 1;
        self.bytes += datagram.len() as u64;
    }
}

pub(crate) fn run(effort: Effort, report: &mut Report) {
    let fixture = Fixture::new();
    if cfg!(not(feature = "boring")) {
        println!("BoringSSL is not built: `cargo xtask bench dtls --with-boring` builds it, in some minutes");
    }
    handshakes(&fixture, effort, report);
    records(&fixture, effort, report);
    wires(&fixture, report);
    footprints(&fixture, report);
}

fn handshakes(fixture: &Fixture, effort: Effort, report: &mut Report) {
    // A turn takes about ten times as long as one of the other suites.
    let effort = Effort { rounds: effort.rounds.div_ceil(8) };
    for (version, to_bare) in [(Version::Dtls12, 1.06), (Version::Dtls13, 1.10)] {
        let setting = Setting::handshake(version);
        let outcome = compare(effort, || {
            vec![
                handshake(Ours::new(fixture, setting)),
                bare::public_keys(),
                hashes::subject(version),
                handshake(dimpl::Dimpl::new(fixture, setting)),
                #[cfg(feature = "boring")]
                handshake(boring::Boring::new(fixture, setting)),
            ]
        });
        let figure = format!("{version} handshake, both sides");
        report.compare(&figure, &outcome, Some(to_bare), PEERS.iter().map(|peer| (*peer, 1.0)));
        report.share(&figure, &outcome, hashes::NAME, BARE);
    }
    let setting = Setting::hybrid_handshake();
    let outcome = compare(effort, || {
        vec![
            handshake(Ours::new(fixture, setting)),
            #[cfg(feature = "boring")]
            handshake(boring::Boring::new(fixture, setting)),
        ]
    });
    let figure = format!("{} handshake over X25519MLKEM768, both sides", setting.version);
    report.compare(&figure, &outcome, None, [(BORINGSSL, 1.0)]);
}

fn records(fixture: &Fixture, effort: Effort, report: &mut Report) {
    for (version, to_bare) in [(Version::Dtls12, 1.15), (Version::Dtls13, 1.35)] {
        let setting = Setting::record(version);
        let outcome = compare(effort, || {
            vec![
                record(&Ours::new(fixture, setting)),
                bare::seal_and_open(),
                bare::contract(version),
                record(&dimpl::Dimpl::new(fixture, setting)),
                #[cfg(feature = "boring")]
                record(&boring::Boring::new(fixture, setting)),
            ]
        });
        let figure = format!("{version} record of {} B, sealed and opened", DATA.len());
        report.compare(&figure, &outcome, Some(to_bare), PEERS.iter().map(|peer| (*peer, 1.0)));
        let mut subject = record(&Ours::new(fixture, setting));
        // Lets the buffers grow to their final size.
        (subject.work)();
        let count = allocations::during(|| {
            (subject.work)();
        });
        report.exact(format!("{version} records, {BATCH} of {} B", DATA.len()), count, "allocs", 0);
    }
}

/// All stacks use the same certificates and no cookie. Runs until no side has anything to send.
fn wires(fixture: &Fixture, report: &mut Report) {
    for version in [Version::Dtls12, Version::Dtls13] {
        let setting = Setting::handshake(version);
        let ours = wire(&Ours::new(fixture, setting));
        let peers = [
            (dimpl::NAME, wire(&dimpl::Dimpl::new(fixture, setting))),
            #[cfg(feature = "boring")]
            (BORINGSSL, wire(&boring::Boring::new(fixture, setting))),
        ];
        let figure = format!("{version} handshake on the wire");
        let fewer_than = peers.iter().find(|(name, _)| *name == BORINGSSL).map(|(_, wire)| wire.bytes - 1);
        report.exact(figure.clone(), ours.datagrams, "datagrams", Some(4));
        report.exact(figure.clone(), ours.bytes, "bytes", fewer_than);
        for (name, wire) in peers {
            report.compared(figure.clone(), name, wire.datagrams, "datagrams");
            report.compared(figure.clone(), name, wire.bytes, "bytes");
        }
    }
}

fn footprints(fixture: &Fixture, report: &mut Report) {
    for version in [Version::Dtls12, Version::Dtls13] {
        let ours = Ours::new(fixture, Setting::handshake(version));
        let prepared = ours.prepare();
        let count = allocations::during(|| {
            black_box(ours.connect(prepared, &mut Wire::default()));
        });
        report.exact(format!("{version} handshake, both sides"), count, "allocs", MOST_ALLOCATIONS);
        for (side, bytes) in ours.footprint() {
            report.exact(format!("{version} connected {side}, heap and size"), bytes, "bytes", MOST_MEMORY);
        }
    }
}

fn handshake<'w, S: Stack + 'w>(stack: S) -> Subject<'w> {
    let work = move || {
        let handshake = || {
            let prepared = stack.prepare();
            let start = Instant::now();
            let _connected = black_box(stack.connect(prepared, &mut Wire::default()));
            start.elapsed()
        };
        std::iter::repeat_with(handshake).take(HANDSHAKES as usize).sum()
    };
    Subject { name: S::NAME, operations: HANDSHAKES, work: Box::new(work) }
}

fn record<'w, S: Stack<Pair: 'w>>(stack: &S) -> Subject<'w> {
    let mut pair = stack.connect(stack.prepare(), &mut Wire::default());
    let work = move || {
        let start = Instant::now();
        for _ in 0..BATCH {
            S::deliver(&mut pair, black_box(&DATA));
        }
        start.elapsed()
    };
    Subject { name: S::NAME, operations: BATCH, work: Box::new(work) }
}

fn wire<S: Stack>(stack: &S) -> Wire {
    let mut wire = Wire::default();
    stack.connect(stack.prepare(), &mut wire);
    wire
}
