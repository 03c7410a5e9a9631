//! A handshake on its way: fragments become messages, messages move the machine, flights leave and are repeated.

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
use crate::record::epochs::FIRST_APPLICATION_EPOCH;
use crate::record::unified::UnifiedHeader;
use crate::timer::Timer;
use std::mem;
use std::time::Duration;

impl Connection {
    /// The client's first flight leaves here.
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

    /// The ClientHello that the gate admitted is answered as if it had arrived here.
    pub(super) fn receive_admitted(&mut self, sequence: u16, hello: Vec<u8>) {
        let kind = HandshakeType::CLIENT_HELLO;
        self.deliver(&Message { kind, sequence, body: &hello, protected: false });
        if let State::Handshaking(handshaking) = &mut self.state {
            handshaking.hello = hello;
        }
    }

    /// Whatever comes first, a start or a message: a server may be under way or done when it is started.
    fn begin_deadline(&mut self) {
        if matches!(self.state, State::Handshaking(_)) && !self.timers.is_set(Timer::Handshake) {
            self.timers.set(Timer::Handshake, self.now, self.config.schedule.deadline);
        }
    }

    pub(super) fn advance_handshake(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        let next = handshaking.reassembly.next();
        if fragment.sequence < next {
            return self.receive_repeat(fragment, protected);
        }
        // Under keys nothing more comes in plaintext, and nothing that does may displace what was acknowledged.
        if !protected && handshaking.machine.is_dtls13_protected() {
            return self.discard(Discard::UnexpectedMessage);
        }
        // What answers our flight acknowledges all of it, be it a fragment (RFC 9147 section 7.2).
        if protected && handshaking.machine.is_dtls13_protected() {
            handshaking.outgoing.flight.begin();
            self.outbox.forget_withheld();
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

    /// Delivers what has been put together, in order.
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

    /// The machine, and what it may touch.
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

    /// Gives the next message to the machine.
    fn deliver(&mut self, message: &Message<'_>) -> Admitted {
        let Some((machine, mut cx)) = self.machine() else {
            return self.discard(Discard::UnexpectedMessage);
        };
        match machine.take().handle(message, &mut cx) {
            Step::Advance(next) => {
                *machine = next;
                self.note_progress();
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

    fn note_progress(&mut self) {
        let State::Handshaking(handshaking) = &mut self.state else { return };
        handshaking.reassembly.advance();
        if handshaking.machine.is_dtls13_protected() {
            // It would look like a gap in what the peer protects.
            handshaking.reassembly.forget_plaintext();
        }
        handshaking.alert_hint = None;
        self.timers.stop(Timer::AlertHint);
        if handshaking.machine.awaits_answer() {
            // The application takes its time; the peer repeats its flight meanwhile.
            self.timers.stop(Timer::Retransmit);
        }
        self.begin_deadline();
        self.follow_up();
    }

    /// Sends what the machine left to be sent, and looks again at what was too early for it.
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

    /// Tries again what arrived before its keys; what is still early is kept again.
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
                self.timers.set(Timer::FinalFlight, self.now, self.config.schedule.keep_final_flight);
                (FinalFlight::Kept(Box::new(KeptFlight::new(outgoing.flight, self.now))), None)
            }
            (Connected::Dtls13(_), role) => {
                let after = match role {
                    DtlsRole::Client => self.config.schedule.deadline,
                    DtlsRole::Server => self.config.schedule.keep_final_flight,
                };
                self.timers.set(Timer::FinalFlight, self.now, after);
                self.answered = role == DtlsRole::Client;
                if role == DtlsRole::Server {
                    // It acknowledges under the keys of the application.
                    self.records.epochs().end_writing_below(FIRST_APPLICATION_EPOCH);
                }
                let post = PostHandshake::new(role, reassembly, outgoing, received);
                (FinalFlight::ByPeer, Some(Box::new(post)))
            }
        };
        self.state = State::Connected(Established::new(connected, final_flight, post));
        self.transmit_flight();
        // A peer that sends media alone needs no more than what waits there now.
        self.outbox.shrink();
        tracing::debug!(role = ?self.role, ?negotiated, "connected");
        self.events.push(Event::Connected(negotiated));
        self.receive_kept(early.take(), early.take_unified());
    }

    /// A message that was handled before. Either the peer has missed our flight, or somebody begins anew.
    fn receive_repeat(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
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
        if missed && flight.may_repeat(self.now, self.rto) {
            self.repeat_flight();
        }
        self.discard(Discard::RepeatedMessage)
    }

    /// A server takes another ClientHello until its client is authenticated: the first one may have been
    /// forged, or its client may have begun anew. Each one costs us a signature, hence at most one per RTO
    /// takes another's place.
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
        self.timers.stop(Timer::AlertHint);
        self.deliver_assembled(hello)
    }

    /// The application answers what an event has asked.
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
                // The timer stood still meanwhile; a new flight sets it again by itself.
                let transmissions = cx.outgoing.flight.transmissions();
                let pause = timeout(&self.config, self.rto, transmissions);
                self.arm_retransmission(pause);
                self.follow_up();
                self.deliver_complete();
                self.await_rest_of_flight();
                self.settle_acknowledgements();
            }
        }
        Ok(())
    }

    /// Sends the flight again that the peer may have missed.
    pub(super) fn repeat_flight(&mut self) {
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
        if is_repeat && !self.outbox.is_withholding() {
            self.stats.flights_repeated = self.stats.flights_repeated.saturating_add(1);
        }
        self.transmit_flight();
    }

    pub(super) fn transmit_flight(&mut self) {
        self.transmit_of_flight(Extent::Everything);
    }

    /// An ACK has shown what did not arrive.
    pub(super) fn resend_lost(&mut self) {
        if self.outbox.is_withholding() {
            return;
        }
        self.stats.flights_repeated = self.stats.flights_repeated.saturating_add(1);
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
            // What still waits was answered, or belongs to another attempt.
            self.outbox.forget_withheld();
        }
        // Nobody fetched the last transmissions, or they may not leave: another one would only grow the queue.
        if self.outbox.held() <= self.config.limits.outgoing && !self.outbox.is_withholding() {
            if extent == Extent::Everything {
                flight.give_up_waiting();
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
            self.outbox.release();
            if self.outbox.is_withholding() {
                self.stats.flights_withheld = self.stats.flights_withheld.saturating_add(1);
            }
        }
        if awaits_answer {
            // What may not leave waits for something to arrive: whoever forged a hello has us wake up rarely.
            let pause = if self.outbox.is_withholding() {
                self.config.schedule.cap.max(self.rto)
            } else {
                timeout(&self.config, self.rto, flight.transmissions())
            };
            self.arm_retransmission(pause);
        }
    }

    /// What waited for the peer's path to be validated leaves where it may.
    pub(super) fn release_withheld(&mut self) {
        if self.outbox.release() {
            self.note_released();
        }
    }

    /// The peer's path is validated.
    pub(super) fn lift_limit(&mut self) {
        if self.outbox.lift() {
            self.note_released();
        }
    }

    /// A flight that leaves at last is as good as a repetition.
    fn note_released(&mut self) {
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

/// How much of a flight is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Whatever was not acknowledged.
    Everything,
    /// What was not acknowledged and is not on its way either.
    Lost,
}

/// How long to wait after so many transmissions of a flight.
pub(super) fn timeout(config: &Config, rto: Duration, transmissions: u32) -> Duration {
    // The first timeout is the first one, whatever is said of those after it.
    let doublings = transmissions.saturating_sub(config.schedule.unchanged.max(1));
    rto.saturating_mul(2_u32.saturating_pow(doublings)).min(config.schedule.cap.max(rto))
}

/// A path may pass less than was assumed and say nothing about it (RFC 6347 section 4.1.1.1).
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
    use crate::config::Schedule;

    #[test]
    fn the_timeout_stays_for_eight_transmissions_then_doubles_to_the_cap() {
        let config = Config::default();
        let rto = Duration::from_millis(400);
        let waits: Vec<u128> = (1..=13).map(|sent| timeout(&config, rto, sent).as_millis()).collect();
        assert_eq!(waits, [400, 400, 400, 400, 400, 400, 400, 400, 800, 1600, 3000, 3000, 3000]);
        assert_eq!(timeout(&config, Duration::from_secs(9), u32::MAX), Duration::from_secs(9));
    }

    #[test]
    fn the_cap_is_reached_however_far_it_is_and_the_first_timeout_is_never_doubled() {
        let schedule = Schedule { unchanged: 0, cap: Duration::from_secs(86_400), ..Schedule::default() };
        let config = Config { schedule, ..Config::default() };
        let wait = |sent| timeout(&config, Duration::from_millis(1), sent);
        assert_eq!([1, 2, 3, 21].map(wait).map(|wait| wait.as_millis()), [1, 2, 4, 1 << 20]);
        assert_eq!([28, 64, u32::MAX].map(wait), [config.schedule.cap; 3]);
    }

    #[test]
    fn datagrams_shrink_after_four_transmissions_but_never_below_the_minimum() {
        let config = Config::default();
        assert_eq!([0, 3, 4, 8].map(|sent| mtu(&config, sent)), [1200, 1200, 900, 600]);
        let small = Config { mtu: 256, ..Config::default() };
        assert_eq!([0, 4, 8].map(|sent| mtu(&small, sent)), [256; 3]);
    }
}
