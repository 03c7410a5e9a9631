//! A DTLS connection: the public face.
//!
//! A table of contents: `accessors` has the getters, `receive` the handling of datagrams, `handshake` that of handshake
//! messages, `close` alerts and the end.

mod accessors;
mod ack;
#[cfg(test)]
mod authenticated_peer;
mod close;
mod directions;
mod handshake;
mod key_limits;
mod key_update;
#[cfg(test)]
mod misbehaving_handshake;
#[cfg(test)]
mod misbehaving_peer;
mod piggyback;
mod post_handshake;
mod receive;
mod state;

use crate::config::{Config, DtlsRole, PathValidation};
use crate::cookie_gate::Admission;
use crate::crypto::backend::rand::{SecureRandom as _, SystemRandom};
use crate::discard::Discard;
use crate::error::Error;
use crate::event::{Admitted, CertificateVerdict, Event};
use crate::events::Events;
use crate::handshake::step::Answer;
use crate::message::Random;
use crate::outbox::Outbox;
use crate::psk::Psk;
use crate::record::dtls12::RecordLayer;
use crate::record::{ContentType, MAX_CONTENT_LEN};
use crate::stats::Stats;
use crate::timer::{Timer, Timers};
use crate::transmit::Transmit;
use receive::Trial;
use state::{Established, FinalFlight, Handshaking, State};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The minimum RTO, whatever RTT was measured: RFC 9147 section 5.8.2 allows RTOs from measured RTTs.
const MIN_RTO: Duration = Duration::from_millis(50);

/// One DTLS association with one peer.
///
/// Inputs, commands and timeouts change the state; the polls return the results.
pub struct Connection {
    config: Arc<Config>,
    role: DtlsRole,
    random: SystemRandom,
    /// The latest time that the caller passed.
    now: Instant,
    /// The RTO of the first transmission of a flight.
    rto: Duration,
    started: bool,
    /// Until then a piggybacking protocol retransmits our flights.
    retransmission_suspended_until: Option<Instant>,
    /// Whether handling the present record sent a flight, which also acknowledges the record.
    answered: bool,
    state: State,
    records: RecordLayer,
    outbox: Outbox,
    events: Events,
    timers: Timers,
    stats: Stats,
}

impl Connection {
    /// Returns a connection that sends a ClientHello when it is started.
    ///
    /// # Errors
    /// [`Error::Config`] if the configuration can never connect, [`Error::NoRandom`].
    pub fn client(now: Instant, config: impl Into<Arc<Config>>) -> Result<Self, Error> {
        Self::new(now, config.into(), DtlsRole::Client)
    }

    /// Returns a connection that responds to a ClientHello, even before it is started.
    ///
    /// # Errors
    /// Like [`Connection::client`].
    pub fn server(now: Instant, config: impl Into<Arc<Config>>) -> Result<Self, Error> {
        Self::new(now, config.into(), DtlsRole::Server)
    }

    /// Returns a server connection with a client that a [`crate::CookieGate`] has admitted, with the gate's
    /// configuration. It has responded to the ClientHello and is started. The first RTO is the round trip of the
    /// cookie, if that is shorter than [`crate::RetransmitConfig::initial_rto`].
    ///
    /// Another ClientHello does not replace this attempt, as it would without a gate: it is
    /// [`Discard::FreshClientHello`] until the end, and the caller passes it to the gate.
    ///
    /// # Errors
    /// [`Error::NoRandom`].
    pub fn accept(now: Instant, admission: Admission) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let mut local_random = [0; 32];
        random.fill(&mut local_random).map_err(|_| Error::NoRandom)?;
        let Admission { config, record, sequence, hello, round_trip, retried } = admission;
        let handshaking = Handshaking::admitted(local_random, &config, sequence, retried);
        let state = State::Handshaking(Box::new(handshaking));
        let mut connection = Self::with(now, config, random, DtlsRole::Server, state);
        connection.started = true;
        // For a cookie that was sent twice, the measured round trip is only an upper bound.
        connection.rto = first_timeout(round_trip).min(connection.rto);
        connection.records = RecordLayer::continued(record.sequence);
        connection.receive_admitted(sequence, hello);
        Ok(connection)
    }

    fn new(now: Instant, config: Arc<Config>, role: DtlsRole) -> Result<Self, Error> {
        config.check()?;
        let random = SystemRandom::new();
        let mut local_random = [0; 32];
        random.fill(&mut local_random).map_err(|_| Error::NoRandom)?;
        let state = match role {
            DtlsRole::Client => State::Idle { local_random },
            DtlsRole::Server => State::Handshaking(Box::new(Handshaking::server(local_random, &config))),
        };
        let mut connection = Self::with(now, config, random, role, state);
        if role == DtlsRole::Server && connection.config.path == PathValidation::ByHandshake {
            connection.outbox.start_limit();
        }
        Ok(connection)
    }

    fn with(now: Instant, config: Arc<Config>, random: SystemRandom, role: DtlsRole, state: State) -> Self {
        let rto = config.retransmit.initial_rto;
        let outbox = Outbox::with_room(config.mtu.min(MAX_CONTENT_LEN));
        Self {
            config,
            role,
            random,
            now,
            rto,
            started: false,
            retransmission_suspended_until: None,
            answered: false,
            state,
            records: RecordLayer::default(),
            outbox,
            events: Events::default(),
            timers: Timers::default(),
            stats: Stats::default(),
        }
    }

    // Commands.

    /// Starts the handshake: the client sends its ClientHello, and the deadline of [`crate::RetransmitConfig::handshake_timeout`] begins
    /// on both sides. `rtt` is a round-trip time that another protocol measured, such as ICE.
    ///
    /// # Errors
    /// [`Error::AlreadyStarted`], [`Error::Closed`].
    pub fn start(&mut self, now: Instant, rtt: Option<Duration>) -> Result<(), Error> {
        if self.has_ended() {
            return Err(Error::Closed);
        }
        if self.started {
            return Err(Error::AlreadyStarted);
        }
        self.catch_up(now);
        self.started = true;
        if let Some(rtt) = rtt {
            self.rto = first_timeout(rtt);
        }
        self.begin_handshake();
        Ok(())
    }

    /// Sends application data in one record and one datagram.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::TooLarge`] above [`Connection::max_data_len`], [`Error::WouldBlock`],
    /// [`Error::KeyExhausted`], [`Error::Closed`]. An error changes nothing.
    pub fn send(&mut self, now: Instant, data: &[u8]) -> Result<(), Error> {
        self.catch_up(now);
        let epoch = match &self.state {
            State::Connected(established) if established.directions.may_send() => {
                established.connected.epoch()
            }
            State::Idle { .. } | State::Handshaking(_) => return Err(Error::NotConnected),
            State::Connected(_) | State::Closed | State::Failed => return Err(Error::Closed),
        };
        let max = self.max_data_len();
        if data.len() > max {
            return Err(Error::TooLarge { max });
        }
        // The queue always has room for one datagram, so that waiting for room ends.
        let held = self.outbox.held();
        if held > 0 && held + data.len() > self.config.limits.outgoing {
            return Err(Error::WouldBlock);
        }
        let out = self.outbox.datagram();
        if self.records.write(epoch, ContentType::ApplicationData, data, out).is_err() {
            self.outbox.abandon_datagram();
            return Err(Error::KeyExhausted);
        }
        self.finish_datagram();
        self.check_key_limits();
        Ok(())
    }

    /// Replaces the keys of both directions by a KeyUpdate (RFC 9147 section 8). Data is sent with the old keys until
    /// the peer has acknowledged the KeyUpdate. After 2^23 records this happens automatically.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::NoKeyUpdate`] in DTLS 1.2, [`Error::WouldBlock`] while a message of ours is
    /// unacknowledged, [`Error::KeyExhausted`] after 2^16 updates, [`Error::Closed`].
    pub fn update_keys(&mut self, now: Instant) -> Result<(), Error> {
        self.catch_up(now);
        self.request_key_update()
    }

    /// Answers [`Event::CertificateReceived`] with the application's verdict.
    ///
    /// # Errors
    /// [`Error::NotAsked`] if no certificate is pending.
    pub fn provide_certificate_verdict(
        &mut self,
        now: Instant,
        verdict: CertificateVerdict,
    ) -> Result<(), Error> {
        self.catch_up(now);
        self.apply_answer(Answer::Verdict(verdict))
    }

    /// Answers [`Event::PskRequested`]. Without a key a client fails with [`crate::Refusal::UnknownPsk`]. A server
    /// continues as if the client had used a wrong key, until the deadline, so that an attacker cannot find out which
    /// identities exist.
    ///
    /// # Errors
    /// [`Error::NotAsked`] if no key was requested.
    pub fn provide_psk(&mut self, now: Instant, psk: Option<Psk>) -> Result<(), Error> {
        self.catch_up(now);
        self.apply_answer(Answer::Psk(psk))
    }

    /// Closes our direction only: queues a close_notify, and from now on [`Connection::send`] returns
    /// [`Error::Closed`]. Data of the peer still arrives, until its close_notify causes [`Event::Closed`]. A lost
    /// close_notify is not retransmitted, so the caller ends the wait with [`Connection::close`]. In DTLS 1.2 the peer
    /// closes when it receives ours (RFC 5246 section 7.2.1), and only data in flight still arrives. If the peer has
    /// closed already, the connection ends.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Closed`].
    pub fn close_sending(&mut self, now: Instant) -> Result<(), Error> {
        self.catch_up(now);
        self.close_our_direction()
    }

    /// Ends the connection: queues a close_notify, unless [`Connection::close_sending`] has done so, and emits
    /// [`Event::Closed`]. Later input is discarded. A call after the end has no effect.
    pub fn close(&mut self, now: Instant) {
        self.catch_up(now);
        self.close_by_us();
    }

    /// Reports that the peer is connected, for example because SRTP authenticated: the final flight is no longer kept.
    /// Without a final flight, the call has no effect.
    pub fn release_final_flight(&mut self, now: Instant) {
        self.catch_up(now);
        self.forget_final_flight();
    }

    /// Reports that the peer receives datagrams at its address: the anti-amplification limit of
    /// [`crate::PathValidation::ByHandshake`] ends, and blocked flights are sent. Without a limit, the call has no
    /// effect.
    pub fn set_path_validated(&mut self, now: Instant) {
        self.catch_up(now);
        self.on_path_validated();
    }

    /// Retransmits the current flight now. Without an unanswered flight, the call has no effect.
    pub fn retransmit(&mut self, now: Instant) {
        self.catch_up(now);
        self.retransmit_flight();
    }

    /// Passes the datagrams of the current flight, or of its unacknowledged part, to `take`, for piggybacking on
    /// another protocol such as STUN (SPED). Each has at most `mtu` bytes ([`Config::MIN_MTU`] at least) and its own
    /// record numbers, so each may be sent once. Returns their number, which is zero without an unanswered flight.
    /// [`Connection::poll_transmit`] and the timers are not affected.
    ///
    /// Datagrams that arrive by the other protocol go to [`Connection::handle_input`].
    pub fn flight_datagrams(&mut self, now: Instant, mtu: usize, take: impl FnMut(&[u8])) -> usize {
        self.catch_up(now);
        self.copy_of_flight(mtu, take)
    }

    /// Suspends the retransmission timer for `promised`, because another protocol retransmits our flights
    /// ([`Connection::flight_datagrams`]). Call it again before the time is up to prolong it; otherwise the timer then
    /// resumes, so that no flight is lost. [`Duration::ZERO`] resumes it after the usual interval. The maximum is
    /// [`crate::RetransmitConfig::handshake_timeout`]. New flights are still sent by [`Connection::poll_transmit`] at once, and the
    /// deadline of the handshake does not change.
    pub fn suspend_retransmission(&mut self, now: Instant, promised: Duration) {
        self.catch_up(now);
        self.suspend_retransmission_for(promised);
    }

    /// Counts a record that no connection could authenticate as an authentication failure of this connection's keys.
    pub fn on_authentication_failure(&mut self, now: Instant) {
        self.catch_up(now);
        self.count_authentication_failure(None);
    }

    // The five verbs.

    /// Processes a datagram. Its bytes are decrypted in place, which overwrites them.
    pub fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) -> Admitted {
        self.catch_up(now);
        self.receive(datagram, Trial::Only)
    }

    /// Like [`Connection::handle_input`], but on a copy in `scratch`: the datagram is not changed, so that another
    /// connection can be tried. An authentication failure is not counted; see [`Connection::on_authentication_failure`].
    pub fn try_input(&mut self, now: Instant, datagram: &[u8], scratch: &mut Vec<u8>) -> Admitted {
        self.catch_up(now);
        scratch.clear();
        scratch.extend_from_slice(datagram);
        self.receive(scratch, Trial::OneOfSeveral)
    }

    /// Processes everything that is due. Call it at [`Connection::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.catch_up(now);
    }

    /// Appends the next datagram to `buf`.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.outbox.poll(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.poll()
    }

    /// Returns when to call [`Connection::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    // Shared by the modules below.

    /// Time never goes back, and due timers are processed before anything else.
    #[inline]
    fn catch_up(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.expire(self.now) {
            self.on_timer(timer);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retransmit => self.retransmit_flight(),
            Timer::FinalFlight => {
                self.give_up_final_flight();
                self.forget_final_flight();
            }
            Timer::Acknowledge => self.send_ack(),
            Timer::Handshake => self.fail_by_timeout(Timer::Handshake),
            Timer::PendingAlert => self.accept_pending_alert(),
        }
    }

    const fn has_ended(&self) -> bool {
        matches!(self.state, State::Closed | State::Failed)
    }

    const fn established(&self) -> Option<&Established> {
        match &self.state {
            State::Connected(established) => Some(established),
            _ => None,
        }
    }

    fn discard(&mut self, reason: Discard) -> Admitted {
        tracing::trace!(?reason, "discarded");
        self.stats.count(reason);
        Admitted::Discarded(reason)
    }

    /// Returns whether the queue is so full that requests of the peer add nothing.
    fn is_outbox_full(&self) -> bool {
        self.outbox.held() > self.config.limits.outgoing
    }

    fn finish_datagram(&mut self) {
        self.outbox.finish_datagram();
        self.stats.datagrams_sent = self.outbox.finished();
        self.release_blocked();
    }

    fn forget_final_flight(&mut self) {
        if let State::Connected(established) = &mut self.state
            && let FinalFlight::Kept(_) = established.final_flight
        {
            established.final_flight = FinalFlight::Released;
            self.timers.stop(Timer::FinalFlight);
            self.events.push(Event::FinalFlightReleased);
        }
    }

    fn fresh_random(&self) -> Option<Random> {
        let mut random = [0; 32];
        self.random.fill(&mut random).ok()?;
        Some(random)
    }
}

/// RFC 9147 section 5.8.2.
fn first_timeout(rtt: Duration) -> Duration {
    rtt.saturating_add(rtt / 2).max(MIN_RTO)
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("role", &self.role)
            .field("state", &self.state.name())
            .finish_non_exhaustive()
    }
}
