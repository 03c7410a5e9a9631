//! One peer: ICE, DTLS and SRTP composed into a transport (the shape is that of ORTC's).
//!
//! Commands first, then the five verbs, then what can be asked. What is sent is in `sending`, who gets a received
//! packet in `reception`, what the layers answer in `route`, restarts are in `restart` and `handover`, the end is in
//! `phase`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use dtls_core::{Certificate, Negotiated};
use ice_agent::{Agent, Candidate, Generation, IceRole, Path, Seed, Ufrag};
use srtp_keys::Profile;

use crate::association::{Association, Established};
use crate::config::{Config, DtlsRestart, RestartOptions};
use crate::demux::{self, Class};
use crate::detached::Detached;
use crate::error::Error;
use crate::event::{Event, Side, State};
use crate::events::Events;
use crate::expiry::Expiry;
use crate::generation::{Current, Draining, EarlyHello, LocalDtls, Restart, Signalling, Stage};
use crate::media::{Datagram, Media, Transmit};
use crate::names::Names;
use crate::parameters::{IceOptions, Parameters};
use crate::phase::Phase;
use crate::setup;
use crate::stale_hellos::StaleHellos;
use crate::stats::{Discard, Stats};

//= rfc5764-3-session-per-ports
/// A transport to one remote peer, from UDP datagrams to decrypted media and back.
///
/// It owns no socket, clock, thread or entropy. Datagrams and time go in
/// ([`handle_input`](Self::handle_input), [`handle_timeout`](Self::handle_timeout)), datagrams, events and
/// the next deadline come out ([`poll_transmit`](Self::poll_transmit), [`poll_event`](Self::poll_event),
/// [`poll_timeout`](Self::poll_timeout)), in any order and as often as one likes. Received media is handed
/// out by `handle_input` itself, decrypted in the caller's buffer.
///
/// Every command and input takes the time; a time before the latest one counts as the latest one.
pub struct PeerTransport {
    pub(crate) config: Arc<Config>,
    pub(crate) now: Instant,
    pub(crate) phase: Phase,
    pub(crate) announced: State,
    pub(crate) ice: Agent,
    pub(crate) names: Names,
    pub(crate) signalling: Signalling,
    /// Of which end of a certificate the application knows.
    pub(crate) expiry_told: Option<SystemTime>,
    pub(crate) restart_options: RestartOptions,
    /// The policy of the restart that we offered.
    pub(crate) policy: DtlsRestart,
    pub(crate) current: Current,
    pub(crate) restart: Option<Restart>,
    pub(crate) draining: Option<Draining>,
    pub(crate) early: EarlyHello,
    /// Where the latest DTLS datagram came from.
    pub(crate) dtls_path: Option<Path>,
    next_association: Association,
    pub(crate) stale: StaleHellos,
    pub(crate) events: Events,
    pub(crate) outbox: VecDeque<(Path, Vec<u8>)>,
    pub(crate) scratch: Vec<u8>,
    pub(crate) detached: Detached,
    /// Counts what may have changed the names and paths that ICE answers to.
    pub(crate) ice_changes: u64,
    pub(crate) stats: Stats,
}

impl PeerTransport {
    /// A transport that waits for its peer.
    ///
    /// `certificates` is the identity, in order of preference. An empty list generates one certificate,
    /// ECDSA P-256 and valid for 30 days, where [`Config::wall_clock`] tells the date.
    ///
    /// # Errors
    /// [`Error::NoCertificate`] where there is none and none can be dated; [`Error::Certificate`] where
    /// generating one failed.
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
        let mut names = Names::new(seed);
        let role = config.ice_role.unwrap_or(IceRole::Controlling);
        let local = LocalDtls {
            expiry: Expiry::of(&certificates, &config),
            certificates,
            wish: config.dtls_role,
            setup: setup::offered(config.dtls_role),
            tls_id: Some(names.tls_id()),
        };
        Ok(Self {
            now,
            phase: Phase::Open,
            announced: State::New,
            ice: Agent::new(now, Arc::clone(&config.ice), role, ice_seed),
            names,
            signalling: Signalling { local, remote: None },
            expiry_told: None,
            restart_options: config.restart.clone(),
            policy: config.restart.dtls,
            current: Current::Absent,
            restart: None,
            draining: None,
            early: EarlyHello::default(),
            dtls_path: None,
            next_association: Association::FIRST,
            stale: StaleHellos::default(),
            events: Events::new(config.max_queued_data),
            outbox: VecDeque::new(),
            scratch: Vec::new(),
            detached: Detached::default(),
            ice_changes: 0,
            stats: Stats::default(),
            config,
        })
    }

    /// The end of our newest certificates, as long as the application has not been told of it.
    pub(crate) fn untold_expiry(&self) -> Option<Expiry> {
        let expiry = self.signalling.local.expiry.filter(|_| self.phase != Phase::Closed);
        expiry.filter(|expiry| self.expiry_told != Some(expiry.not_after))
    }

    /// What to tell the peer: of the newest generation, as an offer before the peer's parameters are set
    /// and as an answer after an offer of the peer's was.
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

    /// A candidate of ours: the base is the socket's address, see [`Candidate::with_base`].
    ///
    /// # Errors
    /// [`Error::Ice`] where it cannot work or there are too many.
    pub fn add_local_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), Error> {
        let now = self.advance(now);
        let added = self.ice.add_local_candidate(now, candidate);
        self.route(now);
        Ok(added?)
    }

    /// The candidate's socket is gone.
    pub fn remove_local_candidate(&mut self, now: Instant, candidate: &Candidate) {
        let now = self.advance(now);
        self.ice.remove_local_candidate(now, candidate);
        self.route(now);
    }

    /// A candidate of the peer's. `ufrag` names the generation that it belongs to, `None` the newest.
    ///
    /// # Errors
    /// [`Error::Ice`] where it cannot work, belongs to nobody, or there are too many.
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

    /// No more candidates of ours will come (RFC 8838 section 13).
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.end_of_local_candidates(now);
        self.route(now);
    }

    /// No more candidates of the peer's will come. `ufrag` as in
    /// [`add_remote_candidate`](Self::add_remote_candidate).
    pub fn end_of_remote_candidates(&mut self, now: Instant, ufrag: Option<&Ufrag>) {
        let now = self.advance(now);
        self.ice.end_of_remote_candidates(now, ufrag);
        self.route(now);
    }

    /// Takes back our consent to receive: the peer's checks are answered with 403 from now on, and nothing
    /// more is sent (RFC 7675 section 5.2).
    pub fn revoke_consent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.revoke_consent(now);
        self.route(now);
    }

    /// Ends everything: close_notify on the selected pair, then silence. A restart opens the transport anew.
    pub fn close(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.phase == Phase::Closed {
            return;
        }
        let path = self.ice.permission(now).map(|permission| permission.path);
        if let Current::Established(mut association) = std::mem::replace(&mut self.current, Current::Absent) {
            association.connection.close(now);
            self.keep_last_words(path, &mut association.connection);
            self.events
                .push(Event::AssociationClosed { association: association.identity.number, by: Side::Local });
        }
        if let Some(Restart { stage: Stage::Moving(mut next), .. }) = self.restart.take() {
            next.connection.close(now);
            self.keep_last_words(path, &mut next.connection);
            self.events.push(Event::AssociationClosed { association: next.identity.number, by: Side::Local });
        }
        self.end(now, Phase::Closed);
        self.route(now);
    }

    /// A received datagram. Media comes back at once, decrypted in the datagram's own bytes.
    ///
    /// What is due at `now` is done first, so a socket that is never idle still sees every deadline.
    /// Bytes that fit nowhere are counted in [`stats`](Self::stats) by their reason.
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

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        self.ice.handle_timeout(now);
        self.for_each_connection(|connection| connection.handle_timeout(now));
        self.route(now);
        self.meet_deadlines(now);
        self.route(now);
    }

    /// Appends the next datagram to send to `buf`: the last [`Transmit::len`] bytes of it.
    /// Media is not among them: `send_rtp` and `send_rtcp` hand it out themselves.
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

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` when nothing is due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase == Phase::Closed {
            return None;
        }
        let own = self.deadlines().map(|(_, at)| at).min();
        let connections = self.connections().filter_map(dtls_core::Connection::poll_timeout).min();
        [self.ice.poll_timeout(), connections, own].into_iter().flatten().min()
    }

    /// The state, as the last event about it said.
    #[must_use]
    pub const fn state(&self) -> State {
        self.announced
    }

    /// The ICE agent, to look at.
    #[must_use]
    pub const fn ice(&self) -> &Agent {
        &self.ice
    }

    /// The association that sends.
    #[must_use]
    pub fn association(&self) -> Option<Association> {
        self.current.established().map(|association| association.identity.number)
    }

    /// The SRTP profile of the association that sends.
    #[must_use]
    pub fn srtp_profile(&self) -> Option<Profile> {
        self.current.established().and_then(Established::profile)
    }

    /// What the DTLS handshake of the association that sends has settled: version, cipher suite, key exchange group.
    #[must_use]
    pub fn negotiated(&self) -> Option<Negotiated> {
        self.current.established().map(|association| association.negotiated)
    }

    /// The peer's certificate as DER, of the association that sends.
    #[must_use]
    pub fn remote_certificate(&self) -> Option<&[u8]> {
        self.current.established().and_then(|association| association.connection.remote_certificate())
    }

    /// The pair that everything is sent on.
    #[must_use]
    pub fn selected_pair(&self) -> Option<ice_agent::Pair> {
        self.ice.selected_pair()
    }

    /// The generation of the newest ICE credentials.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.restart.as_ref().map_or_else(|| self.ice.generation(), |restart| restart.generation)
    }

    /// The largest argument of [`send_data`](Self::send_data), in bytes.
    #[must_use]
    pub fn max_data_len(&self) -> Option<usize> {
        self.current.established().map(|association| association.connection.max_data_len())
    }

    /// By how many bytes protection makes an RTP packet longer.
    #[must_use]
    pub fn rtp_overhead(&self) -> Option<usize> {
        self.srtp_profile().map(Profile::rtp_tag_len)
    }

    /// Exports keying material of the association that sends (RFC 5705).
    ///
    /// # Errors
    /// [`Error::NotConnected`] without one; [`Error::Dtls`] for a length that cannot be exported.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        let association = self.current.established().ok_or(Error::NotConnected)?;
        Ok(association.connection.export(label, context, out)?)
    }

    /// The counters, those of the layers below included.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats.clone();
        for reason in ice_agent::Discard::ALL {
            stats.absorb(Discard::Ice(reason), self.ice.stats().discarded(reason));
        }
        stats.round_trip_time = self.ice.selected_pair().and_then(|pair| pair.rtt);
        stats
    }

    pub(crate) const fn upcoming_association(&self) -> Association {
        self.next_association
    }

    pub(crate) const fn number_association(&mut self) -> Association {
        let number = self.next_association;
        self.next_association = number.next();
        number
    }

    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        // A `now` that goes back is treated as the latest one.
        if now.checked_duration_since(self.now).is_some() {
            self.now = now;
        }
        self.now
    }

    pub(crate) fn discard<T>(&mut self, reason: Discard) -> Option<T> {
        self.stats.discard(reason);
        None
    }
}
