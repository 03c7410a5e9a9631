//! One peer: ICE, DTLS and SRTP combined into one transport, in the shape of ORTC's transports.
//!
//! This file has the candidate commands, the five verbs and the accessors. Each file of the folder answers one
//! question:
//!
//! | question | files |
//! | --- | --- |
//! | Which association does a received packet belong to? | `receive`, `early_hello`, `stale_hellos` |
//! | How are media and data sent, and on which path? | `send`, `detached` |
//! | How do the events of ICE and DTLS affect each other? | `route` |
//! | What did signalling say, and what does it change? | `remote_parameters`, `signalling`, `dtls_role` |
//! | How does a restart begin, fail or roll back? | `restart`, `attempt_failure`, `rollback` |
//! | When is the previous association retained? | `verdict`, `retention` |
//! | When does sending move to new keys? | `switchover` |
//! | Which associations exist now? | `slot`, `generation`, `association` |
//! | Which state is the transport in, and how does it end? | `state`, `phase`, `end` |
//! | What is due when? | `timer`, `expiry` |

mod association;
mod attempt_failure;
mod detached;
mod dtls_role;
mod early_hello;
mod end;
mod event_queue;
mod expiry;
mod generation;
mod phase;
mod receive;
mod remote_parameters;
mod restart;
mod retention;
mod rollback;
mod route;
mod send;
mod signalling;
mod slot;
mod stale_hellos;
mod state;
mod switchover;
mod timer;
mod tls_id_generator;
mod verdict;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use dtls_core::{Certificate, Negotiated};
use ice_agent::{Agent, Candidate, GenerationId, IceRole, Path, Seed, Ufrag};
use srtp_keys::Profile;

use crate::association_id::AssociationId;
use crate::config::{Config, DtlsRestart, RestartOptions};
use crate::demux::{self, Class};
use crate::error::Error;
use crate::event::{Event, State};
use crate::media::{Datagram, Media, Transmit};
use crate::parameters::{IceOptions, Parameters};
use crate::stats::{Discard, Stats};
use association::Established;
use detached::Detached;
use early_hello::EarlyHello;
use event_queue::EventQueue;
use expiry::Expiry;
use generation::{Current, Draining, Restart};
use phase::Phase;
use signalling::{LocalDtls, Signalling};
use stale_hellos::StaleHellos;
use tls_id_generator::TlsIdGenerator;

//= rfc5764-3-session-per-ports
/// A transport to one remote peer, from UDP datagrams to decrypted media and back.
///
/// It owns no socket, clock, thread or random number generator. The inputs are
/// [`handle_input`](Self::handle_input) and [`handle_timeout`](Self::handle_timeout); the outputs are
/// [`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event) and
/// [`poll_timeout`](Self::poll_timeout). They may be called in any order and any number of times.
/// `handle_input` returns received media, decrypted in the caller's buffer.
///
/// Every command and input takes the current time. A time earlier than the latest one is replaced by the latest
/// one.
pub struct PeerTransport {
    config: Arc<Config>,
    now: Instant,
    phase: Phase,
    reported_state: State,
    ice: Agent,
    tls_ids: TlsIdGenerator,
    signalling: Signalling,
    /// The expiry date that was last reported to the application.
    expiry_reported: Option<SystemTime>,
    restart_options: RestartOptions,
    /// The policy of the restart that the local side offered.
    policy: DtlsRestart,
    current: Current,
    restart: Option<Restart>,
    draining: Option<Draining>,
    early: EarlyHello,
    /// The path of the latest DTLS datagram.
    dtls_path: Option<Path>,
    next_association: AssociationId,
    stale: StaleHellos,
    events: EventQueue,
    outbox: VecDeque<(Path, Vec<u8>)>,
    scratch: Vec<u8>,
    detached: Detached,
    /// Incremented by each change that may affect the ufrags and paths of the ICE agent.
    pub(crate) ice_changes: u64,
    stats: Stats,
}

impl PeerTransport {
    /// Creates a transport that waits for its peer's parameters.
    ///
    /// `certificates` is the local identity, in order of preference. For an empty list the transport generates
    /// one ECDSA P-256 certificate, valid for 30 days from the date of [`Config::wall_clock`].
    ///
    /// # Errors
    /// [`Error::NoCertificate`] if the list is empty and there is no wall clock; [`Error::Certificate`] if
    /// generating a certificate failed.
    pub fn new(
        now: Instant,
        config: impl Into<Arc<Config>>,
        certificates: Vec<Certificate>,
        seed: Seed,
    ) -> Result<Self, Error> {
        let config = config.into();
        let certificates = match (certificates.is_empty(), config.wall_clock) {
            (false, _) => certificates,
            (true, Some(clock)) => {
                vec![Certificate::generate(clock.date(now), Certificate::DEFAULT_LIFETIME)?]
            }
            (true, None) => return Err(Error::NoCertificate),
        };
        let ice_seed = seed.derive(0);
        let mut tls_ids = TlsIdGenerator::new(seed);
        let role = config.ice_role.unwrap_or(IceRole::Controlling);
        let local = LocalDtls {
            expiry: Expiry::of(&certificates, config.expiry_notice, config.wall_clock),
            certificates,
            requested_role: config.dtls_role,
            setup: dtls_role::offered(config.dtls_role),
            tls_id: Some(tls_ids.generate()),
        };
        Ok(Self {
            now,
            phase: Phase::Open,
            reported_state: State::New,
            ice: Agent::new(now, Arc::clone(&config.ice), role, ice_seed),
            tls_ids,
            signalling: Signalling { local, remote: None },
            expiry_reported: None,
            restart_options: config.restart.clone(),
            policy: config.restart.dtls,
            current: Current::Absent,
            restart: None,
            draining: None,
            early: EarlyHello::default(),
            dtls_path: None,
            next_association: AssociationId::FIRST,
            stale: StaleHellos::default(),
            events: EventQueue::new(config.max_queued_data),
            outbox: VecDeque::new(),
            scratch: Vec::new(),
            detached: Detached::default(),
            ice_changes: 0,
            stats: Stats::default(),
            config,
        })
    }

    /// The earliest expiry of the current certificates, unless it was already reported.
    fn unreported_expiry(&self) -> Option<Expiry> {
        let expiry = self.signalling.local.expiry.filter(|_| self.phase != Phase::Closed);
        expiry.filter(|expiry| self.expiry_reported != Some(expiry.not_after))
    }

    /// Returns the parameters to signal to the peer, those of the newest generation.
    ///
    /// They are an offer until the peer's parameters are set, and an answer after the peer's offer was set.
    #[must_use]
    pub fn local_parameters(&self) -> Parameters {
        let local = &self.signalling.local;
        Parameters {
            ice: self.ice.local_parameters().clone(),
            ice_options: IceOptions { trickle: true, ice2: true, renomination: false },
            fingerprints: local
                .certificates
                .iter()
                .map(|certificate| certificate.fingerprint(dtls_core::HashAlgorithm::Sha256))
                .collect(),
            setup: local.setup,
            tls_id: local.tls_id.clone(),
        }
    }

    /// Adds a local candidate. Its base is the socket's address, see [`Candidate::with_base`].
    ///
    /// # Errors
    /// [`Error::Ice`] if the candidate is unusable or there are too many.
    pub fn add_local_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), Error> {
        let now = self.advance(now);
        let added = self.ice.add_local_candidate(now, candidate);
        self.route(now);
        Ok(added?)
    }

    /// Removes a local candidate whose socket was closed.
    pub fn remove_local_candidate(&mut self, now: Instant, candidate: &Candidate) {
        let now = self.advance(now);
        self.ice.remove_local_candidate(now, candidate);
        self.route(now);
    }

    /// Adds a candidate of the peer. `ufrag` selects its generation; `None` means the newest.
    ///
    /// # Errors
    /// [`Error::Ice`] if the candidate is unusable, its ufrag is unknown, or there are too many.
    pub fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: Candidate,
        ufrag: Option<&Ufrag>,
    ) -> Result<(), Error> {
        let now = self.advance(now);
        let added = self.ice.add_remote_candidate(now, candidate, ufrag);
        self.route(now);
        Ok(added?)
    }

    /// Signals that no more local candidates will follow (RFC 8838 section 13).
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.end_of_local_candidates(now);
        self.route(now);
    }

    /// Signals that no more candidates of the peer will follow. `ufrag` as in
    /// [`add_remote_candidate`](Self::add_remote_candidate).
    pub fn end_of_remote_candidates(&mut self, now: Instant, ufrag: Option<&Ufrag>) {
        let now = self.advance(now);
        self.ice.end_of_remote_candidates(now, ufrag);
        self.route(now);
    }

    /// Revokes the local consent to receive: the peer's checks are answered with 403, and sending stops (RFC
    /// 7675 section 5.2).
    pub fn revoke_consent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.revoke_consent(now);
        self.route(now);
    }

    /// Processes a received datagram and returns its media, decrypted in the datagram's own bytes.
    ///
    /// First runs the timers that are due at `now`, so deadlines fire even on a socket that is never idle.
    /// Unusable input is counted by its reason in [`stats`](Self::stats).
    pub fn handle_input<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<Media<'d>> {
        let now = self.advance(now);
        if self.poll_timeout().is_some_and(|deadline| deadline <= now) {
            self.handle_timeout(now);
        }
        self.stats.received.add(datagram.payload.len());
        let media = match demux::classify(datagram.payload) {
            Class::Rtp => self.receive_rtp(now, datagram),
            Class::Rtcp => self.receive_rtcp(now, datagram),
            Class::Stun => {
                let Datagram { meta, payload } = datagram;
                self.ice.handle_input(now, ice_agent::Datagram { path: meta.path, payload });
                None
            }
            Class::Dtls => {
                self.receive_dtls(now, datagram.meta.path, datagram.payload);
                None
            }
            Class::Unknown => self.discard(Discard::UnknownClass),
            Class::Empty => self.discard(Discard::Empty),
        };
        self.route(now);
        media
    }

    /// Runs the timers that are due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.handle_timeout(now);
        self.for_each_connection(|connection| connection.handle_timeout(now));
        self.route(now);
        self.handle_deadlines(now);
        self.route(now);
    }

    /// Appends the next datagram to send to `buf`: its last [`Transmit::len`] bytes. Media is returned by
    /// `send_rtp` and `send_rtcp` instead.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        if let Some(transmit) = self.ice.poll_transmit(buf) {
            return Some(Transmit::new(transmit.path, transmit.len));
        }
        if let Some((path, datagram)) = self.outbox.pop_front() {
            buf.extend_from_slice(&datagram);
            return Some(Transmit::new(path, datagram.len()));
        }
        self.poll_dtls(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), or `None` if no timer is set.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase == Phase::Closed {
            return None;
        }
        let own = self.deadlines().map(|(_, at)| at).min();
        let connections = self.connections().filter_map(dtls_core::Connection::poll_timeout).min();
        [self.ice.poll_timeout(), connections, own].into_iter().flatten().min()
    }

    /// The state that was last reported by an event.
    #[must_use]
    pub const fn state(&self) -> State {
        self.reported_state
    }

    /// The ICE agent, read-only.
    #[must_use]
    pub const fn ice(&self) -> &Agent {
        &self.ice
    }

    /// The association that protects outgoing traffic.
    #[must_use]
    pub fn association(&self) -> Option<AssociationId> {
        self.current.established().map(|association| association.identity.number)
    }

    /// The SRTP profile of the sending association.
    #[must_use]
    pub fn srtp_profile(&self) -> Option<Profile> {
        self.current.established().and_then(Established::profile)
    }

    /// The negotiated parameters of the sending association: version, cipher suite, key exchange group.
    #[must_use]
    pub fn negotiated(&self) -> Option<Negotiated> {
        self.current.established().map(|association| association.negotiated)
    }

    /// The peer's certificate in the sending association, as DER.
    #[must_use]
    pub fn remote_certificate(&self) -> Option<&[u8]> {
        self.current.established().and_then(|association| association.connection.remote_certificate())
    }

    /// The pair that carries outgoing traffic.
    #[must_use]
    pub fn selected_pair(&self) -> Option<ice_agent::CandidatePair> {
        self.ice.selected_pair()
    }

    /// The generation of the newest ICE credentials.
    #[must_use]
    pub fn generation(&self) -> GenerationId {
        self.restart.as_ref().map_or_else(|| self.ice.generation(), |restart| restart.generation)
    }

    /// The largest `data` that [`send_data`](Self::send_data) accepts, in bytes.
    #[must_use]
    pub fn max_data_len(&self) -> Option<usize> {
        self.current.established().map(|association| association.connection.max_data_len())
    }

    /// The number of bytes that SRTP protection adds to an RTP packet.
    #[must_use]
    pub fn rtp_overhead(&self) -> Option<usize> {
        self.srtp_profile().map(Profile::rtp_tag_len)
    }

    /// Exports keying material of the sending association (RFC 5705).
    ///
    /// # Errors
    /// [`Error::NotConnected`] without an association; [`Error::Dtls`] for a length that cannot be exported.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let association = self.current.established().ok_or(Error::NotConnected)?;
        Ok(association.connection.export(label, context, out)?)
    }

    /// Returns the counters, including those of the lower layers.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for reason in ice_agent::Discard::ALL {
            stats.absorb(Discard::Ice(reason), self.ice.stats().discarded(reason));
        }
        stats.round_trip_time = self.ice.selected_pair().and_then(|pair| pair.rtt);
        stats
    }

    const fn upcoming_association(&self) -> AssociationId {
        self.next_association
    }

    const fn number_association(&mut self) -> AssociationId {
        let number = self.next_association;
        self.next_association = number.next();
        number
    }

    fn advance(&mut self, now: Instant) -> Instant {
        // A time earlier than the latest one counts as the latest one.
        if now.checked_duration_since(self.now).is_some() {
            self.now = now;
        }
        self.now
    }

    fn discard<T>(&mut self, reason: Discard) -> Option<T> {
        self.stats.discard(reason);
        None
    }
}
