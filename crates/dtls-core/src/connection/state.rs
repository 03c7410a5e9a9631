//! Where a connection stands in its life. Each stage owns what only it needs, so that the handshake's memory
//! goes with the handshake.

use crate::alert::AlertDescription;
use crate::config::{Config, DtlsRole};
use crate::discard::Discard;
use crate::dtls12::connected::Connected;
use crate::dtls12::{Answer, Answered, Context, Step, client, server};
use crate::handshake::early::EarlyRecords;
use crate::handshake::flight::Flight;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::{Message, Outgoing};
use crate::message::Random;
use std::time::Instant;

pub(super) enum State {
    /// A client before its start.
    Idle {
        local_random: Random,
    },
    Handshaking(Box<Handshaking>),
    Connected(Established),
    /// By a close_notify of either side.
    Closed,
    Failed,
}

impl State {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Idle { .. } => "Idle",
            Self::Handshaking(_) => "Handshaking",
            Self::Connected(_) => "Connected",
            Self::Closed => "Closed",
            Self::Failed => "Failed",
        }
    }
}

/// A handshake under way.
pub(super) struct Handshaking {
    pub(super) local_random: Random,
    pub(super) remote_random: Option<Random>,
    pub(super) machine: Machine,
    pub(super) outgoing: Outgoing,
    pub(super) reassembly: Reassembly,
    /// A ClientHello that may replace the one which this attempt answers.
    pub(super) replacement: Reassembly,
    pub(super) early: EarlyRecords,
    /// A fatal alert that nobody authenticated.
    pub(super) alert_hint: Option<AlertDescription>,
    /// When this attempt took the place of another.
    pub(super) replaced_at: Option<Instant>,
}

impl Handshaking {
    pub(super) fn server(local_random: Random) -> Self {
        let machine = Machine::Server(server::State::AwaitClientHello(server::AwaitClientHello));
        Self::new(local_random, machine, Outgoing::new())
    }

    pub(super) fn client(local_random: Random, config: &Config) -> Self {
        let mut outgoing = Outgoing::new();
        let begun = client::AwaitServerHello::begin(config, &local_random, &mut outgoing);
        let machine = Machine::Client(client::State::AwaitServerHello(begun));
        Self::new(local_random, machine, outgoing)
    }

    fn new(local_random: Random, machine: Machine, outgoing: Outgoing) -> Self {
        Self {
            local_random,
            remote_random: None,
            machine,
            outgoing,
            reassembly: Reassembly::default(),
            replacement: Reassembly::default(),
            early: EarlyRecords::default(),
            alert_hint: None,
            replaced_at: None,
        }
    }
}

/// The state machine of the role.
pub(super) enum Machine {
    Client(client::State),
    Server(server::State),
    /// While a message is being handled, and after one that ended the handshake.
    Moved,
}

impl Machine {
    pub(super) fn handle(self, message: &Message<'_>, cx: &mut Context<'_>) -> Step<Self> {
        match self {
            Self::Client(state) => state.handle(message, cx).map(Self::Client),
            Self::Server(state) => state.handle(message, cx).map(Self::Server),
            Self::Moved => Step::Stay(Self::Moved, Discard::UnexpectedMessage),
        }
    }

    pub(super) fn on_answer(self, answer: Answer, cx: &mut Context<'_>) -> Answered<Self> {
        match self {
            Self::Client(state) => state.on_answer(answer, cx).map(Self::Client),
            Self::Server(state) => state.on_answer(answer, cx).map(Self::Server),
            Self::Moved => Answered::NotAsked(Self::Moved),
        }
    }

    /// Whether the application was asked something, so that messages wait.
    pub(super) const fn awaits_answer(&self) -> bool {
        match self {
            Self::Client(state) => state.awaits_answer(),
            Self::Server(state) => state.awaits_answer(),
            Self::Moved => false,
        }
    }

    /// Whether another ClientHello may take this attempt's place.
    pub(super) const fn is_replaceable(&self) -> bool {
        matches!(self, Self::Server(state) if state.is_replaceable())
    }

    /// Whether what we send next is protected.
    pub(super) const fn has_finished(&self) -> bool {
        matches!(self, Self::Client(state) if state.has_finished())
    }
}

/// After the handshake.
pub(super) struct Established {
    pub(super) connected: Box<Connected>,
    pub(super) final_flight: FinalFlight,
    pub(super) wear_announced: bool,
    /// When the layer above was told of a fresh ClientHello last.
    pub(super) fresh_hello_at: Option<Instant>,
}

/// The last flight of the handshake, which the peer may have missed.
pub(super) enum FinalFlight {
    /// The peer sent the last flight, so there is nothing that it could miss.
    ByPeer,
    Kept(Box<Flight>),
    Released,
}

pub(super) struct Randoms {
    pub(super) local: Random,
    pub(super) remote: Random,
}

impl Established {
    pub(super) fn new(connected: Box<Connected>, final_flight: FinalFlight) -> Self {
        Self { connected, final_flight, wear_announced: false, fresh_hello_at: None }
    }

    pub(super) fn randoms(&self, role: DtlsRole) -> Randoms {
        let selected = self.connected.master().selected();
        let (client, server) = (selected.client_random, selected.server_random);
        match role {
            DtlsRole::Client => Randoms { local: client, remote: server },
            DtlsRole::Server => Randoms { local: server, remote: client },
        }
    }
}
