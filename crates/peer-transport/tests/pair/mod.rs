//! Two transports, one link, and a clock that moves because the story says so.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a story that breaks should stop"
)]
#![allow(dead_code, reason = "each story uses a part of it")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{
    Candidate, Certificate, Config, Datagram, DescriptionKind, Event, Media, Path, PeerTransport,
    RestartOptions, Seed, State, Versions,
};

pub(crate) const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) fn certificate() -> Certificate {
    Certificate::generate(today(), MONTH).expect("a certificate")
}

/// A date for what needs one.
pub(crate) fn today() -> SystemTime {
    SystemTime::UNIX_EPOCH + MONTH * 600
}

/// The moment at which a story begins.
pub(crate) fn start() -> Instant {
    Instant::now()
}

/// What both sides negotiate, one after the other.
pub(crate) const VERSIONS: [Versions; 2] = [Versions::Dtls12, Versions::Auto];

/// Which of the two.
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

/// One of the two, with everything that it has seen.
pub(crate) struct Peer {
    pub(crate) transport: PeerTransport,
    pub(crate) address: SocketAddr,
    pub(crate) events: Vec<Event>,
    /// The association and the sequence number of each RTP packet that arrived.
    pub(crate) heard: Vec<(u32, u16)>,
    pub(crate) compounds: usize,
    next_sequence: u16,
    pub(crate) sent: u32,
}

impl Peer {
    pub(crate) fn new(now: Instant, config: Config, seed: u8, address: &str) -> Self {
        let certificates = vec![certificate()];
        Self::around(
            now,
            PeerTransport::new(now, config, certificates, Seed::new([seed; 32])).unwrap(),
            address,
        )
    }

    pub(crate) fn with_certificate(now: Instant, own: Certificate, address: &str) -> Self {
        let transport = PeerTransport::new(now, Config::default(), vec![own], Seed::new([5; 32]));
        Self::around(now, transport.unwrap(), address)
    }

    fn around(now: Instant, mut transport: PeerTransport, address: &str) -> Self {
        let address = address.parse().unwrap();
        transport.add_local_candidate(now, Candidate::host(address).unwrap()).unwrap();
        transport.end_of_local_candidates(now);
        Self {
            transport,
            address,
            events: Vec::new(),
            heard: Vec::new(),
            compounds: 0,
            next_sequence: 1,
            sent: 0,
        }
    }

    pub(crate) fn has(&self, expected: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().any(expected)
    }
}

struct Flying {
    at: Instant,
    to: Who,
    path: Path,
    bytes: Vec<u8>,
}

type Tap = Box<dyn FnMut(Who, &mut Vec<u8>) -> bool>;

/// The two and the link between them: 10 ms each way unless said otherwise.
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) peers: Vec<Peer>,
    pub(crate) latency: Duration,
    flying: VecDeque<Flying>,
    /// Sees each datagram with its sender; `false` loses it.
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
            flying: VecDeque::new(),
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

    /// Carries `from`'s parameters over as an offer, and the answer back.
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

    /// `who` restarts and both sides signal it.
    pub(crate) fn restart(&mut self, who: Who, options: RestartOptions) {
        let now = self.now;
        self.transport(who).restart(now, options).unwrap();
        self.signal(who);
    }

    /// Sends one RTP packet, if it may.
    pub(crate) fn speak(&mut self, who: Who) -> bool {
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
        self.launch(who, transmit.path, out);
        true
    }

    /// Puts bytes on the link as if `from` had sent them.
    pub(crate) fn launch(&mut self, from: Who, path: Path, mut bytes: Vec<u8>) {
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
            self.flying.push_back(Flying { at: self.now + self.latency, to: from.other(), path, bytes });
        }
    }

    fn collect(&mut self) {
        for who in [Alice, Bob] {
            let mut buf = Vec::new();
            while let Some(transmit) = self.transport(who).poll_transmit(&mut buf) {
                let bytes = transmit.bytes(&buf).to_vec();
                self.launch(who, transmit.path, bytes);
                buf.clear();
            }
            while let Some(event) = self.transport(who).poll_event() {
                self.trace.push(format!("{:>7} ms {who:?} {event:?}", (self.now - self.start).as_millis()));
                self.peer_mut(who).events.push(event);
            }
        }
    }

    /// Moves to the next thing that happens, not past `limit`. `false` when nothing is left before it.
    fn step(&mut self, limit: Instant) -> bool {
        self.collect();
        let arrival = self.flying.iter().map(|flying| flying.at).min();
        let deadline = self.peers.iter().filter_map(|peer| peer.transport.poll_timeout()).min();
        let Some(next) = [arrival, deadline].into_iter().flatten().min().filter(|next| *next <= limit) else {
            self.now = limit;
            return false;
        };
        self.now = self.now.max(next);
        let now = self.now;
        if let Some(index) = self.flying.iter().position(|flying| flying.at <= now) {
            let Flying { to, path, mut bytes, .. } = self.flying.remove(index).unwrap();
            let peer = self.peer_mut(to);
            match peer.transport.handle_input(now, Datagram::new(path, &mut bytes)) {
                Some(Media::Rtp(packet)) => {
                    let heard = (packet.association().number(), packet.header().sequence_number());
                    peer.heard.push(heard);
                }
                Some(Media::Rtcp(_)) => peer.compounds += 1,
                Some(Media::Protected(_)) => panic!("nothing is detached"),
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

    /// Both speak every 20 ms for this long.
    pub(crate) fn talk_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.now < end {
            self.speak(Alice);
            self.speak(Bob);
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
                panic!("{what}: never within a minute\n{trace}");
            }
        }
    }
}
