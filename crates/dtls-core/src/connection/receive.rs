//! From datagrams to handshake messages, alerts and data.

use super::Connection;
use super::state::{Established, FinalFlight, State};
use crate::alert::{Alert, AlertLevel};
use crate::codec::Reader;
use crate::config::DtlsRole;
use crate::discard::Discard;
use crate::event::{Admitted, Event};
use crate::failure::Misbehaved;
use crate::handshake::{Fragment, HandshakeType};
use crate::peek::hello_random;
use crate::record::dtls12::Epoch;
use crate::record::dtls13::{FIRST_APPLICATION_EPOCH, HANDSHAKE_EPOCH, Opened};
use crate::record::unified::{self, UnifiedHeader};
use crate::record::{ContentType, MAX_CONTENT_LEN, Record, RecordHeader, RecordNumber};
use std::time::Duration;

/// The minimum interval of events about fresh ClientHellos, which any sender can cause.
const FRESH_HELLO_INTERVAL: Duration = Duration::from_secs(1);

/// Whether the datagram can belong to another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    Only,
    OneOfSeveral,
}

impl Connection {
    pub(super) fn receive(&mut self, datagram: &mut [u8], trial: Trial) -> Admitted {
        self.stats.datagrams_received = self.stats.datagrams_received.saturating_add(1);
        if let State::Idle { .. } = self.state {
            return self.discard(Discard::NotStarted);
        }
        let len = datagram.len();
        if trial == Trial::Only {
            self.outbox.on_bytes_received(len);
        }
        let mut admitted = None;
        let mut rest = datagram;
        loop {
            let (outcome, after) = self.receive_first(rest, trial);
            admitted = Some(better(admitted, outcome));
            rest = after;
            if rest.is_empty() {
                let admitted = admitted.unwrap_or(outcome);
                // A datagram that may belong to another connection counts for the anti-amplification limit only if it
                // was used.
                if trial == Trial::OneOfSeveral && !matches!(admitted, Admitted::Discarded(_)) {
                    self.outbox.on_bytes_received(len);
                }
                self.schedule_ack();
                // Responses to this datagram are sent before blocked ones.
                self.release_blocked();
                return admitted;
            }
        }
    }

    /// Handles the first record of the rest of a datagram, and returns the remainder.
    fn receive_first<'d>(&mut self, datagram: &'d mut [u8], trial: Trial) -> (Admitted, &'d mut [u8]) {
        if datagram.first().is_some_and(|first| unified::is_unified(*first)) {
            return match UnifiedHeader::read(datagram) {
                Ok(header) => {
                    let len = (header.len + header.body_len).min(datagram.len());
                    let (record, after) = datagram.split_at_mut(len);
                    (self.receive_unified(header, record, trial), after)
                }
                Err(reason) => (self.discard(reason), &mut []),
            };
        }
        match Record::split_first(datagram) {
            Ok((Record { header, content }, after)) => (self.receive_record(&header, content, trial), after),
            Err(reason) => (self.discard(reason), &mut []),
        }
    }

    /// Handles a protected record of DTLS 1.3.
    pub(super) fn receive_unified(
        &mut self,
        header: UnifiedHeader,
        record: &mut [u8],
        trial: Trial,
    ) -> Admitted {
        match &mut self.state {
            State::Failed => return self.discard(Discard::Closed),
            State::Closed => return self.discard(Discard::AfterClose),
            // The record arrived before the message that makes its keys.
            State::Handshaking(handshaking) if !self.records.can_read(header.epoch_bits) => {
                let limit = self.config.limits.early_records;
                let may_come = [HANDSHAKE_EPOCH, FIRST_APPLICATION_EPOCH];
                return if !self.config.allows_dtls13() || !may_come.contains(&u16::from(header.epoch_bits)) {
                    self.discard(Discard::UnknownEpoch)
                } else if handshaking.early.keep_unified(header, record, limit) {
                    Admitted::Unauthenticated
                } else {
                    self.discard(Discard::EarlyRecordsFull)
                };
            }
            State::Idle { .. } | State::Handshaking(_) | State::Connected(_) => {}
        }
        let Opened { number, content_type, content } = match self.records.open_unified(header, record) {
            Ok(opened) => opened,
            Err(reason) => {
                if reason == Discard::BadRecord && trial == Trial::Only {
                    self.count_authentication_failure(Some(header.epoch_bits));
                }
                return self.discard(reason);
            }
        };
        self.on_epoch_authenticated(number.epoch);
        self.receive_content(number, content_type, content);
        self.on_server_connected(number.epoch);
        self.on_path_validated();
        Admitted::Authenticated
    }

    fn receive_content(&mut self, number: RecordNumber, content_type: ContentType, content: &[u8]) {
        if self.is_after_close(number, content_type) {
            self.discard(Discard::AfterClose);
            return;
        }
        match content_type {
            // RFC 8446 section 5.4.
            ContentType::Handshake | ContentType::Alert if content.is_empty() => {
                self.fail(Misbehaved::UnexpectedMessage.into());
            }
            ContentType::Handshake => {
                self.answered = false;
                if self.receive_handshake(content, number.epoch).is_used() {
                    self.on_record_used(number);
                }
            }
            ContentType::Alert => match Alert::decode(content) {
                None => self.fail(Misbehaved::Malformed.into()),
                Some(alert) => self.on_alert13(number, alert),
            },
            ContentType::Ack => self.receive_ack(number.epoch, content),
            ContentType::ApplicationData if number.epoch != HANDSHAKE_EPOCH => self.receive_data(content),
            ContentType::ApplicationData | ContentType::ChangeCipherSpec => {
                self.fail(Misbehaved::UnexpectedMessage.into());
            }
        }
    }

    /// Acknowledges a used record, unless our own flight acknowledges it already.
    fn on_record_used(&mut self, number: RecordNumber) {
        if !std::mem::take(&mut self.answered) {
            self.note_received(number);
        }
    }

    /// Handles a record with the header of DTLS 1.2: plaintext of either version, or protected by DTLS 1.2.
    pub(super) fn receive_record(
        &mut self,
        header: &RecordHeader,
        content: &mut [u8],
        trial: Trial,
    ) -> Admitted {
        match (&self.state, Epoch::from_number(header.number.epoch)) {
            (State::Failed, _) => self.discard(Discard::Closed),
            (State::Closed, _) => self.discard(Discard::AfterClose),
            (_, Some(Epoch::Plaintext)) => self.receive_plaintext(header, content),
            (_, Some(Epoch::Protected)) => self.receive_protected(header, content, trial),
            (_, Some(Epoch::Handshake | Epoch::Application(_)) | None) => self.discard(Discard::UnknownEpoch),
        }
    }

    fn receive_plaintext(&mut self, header: &RecordHeader, content: &[u8]) -> Admitted {
        if content.len() > MAX_CONTENT_LEN {
            return self.discard(Discard::BadRecord);
        }
        match header.content_type {
            ContentType::Handshake => {
                self.answered = false;
                let fragments = self.receive_handshake(content, Epoch::Plaintext.number());
                let is_handshaking = matches!(self.state, State::Handshaking(_));
                // Any sender can replay such a record.
                if is_handshaking && fragments.is_used() && fragments.best == Admitted::Unauthenticated {
                    self.on_record_used(header.number);
                }
                fragments.best
            }
            ContentType::Ack => self.receive_plaintext_ack(content),
            ContentType::Alert => self.receive_plaintext_alert(content),
            ContentType::ApplicationData => self.discard(Discard::PlaintextData),
            ContentType::ChangeCipherSpec if *content == [1] && !self.is_dtls13() => {
                self.receive_change_cipher_spec()
            }
            // DTLS 1.3 has no ChangeCipherSpec.
            ContentType::ChangeCipherSpec => self.discard(Discard::BadRecord),
        }
    }

    /// Handles a ChangeCipherSpec. Epoch and Finished have the same information. On a connected side it is part of a
    /// retransmitted flight.
    fn receive_change_cipher_spec(&mut self) -> Admitted {
        match self.state {
            // It has no message number. All messages before it were handled.
            State::Connected(_) => self.answer_repeat(0),
            _ => Admitted::Unauthenticated,
        }
    }

    fn receive_protected(&mut self, header: &RecordHeader, content: &mut [u8], trial: Trial) -> Admitted {
        let content_type = header.content_type;
        if let State::Handshaking(handshaking) = &mut self.state {
            // Data that arrived before the Finished waits, still protected.
            let is_early = !self.records.can_open() || content_type == ContentType::ApplicationData;
            if is_early {
                return if handshaking.early.keep(*header, content, self.config.limits.early_records) {
                    Admitted::Unauthenticated
                } else {
                    self.discard(Discard::EarlyRecordsFull)
                };
            }
        }
        let content = match self.records.open(header, content) {
            Ok(content) => content,
            Err(reason) => {
                if reason == Discard::BadRecord && trial == Trial::Only {
                    self.count_authentication_failure(None);
                }
                return self.discard(reason);
            }
        };
        match content_type {
            ContentType::Handshake => {
                self.receive_handshake(content, Epoch::Protected.number());
            }
            ContentType::Alert => self.receive_alert(content),
            ContentType::ApplicationData => self.receive_data(content),
            ContentType::ChangeCipherSpec | ContentType::Ack => {
                self.fail(Misbehaved::UnexpectedMessage.into());
            }
        }
        // The keys of the record come from the flight that we sent, so the peer's path is validated.
        self.on_path_validated();
        Admitted::Authenticated
    }

    fn receive_data(&mut self, data: &[u8]) {
        self.forget_final_flight();
        if !self.events.push_data(data, self.config.limits.received_data) {
            self.discard(Discard::ReceivedDataFull);
        }
    }

    fn receive_alert(&mut self, content: &[u8]) {
        match Alert::decode(content) {
            None => self.fail(Misbehaved::Malformed.into()),
            Some(alert) => self.on_alert(alert),
        }
    }

    fn receive_plaintext_alert(&mut self, content: &[u8]) -> Admitted {
        let alert = Alert::decode(content);
        if let (State::Handshaking(_), Some(alert)) = (&self.state, alert)
            && (alert.level == AlertLevel::Fatal || alert.is_close_notify())
        {
            self.on_unauthenticated_alert(alert.description);
        }
        self.discard(if alert.is_some() { Discard::PlaintextAlert } else { Discard::BadRecord })
    }

    /// A record may contain several messages or fragments.
    fn receive_handshake(&mut self, content: &[u8], epoch: u16) -> Fragments {
        let mut reader = Reader::new(content);
        let mut fragments: Option<Fragments> = None;
        loop {
            let outcome = match Fragment::decode(&mut reader) {
                Ok(fragment) => self.receive_fragment(&fragment, epoch),
                Err(_) if epoch != Epoch::Plaintext.number() => {
                    self.fail(Misbehaved::Malformed.into());
                    return Fragments::new(Admitted::Authenticated);
                }
                Err(_) => {
                    reader = Reader::new(&[]);
                    self.discard(Discard::Truncated)
                }
            };
            let all = fragments.map_or(Fragments::new(outcome), |before| before.and(outcome));
            if reader.is_empty() {
                return all;
            }
            fragments = Some(all);
        }
    }

    fn receive_fragment(&mut self, fragment: &Fragment<'_>, epoch: u16) -> Admitted {
        let protected = epoch != Epoch::Plaintext.number();
        match &self.state {
            State::Handshaking(_) => self.advance_handshake(fragment, protected),
            State::Connected(Established { post: Some(_), .. }) if protected => {
                self.receive_post_handshake(fragment, epoch)
            }
            State::Connected(_) if protected => self.receive_late_handshake(fragment),
            State::Connected(_) => self.receive_plaintext_handshake(fragment),
            State::Idle { .. } => self.discard(Discard::NotStarted),
            State::Closed => self.discard(Discard::AfterClose),
            State::Failed => self.discard(Discard::Closed),
        }
    }

    /// Handles a protected handshake message after the handshake: a retransmission, or a request to renegotiate.
    fn receive_late_handshake(&mut self, fragment: &Fragment<'_>) -> Admitted {
        match (fragment.kind, self.role) {
            (HandshakeType::FINISHED, _) => self.answer_repeat(fragment.sequence),
            (HandshakeType::CLIENT_HELLO, DtlsRole::Server)
            | (HandshakeType::HELLO_REQUEST, DtlsRole::Client) => {
                self.refuse_renegotiation();
                self.discard(Discard::UnexpectedMessage)
            }
            _ => self.discard(Discard::UnexpectedMessage),
        }
    }

    /// Handles a plaintext handshake message after the handshake: a retransmission, or a new handshake.
    fn receive_plaintext_handshake(&mut self, fragment: &Fragment<'_>) -> Admitted {
        if fragment.kind != HandshakeType::CLIENT_HELLO {
            return self.answer_repeat(fragment.sequence);
        }
        let State::Connected(established) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        let Some(random) = hello_random(fragment) else {
            return self.discard(Discard::FreshClientHello);
        };
        let randoms = established.randoms(self.role);
        if random == randoms.remote || random == randoms.local {
            return self.discard(Discard::RetransmittedMessage);
        }
        let recently = established
            .fresh_hello_at
            .is_some_and(|at| self.now.saturating_duration_since(at) < FRESH_HELLO_INTERVAL);
        if !recently {
            established.fresh_hello_at = Some(self.now);
            self.events.push_once(Event::FreshClientHello);
        }
        self.discard(Discard::FreshClientHello)
    }

    /// The peer retransmits the flight that our final one answered, so it lost ours (RFC 6347 section 4.2.4).
    fn answer_repeat(&mut self, sequence: u16) -> Admitted {
        let State::Connected(established) = &mut self.state else {
            return self.discard(Discard::UnexpectedMessage);
        };
        match &mut established.final_flight {
            FinalFlight::Kept(kept) if kept.flight.was_missed_by(sequence) => {
                if kept.is_due(self.now, self.rto) {
                    self.retransmit_flight();
                }
                self.discard(Discard::RetransmittedMessage)
            }
            FinalFlight::Kept(_) => self.discard(Discard::UnexpectedMessage),
            FinalFlight::ByPeer => self.discard(Discard::RetransmittedMessage),
            FinalFlight::Released => self.discard(Discard::FlightReleased),
        }
    }
}

/// The outcome of the fragments of a record.
#[derive(Clone, Copy)]
struct Fragments {
    best: Admitted,
    /// Whether a fragment was dropped, so that it has to be retransmitted and the record is not acknowledged (RFC 9147
    /// section 7).
    one_is_lost: bool,
}

impl Fragments {
    fn new(outcome: Admitted) -> Self {
        let one_is_lost =
            matches!(outcome, Admitted::Discarded(reason) if reason != Discard::RetransmittedMessage);
        Self { best: outcome, one_is_lost }
    }

    fn and(self, outcome: Admitted) -> Self {
        Self {
            best: better(Some(self.best), outcome),
            one_is_lost: self.one_is_lost || Self::new(outcome).one_is_lost,
        }
    }

    const fn is_used(self) -> bool {
        !self.one_is_lost
    }
}

/// Returns the better of two outcomes; of two discards the first.
pub(super) fn better(first: Option<Admitted>, second: Admitted) -> Admitted {
    match (first, second) {
        (None | Some(Admitted::Discarded(_)), Admitted::Authenticated | Admitted::Unauthenticated)
        | (None, Admitted::Discarded(_))
        | (Some(Admitted::Unauthenticated), Admitted::Authenticated) => second,
        (Some(first), _) => first,
    }
}
