//! Two peers, a signalling channel with delay, and an RTP stream in each direction.
//!
//! Counts the packets that the network delivered and the packets that the peers handed to their applications; the
//! difference is our own loss.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use dtls_core::Versions;
use peer_transport::{
    Config, DescriptionKind, DtlsRestart, Event, RestartCertificates, RestartOptions, RestartOutcome, Role,
    SendError, State,
};
use sim::{Class, Link, NodeId, Rng, Violation, World};

use crate::identity::certificate;
use crate::peer_node::{Output, PeerNode};

/// The signalling delay of an offer or an answer.
const SIGNALLING: Duration = Duration::from_millis(40);
/// The interval between two packets of a stream.
const PACKET_INTERVAL: Duration = Duration::from_millis(20);
/// Longer than the timeouts: an ICE generation fails after 39.5 s and a handshake after 30 s.
pub const TIMEOUT: Duration = Duration::from_secs(75);

/// One of the two peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that offers first.
    Left,
    /// The one that answers first.
    Right,
}

impl Side {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::Left, Self::Right];

    /// The other side.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }
}

/// The initial setting of a call.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The seed of every random decision.
    pub seed: u64,
    /// The link of both directions.
    pub link: Link,
    /// The configurations of the left and the right peer.
    pub configs: [Config; 2],
    /// Whether signalling carries the tls-ids, which browsers do not send.
    pub tls_ids: bool,
}

impl Setting {
    /// A link of 25 to 35 ms with this loss, and peers with the default configuration.
    #[must_use]
    pub fn new(seed: u64, loss: f64) -> Self {
        let link = Link::new().delay(Duration::from_millis(25)).jitter(Duration::from_millis(10)).loss(loss);
        Self { seed, link, configs: [Config::default(), Config::default()], tls_ids: true }
    }

    /// The seed also chooses the DTLS roles and the versions of each side.
    #[must_use]
    pub fn by_seed(mut self) -> Self {
        let mut rng = Rng::labelled(self.seed, "setting");
        if rng.chance(0.5) {
            self.configs[0].dtls_role = Role::Client;
        }
        for config in &mut self.configs {
            config.dtls_versions = if rng.chance(0.7) { Versions::Auto } else { Versions::Dtls12 };
        }
        self
    }

    /// Both sides speak these versions.
    #[must_use]
    pub fn with_versions(mut self, versions: Versions) -> Self {
        for config in &mut self.configs {
            config.dtls_versions = versions;
        }
        self
    }
}

/// Two peers on a network, as the module describes.
pub struct Call {
    /// The network, for operations that this type does not offer.
    pub world: World<PeerNode>,
    /// The errors with which each side refused to send.
    pub refused: [Vec<SendError>; 2],
    ids: [NodeId; 2],
    tls_ids: bool,
    streaming: bool,
}

/// Packets lost other than by the link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Packets that the network delivered and the peer did not hand to its application.
    pub lost_beyond_link: u64,
    /// Packets handed to an application.
    pub received: u64,
    /// Packets that the peer refused to send.
    pub refused: u64,
}

/// The socket addresses of the two peers where there is no NAT.
#[must_use]
pub fn address(side: Side) -> SocketAddr {
    sim::contract::ADDRESSES[side.index()]
}

impl Call {
    /// Two peers that have not exchanged anything.
    #[must_use]
    pub fn new(setting: Setting) -> Self {
        let mut world = World::new(setting.seed).with_link(setting.link);
        let mut rng = Rng::labelled(setting.seed, "call");
        let now = world.now();
        let [left, right] = setting.configs;
        let mut peer = |config, side: Side| {
            PeerNode::new(now, config, certificate(side.index()), &[address(side)], &mut rng)
        };
        let (left, right) = (peer(left, Side::Left), peer(right, Side::Right));
        let ids =
            [world.add("left", address(Side::Left), left), world.add("right", address(Side::Right), right)];
        Self::of(world, ids, setting.tls_ids)
    }

    /// Two peers of an existing world.
    #[must_use]
    pub const fn of(world: World<PeerNode>, ids: [NodeId; 2], tls_ids: bool) -> Self {
        Self { world, refused: [Vec::new(), Vec::new()], ids, tls_ids, streaming: false }
    }

    /// The node of this side.
    #[must_use]
    pub const fn id(&self, side: Side) -> NodeId {
        self.ids[side.index()]
    }

    /// The peer of this side.
    #[must_use]
    pub fn peer(&self, side: Side) -> &PeerNode {
        self.world.node(self.id(side))
    }

    /// Exchanges an offer from `side` and its answer.
    ///
    /// # Errors
    ///
    ///
    /// A peer refuses the description, or breaks the contract.
    pub fn negotiate(&mut self, side: Side) -> Result<(), String> {
        self.signal(side, DescriptionKind::Offer)?;
        self.signal(side.other(), DescriptionKind::Answer)
    }

    /// Carries the description of `from` to the other side, while the streams continue.
    ///
    /// # Errors
    /// As [`negotiate`](Self::negotiate).
    pub fn signal(&mut self, from: Side, kind: DescriptionKind) -> Result<(), String> {
        let mut description = self.peer(from).description();
        if !self.tls_ids {
            description.0.tls_id = None;
        }
        self.pass(SIGNALLING)?;
        let accepted =
            self.world.act(self.id(from.other()), |peer, now| peer.set_remote(now, kind, description));
        accepted.map_err(|error| self.fail(format!("{:?} refuses an {kind:?}: {error}", from.other())))
    }

    /// Connects both sides, with an offer by the left one.
    ///
    /// # Errors
    ///
    ///
    /// That takes longer than [`TIMEOUT`].
    pub fn connect(&mut self) -> Result<Duration, String> {
        self.negotiate(Side::Left)?;
        self.wait("both connected", |call| Side::BOTH.iter().all(|side| call.is_connected(*side)))
    }

    /// Whether this side is connected and has SRTP keys.
    #[must_use]
    pub fn is_connected(&self, side: Side) -> bool {
        let transport = &self.peer(side).transport;
        transport.state() == State::Connected && transport.association().is_some()
    }

    /// A restart by `side`: negotiates it and waits for the outcome on both sides.
    ///
    /// # Errors
    ///
    ///
    /// A peer refuses, or an outcome is missing after [`TIMEOUT`].
    pub fn restart(&mut self, side: Side, options: RestartOptions) -> Result<[RestartOutcome; 2], String> {
        let seen = Side::BOTH.map(|side| self.events(side).count());
        self.world.note(format!("{side:?} restarts"));
        let restarted = self.world.act(self.id(side), |peer, now| peer.transport.restart(now, options));
        restarted.map_err(|error| self.fail(format!("{side:?} cannot restart: {error}")))?;
        self.negotiate(side)?;
        self.outcomes(seen)
    }

    /// Waits for the outcome of a restart on both sides, among the events after the first `seen` of each.
    ///
    /// # Errors
    ///
    ///
    /// An outcome is missing after [`TIMEOUT`], or a restart failed.
    pub fn outcomes(&mut self, seen: [usize; 2]) -> Result<[RestartOutcome; 2], String> {
        let outcome = |call: &Self, side: Side| {
            call.events(side).skip(seen[side.index()]).find_map(|(_, event)| match event {
                Event::RestartCompleted { outcome, .. } => Some(Ok(*outcome)),
                Event::RestartFailed { failure, .. } | Event::Failed(failure) => Some(Err(*failure)),
                _ => None,
            })
        };
        self.wait("both restarts over", |call| Side::BOTH.iter().all(|side| outcome(call, *side).is_some()))?;
        let mut outcomes = Vec::new();
        for side in Side::BOTH {
            match outcome(self, side) {
                Some(Ok(outcome)) => outcomes.push(outcome),
                Some(Err(failure)) => return Err(self.fail(format!("{side:?} failed: {failure}"))),
                None => return Err(self.fail("an outcome came and went")),
            }
        }
        Ok([outcomes[0], outcomes[1]])
    }

    /// Starts or stops the streams: both sides send a packet every 20 ms.
    pub const fn stream(&mut self, on: bool) {
        self.streaming = on;
    }

    /// Lets time pass, with streams if they are on.
    ///
    /// # Errors
    ///
    ///
    /// A peer breaks the contract.
    pub fn pass(&mut self, duration: Duration) -> Result<(), String> {
        let end = self.world.elapsed() + duration;
        self.run(end, |_| false).map(drop)
    }

    /// Lets time pass until `done`.
    ///
    /// # Errors
    ///
    ///
    /// That takes longer than [`TIMEOUT`].
    pub fn wait(&mut self, what: &str, done: impl FnMut(&Self) -> bool) -> Result<Duration, String> {
        let start = self.world.elapsed();
        if self.run(start + TIMEOUT, done)? {
            Ok(self.world.elapsed().saturating_sub(start))
        } else {
            Err(self.fail(format!("not within {TIMEOUT:?}: {what}")))
        }
    }

    fn run(&mut self, end: Duration, mut done: impl FnMut(&Self) -> bool) -> Result<bool, String> {
        loop {
            if done(self) {
                return Ok(true);
            }
            let left = end.saturating_sub(self.world.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            let step = left.min(PACKET_INTERVAL);
            self.world.try_run_until(step, |_| false).map_err(|Violation(what)| self.fail(what))?;
            if self.streaming && step == PACKET_INTERVAL {
                for side in Side::BOTH {
                    self.send_one(side);
                }
            }
        }
    }

    /// Sends one packet of a side's stream.
    pub fn send_one(&mut self, side: Side) {
        let sent = self.world.act(self.id(side), PeerNode::send_rtp);
        if let Err(error) = sent {
            self.refused[side.index()].push(error);
        }
    }

    /// Stops the streams and waits until the network is idle.
    ///
    /// # Errors
    ///
    ///
    /// A peer breaks the contract.
    pub fn settle(&mut self) -> Result<(), String> {
        self.streaming = false;
        self.pass(Duration::from_secs(2))
    }

    /// The counts of both directions; exact once the call is [settled](Self::settle).
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for side in Side::BOTH {
            let delivered = self.world.tally_of(self.id(side), Class::Rtp).delivered;
            let received = self.packets(side.other());
            ledger.lost_beyond_link += delivered.saturating_sub(received);
            ledger.received += received;
            ledger.refused += u64::try_from(self.refused[side.index()].len()).unwrap_or(u64::MAX);
        }
        ledger
    }

    /// The events of this side, with the time of each.
    pub fn events(&self, side: Side) -> impl Iterator<Item = (Duration, &Event)> {
        self.world.outputs(self.id(side)).iter().filter_map(|(at, output)| match output {
            Output::Event(event) => Some((*at, event)),
            Output::Rtp { .. } | Output::Rtcp { .. } => None,
        })
    }

    /// How many different packets of the other side's stream a side has received.
    #[must_use]
    pub fn packets(&self, side: Side) -> u64 {
        let outputs = self.world.outputs(self.id(side)).iter();
        let mut numbers: Vec<u32> = outputs
            .filter_map(|(_, output)| match output {
                Output::Rtp { number, .. } => Some(*number),
                Output::Event(_) | Output::Rtcp { .. } => None,
            })
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        u64::try_from(numbers.len()).unwrap_or(u64::MAX)
    }

    /// The keying material from which a side would derive its SRTP keys.
    #[must_use]
    pub fn keys(&self, side: Side) -> Option<[u8; 32]> {
        let mut exported = [0; 32];
        let export = self.peer(side).transport.export("EXTRACTOR-dtls_srtp", None, &mut exported);
        export.is_ok().then_some(exported)
    }

    /// The error of a scenario: what failed, and the trace.
    #[must_use]
    pub fn fail(&self, what: impl Display) -> String {
        format!("seed {}, at {:?}: {what}\n{}", self.world.seed(), self.world.elapsed(), self.world.trace())
    }

    /// Returns an error unless `holds`.
    ///
    /// # Errors
    ///
    ///
    /// [`fail`](Self::fail), unless `holds`.
    pub fn check(&self, holds: bool, what: impl Display) -> Result<(), String> {
        if holds { Ok(()) } else { Err(self.fail(what)) }
    }
}

/// The options of a restart that keeps the certificate, or that changes to another one of the pool.
#[must_use]
pub fn restart_options(rotate_to: Option<usize>) -> RestartOptions {
    RestartOptions {
        certificates: rotate_to.map_or(RestartCertificates::Keep, |number| {
            RestartCertificates::Rotate(vec![certificate(number)])
        }),
        role: Role::Auto,
        dtls: DtlsRestart::Always,
    }
}
