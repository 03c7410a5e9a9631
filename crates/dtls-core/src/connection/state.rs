//! The states of a connection. Each state owns its data, so that the memory of the handshake is freed with it.

use super::machine::Machine;
use crate::alert::AlertDescription;
use crate::config::{Config, DtlsRole};
use crate::cookie_gate::Retried;
use crate::crypto::backend::rand::SystemRandom;
use crate::dtls12::{client, server};
use crate::dtls13;
use crate::dtls13::ack::Received;
use crate::error::Error;
use crate::established::Established;
use crate::failure::Failure;
use crate::handshake::early::EarlyRecords;
use crate::handshake::reassembly::Reassembly;
use crate::handshake::{Fragment, HandshakeType, Message, Outgoing};
use crate::link::Link;
use crate::message::Random;
use crate::peek::hello_random;
use crate::record::RecordNumber;
use crate::record::epoch::Epoch;
use crate::timer::Timer;
use std::time::Instant;

pub(super) enum State {
    /// A client before its start.
    Idle {
        local_random: Random,
    },
    Handshaking(Box<Handshaking>),
    Connected(Established),
    /// After a close_notify of either side.
    Closed,
    Failed,
}

impl State {
    /// Returns the established connection, or the error of a command that needs one.
    pub(super) const fn established_mut(&mut self) -> Result<&mut Established, Error> {
        match self {
            Self::Connected(established) => Ok(established),
            Self::Idle { .. } | Self::Handshaking(_) => Err(Error::NotConnected),
            Self::Closed | Self::Failed => Err(Error::Closed),
        }
    }

    pub(super) const fn has_ended(&self) -> bool {
        matches!(self, Self::Closed | Self::Failed)
    }

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

/// A handshake in progress.
pub(super) struct Handshaking {
    pub(super) local_random: Random,
    pub(super) remote_random: Option<Random>,
    pub(super) machine: Machine,
    pub(super) outgoing: Outgoing,
    pub(super) reassembly: Reassembly,
    /// The ClientHello of this attempt, if it arrived in fragments: a fragment without the random is matched by its
    /// bytes.
    pub(super) hello: Vec<u8>,
    /// A ClientHello that may replace that of this attempt.
    pub(super) replacement: Reassembly,
    pub(super) early: EarlyRecords,
    /// DTLS 1.3: the received records of the peer's current flight.
    pub(super) received: Received,
    /// An unauthenticated fatal alert.
    pub(super) pending_alert: Option<AlertDescription>,
    /// When this attempt replaced another one.
    pub(super) replaced_at: Option<Instant>,
    pub(super) fresh_hello: FreshHello,
}

/// The effect of another ClientHello before the client is authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FreshHello {
    /// It replaces the attempt, because the first one may have been forged.
    ReplacesAttempt,
    /// It goes to the gate: the first one had a cookie, and so must the next.
    IsForTheGate,
}

impl Handshaking {
    pub(super) fn server(local_random: Random, config: &Config) -> Self {
        let machine = if config.allows_dtls13() {
            Machine::Server13(dtls13::server::State::AwaitClientHello(
                dtls13::server::AwaitClientHello::First,
            ))
        } else {
            Machine::Server(server::State::AwaitClientHello(server::AwaitClientHello))
        };
        Self::new(local_random, machine, Outgoing::new())
    }

    /// Returns the state for a ClientHello that a gate has admitted.
    pub(super) fn admitted(
        local_random: Random,
        config: &Config,
        sequence: u16,
        retried: Option<Retried>,
    ) -> Self {
        let mut handshaking = Self {
            outgoing: Outgoing::continued(sequence),
            reassembly: Reassembly::continued(sequence),
            fresh_hello: FreshHello::IsForTheGate,
            ..Self::server(local_random, config)
        };
        if let Some(Retried { suite, group, client_random, hello_hash, request }) = retried {
            handshaking.remote_random = Some(client_random);
            let transcript = &mut handshaking.outgoing.transcript;
            transcript.begin_with_hash(&hello_hash);
            let kind = HandshakeType::SERVER_HELLO;
            transcript.receive(&Message { kind, sequence, body: &request, protected: false });
            let state = dtls13::server::AwaitClientHello::Retried { group, suite: suite.suite };
            handshaking.machine = Machine::Server13(dtls13::server::State::AwaitClientHello(state));
        }
        handshaking
    }

    pub(super) fn client(
        local_random: Random,
        config: &Config,
        random: &SystemRandom,
    ) -> Result<Self, Failure> {
        let mut outgoing = Outgoing::new();
        let machine = if config.allows_dtls13() {
            let begun =
                dtls13::client::AwaitServerHello::begin(config, &local_random, random, &mut outgoing)?;
            Machine::Client13(dtls13::client::State::AwaitServerHello(begun))
        } else {
            let begun = client::AwaitServerHello::begin(config, &local_random, &mut outgoing);
            Machine::Client(client::State::AwaitServerHello(begun))
        };
        Ok(Self::new(local_random, machine, outgoing))
    }

    fn new(local_random: Random, machine: Machine, outgoing: Outgoing) -> Self {
        Self {
            local_random,
            remote_random: None,
            machine,
            outgoing,
            reassembly: Reassembly::default(),
            hello: Vec::new(),
            replacement: Reassembly::default(),
            early: EarlyRecords::default(),
            received: Received::default(),
            pending_alert: None,
            replaced_at: None,
            fresh_hello: FreshHello::ReplacesAttempt,
        }
    }
}

impl Handshaking {
    /// Returns whether a fragment belongs to another ClientHello than that of this attempt.
    pub(super) fn is_of_another_hello(&self, fragment: &Fragment<'_>) -> bool {
        let known = self.hello.get(fragment.offset..fragment.offset.saturating_add(fragment.body.len()));
        let is_piece = fragment.length == self.hello.len() && known == Some(fragment.body);
        !is_piece && hello_random(fragment) != self.remote_random
    }
}

// Acknowledgements of DTLS 1.3.
impl Handshaking {
    /// Records that a handshake record of the peer was used.
    pub(super) fn on_record_used(&mut self, number: RecordNumber) {
        if self.machine.tracks_records() {
            self.received.note(number);
        }
    }

    /// Sends an ACK if a message is missing, or schedules one.
    pub(super) fn schedule_ack(&mut self, link: &mut Link) {
        if !self.received.ack_pending() || !self.machine.is_dtls13_protected() {
            return;
        }
        if self.reassembly.is_disrupted() {
            self.send_ack(link);
        } else {
            let delay = link.config.retransmit.ack_delay.unwrap_or(link.rto / 4);
            link.timers.set_no_later(Timer::Acknowledge, link.now, delay);
        }
    }

    /// Sends an ACK, unless the queue is full: the peer retransmits, so the ACK can be sent later.
    pub(super) fn send_ack(&mut self, link: &mut Link) {
        link.timers.stop(Timer::Acknowledge);
        self.schedule_ack_retransmission(link);
        if !link.is_outbox_full() && self.received.send(Epoch::Handshake, link) {
            link.on_flight_released(&mut self.outgoing.flight);
        }
    }

    /// A client that has received the beginning of the server's flight has no flight of its own to retransmit. It
    /// retransmits its ACK instead, on the schedule of a flight: a server may have to wait for it before it can send
    /// more (RFC 9147 section 5.1), and an ACK can be lost. While the application decides, the handshake waits for the
    /// application and not for the server.
    pub(super) fn schedule_ack_retransmission(&self, link: &mut Link) {
        if link.role == DtlsRole::Client && !self.received.is_empty() && !self.machine.awaits_answer() {
            link.timers.set(Timer::Acknowledge, link.now, link.timeout(self.received.times_sent() + 1));
        }
    }
}
