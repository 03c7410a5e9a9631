//! A test fixture of two transports and one link. Time advances only on request.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed scenario stops"
)]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{
    Candidate, Certificate, Config, Datagram, DescriptionKind, Event, Media, Path, PeerTransport,
    RestartOptions, Seed, State, Versions,
};

pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) fn certificate() -> Certificate {
    Certificate::generate(today(), MONTH).expect("generating a certificate")
}

/// An arbitrary calendar date.
pub(crate) fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + MONTH * 600
}

/// The start time of a scenario.
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// The version settings that the tests run with.
pub(crate) const VERSIONS: [Versions; 2] = [Versions::Dtls12, Versions::Auto];

/// One of the two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Alice,
    Bob,
}

pub(crate) use Who::{Alice, Bob};

impl Who {
    fn index(self) -> usize {
        match self {
            Alice => 0,
            Bob => 1,
        }
    }

    pub(crate) fn other(self) -> Self {
        match self {
            Alice => Bob,
            Bob => Alice,
        }
    }
}

/// A transport with its recorded outputs.
pub(crate) struct Peer {
    pub(crate) transport: PeerTransport,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<Event>,
    /// The association number and sequence number of each received RTP packet.
    pub(crate) received: Vec<(u32, u16)>,
    pub(crate) compounds: usize,
    next_sequence: u16,
    pub(crate) sent: u32,
}

impl Peer {
    pub(crate) fn new(now: Instant, config: Config, seed: u8, address: &str) -> Self {
        let certificates = vec![certificate()];
        Self::from_transport(
            now,
            PeerTransport::new(now, config, certificates, Seed::new([seed; 32])).unwrap(),
            address,
        )
    }

    pub(crate) fn with_certificate(now: Instant, own: Certificate, address: &str) -> Self {
        let transport = PeerTransport::new(now, Config::default(), vec![own], Seed::new([5; 32]));
        Self::from_transport(now, transport.unwrap(), address)
    }

    fn from_transport(now: Instant, mut transport: PeerTransport, address: &str) -> Self {
        let address = address.parse().unwrap();
        transport.add_local_candidate(now, Candidate::host(address).unwrap()).unwrap();
        transport.end_of_local_candidates(now);
        Self {
            transport,
            address,
            events: Vec::new(),
            received: Vec::new(),
            compounds: 0,
            next_sequence: 1,
            sent: 0,
        }
    }

    pub(crate) fn has(&self, expected: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(expected)
    }
}

struct InFlight {
    at: Instant,
    to: Who,
    path: Path,
    bytes: Vec<u8>,
}

type Tap = Box<dyn FnMut(Who, &mut Vec<u8>) -> bool>;

/// Two peers and the link between them, with a latency of 10 ms by default.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    pub(crate) latency: Duration,
    in_flight: VecDeque<InFlight>,
    /// Inspects each datagram with its sender; `false` drops it.
    pub(crate) tap: Tap,
    pub(crate) trace: Vec<String>,
    start: Instant,
}

impl Pair {
    /// Alice offers, Bob answers.
    pub(crate) fn new() -> Self {
        Self::with(Config::default(), Config::default())
    }

    pub(crate) fn with(alice: Config, bob: Config) -> Self {
        let now = start();
        Self {
            now,
            start: now,
            peers: vec![Peer::new(now, alice, 1, "192.0.2.1:1000"), Peer::new(now, bob, 2, "192.0.2.2:2000")],
            latency: Duration::from_millis(10),
            in_flight: VecDeque::new(),
            tap: Box::new(|_, _| true),
            trace: Vec::new(),
        }
    }

    pub(crate) fn connected() -> Self {
        Self::connected_over(Versions::default())
    }

    pub(crate) fn connected_over(versions: Versions) -> Self {
        let config = || Config { dtls_versions: versions, ..Config::default() };
        let mut pair = Self::with(config(), config());
        pair.signal(Alice);
        pair.run_until("both are connected", |pair| pair.both(State::Connected));
        pair
    }

    pub(crate) fn peer(&self, who: Who) -> &Peer {
        &self.peers[who.index()]
    }

    pub(crate) fn peer_mut(&mut self, who: Who) -> &mut Peer {
        &mut self.peers[who.index()]
    }

    pub(crate) fn transport(&mut self, who: Who) -> &mut PeerTransport {
        &mut self.peers[who.index()].transport
    }

    pub(crate) fn both(&self, state: State) -> bool {
        self.peers.iter().all(|peer| peer.transport.state() == state)
    }

    /// Sets `from`'s parameters as an offer at the other side, and the answer at `from`.
    pub(crate) fn signal(&mut self, from: Who) {
        self.offer(from);
        self.answer(from.other());
    }

    pub(crate) fn offer(&mut self, from: Who) {
        let parameters = self.peer(from).transport.local_parameters();
        self.describe(from, DescriptionKind::Offer, parameters);
    }

    pub(crate) fn answer(&mut self, from: Who) {
        let parameters = self.peer(from).transport.local_parameters();
        self.describe(from, DescriptionKind::Answer, parameters);
    }

    pub(crate) fn describe(
        &mut self,
        from: Who,
        kind: DescriptionKind,
        parameters: peer_transport::Parameters,
    ) {
        let now = self.now;
        self.transport(from.other()).set_remote_parameters(now, kind, parameters).unwrap();
        self.describe_candidates(from);
    }

    pub(crate) fn describe_candidates(&mut self, from: Who) {
        let (now, address) = (self.now, self.peer(from).address);
        let to = self.transport(from.other());
        to.add_remote_candidate(now, Candidate::host(address).unwrap(), None).unwrap();
        to.end_of_remote_candidates(now, None);
    }

    /// Restarts `who` and signals it to both sides.
    pub(crate) fn restart(&mut self, who: Who, options: RestartOptions) {
        let now = self.now;
        self.transport(who).restart(now, options).unwrap();
        self.signal(who);
    }

    /// Sends one RTP packet if permitted.
    pub(crate) fn send_packet(&mut self, who: Who) -> bool {
        let now = self.now;
        let peer = self.peer_mut(who);
        let sequence = peer.next_sequence;
        let mut header = vec![0x80, 96];
        header.extend_from_slice(&sequence.to_be_bytes());
        header.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 7]);
        let mut out = Vec::new();
        let Ok(transmit) = peer.transport.send_rtp(now, &header, &[0xab; 100], &mut out) else {
            return false;
        };
        peer.next_sequence = sequence.wrapping_add(1);
        peer.sent += 1;
        self.send_datagram(who, transmit.path, out);
        true
    }

    /// Sends bytes on the link from `from`.
    pub(crate) fn send_datagram(&mut self, from: Who, path: Path, mut bytes: Vec<u8>) {
        let kept = (self.tap)(from, &mut bytes);
        self.trace.push(format!(
            "{:>7} ms {from:?} -> {path} {} bytes, first {:02x?}{}",
            (self.now - self.start).as_millis(),
            bytes.len(),
            bytes.get(..14.min(bytes.len())).unwrap_or_default(),
            if kept { "" } else { " LOST" }
        ));
        if kept {
            let path = Path::udp(path.remote(), path.local());
            self.in_flight.push_back(InFlight { at: self.now + self.latency, to: from.other(), path, bytes });
        }
    }

    fn collect(&mut self) {
        for who in [Alice, Bob] {
            let mut buf = Vec::new();
            while let Some(transmit) = self.transport(who).poll_transmit(&mut buf) {
                let bytes = transmit.bytes(&buf).to_vec();
                self.send_datagram(who, transmit.path, bytes);
                buf.clear();
            }
            while let Some(event) = self.transport(who).poll_event() {
                self.trace.push(format!("{:>7} ms {who:?} {event:?}", (self.now - self.start).as_millis()));
                self.peer_mut(who).events.push(event);
            }
        }
    }

    /// Advances to the next arrival or deadline, at most to `limit`. Returns `false` if there is none.
    fn step(&mut self, limit: Instant) -> bool {
        self.collect();
        let arrival = self.in_flight.iter().map(|in_flight| in_flight.at).min();
        let deadline = self.peers.iter().filter_map(|peer| peer.transport.poll_timeout()).min();
        let Some(next) = [arrival, deadline].into_iter().flatten().min().filter(|next| *next <= limit) else {
            self.now = limit;
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        if let Some(index) = self.in_flight.iter().position(|in_flight| in_flight.at <= now) {
            let InFlight { to, path, mut bytes, .. } = self.in_flight.remove(index).unwrap();
            let peer = self.peer_mut(to);
            match peer.transport.handle_input(now, Datagram::new(path, &mut bytes)) {
                Some(Media::Rtp(packet)) => {
                    let received = (packet.association().number(), packet.header().sequence_number());
                    peer.received.push(received);
                }
                Some(Media::Rtcp(_)) => peer.compounds += 1,
                Some(other) => panic!("unexpected media: {other:?}"),
                None => {}
            }
        }
        for peer in &mut self.peers {
            if peer.transport.poll_timeout().is_some_and(|deadline| deadline <= now) {
                peer.transport.handle_timeout(now);
                assert!(
                    peer.transport.poll_timeout().is_none_or(|deadline| deadline > now),
                    "a deadline that is not later"
                );
            }
        }
        true
    }

    pub(crate) fn run_for(&mut self, duration: Duration) {
        let limit = self.now + duration;
        while self.step(limit) {}
        self.collect();
    }

    /// Both sides send a packet every 20 ms for this time.
    pub(crate) fn exchange_media_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.send_packet(Alice);
            self.send_packet(Bob);
            self.run_for(Duration::from_millis(20));
        }
    }

    #[track_caller]
    pub(crate) fn run_until(&mut self, what: &str, reached: impl Fn(&Self) -> bool) {
        let limit = self.now + Duration::from_secs(60);
        loop {
            self.collect();
            if reached(self) {
                return;
            }
            if !self.step(limit) {
                let trace = self.trace.join("\n");
                panic!("not within 60 s: {what}\n{trace}");
            }
        }
    }
}
