//! From datagrams to handshake messages, alerts and data.

use super::Connection;
use super::state::State;
use crate::alert::{Alert, AlertLevel};
use crate::codec::Reader;
use crate::discard::Discard;
use crate::dtls13::ack;
use crate::end::End;
use crate::event::Admitted;
use crate::failure::Misbehaved;
use crate::handshake::Fragment;
use crate::record::dtls13::Opened;
use crate::record::epoch::Epoch;
use crate::record::epoch::{FIRST_APPLICATION_EPOCH, HANDSHAKE_EPOCH};
use crate::record::unified::{self, UnifiedHeader};
use crate::record::{ContentType, MAX_CONTENT_LEN, Record, RecordHeader, RecordNumber};

/// Whether the datagram can belong to another connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trial {
    Only,
    OneOfSeveral,
}

impl Connection {
    pub(super) fn receive(&mut self, datagram: &mut [u8], trial: Trial) -> Admitted {
        self.link.stats.datagrams_received = self.link.stats.datagrams_received.saturating_add(1);
        if let State::Idle { .. } = self.state {
            return self.link.discard(Discard::NotStarted);
        }
        let len = datagram.len();
        if trial == Trial::Only {
            self.link.outbox.on_bytes_received(len);
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
                    self.link.outbox.on_bytes_received(len);
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
                Err(reason) => (self.link.discard(reason), &mut []),
            };
        }
        match Record::split_first(datagram) {
            Ok((Record { header, content }, after)) => (self.receive_record(&header, content, trial), after),
            Err(reason) => (self.link.discard(reason), &mut []),
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
            State::Failed => return self.link.discard(Discard::Closed),
            State::Closed => return self.link.discard(Discard::AfterClose),
            // The record arrived before the message that makes its keys.
            State::Handshaking(handshaking) if !self.link.records.can_read(header.epoch_bits) => {
                let limit = self.link.config.limits.early_records;
                let may_come = [HANDSHAKE_EPOCH, FIRST_APPLICATION_EPOCH];
                return if !self.link.config.allows_dtls13()
                    || !may_come.contains(&u16::from(header.epoch_bits))
                {
                    self.link.discard(Discard::UnknownEpoch)
                } else if handshaking.early.keep_unified(header, record, limit) {
                    Admitted::Unauthenticated
                } else {
                    self.link.discard(Discard::EarlyRecordsFull)
                };
            }
            State::Idle { .. } | State::Handshaking(_) | State::Connected(_) => {}
        }
        let Opened { number, content_type, content } = match self.link.records.open_unified(header, record) {
            Ok(opened) => opened,
            Err(reason) => {
                if reason == Discard::BadRecord && trial == Trial::Only {
                    self.count_authentication_failure(Some(header.epoch_bits));
                }
                return self.link.discard(reason);
            }
        };
        if number.epoch > FIRST_APPLICATION_EPOCH {
            // The peer has the keys of the KeyUpdate, so the old ones have no use any more.
            self.link.records.epochs().end_reading_below(number.epoch);
        }
        self.receive_content(number, content_type, content);
        if let State::Connected(established) = &mut self.state {
            let handled = established.on_authenticated(number.epoch, &mut self.link);
            self.apply(handled);
        }
        self.on_path_validated();
        Admitted::Authenticated
    }

    fn receive_content(&mut self, number: RecordNumber, content_type: ContentType, content: &[u8]) {
        if self.established().is_some_and(|established| established.is_after_close(number, content_type)) {
            self.link.discard(Discard::AfterClose);
            return;
        }
        match content_type {
            // RFC 8446 section 5.4.
            ContentType::Handshake | ContentType::Alert if content.is_empty() => {
                self.fail(Misbehaved::UnexpectedMessage.into());
            }
            ContentType::Handshake => {
                self.link.answered = false;
                if self.receive_handshake(content, number.epoch).is_used() {
                    self.on_record_used(number);
                }
            }
            ContentType::Alert => {
                self.receive_alert(number, Alert::decode(content).map(Alert::with_level_by_description));
            }
            ContentType::Ack => self.receive_ack(number.epoch, content),
            ContentType::ApplicationData if number.epoch != HANDSHAKE_EPOCH => self.receive_data(content),
            ContentType::ApplicationData | ContentType::ChangeCipherSpec => {
                self.fail(Misbehaved::UnexpectedMessage.into());
            }
        }
    }

    /// Acknowledges a used record, unless our own flight acknowledges it already.
    fn on_record_used(&mut self, number: RecordNumber) {
        if std::mem::take(&mut self.link.answered) {
            return;
        }
        match &mut self.state {
            State::Handshaking(handshaking) => handshaking.on_record_used(number),
            State::Connected(established) => established.on_record_used(number),
            State::Idle { .. } | State::Closed | State::Failed => {}
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
            (State::Failed, _) => self.link.discard(Discard::Closed),
            (State::Closed, _) => self.link.discard(Discard::AfterClose),
            (_, Some(Epoch::Plaintext)) => self.receive_plaintext(header, content),
            (_, Some(Epoch::Protected)) => self.receive_protected(header, content, trial),
            (_, Some(Epoch::Handshake | Epoch::Application(_)) | None) => {
                self.link.discard(Discard::UnknownEpoch)
            }
        }
    }

    fn receive_plaintext(&mut self, header: &RecordHeader, content: &[u8]) -> Admitted {
        if content.len() > MAX_CONTENT_LEN {
            return self.link.discard(Discard::BadRecord);
        }
        match header.content_type {
            ContentType::Handshake => {
                self.link.answered = false;
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
            ContentType::ApplicationData => self.link.discard(Discard::PlaintextData),
            ContentType::ChangeCipherSpec if *content == [1] => self.receive_change_cipher_spec(),
            ContentType::ChangeCipherSpec => self.link.discard(Discard::BadRecord),
        }
    }

    /// Handles a ChangeCipherSpec, which has no information that epoch and Finished do not have. DTLS 1.3 has none.
    fn receive_change_cipher_spec(&mut self) -> Admitted {
        let handled = match &mut self.state {
            State::Handshaking(handshaking) if handshaking.machine.is_dtls13_protected() => {
                Ok(self.link.discard(Discard::BadRecord))
            }
            State::Connected(established) => established.on_change_cipher_spec(&mut self.link),
            _ => Ok(Admitted::Unauthenticated),
        };
        self.admitted(handled, false)
    }

    fn receive_protected(&mut self, header: &RecordHeader, content: &mut [u8], trial: Trial) -> Admitted {
        let content_type = header.content_type;
        if let State::Handshaking(handshaking) = &mut self.state {
            // Data that arrived before the Finished waits, still protected.
            let is_early = !self.link.records.can_open() || content_type == ContentType::ApplicationData;
            if is_early {
                return if handshaking.early.keep(*header, content, self.link.config.limits.early_records) {
                    Admitted::Unauthenticated
                } else {
                    self.link.discard(Discard::EarlyRecordsFull)
                };
            }
        }
        let content = match self.link.records.open(header, content) {
            Ok(content) => content,
            Err(reason) => {
                if reason == Discard::BadRecord && trial == Trial::Only {
                    self.count_authentication_failure(None);
                }
                return self.link.discard(reason);
            }
        };
        match content_type {
            ContentType::Handshake => {
                self.receive_handshake(content, Epoch::Protected.number());
            }
            ContentType::Alert => self.receive_alert(header.number, Alert::decode(content)),
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
        if let State::Connected(established) = &mut self.state {
            established.release_final_flight(&mut self.link);
        }
        if !self.link.events.push_data(data, self.link.config.limits.received_data) {
            self.link.discard(Discard::ReceivedDataFull);
        }
    }

    fn receive_alert(&mut self, number: RecordNumber, alert: Option<Alert>) {
        match alert {
            None => self.fail(Misbehaved::Malformed.into()),
            Some(alert) => self.on_alert(number, alert),
        }
    }

    /// Handles a protected ACK.
    fn receive_ack(&mut self, epoch: u16, content: &[u8]) {
        let handled = match &mut self.state {
            State::Handshaking(handshaking) => {
                ack::on_ack(epoch, content, &mut handshaking.outgoing.flight, &mut self.link).map(drop)
            }
            State::Connected(established) => established.on_ack(epoch, content, &mut self.link),
            State::Idle { .. } | State::Closed | State::Failed => Ok(()),
        };
        self.apply(handled);
    }

    /// Handles an unauthenticated ACK. It never suppresses a retransmission. It is ignored before both sides have
    /// selected DTLS 1.3, and if it names protected records.
    fn receive_plaintext_ack(&mut self, content: &[u8]) -> Admitted {
        if let State::Handshaking(handshaking) = &self.state
            && ack::is_plaintext(content)
            && handshaking.machine.has_settled_dtls13()
            && handshaking.outgoing.flight.may_retransmit(self.link.now, self.link.rto)
        {
            self.retransmit_flight();
        }
        self.link.discard(Discard::PlaintextAck)
    }

    fn receive_plaintext_alert(&mut self, content: &[u8]) -> Admitted {
        let alert = Alert::decode(content);
        if let (State::Handshaking(_), Some(alert)) = (&self.state, alert)
            && (alert.level == AlertLevel::Fatal || alert.is_close_notify())
        {
            self.on_unauthenticated_alert(alert.description);
        }
        self.link.discard(if alert.is_some() { Discard::PlaintextAlert } else { Discard::BadRecord })
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
                    self.link.discard(Discard::Truncated)
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
        let handled = match &mut self.state {
            State::Handshaking(_) => Ok(self.advance_handshake(fragment, protected)),
            State::Connected(established) if protected => {
                established.on_handshake(fragment, epoch, &mut self.link)
            }
            State::Connected(established) => established.on_plaintext_handshake(fragment, &mut self.link),
            State::Idle { .. } => Ok(self.link.discard(Discard::NotStarted)),
            State::Closed => Ok(self.link.discard(Discard::AfterClose)),
            State::Failed => Ok(self.link.discard(Discard::Closed)),
        };
        self.admitted(handled, protected)
    }

    /// Returns the outcome of a message, after ending the connection if a state requested it.
    fn admitted(&mut self, handled: Result<Admitted, End>, protected: bool) -> Admitted {
        match handled {
            Ok(admitted) => admitted,
            Err(end) => {
                self.on_end(end);
                if protected { Admitted::Authenticated } else { Admitted::Unauthenticated }
            }
        }
    }

    /// Counts an authentication failure. In DTLS 1.3 each key has its own count.
    pub(super) fn count_authentication_failure(&mut self, epoch_bits: Option<u8>) {
        let count = &mut self.link.stats.authentication_failures;
        *count = count.saturating_add(1);
        let is_near_limit = self.link.records.on_authentication_failure(epoch_bits);
        if let State::Connected(established) = &mut self.state {
            let handled = established.on_authentication_failure(is_near_limit, &mut self.link);
            self.apply(handled);
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
