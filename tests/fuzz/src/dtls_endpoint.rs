//! One connection with the setup of the DTLS targets, and its user.
//!
//! In every state it connects at most once, ends at most once, sends nothing after the end, delivers no data twice, and
//! answers one input with at most one flight.

use std::{collections::BTreeSet, time::Instant};

use dtls_core::{
    Admitted, CertificateVerdict, Connection, DtlsRole, Event, KeyLogLine, PathValidation, ProtocolVersion,
    Psk,
};

use crate::{
    dtls_forgery,
    dtls_setup::{CLIENT, Credentials, SERVER, Setup},
    input::Input,
    network::Side,
};

/// The largest answer to one input, in datagrams: a flight of some kilobytes at the smallest MTU, an ACK and an alert.
const MAX_ANSWER: u64 = 40;

impl Setup {
    /// Both sides, started.
    pub(crate) fn set(self, now: Instant) -> [Endpoint; 2] {
        [CLIENT, SERVER].map(|side| {
            let mut endpoint = Endpoint::new(now, self, side);
            endpoint.connection.start(now, self.round_trip()).expect("not started before");
            endpoint
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HalfClosed {
    Ours,
    Peers,
}

/// One connection and its user.
pub(crate) struct Endpoint {
    pub(crate) connection: Connection,
    setup: Setup,
    side: usize,
    now: Instant,
    mtu: usize,
    /// The bytes that may still be sent while the path is not validated.
    credit: Option<usize>,
    pub(crate) connected: Option<ProtocolVersion>,
    /// `Failed` or `Closed`, which occur at most once.
    pub(crate) ended: Option<Event>,
    pub(crate) closed_by_us: bool,
    /// The direction that was closed alone.
    half_closed: Option<HalfClosed>,
    pub(crate) commands: Commands,
    /// Whether the handshake state that a retransmitted flight could need is released.
    is_released: bool,
    answers: Answers,
    /// How many messages were sent; each is unique.
    sent: u32,
    /// The peer's messages that arrived.
    pub(crate) received: BTreeSet<u32>,
    pub(crate) secrets: Vec<KeyLogLine>,
    /// The randoms of client and server, once both are known.
    pub(crate) randoms: Option<[[u8; 32]; 2]>,
}

/// The actions that the script may take in addition to tampering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Commands {
    /// Commands of every kind.
    All,
    /// Commands, but neither side closes.
    NoClose,
    /// Commands, and authentic records that the peer has not sent.
    WithForgedRecords,
}

/// When the user answers the connection's requests.
enum Answers {
    AtOnce,
    /// On command: the latest request.
    Later(Option<Event>),
}

impl Endpoint {
    fn new(now: Instant, setup: Setup, side: usize) -> Self {
        let config = setup.config(side);
        let connection = match side {
            CLIENT => Connection::client(now, config),
            _ => Connection::server(now, config),
        }
        .expect("the configuration is sound");
        let config = setup.config(side);
        let validates = side == SERVER && config.path == PathValidation::ByHandshake;
        Self { credit: validates.then_some(0), ..Self::around(connection, now, setup, side) }
    }

    /// The user of a connection for this side, with a validated path.
    pub(crate) fn around(connection: Connection, now: Instant, setup: Setup, side: usize) -> Self {
        Self {
            connection,
            setup,
            side,
            now,
            mtu: setup.config(side).mtu,
            credit: None,
            connected: None,
            ended: None,
            closed_by_us: false,
            half_closed: None,
            commands: Commands::All,
            is_released: false,
            answers: if setup.answers_late() { Answers::Later(None) } else { Answers::AtOnce },
            sent: 0,
            received: BTreeSet::new(),
            secrets: Vec::new(),
            randoms: None,
        }
    }

    /// In both directions.
    pub(crate) fn is_open(&self) -> bool {
        self.is_open_in_a_direction() && self.half_closed.is_none()
    }

    /// A discarded datagram earns no credit: it may belong to another connection.
    pub(crate) fn try_input(&mut self, now: Instant, datagram: &[u8]) -> Admitted {
        let outcome = self.connection.try_input(now, datagram, &mut Vec::new());
        if !matches!(outcome, Admitted::Discarded(_)) {
            self.earn(datagram.len());
        }
        outcome
    }

    fn close_sending(&mut self, now: Instant) {
        if self.connection.close_sending(now).is_ok() {
            self.half_closed.get_or_insert(HalfClosed::Ours);
        }
    }

    /// Our direction is closed, the peer's is open.
    pub(crate) fn only_receives(&self) -> bool {
        self.half_closed == Some(HalfClosed::Ours)
    }

    /// Open in at least one direction.
    fn is_open_in_a_direction(&self) -> bool {
        self.connected.is_some() && self.ended.is_none()
    }

    pub(crate) fn exported(&self) -> [u8; 60] {
        let mut exported = [0; 60];
        self.connection.export("EXTRACTOR-dtls_srtp", None, &mut exported).expect("connected");
        exported
    }

    /// Sends a unique message, where that is possible, and returns its number.
    pub(crate) fn send(&mut self, now: Instant) -> Option<u32> {
        self.connection.send(now, &self.message(self.sent)).ok()?;
        self.sent += 1;
        Some(self.sent - 1)
    }

    fn message(&self, number: u32) -> Vec<u8> {
        [&[u8::try_from(self.side).expect("0 or 1")][..], &number.to_be_bytes()].concat()
    }

    /// The number of the peer's message.
    fn number_of(&self, data: &[u8]) -> u32 {
        let [side, number @ ..] = data else { panic!("received what was never sent: {data:?}") };
        assert_eq!(usize::from(*side), 1 - self.side, "received what was never sent to us");
        u32::from_be_bytes(number.try_into().expect("received what was never sent"))
    }

    /// Answers the open request, and from now on answers at once.
    pub(crate) fn answer(&mut self) {
        if let Answers::Later(Some(question)) = std::mem::replace(&mut self.answers, Answers::AtOnce) {
            self.answer_to(&question);
        }
    }

    fn answer_to(&mut self, question: &Event) {
        // The request may have been dropped together with its handshake attempt.
        let _ = if let Event::CertificateReceived { chain } = question {
            assert!(!chain.is_empty());
            let verdict = match self.setup.credentials {
                Credentials::CertificateRefused(_) => CertificateVerdict::Refuse,
                _ => CertificateVerdict::Accept,
            };
            self.connection.provide_certificate_verdict(self.now, verdict)
        } else {
            let is_other = self.setup.credentials == Credentials::DifferentPsk && self.side == SERVER;
            let psk = Psk::new(b"sensor-7", if is_other { b"another key" } else { b"the key" });
            let has_none = is_other && self.setup.has_hint();
            self.connection.provide_psk(self.now, (!has_none).then(|| psk.expect("of good length")))
        };
    }

    fn sent_datagrams(&self) -> u64 {
        self.connection.stats().datagrams_sent
    }

    /// Unauthenticated input causes no answer once the handshake is complete on both sides, and never more than a
    /// flight.
    fn check_answer(&self, before: u64, outcome: Admitted) {
        let answer = self.sent_datagrams() - before;
        assert!(answer <= MAX_ANSWER, "{answer} datagrams in answer to one");
        if self.is_open_in_a_direction() && self.is_released && outcome != Admitted::Authenticated {
            assert_eq!(answer, 0, "an answer to unauthenticated input: {outcome:?}");
        }
    }
}

impl Endpoint {
    /// Counts the arrived bytes.
    fn earn(&mut self, len: usize) {
        if let Some(credit) = &mut self.credit {
            *credit += 3 * len;
        }
    }

    /// As `handle_input`; returns what the connection reports.
    pub(crate) fn receive(&mut self, now: Instant, datagram: &mut [u8]) -> Admitted {
        self.now = now;
        self.earn(datagram.len());
        let _ = dtls_core::peek(datagram);
        // Output that is due at an expired deadline is sent first, and is not an answer to this input.
        let is_due = self.poll_timeout().is_some_and(|deadline| deadline <= now);
        let before = self.sent_datagrams();
        let outcome = self.connection.handle_input(now, datagram);
        if !is_due {
            self.check_answer(before, outcome);
        }
        if outcome == Admitted::Authenticated {
            self.credit = None;
        }
        outcome
    }
}

impl Side for Endpoint {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        self.receive(now, datagram);
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.now = now;
        self.connection.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        let len = self.connection.poll_transmit(buffer)?.len;
        assert!(len <= self.mtu, "a datagram of {len} bytes, and the MTU is {}", self.mtu);
        if self.connection.is_connected() {
            // A Finished that waited for a verdict validates the path when the verdict comes.
            self.credit = None;
        }
        if let Some(credit) = &mut self.credit {
            *credit = credit.checked_sub(len).expect("sent at most three times the bytes that arrived");
        }
        Some(len)
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.connection.poll_event() {
            assert!(self.ended.is_none(), "{event:?} after {:?}", self.ended);
            match event {
                Event::Connected(negotiated) => {
                    assert!(self.connected.is_none(), "connected twice");
                    assert!(!self.setup.forbids(self.side), "connected without the proofs: {:?}", self.setup);
                    self.connected = Some(negotiated.version);
                    self.is_released = negotiated.version == ProtocolVersion::DTLS13
                        || self.connection.role() == DtlsRole::Client;
                }
                Event::Data(data) => {
                    assert!(self.connected.is_some(), "data before the handshake was over");
                    if self.commands != Commands::WithForgedRecords {
                        assert!(self.received.insert(self.number_of(&data)), "received twice");
                    }
                }
                Event::PeerClosing => {
                    assert_eq!(self.half_closed, None, "with both directions it has ended");
                    self.half_closed = Some(HalfClosed::Peers);
                }
                Event::Failed(_) | Event::Closed(_) => self.ended = Some(event),
                Event::CertificateReceived { .. } | Event::PskRequested(_) => {
                    assert!(self.connected.is_none(), "a question after the handshake");
                    match &mut self.answers {
                        Answers::AtOnce => self.answer_to(&event),
                        Answers::Later(question) => *question = Some(event),
                    }
                }
                Event::FinalFlightReleased => self.is_released = true,
                Event::KeyLog(line) => self.secrets.push(line),
                Event::RekeyNeeded | Event::FreshClientHello => {}
            }
        }
        if let (Some(ours), Some(theirs)) = (self.connection.local_random(), self.connection.remote_random())
        {
            self.randoms = Some(if self.side == CLIENT { [ours, theirs] } else { [theirs, ours] });
        }
        assert_eq!(self.connection.is_connected(), self.is_open_in_a_direction() && !self.only_receives());
        let exports = self.connection.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]).is_ok();
        assert_eq!(exports, self.is_open_in_a_direction(), "keys only while connected");
    }

    fn forged(&self, script: &mut Input<'_>) -> Vec<u8> {
        dtls_forgery::datagram(script)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connection.poll_timeout()
    }

    fn command(&mut self, now: Instant, which: u8) {
        self.now = now;
        match which {
            0..=79 => drop(self.send(now)),
            80..=109 => self.connection.retransmit(now),
            110..=139 => drop(self.connection.update_keys(now)),
            140..=159 => self.connection.release_final_flight(now),
            160..=179 => {
                self.try_input(now, &[which; 40]);
            }
            180..=199 => self.connection.on_authentication_failure(now),
            200..=229 => self.answer(),
            230..=241 if self.commands != Commands::NoClose => self.close_sending(now),
            _ if self.commands != Commands::NoClose => {
                self.closed_by_us |= self.ended.is_none();
                self.connection.close(now);
            }
            _ => {}
        }
    }
}
