//! A network without loss or delay, with endpoints. Time advances from deadline to deadline.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{
    Candidate, Certificate, Config, Datagram, DescriptionKind, Endpoint, EndpointConfig, Event, Path, PeerId,
    Seed, State, Transmit,
};

/// The index of an endpoint in the [`Network`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(usize);

pub(crate) struct Network {
    start: Instant,
    now: Instant,
    seed: u8,
    sites: Vec<Site>,
    trace: Vec<String>,
}

struct Site {
    address: SocketAddr,
    endpoint: Endpoint,
    events: Vec<(PeerId, Event)>,
    received: Vec<Received>,
}

/// Received media.
pub(crate) struct Received {
    pub(crate) peer: PeerId,
    pub(crate) bytes: Vec<u8>,
}

/// One certificate for all tests, because generating it takes longer than a test.
pub(crate) fn certificate() -> Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    let month = Duration::from_secs(30 * 24 * 3600);
    CERTIFICATE.get_or_init(|| Certificate::generate(SystemTime::now(), month).unwrap()).clone()
}

/// An RTP header: version 2, payload type 96, timestamp 0.
pub(crate) fn rtp_header(sequence_number: u16, ssrc: u32) -> [u8; 12] {
    let ([s0, s1], [a, b, c, d]) = (sequence_number.to_be_bytes(), ssrc.to_be_bytes());
    [0x80, 96, s0, s1, 0, 0, 0, 0, a, b, c, d]
}

impl Network {
    pub(crate) fn new(seed: u8) -> Self {
        let now = Instant::now();
        Self { start: now, now, seed, sites: Vec::new(), trace: Vec::new() }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Adds an endpoint at an address.
    pub(crate) fn node(&mut self, address: &str) -> Node {
        let mut seed = [self.seed; 32];
        seed[0] = u8::try_from(self.sites.len()).unwrap();
        let endpoint = Endpoint::new(self.now, EndpointConfig::default(), Seed::new(seed));
        let address = address.parse().unwrap();
        self.sites.push(Site { address, endpoint, events: Vec::new(), received: Vec::new() });
        Node(self.sites.len() - 1)
    }

    pub(crate) fn endpoint(&mut self, node: Node) -> &mut Endpoint {
        &mut self.sites[node.0].endpoint
    }

    pub(crate) fn events(&self, node: Node) -> &[(PeerId, Event)] {
        &self.sites[node.0].events
    }

    pub(crate) fn received(&self, node: Node) -> &[Received] {
        &self.sites[node.0].received
    }

    /// Adds a peer with a host candidate.
    pub(crate) fn add_peer(&mut self, node: Node) -> PeerId {
        let Site { address, endpoint, .. } = &mut self.sites[node.0];
        let id = endpoint.add_peer(self.now, Config::default(), vec![certificate()]).unwrap();
        let mut peer = endpoint.peer_mut(id).unwrap();
        peer.add_local_candidate(self.now, Candidate::host(*address).unwrap()).unwrap();
        peer.end_of_local_candidates(self.now);
        id
    }

    /// Adds two peers and exchanges offer, answer and candidates. Sends nothing yet.
    pub(crate) fn introduce(&mut self, one: Node, other: Node) -> (PeerId, PeerId) {
        let (offerer, answerer) = (self.add_peer(one), self.add_peer(other));
        let offer = self.endpoint(one).peer(offerer).unwrap().local_parameters();
        self.set_remote(other, answerer, DescriptionKind::Offer, offer, one);
        let answer = self.endpoint(other).peer(answerer).unwrap().local_parameters();
        self.set_remote(one, offerer, DescriptionKind::Answer, answer, other);
        (offerer, answerer)
    }

    fn set_remote(
        &mut self,
        node: Node,
        id: PeerId,
        kind: DescriptionKind,
        parameters: peer_transport::Parameters,
        from: Node,
    ) {
        let now = self.now;
        self.endpoint(node).peer_mut(id).unwrap().set_remote_parameters(now, kind, parameters).unwrap();
        self.offer_candidates(node, id, from);
    }

    /// Adds the other node's host candidate to a peer.
    pub(crate) fn offer_candidates(&mut self, node: Node, id: PeerId, from: Node) {
        let (now, address) = (self.now, self.sites[from.0].address);
        let mut peer = self.endpoint(node).peer_mut(id).unwrap();
        peer.add_remote_candidate(now, Candidate::host(address).unwrap(), None).unwrap();
        peer.end_of_remote_candidates(now, None);
    }

    /// Introduces two peers and runs until both are connected.
    pub(crate) fn connect(&mut self, one: Node, other: Node) -> (PeerId, PeerId) {
        let (offerer, answerer) = self.introduce(one, other);
        let states = |network: &mut Self| {
            [(one, offerer), (other, answerer)]
                .map(|(node, id)| network.endpoint(node).peer(id).unwrap().state())
        };
        for _ in 0..100 {
            self.run(Duration::from_millis(100));
            if states(self) == [State::Connected; 2] {
                return (offerer, answerer);
            }
        }
        panic!("{:?} after 10 s\n{}", states(self), self.trace());
    }

    /// Runs the network for this time.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        loop {
            self.deliver();
            let next = self.sites.iter().filter_map(|site| site.endpoint.poll_timeout()).min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            for site in &mut self.sites {
                site.endpoint.handle_timeout(self.now);
            }
        }
        self.now = end;
        for site in &mut self.sites {
            site.events.extend(std::iter::from_fn(|| site.endpoint.poll_event()));
        }
    }

    /// Delivers datagrams until none is left.
    fn deliver(&mut self) {
        let mut wire = VecDeque::new();
        for _ in 0..100_000 {
            for site in &mut self.sites {
                let mut buffer = Vec::new();
                while let Some(transmit) = site.endpoint.poll_transmit(&mut buffer) {
                    wire.push_back((transmit.path, std::mem::take(&mut buffer)));
                }
            }
            let Some((path, mut datagram)) = wire.pop_front() else { return };
            self.carry(path, &mut datagram);
        }
        panic!("the peers still send datagrams\n{}", self.trace());
    }

    fn carry(&mut self, path: Path, datagram: &mut [u8]) {
        let class = peer_transport::classify(datagram);
        let at = self.now.duration_since(self.start);
        self.trace.push(format!("{at:>12.3?} {path} {class:?} {} bytes", datagram.len()));
        let back = Path::new(path.remote(), path.local(), path.protocol());
        let Some(site) = self.sites.iter_mut().find(|site| site.address == back.local()) else { return };
        if let Some((peer, media)) = site.endpoint.handle_input(self.now, Datagram::new(back, datagram)) {
            site.received.push(Received { peer, bytes: media.bytes().to_vec() });
        }
    }

    pub(crate) fn send_rtp(&mut self, from: Node, to: PeerId, header: &[u8], payload: &[u8]) {
        let (now, mut out) = (self.now, Vec::new());
        let sent = self.endpoint(from).send_rtp(now, to, header, payload, &mut out).unwrap();
        self.carry(sent.path, &mut out);
    }

    pub(crate) fn send_rtcp(&mut self, from: Node, to: PeerId, compound: &[u8]) {
        let (now, mut out) = (self.now, Vec::new());
        let sent = self.endpoint(from).send_rtcp(now, to, compound, &mut out).unwrap();
        self.carry(sent.path, &mut out);
    }

    /// Returns the node's first datagram without delivering it.
    pub(crate) fn first_datagram(&mut self, node: Node) -> (Transmit, Vec<u8>) {
        let mut buffer = Vec::new();
        loop {
            if let Some(transmit) = self.endpoint(node).poll_transmit(&mut buffer) {
                return (transmit, buffer);
            }
            self.now = self.endpoint(node).poll_timeout().unwrap().max(self.now);
            let now = self.now;
            self.endpoint(node).handle_timeout(now);
        }
    }

    /// The datagrams so far, for failure messages.
    pub(crate) fn trace(&self) -> String {
        self.trace.iter().fold(format!("seed {}\n", self.seed), |mut text, line| {
            let _ = writeln!(text, "{line}");
            text
        })
    }
}
