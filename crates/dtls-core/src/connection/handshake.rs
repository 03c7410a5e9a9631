//! The handshake in progress: fragments become messages, messages advance the state machine, flights are sent and
//! retransmitted.

use super::Connection;
use super::post_handshake::PostHandshake;
use super::receive::Trial;
use super::state::{Established, FinalFlight, FreshHello, Handshaking, KeptFlight, Machine, State};
use crate::config::{Config, DtlsRole};
use crate::connected::Connected;
use crate::discard::Discard;
use crate::dtls13;
use crate::error::Error;
use crate::event::{Admitted, Event};
use crate::failure::{Failure, Misbehaved, Operation};
use crate::handshake::reassembly::Assembled;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{Fragment, HandshakeType, Message};
use crate::record::RecordHeader;
use crate::record::dtls13::FIRST_APPLICATION_EPOCH;
use crate::record::unified::UnifiedHeader;
use crate::timer::Timer;
use std::mem;
use std::time::Duration;

impl Connection {
    /// Sends the client's first flight.
    pub(super) fn begin_handshake(&mut self) {
        if let State::Idle { local_random } = self.state {
            match Handshaking::client(local_random, &self.config, &self.random) {
                Ok(handshaking) => self.state = State::Handshaking(Box::new(handshaking)),
                Err(failure) => return self.fail(failure),
            }
            self.transmit_flight();
        }
        self.begin_deadline();
    }

    /// Handles the ClientHello that the gate admitted as if it had arrived here.
    pub(super) fn receive_admitted(&mut self, sequence: u16, hello: Vec<u8>) {
        let kind = HandshakeType::CLIENT_HELLO;
        self.deliver(&Message { kind, sequence, body: &hello, protected: false });
        if let State::Handshaking(handshaking) = &mut self.state {
            handshaking.hello = hello;
        }
    }

    /// Begins the deadline at the start or at the first message, whichever comes first: a server may be handshaking or
    /// connected when it is started.
    fn begin_deadline(&mut self) {
        if matches!(self.state, State::Handshaking(_)) && !self.timers.is_set(Timer::Handshake) {
            self.timers.set(Timer::Handshake, self.now, self.config.retransmit.handshake_timeout);
        }
    }

    pub(super) fn advance_handshake(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        let next = handshaking.reassembly.next();
        if fragment.sequence < next {
            return self.on_retransmitted_message(fragment, protected);
        }
        // After the keys are installed, plaintext is ignored and cannot displace acknowledged fragments.
        if !protected && handshaking.machine.is_dtls13_protected() {
            return self.discard(Discard::UnexpectedMessage);
        }
        // A fragment of the response acknowledges the whole flight (RFC 9147 section 7.2).
        if protected && handshaking.machine.is_dtls13_protected() {
            handshaking.outgoing.flight.begin();
            self.outbox.drop_blocked();
            self.timers.stop(Timer::Retransmit);
        }
        let waits = handshaking.machine.awaits_answer();
        if let Some(message) = fragment.whole(protected).filter(|message| message.sequence == next && !waits)
        {
            if message.body.len() > self.config.limits.handshake_message {
                return self.discard(Discard::ReassemblyFull);
            }
            let outcome = self.deliver(&message);
            self.deliver_complete();
            return outcome;
        }
        let inserted = handshaking.reassembly.insert(fragment, protected, &self.config.limits);
        self.deliver_complete();
        match inserted {
            Ok(()) if protected => Admitted::Authenticated,
            Ok(()) => Admitted::Unauthenticated,
            Err(reason) => self.discard(reason),
        }
    }

    /// Delivers complete messages in order.
    fn deliver_complete(&mut self) {
        while let State::Handshaking(handshaking) = &mut self.state
            && !handshaking.machine.awaits_answer()
            && let Some(assembled) = handshaking.reassembly.take_complete()
        {
            self.deliver_assembled(assembled);
        }
    }

    fn deliver_assembled(&mut self, assembled: Assembled) -> Admitted {
        let outcome = self.deliver(&assembled.message());
        if assembled.message().kind == HandshakeType::CLIENT_HELLO
            && self.role == DtlsRole::Server
            && let State::Handshaking(handshaking) = &mut self.state
        {
            handshaking.hello = assembled.into_body();
        }
        outcome
    }

    /// Returns the state machine and its context.
    fn machine(&mut self) -> Option<(&mut Machine, Context<'_>)> {
        let State::Handshaking(handshaking) = &mut self.state else { return None };
        let cx = Context {
            config: &self.config,
            random: &self.random,
            local_random: &mut handshaking.local_random,
            remote_random: &mut handshaking.remote_random,
            outgoing: &mut handshaking.outgoing,
            records: &mut self.records,
            events: &mut self.events,
        };
        Some((&mut handshaking.machine, cx))
    }

    /// Passes the next message to the state machine.
    fn deliver(&mut self, message: &Message<'_>) -> Admitted {
        let Some((machine, mut cx)) = self.machine() else {
            return self.discard(Discard::UnexpectedMessage);
        };
        match machine.take().handle(message, &mut cx) {
            Step::Advance(next) => {
                *machine = next;
                self.on_progress();
            }
            Step::Stay(same, reason) => {
                *machine = same;
                if !message.protected {
                    return self.discard(reason);
                }
                self.fail(match reason {
                    Discard::Malformed => Misbehaved::Malformed.into(),
                    _ => Misbehaved::UnexpectedMessage.into(),
                });
            }
            Step::Connect(connected) => self.connect(connected),
            Step::Fail(failure) => self.fail(failure),
        }
        if message.protected { Admitted::Authenticated } else { Admitted::Unauthenticated }
    }

    fn on_progress(&mut self) {
        let State::Handshaking(handshaking) = &mut self.state else { return };
        handshaking.reassembly.advance();
        if handshaking.machine.is_dtls13_protected() {
            // Plaintext fragments would look like a gap among the protected messages.
            handshaking.reassembly.forget_plaintext();
        }
        handshaking.pending_alert = None;
        self.timers.stop(Timer::PendingAlert);
        if handshaking.machine.awaits_answer() {
            // The application decides; the peer retransmits its flight meanwhile.
            self.timers.stop(Timer::Retransmit);
        }
        self.begin_deadline();
        self.follow_up();
    }

    /// Sends the flight that the state machine prepared, and processes early records again.
    fn follow_up(&mut self) {
        let State::Handshaking(handshaking) = &mut self.state else { return };
        if handshaking.outgoing.flight.is_new() {
            let next = handshaking.reassembly.next();
            handshaking.outgoing.flight.answers(next);
            handshaking.received.clear();
            self.timers.stop(Timer::Acknowledge);
            self.answered = true;
            self.transmit_flight();
        } else if handshaking.outgoing.flight.is_empty() {
            self.timers.stop(Timer::Retransmit);
        }
        self.receive_early();
    }

    /// Processes records that arrived before their keys; those that are still early are kept.
    fn receive_early(&mut self) {
        let State::Handshaking(handshaking) = &mut self.state else { return };
        let early = if self.records.can_open() { handshaking.early.take() } else { Vec::new() };
        let unified = if handshaking.machine.is_dtls13_protected() {
            handshaking.early.take_unified()
        } else {
            Vec::new()
        };
        self.receive_kept(early, unified);
    }

    fn receive_kept(&mut self, early: Vec<(RecordHeader, Vec<u8>)>, unified: Vec<(UnifiedHeader, Vec<u8>)>) {
        for (header, mut content) in early {
            self.receive_record(&header, &mut content, Trial::Only);
        }
        for (header, mut record) in unified {
            self.receive_unified(header, &mut record, Trial::Only);
        }
    }

    fn connect(&mut self, connected: Connected) {
        let state = mem::replace(&mut self.state, State::Failed);
        let State::Handshaking(handshaking) = state else { return };
        let Handshaking { mut outgoing, mut reassembly, mut early, received, .. } = *handshaking;
        reassembly.advance();
        self.timers.stop_all();
        let negotiated = connected.negotiated();
        let (final_flight, post) = match (&connected, self.role) {
            (Connected::Dtls12(_), DtlsRole::Client) => (FinalFlight::ByPeer, None),
            (Connected::Dtls12(_), DtlsRole::Server) => {
                outgoing.flight.answers(reassembly.next());
                self.timers.set(Timer::FinalFlight, self.now, self.config.retransmit.final_flight_lifetime);
                (FinalFlight::Kept(Box::new(KeptFlight::new(outgoing.flight, self.now))), None)
            }
            (Connected::Dtls13(_), role) => {
                let after = match role {
                    DtlsRole::Client => self.config.retransmit.handshake_timeout,
                    DtlsRole::Server => self.config.retransmit.final_flight_lifetime,
                };
                self.timers.set(Timer::FinalFlight, self.now, after);
                self.answered = role == DtlsRole::Client;
                if role == DtlsRole::Server {
                    // ACKs are sent with the application keys.
                    self.records.epochs().end_writing_below(FIRST_APPLICATION_EPOCH);
                }
                let post = PostHandshake::new(role, reassembly, outgoing, received);
                (FinalFlight::ByPeer, Some(Box::new(post)))
            }
        };
        self.state = State::Connected(Established::new(connected, final_flight, post));
        self.transmit_flight();
        // A peer that only sends media needs no more room than this.
        self.outbox.shrink();
        tracing::debug!(role = ?self.role, ?negotiated, "connected");
        self.events.push(Event::Connected(negotiated));
        self.receive_kept(early.take(), early.take_unified());
    }

    /// Handles a message that was handled before: the peer lost our flight, or a new handshake began.
    fn on_retransmitted_message(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        let is_hello = fragment.kind == HandshakeType::CLIENT_HELLO && !protected;
        if is_hello && handshaking.is_of_another_hello(fragment) {
            match handshaking.fresh_hello {
                FreshHello::ReplacesAttempt if handshaking.machine.is_replaceable() => {
                    return self.receive_replacement(fragment);
                }
                FreshHello::IsForTheGate => return self.discard(Discard::FreshClientHello),
                FreshHello::ReplacesAttempt => {}
            }
        }
        let flight = &handshaking.outgoing.flight;
        let missed = flight.was_missed_by(fragment.sequence) && !handshaking.machine.awaits_answer();
        if missed && flight.may_retransmit(self.now, self.rto) {
            self.retransmit_flight();
        }
        self.discard(Discard::RetransmittedMessage)
    }

    /// Until its client is authenticated, a server accepts another ClientHello: the first one may have been forged, or
    /// its client may have restarted. Each costs a signature, so at most one per RTO replaces the attempt.
    fn receive_replacement(&mut self, fragment: &Fragment<'_>) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        let recently =
            handshaking.replaced_at.is_some_and(|at| self.now.saturating_duration_since(at) < self.rto);
        if recently || fragment.sequence != 0 {
            return self.discard(Discard::FreshClientHello);
        }
        if let Err(reason) = handshaking.replacement.insert(fragment, false, &self.config.limits) {
            return self.discard(reason);
        }
        let Some(hello) = handshaking.replacement.take_complete() else { return Admitted::Unauthenticated };
        if let Err(reason) = dtls13::server::would_answer(&hello.message(), &self.config) {
            return self.discard(reason);
        }
        let Some(local_random) = self.fresh_random() else {
            self.fail(Failure::Crypto(Operation::Random));
            return Admitted::Unauthenticated;
        };
        let mut handshaking = Box::new(Handshaking::server(local_random, &self.config));
        handshaking.replaced_at = Some(self.now);
        self.state = State::Handshaking(handshaking);
        self.records.forget_keys();
        self.timers.stop(Timer::Retransmit);
        self.timers.stop(Timer::Acknowledge);
        self.timers.stop(Timer::PendingAlert);
        self.deliver_assembled(hello)
    }

    /// Applies the application's answer to an event.
    pub(super) fn apply_answer(&mut self, answer: Answer) -> Result<(), Error> {
        let Some((machine, mut cx)) = self.machine() else { return Err(Error::NotAsked) };
        match machine.take().on_answer(answer, &mut cx) {
            Answered::NotAsked(same) => {
                *machine = same;
                return Err(Error::NotAsked);
            }
            Answered::Fail(failure) => self.fail(failure),
            Answered::Advance(next) => {
                *machine = next;
                // The timer was stopped meanwhile; a new flight sets it again.
                let transmissions = cx.outgoing.flight.transmissions();
                let pause = timeout(&self.config, self.rto, transmissions);
                self.arm_retransmission(pause);
                self.follow_up();
                self.deliver_complete();
                self.schedule_ack_retransmission();
                self.schedule_ack();
            }
        }
        Ok(())
    }

    /// Retransmits the flight, which the peer may have lost.
    pub(super) fn retransmit_flight(&mut self) {
        let is_repeat = match &self.state {
            State::Handshaking(handshaking) => handshaking.outgoing.flight.transmissions() > 0,
            State::Connected(Established { post: Some(post), .. }) => {
                post.outgoing.flight.transmissions() > 0
            }
            State::Connected(Established { final_flight: FinalFlight::Kept(kept), .. }) => {
                kept.flight.transmissions() > 0
            }
            _ => return,
        };
        if is_repeat && !self.outbox.is_blocked() {
            self.stats.flights_retransmitted = self.stats.flights_retransmitted.saturating_add(1);
        }
        self.transmit_flight();
    }

    pub(super) fn transmit_flight(&mut self) {
        self.transmit_of_flight(Extent::Everything);
    }

    /// Retransmits what an ACK has shown to be lost.
    pub(super) fn retransmit_lost(&mut self) {
        if self.outbox.is_blocked() {
            return;
        }
        self.stats.flights_retransmitted = self.stats.flights_retransmitted.saturating_add(1);
        self.transmit_of_flight(Extent::Lost);
    }

    fn transmit_of_flight(&mut self, extent: Extent) {
        let (flight, awaits_answer) = match &mut self.state {
            State::Handshaking(handshaking) => (&mut handshaking.outgoing.flight, true),
            State::Connected(Established { post: Some(post), .. }) => (&mut post.outgoing.flight, true),
            State::Connected(Established { final_flight: FinalFlight::Kept(kept), .. }) => {
                (&mut kept.flight, false)
            }
            _ => return,
        };
        if flight.is_empty() {
            return;
        }
        if flight.is_new() {
            // Blocked datagrams were answered, or belong to another attempt.
            self.outbox.drop_blocked();
        }
        // If earlier transmissions are still queued or blocked, another one would only grow the queue.
        if self.outbox.held() <= self.config.limits.outgoing && !self.outbox.is_blocked() {
            if extent == Extent::Everything {
                flight.mark_all_lost();
            }
            let mtu = mtu(&self.config, flight.transmissions());
            if flight.transmit(self.now, mtu, &mut self.records, &mut self.outbox).is_err() {
                self.outbox.abandon_datagram();
                self.fail(Failure::Crypto(Operation::Seal));
                return;
            }
            if extent == Extent::Everything {
                flight.count_transmission();
            }
            self.stats.datagrams_sent = self.outbox.finished();
            self.outbox.unblock();
            if self.outbox.is_blocked() {
                self.stats.flights_blocked = self.stats.flights_blocked.saturating_add(1);
            }
        }
        if awaits_answer {
            // A blocked flight waits for input. A long interval keeps wake-ups for forged hellos rare.
            let pause = if self.outbox.is_blocked() {
                self.config.retransmit.max_rto.max(self.rto)
            } else {
                timeout(&self.config, self.rto, flight.transmissions())
            };
            self.arm_retransmission(pause);
        }
    }

    /// Sends the datagrams that the anti-amplification limit blocked, as far as it allows.
    pub(super) fn release_blocked(&mut self) {
        if self.outbox.unblock() {
            self.on_flight_released();
        }
    }

    /// Ends the anti-amplification limit, because the peer's path is validated.
    pub(super) fn on_path_validated(&mut self) {
        if self.outbox.set_address_validated() {
            self.on_flight_released();
        }
    }

    /// A flight that was blocked and is now sent counts as a retransmission.
    fn on_flight_released(&mut self) {
        if let State::Handshaking(handshaking) = &mut self.state {
            let flight = &mut handshaking.outgoing.flight;
            flight.note_sent(self.now);
            if self.timers.is_set(Timer::Retransmit) {
                let pause = timeout(&self.config, self.rto, flight.transmissions());
                self.arm_retransmission(pause);
            }
        }
    }
}

/// The part of a flight that is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Everything that is not acknowledged.
    Everything,
    /// Everything that is neither acknowledged nor in flight.
    Lost,
}

/// Returns the interval after this number of transmissions of a flight.
pub(super) fn timeout(config: &Config, rto: Duration, transmissions: u32) -> Duration {
    // The first interval is not doubled, whatever the configuration says about later ones.
    let doublings = transmissions.saturating_sub(config.retransmit.constant_retransmissions.max(1));
    rto.saturating_mul(2_u32.saturating_pow(doublings)).min(config.retransmit.max_rto.max(rto))
}

/// A path may have a smaller MTU than assumed, and not report it (RFC 6347 section 4.1.1.1).
fn mtu(config: &Config, transmissions: u32) -> usize {
    let reduced = match transmissions {
        0..=3 => config.mtu,
        4..=7 => config.mtu / 4 * 3,
        _ => config.mtu / 2,
    };
    reduced.max(Config::MIN_MTU)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RetransmitConfig;

    #[test]
    fn timeout_doubles_after_eight_transmissions() {
        let config = Config::default();
        let rto = Duration::from_millis(400);
        let waits: Vec<u128> = (1..=13).map(|sent| timeout(&config, rto, sent).as_millis()).collect();
        assert_eq!(waits, [400, 400, 400, 400, 400, 400, 400, 400, 800, 1600, 3000, 3000, 3000]);
        assert_eq!(timeout(&config, Duration::from_secs(9), u32::MAX), Duration::from_secs(9));
    }

    #[test]
    fn first_timeout_is_not_doubled_and_the_cap_holds() {
        let retransmit = RetransmitConfig {
            constant_retransmissions: 0,
            max_rto: Duration::from_secs(86_400),
            ..RetransmitConfig::default()
        };
        let config = Config { retransmit, ..Config::default() };
        let wait = |sent| timeout(&config, Duration::from_millis(1), sent);
        assert_eq!([1, 2, 3, 21].map(wait).map(|wait| wait.as_millis()), [1, 2, 4, 1 << 20]);
        assert_eq!([28, 64, u32::MAX].map(wait), [config.retransmit.max_rto; 3]);
    }

    #[test]
    fn datagrams_shrink_after_four_transmissions() {
        let config = Config::default();
        assert_eq!([0, 3, 4, 8].map(|sent| mtu(&config, sent)), [1200, 1200, 900, 600]);
        let small = Config { mtu: 256, ..Config::default() };
        assert_eq!([0, 4, 8].map(|sent| mtu(&small, sent)), [256; 3]);
    }
}
