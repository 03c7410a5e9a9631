//! A DTLS connection: the public face.
//!
//! Reads as a table of contents. What can be asked is in `known`, what a datagram does in `receive`, what a handshake
//! message does in `progress`, how it all ends in `ending`.

mod acknowledge;
#[cfg(test)]
mod authenticated_peer;
mod carrier;
mod directions;
mod ending;
#[cfg(test)]
mod false_handshake;
#[cfg(test)]
mod false_peer;
mod key_update;
mod known;
mod post_handshake;
mod progress;
mod receive;
mod state;
mod wear;

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
use crate::record::protect::RecordLayer;
use crate::record::{ContentType, MAX_CONTENT_LEN};
use crate::stats::Stats;
use crate::timer::{Timer, Timers};
use crate::transmit::Transmit;
use receive::Trial;
use state::{Established, FinalFlight, Handshaking, State};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Below this no round trip is believed: RFC 9147 section 5.8.2 allows measured values, within reason.
const MIN_RTO: Duration = Duration::from_millis(50);

/// One DTLS association with one peer.
///
/// Inputs, commands and timeouts move it; after each of them the polls hand out what came of it.
pub struct Connection {
    config: Arc<Config>,
    role: DtlsRole,
    random: SystemRandom,
    /// The latest time that we were given.
    now: Instant,
    /// The first timeout of a flight.
    rto: Duration,
    started: bool,
    /// Until then another carrier repeats our flights.
    carried_until: Option<Instant>,
    /// Whether the record that is being handled had us send a flight, which answers it.
    answered: bool,
    state: State,
    records: RecordLayer,
    outbox: Outbox,
    events: Events,
    timers: Timers,
    stats: Stats,
}

impl Connection {
    /// A connection that will send the ClientHello when it is started.
    ///
    /// # Errors
    /// [`Error::Config`] where the configuration could never connect, [`Error::NoRandom`].
    pub fn client(now: Instant, config: impl Into<Arc<Config>>) -> Result<Self, Error> {
        Self::new(now, config.into(), DtlsRole::Client)
    }

    /// A connection that answers a ClientHello, before it is started too.
    ///
    /// # Errors
    /// As [`Connection::client`].
    pub fn server(now: Instant, config: impl Into<Arc<Config>>) -> Result<Self, Error> {
        Self::new(now, config.into(), DtlsRole::Server)
    }

    /// A server's connection with a client that a [`crate::CookieGate`] has admitted, under the gate's configuration. It
    /// has answered the ClientHello and is started. The first timeout follows from the round trip that the cookie
    /// took, where that is shorter than [`crate::Schedule::initial`].
    ///
    /// Another ClientHello does not replace this attempt, as it would without a gate: it is
    /// [`Discard::FreshClientHello`] until the end, and the gate's business.
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
        // A cookie that was sent twice tells of the round trip only that it is not longer.
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
            connection.outbox.limit();
        }
        Ok(connection)
    }

    fn with(now: Instant, config: Arc<Config>, random: SystemRandom, role: DtlsRole, state: State) -> Self {
        let rto = config.schedule.initial;
        let outbox = Outbox::with_room(config.mtu.min(MAX_CONTENT_LEN));
        Self {
            config,
            role,
            random,
            now,
            rto,
            started: false,
            carried_until: None,
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

    /// Begins the handshake: the client sends its ClientHello, and on both sides the deadline of
    /// [`crate::Schedule::deadline`] begins. `rtt` is a round trip time measured elsewhere (by ICE).
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

    /// Sends application data in one record and one datagram of its own.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::TooLarge`] above [`Connection::max_data_len`], [`Error::WouldBlock`],
    /// [`Error::KeyExhausted`], [`Error::Closed`]. None of them changes anything.
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
        // One datagram always has room, so that waiting for more is never in vain.
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
        self.mind_wear();
        Ok(())
    }

    /// Replaces the keys of both directions by a KeyUpdate (RFC 9147 section 8). What is sent goes under the old ones
    /// until the peer has acknowledged it. It happens by itself after 2^23 records.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::NoKeyUpdate`] in DTLS 1.2, [`Error::WouldBlock`] while something of ours is not
    /// acknowledged, [`Error::KeyExhausted`] after 2^16 of them, [`Error::Closed`].
    pub fn update_keys(&mut self, now: Instant) -> Result<(), Error> {
        self.catch_up(now);
        self.request_key_update()
    }

    /// Answers [`Event::CertificateReceived`].
    ///
    /// # Errors
    /// [`Error::NotAsked`] where no certificate waits.
    pub fn judge_certificate(&mut self, now: Instant, verdict: CertificateVerdict) -> Result<(), Error> {
        self.catch_up(now);
        self.apply_answer(Answer::Verdict(verdict))
    }

    /// Answers [`Event::PskRequested`]. Without a key a client fails with [`crate::Refusal::UnknownPsk`]; a
    /// server goes on as if the client's key was wrong, until the deadline, so that nobody can find out which
    /// identities exist.
    ///
    /// # Errors
    /// [`Error::NotAsked`] where no key was requested.
    pub fn provide_psk(&mut self, now: Instant, psk: Option<Psk>) -> Result<(), Error> {
        self.catch_up(now);
        self.apply_answer(Answer::Psk(psk))
    }

    /// Ends our direction alone: queues a close_notify, and from now on [`Connection::send`] is [`Error::Closed`]. What
    /// the peer still sends arrives, until its own close_notify brings [`Event::Closed`]. Nothing repeats a close_notify
    /// that was lost, so [`Connection::close`] ends the wait when the caller has waited enough. In DTLS 1.2 the peer
    /// closes as soon as it hears ours (RFC 5246 section 7.2.1), and only what was under way arrives. Where the peer
    /// has closed already it is the end.
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::Closed`].
    pub fn close_sending(&mut self, now: Instant) -> Result<(), Error> {
        self.catch_up(now);
        self.close_our_direction()
    }

    /// Ends the connection: queues a close_notify, unless [`Connection::close_sending`] has done so, and emits
    /// [`Event::Closed`]. What arrives afterwards is discarded. Without effect on one that has ended.
    pub fn close(&mut self, now: Instant) {
        self.catch_up(now);
        self.close_by_us();
    }

    /// The peer proved by other means that it is connected, by SRTP that authenticated for example: the last
    /// flight need not be kept any longer. Without effect where nothing is kept.
    pub fn release_final_flight(&mut self, now: Instant) {
        self.catch_up(now);
        self.forget_final_flight();
    }

    /// The peer has shown by other means that it receives what is sent to its address: what waits under
    /// [`crate::PathValidation::ByHandshake`] may leave. Without effect where nothing is held back.
    pub fn note_path_validated(&mut self, now: Instant) {
        self.catch_up(now);
        self.lift_limit();
    }

    /// Sends the current flight again at once. Without effect where nothing is outstanding.
    pub fn retransmit(&mut self, now: Instant) {
        self.catch_up(now);
        self.repeat_flight();
    }

    /// Gives the datagrams of the current flight, or what of it was not acknowledged, to another carrier, a STUN
    /// attribute for example: each of at most `mtu` bytes ([`Config::MIN_MTU`] at least), and sealed under record
    /// numbers of its own, so that every copy may be sent once. Returns how many there were: none where nothing is
    /// outstanding. [`Connection::poll_transmit`] and the timers go on as if nothing was copied.
    ///
    /// What arrives by the other carrier goes to [`Connection::handle_input`].
    pub fn copy_flight(&mut self, now: Instant, mtu: usize, take: impl FnMut(&[u8])) -> usize {
        self.catch_up(now);
        self.copy_of_flight(mtu, take)
    }

    /// Another carrier repeats our flights for so long, by [`Connection::copy_flight`]: the own timer is silent
    /// meanwhile. To be said again before the time is up, if the carrier goes on; a carrier that falls silent loses no
    /// flight, because the timer then goes on by itself, and [`Duration::ZERO`] has it go on after its usual pause.
    /// Nobody promises more than [`crate::Schedule::deadline`].
    /// New flights still leave by [`Connection::poll_transmit`] at once, and the deadline of the handshake stands.
    pub fn leave_retransmission(&mut self, now: Instant, promised: Duration) {
        self.catch_up(now);
        self.leave_repeats_to_carrier(promised);
    }

    /// A record that no connection could authenticate counts against the limit of this one's keys.
    pub fn note_forgery(&mut self, now: Instant) {
        self.catch_up(now);
        self.count_forgery(None);
    }

    // The five verbs.

    /// Takes a datagram. Its bytes are decrypted in place and destroyed thereby.
    pub fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) -> Admitted {
        self.catch_up(now);
        self.receive(datagram, Trial::Only)
    }

    /// As [`Connection::handle_input`], on a copy in `scratch`: the datagram stays as it is, so that another
    /// connection can be tried. A failed authentication is not counted as a forgery; see
    /// [`Connection::note_forgery`].
    pub fn try_input(&mut self, now: Instant, datagram: &[u8], scratch: &mut Vec<u8>) -> Admitted {
        self.catch_up(now);
        scratch.clear();
        scratch.extend_from_slice(datagram);
        self.receive(scratch, Trial::OneOfSeveral)
    }

    /// Does what is due. To be called at [`Connection::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Instant) {
        self.catch_up(now);
    }

    /// Appends the next datagram to `buf`.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.outbox.poll(buf)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.poll()
    }

    /// When [`Connection::handle_timeout`] is to be called.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    // Shared by the parts below.

    /// Time never goes back, and what was due happens before anything else.
    #[inline]
    fn catch_up(&mut self, now: Instant) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.expire(self.now) {
            self.on_timer(timer);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retransmit => self.repeat_flight(),
            Timer::FinalFlight => {
                self.give_up_final_flight();
                self.forget_final_flight();
            }
            Timer::Acknowledge => self.send_ack(),
            Timer::Handshake => self.fail_by_timeout(Timer::Handshake),
            Timer::AlertHint => self.believe_alert(),
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

    /// Whether so much waits to be fetched that nothing more is added because a peer asks for it.
    fn is_outbox_full(&self) -> bool {
        self.outbox.held() > self.config.limits.outgoing
    }

    fn finish_datagram(&mut self) {
        self.outbox.finish_datagram();
        self.stats.datagrams_sent = self.outbox.finished();
        self.release_withheld();
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
