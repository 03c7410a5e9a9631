//! Two connections, the datagrams between them, and a clock that the test moves.

use dtls_core::{
    Admitted, Authentication, Certificate, Config, Connection, CookieGate, Discard, Event, Failure,
    Fingerprint, GateConfig, GateVerdict, HashAlgorithm, NamedGroup, PeerPolicy, Versions,
};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

pub(crate) const LATENCY: Duration = Duration::from_millis(10);

pub(crate) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl Side {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// The network's action on a datagram.
pub(crate) enum Action {
    Deliver,
    Drop,
    Duplicate,
    Delay(Duration),
}

/// A datagram in flight.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) from: Side,
    /// Numbered from zero over both directions.
    pub(crate) index: usize,
    pub(crate) bytes: Vec<u8>,
    arrives: Instant,
}

type Network = Box<dyn FnMut(&Packet) -> Action>;

pub(crate) struct World {
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    pub(crate) client: Connection,
    pub(crate) server: Connection,
    pub(crate) client_events: Vec<Event>,
    pub(crate) server_events: Vec<Event>,
    /// Every datagram that was sent.
    pub(crate) sent: Vec<Packet>,
    flying: Vec<Packet>,
    network: Network,
    pub(crate) latency: Duration,
    /// In front of the server, which has no connection before the client is admitted.
    pub(crate) gate: Option<CookieGate>,
    pub(crate) admissions: usize,
    trace: String,
}

/// The client's address for the gate.
pub(crate) const CLIENT_ADDRESS: &[u8] = b"192.0.2.1:5000";

pub(crate) struct Identities {
    pub(crate) client: Certificate,
    pub(crate) server: Certificate,
}

/// Generated once, because the tests are not about certificates.
pub(crate) fn identities() -> &'static Identities {
    static IDENTITIES: OnceLock<Identities> = OnceLock::new();
    IDENTITIES.get_or_init(|| Identities { client: certificate(), server: certificate() })
}

pub(crate) fn certificate() -> Certificate {
    let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    Certificate::generate(today, Duration::from_secs(30 * 24 * 3600)).unwrap()
}

pub(crate) fn fingerprint(certificate: &Certificate) -> Fingerprint {
    certificate.fingerprint(HashAlgorithm::Sha256)
}

/// DTLS 1.2; tests of 1.3 and of both versions set the version.
pub(crate) fn config(own: &Certificate, peer: PeerPolicy) -> Config {
    let authentication = Authentication::Certificates { own: vec![own.clone()], peer, require_peer: true };
    Config { authentication, versions: Versions::Dtls12, ..Config::default() }
}

pub(crate) fn client_config() -> Config {
    let Identities { client, server } = identities();
    config(client, PeerPolicy::Fingerprints(vec![fingerprint(server)]))
}

pub(crate) fn server_config() -> Config {
    let Identities { client, server } = identities();
    config(server, PeerPolicy::Fingerprints(vec![fingerprint(client)]))
}

/// Without the group whose shares take one more datagram, for tests that count datagrams or name them.
pub(crate) fn without_ml_kem(config: Config) -> Config {
    let groups = config.groups.iter().copied().filter(|group| *group != NamedGroup::X25519MLKEM768);
    Config { groups: groups.collect(), ..config }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(client_config(), server_config())
    }

    pub(crate) fn with(client: impl Into<Arc<Config>>, server: impl Into<Arc<Config>>) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            now,
            client: Connection::client(now, client).unwrap(),
            server: Connection::server(now, server).unwrap(),
            client_events: Vec::new(),
            server_events: Vec::new(),
            sent: Vec::new(),
            flying: Vec::new(),
            network: Box::new(|_| Action::Deliver),
            latency: LATENCY,
            gate: None,
            admissions: 0,
            trace: String::new(),
        }
    }

    /// With a gate in front of the server.
    pub(crate) fn gated(client: impl Into<Arc<Config>>, server: impl Into<Arc<Config>>) -> Self {
        Self::gated_with(client, server, GateConfig::default())
    }

    pub(crate) fn gated_with(
        client: impl Into<Arc<Config>>,
        server: impl Into<Arc<Config>>,
        gate: GateConfig,
    ) -> Self {
        let server = server.into();
        let mut world = Self::with(client, Arc::clone(&server));
        world.gate = Some(CookieGate::new(world.now, server, gate).unwrap());
        world
    }

    pub(crate) fn network(mut self, network: impl FnMut(&Packet) -> Action + 'static) -> Self {
        self.network = Box::new(network);
        self
    }

    pub(crate) fn set_network(&mut self, network: impl FnMut(&Packet) -> Action + 'static) {
        self.network = Box::new(network);
    }

    pub(crate) fn started(self) -> Self {
        self.started_with(None)
    }

    /// With a round-trip time that ICE has measured.
    pub(crate) fn started_with(mut self, rtt: Option<Duration>) -> Self {
        self.client.start(self.now, rtt).unwrap();
        if self.gate.is_none() {
            self.server.start(self.now, rtt).unwrap();
        }
        self.collect();
        self
    }

    /// Two connected peers, without datagrams in flight.
    pub(crate) fn connected() -> Self {
        Self::connected_with(client_config(), server_config())
    }

    pub(crate) fn connected_with(client: Config, server: Config) -> Self {
        let mut world = Self::with(client, server).started();
        world.run_until(World::are_connected);
        world.settle();
        world
    }

    pub(crate) fn are_connected(&self) -> bool {
        self.client.is_connected() && self.server.is_connected()
    }

    pub(crate) fn connection(&mut self, side: Side) -> &mut Connection {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    pub(crate) fn events(&self, side: Side) -> &[Event] {
        match side {
            Side::Client => &self.client_events,
            Side::Server => &self.server_events,
        }
    }

    pub(crate) fn failure(&self, side: Side) -> Option<Failure> {
        let failures: Vec<_> = self
            .events(side)
            .iter()
            .filter_map(|event| match event {
                Event::Failed(failure) => Some(*failure),
                _ => None,
            })
            .collect();
        assert!(failures.len() <= 1, "a failure is emitted once\n{}", self.trace);
        failures.first().copied()
    }

    pub(crate) fn data(&self, side: Side) -> Vec<&[u8]> {
        let data = self.events(side).iter().filter_map(|event| match event {
            Event::Data(data) => Some(&data[..]),
            _ => None,
        });
        data.collect()
    }

    pub(crate) fn send(&mut self, from: Side, data: &[u8]) {
        let now = self.now;
        self.connection(from).send(now, data).unwrap();
        self.collect();
    }

    /// Delivers foreign bytes to a connection.
    pub(crate) fn inject(&mut self, to: Side, bytes: &[u8]) -> Admitted {
        let now = self.now;
        let admitted = self.connection(to).handle_input(now, &mut bytes.to_vec());
        self.collect();
        admitted
    }

    /// Delivers a datagram. At the server it goes to the gate first, unless a connection handles it.
    fn arrive(&mut self, to: Side, bytes: &[u8]) {
        let now = self.now;
        if to == Side::Client || self.gate.is_none() || self.admissions > 0 {
            let admitted = self.connection(to).handle_input(now, &mut bytes.to_vec());
            if to == Side::Client || admitted != Admitted::Discarded(Discard::FreshClientHello) {
                return;
            }
        }
        let Some(gate) = &mut self.gate else { return };
        let mut answer = Vec::new();
        match gate.handle_input(now, CLIENT_ADDRESS, bytes, &mut answer) {
            GateVerdict::Respond(transmit) => {
                assert_eq!(transmit.len, answer.len());
                self.launch(Side::Server, answer);
            }
            GateVerdict::Accept(admission) => {
                self.admissions += 1;
                self.server = Connection::accept(now, admission).unwrap();
            }
            GateVerdict::Wait | GateVerdict::Discard(_) => {}
        }
    }

    /// Collects the datagrams and events of both sides.
    pub(crate) fn collect(&mut self) {
        for side in [Side::Client, Side::Server] {
            let mut bytes = Vec::new();
            while let Some(transmit) = self.connection(side).poll_transmit(&mut bytes) {
                assert_eq!(transmit.len, bytes.len());
                self.launch(side, std::mem::take(&mut bytes));
            }
            while let Some(event) = self.connection(side).poll_event() {
                let _ = writeln!(self.trace, "{:>7} {side:?}: {event:?}", self.elapsed().as_millis());
                match side {
                    Side::Client => self.client_events.push(event),
                    Side::Server => self.server_events.push(event),
                }
            }
        }
    }

    fn launch(&mut self, from: Side, bytes: Vec<u8>) {
        let mut packet = Packet { from, index: self.sent.len(), bytes, arrives: self.now + self.latency };
        let fate = (self.network)(&packet);
        let fate_name = match fate {
            Action::Deliver => "",
            Action::Drop => " lost",
            Action::Duplicate => " twice",
            Action::Delay(_) => " late",
        };
        let at = self.elapsed().as_millis();
        let _ = writeln!(
            self.trace,
            "{at:>7} {from:?} #{}: {}{fate_name}",
            packet.index,
            describe(&packet.bytes)
        );
        self.sent.push(packet.clone());
        match fate {
            Action::Drop => return,
            Action::Deliver => {}
            Action::Duplicate => self.flying.push(packet.clone()),
            Action::Delay(delay) => packet.arrives += delay,
        }
        self.flying.push(packet);
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.now - self.start
    }

    /// Processes the next event. Returns `false` if there is none.
    pub(crate) fn step(&mut self) -> bool {
        let arrival = self.flying.iter().map(|packet| packet.arrives).min();
        let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
        let Some(next) = timeouts.into_iter().chain([arrival]).flatten().min() else { return false };
        self.now = self.now.max(next);
        if arrival == Some(next) {
            let position = self.flying.iter().position(|packet| packet.arrives == next).unwrap();
            let packet = self.flying.remove(position);
            self.arrive(packet.from.other(), &packet.bytes);
        } else {
            let now = self.now;
            for side in [Side::Client, Side::Server] {
                if self.connection(side).poll_timeout().is_some_and(|timeout| timeout <= now) {
                    self.connection(side).handle_timeout(now);
                    let after = self.connection(side).poll_timeout();
                    assert!(after.is_none_or(|after| after > now), "a deadline did not move\n{}", self.trace);
                }
            }
        }
        self.collect();
        true
    }

    pub(crate) fn run_until(&mut self, mut done: impl FnMut(&Self) -> bool) {
        let limit = self.now + Duration::from_secs(60);
        while !done(self) {
            assert!(self.step() && self.now < limit, "the condition was never met\n{}", self.trace);
        }
    }

    /// Delivers the datagrams in flight; timers after the last of them do not expire.
    pub(crate) fn settle(&mut self) {
        while let Some(next) = self.flying.iter().map(|packet| packet.arrives).min() {
            let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
            assert!(timeouts.into_iter().flatten().all(|timeout| timeout > next), "{}", self.trace);
            self.step();
        }
    }

    /// Advances the time and processes everything that is due.
    pub(crate) fn pass(&mut self, duration: Duration) {
        let until = self.now + duration;
        loop {
            let arrival = self.flying.iter().map(|packet| packet.arrives).min();
            let timeouts = [self.client.poll_timeout(), self.server.poll_timeout()];
            match timeouts.into_iter().chain([arrival]).flatten().min() {
                Some(next) if next <= until => assert!(self.step()),
                _ => break,
            }
        }
        self.now = until;
    }

    #[track_caller]
    pub(crate) fn assert_works(&mut self) {
        assert!(self.are_connected(), "{}", self.trace);
        for (from, text) in [(Side::Client, &b"ping"[..]), (Side::Server, b"pong")] {
            self.send(from, text);
            self.settle();
            assert_eq!(self.data(from.other()).last(), Some(&text), "{}", self.trace);
        }
        let [ours, theirs] = [&self.client, &self.server].map(|connection| {
            let mut exported = [0; 60];
            connection.export("EXTRACTOR-dtls_srtp", None, &mut exported).unwrap();
            (exported, connection.negotiated())
        });
        assert_eq!(ours, theirs, "{}", self.trace);
        assert!(self.failure(Side::Client).is_none() && self.failure(Side::Server).is_none());
    }

    pub(crate) fn trace(&self) -> &str {
        &self.trace
    }
}

/// The records of a datagram: content type, epoch, sequence number, content. Of a protected record of DTLS 1.3 only the
/// first byte and the low bits of the epoch are visible.
pub(crate) fn records(datagram: &[u8]) -> Vec<(u8, u16, u64, &[u8])> {
    let mut found = Vec::new();
    let mut rest = datagram;
    while rest.len() >= 13 {
        if rest[0] >> 5 == 1 {
            let len = usize::from(u16::from_be_bytes([rest[3], rest[4]]));
            found.push((rest[0], u16::from(rest[0] & 3), 0, &rest[5..5 + len]));
            rest = &rest[5 + len..];
            continue;
        }
        let epoch = u16::from_be_bytes([rest[3], rest[4]]);
        let sequence = rest[5..11].iter().fold(0, |sequence, byte| sequence << 8 | u64::from(*byte));
        let len = usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        found.push((rest[0], epoch, sequence, &rest[13..13 + len]));
        rest = &rest[13 + len..];
    }
    found
}

/// The plaintext handshake messages of a datagram, or fragments of them, with their headers.
pub(crate) fn messages(datagram: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    for (_, _, _, mut content) in
        records(datagram).into_iter().filter(|record| (record.0, record.1) == (22, 0))
    {
        while let [_, _, _, _, _, _, _, _, _, a, b, c, ..] = *content {
            let (message, rest) =
                content.split_at(12 + usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap());
            found.push(message);
            content = rest;
        }
    }
    found
}

/// The types of the plaintext handshake messages in a datagram.
pub(crate) fn message_types(datagram: &[u8]) -> Vec<u8> {
    messages(datagram).into_iter().map(|message| message[0]).collect()
}

fn describe(datagram: &[u8]) -> String {
    let mut text = format!("{} bytes", datagram.len());
    for (kind, epoch, sequence, content) in records(datagram) {
        let _ = match (kind, epoch) {
            (32..=63, _) => write!(text, " [{epoch}.? {} bytes]", content.len()),
            (22, 0) => write!(text, " [{epoch}.{sequence} handshake {} seq {}]", content[0], content[5]),
            _ => write!(text, " [{epoch}.{sequence} type {kind}]"),
        };
    }
    text
}

/// Returns a plaintext record with this content.
pub(crate) fn plaintext_record(content_type: u8, sequence: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut record = vec![content_type, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, sequence, len[0], len[1]];
    record.extend_from_slice(content);
    record
}

/// Returns a plaintext record with a handshake message or a fragment of it.
pub(crate) fn fragment_record(
    kind: u8,
    sequence: u8,
    message: &[u8],
    range: std::ops::Range<usize>,
) -> Vec<u8> {
    let u24 = |number: usize| {
        let [.., a, b, c] = number.to_be_bytes();
        [a, b, c]
    };
    let mut content = vec![kind];
    content.extend(u24(message.len()));
    content.extend([0, sequence]);
    content.extend(u24(range.start));
    content.extend(u24(range.len()));
    content.extend(&message[range]);
    plaintext_record(22, sequence, &content)
}

pub(crate) fn message_record(kind: u8, sequence: u8, message: &[u8]) -> Vec<u8> {
    fragment_record(kind, sequence, message, 0..message.len())
}

/// A small generator for decisions of the network; the trace prints its seed.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    pub(crate) fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}
