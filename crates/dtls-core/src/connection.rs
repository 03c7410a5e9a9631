//! A DTLS connection: the public face.
//!
//! A table of contents: `accessors` has the getters, `receive` the handling of datagrams, `handshake` that of handshake
//! messages, `retransmit` flights and their timer, `close` alerts and the end. [`Link`] has the parts that every state
//! uses, [`Established`] the connection after the handshake.

mod accessors;
mod close;
mod handshake;
mod machine;
mod receive;
mod retransmit;
mod state;
#[cfg(test)]
mod tests;

use crate::config::{Config, DtlsRole, PathValidation};
use crate::cookie_gate::Admission;
use crate::crypto::backend::rand::{SecureRandom as _, SystemRandom};
use crate::error::Error;
use crate::established::Established;
use crate::event::{Admitted, CertificateVerdict, Event};
use crate::failure::Failure;
use crate::handshake::step::Answer;
use crate::link::Link;
use crate::message::Random;
use crate::psk::Psk;
use crate::record::ContentType;
use crate::record::layer::RecordLayer;
use crate::timer::Timer;
use crate::transmit::Transmit;
use receive::Trial;
use state::{Handshaking, State};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The minimum RTO, whatever RTT was measured: RFC 9147 section 5.8.2 allows RTOs from measured RTTs.
const MIN_RTO: Duration = Duration::from_millis(50);

/// One DTLS association with one peer.
///
/// Inputs, commands and timeouts change the state; the polls return the results.
pub struct Connection {
    random: SystemRandom,
    started: bool,
    state: State,
    link: Link,
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
    /// [`crate::Discard::FreshClientHello`] until the end, and the caller passes it to the gate.
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
        connection.link.rto = first_timeout(round_trip).min(connection.link.rto);
        connection.link.records = RecordLayer::continued(record.sequence);
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
        if role == DtlsRole::Server && connection.link.config.path == PathValidation::ByHandshake {
            connection.link.outbox.start_limit();
        }
        Ok(connection)
    }

    fn with(now: Instant, config: Arc<Config>, random: SystemRandom, role: DtlsRole, state: State) -> Self {
        Self { random, started: false, state, link: Link::new(now, config, role) }
    }

    // Commands.

    /// Starts the handshake: the client sends its ClientHello, and the deadline of [`crate::RetransmitConfig::handshake_timeout`] begins
    /// on both sides. `rtt` is a round-trip time that another protocol measured, such as ICE.
    ///
    /// # Errors
    /// [`Error::AlreadyStarted`], [`Error::Closed`].
    pub fn start(&mut self, now: Instant, rtt: Option<Duration>) -> Result<(), Error> {
        if self.state.has_ended() {
            return Err(Error::Closed);
        }
        if self.started {
            return Err(Error::AlreadyStarted);
        }
        self.catch_up(now);
        self.started = true;
        if let Some(rtt) = rtt {
            self.link.rto = first_timeout(rtt);
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
        let max = self.max_data_len();
        let established = self.state.established_mut()?;
        if !established.may_send() {
            return Err(Error::Closed);
        }
        let epoch = established.epoch();
        if data.len() > max {
            return Err(Error::TooLarge { max });
        }
        // The queue always has room for one datagram, so that waiting for room ends.
        let held = self.link.outbox.held();
        if held > 0 && held + data.len() > self.link.config.limits.outgoing {
            return Err(Error::WouldBlock);
        }
        let out = self.link.outbox.datagram();
        if self.link.records.write(epoch, ContentType::ApplicationData, data, out).is_err() {
            self.link.outbox.abandon_datagram();
            return Err(Error::KeyExhausted);
        }
        self.link.finish_datagram();
        let checked = established.check_key_limits(&mut self.link);
        self.apply(checked);
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
        let established = self.state.established_mut()?;
        established.check_key_update()?;
        let updated = established.update_keys(&mut self.link);
        self.apply(updated);
        Ok(())
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
        let established = self.state.established_mut()?;
        if !established.may_send() {
            return Err(Error::Closed);
        }
        let closed = established.close_sending(&mut self.link);
        self.apply(closed);
        Ok(())
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
        if let State::Connected(established) = &mut self.state {
            established.release_final_flight(&mut self.link);
        }
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
        self.copy_flight_datagrams(mtu, take)
    }

    /// Suspends the retransmission timer for `promised`, because another protocol retransmits our flights
    /// ([`Connection::flight_datagrams`]). Call it again before the time is up to prolong it; otherwise the timer then
    /// resumes, so that no flight is lost. [`Duration::ZERO`] resumes it after the usual interval. The maximum is
    /// [`crate::RetransmitConfig::handshake_timeout`]. New flights are still sent by [`Connection::poll_transmit`] at once, and the
    /// deadline of the handshake does not change.
    pub fn suspend_retransmission(&mut self, now: Instant, promised: Duration) {
        self.catch_up(now);
        self.link.suspend_retransmission(promised);
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
        self.link.outbox.poll(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.link.events.poll()
    }

    /// Returns when to call [`Connection::handle_timeout`].
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.link.timers.next()
    }

    // Shared by the modules below.

    /// Time never goes back, and due timers are processed before anything else.
    #[inline]
    fn catch_up(&mut self, now: Instant) {
        self.link.now = self.link.now.max(now);
        while let Some(timer) = self.link.timers.expire(self.link.now) {
            self.on_timer(timer);
        }
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Retransmit => self.retransmit_flight(),
            Timer::FinalFlight => {
                if let State::Connected(established) = &mut self.state {
                    let released = established.on_final_flight_timeout(&mut self.link);
                    self.apply(released);
                }
            }
            Timer::Acknowledge => self.send_ack(),
            Timer::Handshake => self.fail(Failure::Timeout(Timer::Handshake)),
            Timer::PendingAlert => self.accept_pending_alert(),
        }
    }

    const fn established(&self) -> Option<&Established> {
        match &self.state {
            State::Connected(established) => Some(established),
            _ => None,
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
            .field("role", &self.link.role)
            .field("state", &self.state.name())
            .finish_non_exhaustive()
    }
}
