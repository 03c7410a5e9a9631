//! The handshake in progress: fragments become messages, messages advance the state machine, flights are sent and
//! retransmitted.

use super::Connection;
use super::machine::Machine;
use super::receive::Trial;
use super::state::{FreshHello, Handshaking, State};
use crate::config::DtlsRole;
use crate::connected::Connected;
use crate::discard::Discard;
use crate::dtls13;
use crate::error::Error;
use crate::established::Established;
use crate::event::{Admitted, Event};
use crate::failure::{Failure, Misbehaved, Operation};
use crate::handshake::reassembly::Assembled;
use crate::handshake::step::{Answer, Answered, Context, Step};
use crate::handshake::{Fragment, HandshakeType, Message};
use crate::record::RecordHeader;
use crate::record::unified::UnifiedHeader;
use crate::timer::Timer;
use std::mem;

impl Connection {
    /// Sends the client's first flight.
    pub(super) fn begin_handshake(&mut self) {
        if let State::Idle { local_random } = self.state {
            match Handshaking::client(local_random, &self.link.config, &self.random) {
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
        if matches!(self.state, State::Handshaking(_)) && !self.link.timers.is_set(Timer::Handshake) {
            self.link.timers.set(
                Timer::Handshake,
                self.link.now,
                self.link.config.retransmit.handshake_timeout,
            );
        }
    }

    pub(super) fn advance_handshake(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.link.discard(Discard::UnexpectedMessage);
        };
        let next = handshaking.reassembly.next();
        if fragment.sequence < next {
            return self.on_retransmitted_message(fragment, protected);
        }
        // After the keys are installed, plaintext is ignored and cannot displace acknowledged fragments.
        if !protected && handshaking.machine.is_dtls13_protected() {
            return self.link.discard(Discard::UnexpectedMessage);
        }
        // A fragment of the response acknowledges the whole flight (RFC 9147 section 7.2).
        if protected && handshaking.machine.is_dtls13_protected() {
            handshaking.outgoing.flight.begin();
            self.link.outbox.drop_blocked();
            self.link.timers.stop(Timer::Retransmit);
        }
        let waits = handshaking.machine.awaits_answer();
        if let Some(message) = fragment.whole(protected).filter(|message| message.sequence == next && !waits)
        {
            if message.body.len() > self.link.config.limits.handshake_message {
                return self.link.discard(Discard::ReassemblyFull);
            }
            let outcome = self.deliver(&message);
            self.deliver_complete();
            return outcome;
        }
        let inserted = handshaking.reassembly.insert(fragment, protected, &self.link.config.limits);
        self.deliver_complete();
        match inserted {
            Ok(()) if protected => Admitted::Authenticated,
            Ok(()) => Admitted::Unauthenticated,
            Err(reason) => self.link.discard(reason),
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
            && self.link.role == DtlsRole::Server
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
            config: &self.link.config,
            random: &self.random,
            local_random: &mut handshaking.local_random,
            remote_random: &mut handshaking.remote_random,
            outgoing: &mut handshaking.outgoing,
            records: &mut self.link.records,
            events: &mut self.link.events,
        };
        Some((&mut handshaking.machine, cx))
    }

    /// Passes the next message to the state machine.
    fn deliver(&mut self, message: &Message<'_>) -> Admitted {
        let Some((machine, mut cx)) = self.machine() else {
            return self.link.discard(Discard::UnexpectedMessage);
        };
        match machine.take().handle(message, &mut cx) {
            Step::Advance(next) => {
                *machine = next;
                self.on_progress();
            }
            Step::Stay(same, reason) => {
                *machine = same;
                if !message.protected {
                    return self.link.discard(reason);
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
        self.link.timers.stop(Timer::PendingAlert);
        if handshaking.machine.awaits_answer() {
            // The application decides; the peer retransmits its flight meanwhile.
            self.link.timers.stop(Timer::Retransmit);
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
            self.link.timers.stop(Timer::Acknowledge);
            self.link.answered = true;
            self.transmit_flight();
        } else if handshaking.outgoing.flight.is_empty() {
            self.link.timers.stop(Timer::Retransmit);
        }
        self.receive_early();
    }

    /// Processes records that arrived before their keys; those that are still early are kept.
    fn receive_early(&mut self) {
        let State::Handshaking(handshaking) = &mut self.state else { return };
        let early = if self.link.records.can_open() { handshaking.early.take() } else { Vec::new() };
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
        let Handshaking { outgoing, mut reassembly, mut early, received, .. } = *handshaking;
        reassembly.advance();
        self.link.timers.stop_all();
        let established = Established::new(connected, outgoing, reassembly, received, &mut self.link);
        let negotiated = established.negotiated();
        self.state = State::Connected(established);
        self.transmit_flight();
        // A peer that only sends media needs no more room than this.
        self.link.outbox.shrink();
        tracing::debug!(role = ?self.link.role, ?negotiated, "connected");
        self.link.events.push(Event::Connected(negotiated));
        self.receive_kept(early.take(), early.take_unified());
    }

    /// Handles a message that was handled before: the peer lost our flight, or a new handshake began.
    fn on_retransmitted_message(&mut self, fragment: &Fragment<'_>, protected: bool) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.link.discard(Discard::UnexpectedMessage);
        };
        let is_hello = fragment.kind == HandshakeType::CLIENT_HELLO && !protected;
        if is_hello && handshaking.is_of_another_hello(fragment) {
            match handshaking.fresh_hello {
                FreshHello::ReplacesAttempt if handshaking.machine.is_replaceable() => {
                    return self.receive_replacement(fragment);
                }
                FreshHello::IsForTheGate => return self.link.discard(Discard::FreshClientHello),
                FreshHello::ReplacesAttempt => {}
            }
        }
        let flight = &handshaking.outgoing.flight;
        let missed = flight.was_missed_by(fragment.sequence) && !handshaking.machine.awaits_answer();
        if missed && flight.may_retransmit(self.link.now, self.link.rto) {
            self.retransmit_flight();
        }
        self.link.discard(Discard::RetransmittedMessage)
    }

    /// Until its client is authenticated, a server accepts another ClientHello: the first one may have been forged, or
    /// its client may have restarted. Each costs a signature, so at most one per RTO replaces the attempt.
    fn receive_replacement(&mut self, fragment: &Fragment<'_>) -> Admitted {
        let State::Handshaking(handshaking) = &mut self.state else {
            return self.link.discard(Discard::UnexpectedMessage);
        };
        let recently = handshaking
            .replaced_at
            .is_some_and(|at| self.link.now.saturating_duration_since(at) < self.link.rto);
        if recently || fragment.sequence != 0 {
            return self.link.discard(Discard::FreshClientHello);
        }
        if let Err(reason) = handshaking.replacement.insert(fragment, false, &self.link.config.limits) {
            return self.link.discard(reason);
        }
        let Some(hello) = handshaking.replacement.take_complete() else { return Admitted::Unauthenticated };
        if let Err(reason) = dtls13::server::would_answer(&hello.message(), &self.link.config) {
            return self.link.discard(reason);
        }
        let Some(local_random) = self.fresh_random() else {
            self.fail(Failure::Crypto(Operation::Random));
            return Admitted::Unauthenticated;
        };
        let mut handshaking = Box::new(Handshaking::server(local_random, &self.link.config));
        handshaking.replaced_at = Some(self.link.now);
        self.state = State::Handshaking(handshaking);
        self.link.records.forget_keys();
        self.link.timers.stop(Timer::Retransmit);
        self.link.timers.stop(Timer::Acknowledge);
        self.link.timers.stop(Timer::PendingAlert);
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
                self.link.arm_retransmission(self.link.timeout(transmissions));
                self.follow_up();
                self.deliver_complete();
                if let State::Handshaking(handshaking) = &self.state {
                    handshaking.schedule_ack_retransmission(&mut self.link);
                }
                self.schedule_ack();
            }
        }
        Ok(())
    }

    /// At the end of a datagram: sends an ACK, now or after a delay, if one is needed (RFC 9147 section 7.1).
    pub(super) fn schedule_ack(&mut self) {
        match &mut self.state {
            State::Handshaking(handshaking) => handshaking.schedule_ack(&mut self.link),
            State::Connected(established) => {
                let sent = established.schedule_ack(&mut self.link);
                self.apply(sent);
            }
            State::Idle { .. } | State::Closed | State::Failed => {}
        }
    }

    pub(super) fn send_ack(&mut self) {
        match &mut self.state {
            State::Handshaking(handshaking) => handshaking.send_ack(&mut self.link),
            State::Connected(established) => {
                let sent = established.send_ack(&mut self.link);
                self.apply(sent);
            }
            State::Idle { .. } | State::Closed | State::Failed => {}
        }
    }
}
