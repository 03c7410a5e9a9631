//! The STUN client of ICE (RFC 8445 section 7.2): sends checks and consent checks, receives responses.
//!
//! A response is matched to its transaction, then authenticated, then its addresses are compared, and only then it
//! consumes the transaction. A forged or misdirected response therefore changes nothing.

use std::net::SocketAddr;
use std::time::Instant;

use stun::{Class, ErrorCode, Message};

use crate::agent::context::Context;
use crate::agent::generation::{Generation, GenerationState, Peer};
use crate::agent::generation_id::GenerationId;
use crate::candidate::priority;
use crate::candidate::{Candidate, Foundation};
use crate::check::retransmission::{Due, Retransmission, Urgency};
use crate::check::role::IceRole;
use crate::check::{Check, UNDERSTOOD};
use crate::discard::Discard;
use crate::event::{Event, Failure, Side};
use crate::pair::checklist_pair::{Nomination, PairId, Purpose, Sent, Status, Transaction};
use crate::pair::consent::Consent;
use crate::path::{Path, normalise};

/// The effect of a response on the whole agent.
pub(crate) enum Outcome {
    /// Nothing.
    Settled,
    /// 487 to a request that claimed this role, on this pair.
    RoleConflict { claimed: IceRole, pair: PairId },
    /// 403: consent on this path is revoked.
    Forbidden { path: Path },
}

impl Generation {
    /// Sends a check on one pair. Returns whether a message was sent; if not, the pair no longer waits for a check.
    pub(crate) fn send_check(&mut self, now: Instant, cx: &mut Context, id: PairId) -> bool {
        self.checklist.untrigger(id);
        let load = self.checklist.active_checks();
        let (Some(peer), Some(pair)) = (&self.peer, self.checklist.get_mut(id)) else { return false };
        let purpose = match &pair.status {
            Status::Frozen | Status::Waiting | Status::InProgress(_) | Status::Failed => Purpose::Check,
            Status::Succeeded { nomination: Nomination::Wanted, .. } => Purpose::Nomination,
            Status::Succeeded { .. } | Status::Ended => return false,
        };
        let transaction = new_transaction(now, cx, purpose);
        let mut bytes = Vec::new();
        if write(cx, peer, pair.local, transaction, &mut bytes).is_err() {
            pair.status = Status::Failed;
            return false;
        }
        // RFC 8445 section 14.3. There is only one checklist.
        let rto = cx.config.initial_rto.max(cx.pacing().saturating_mul(load));
        let sent =
            Sent { bytes, transaction_id: transaction.id, retransmission: Retransmission::new(now, rto) };
        pair.add_transaction(transaction, cx.config.max_transactions_per_pair);
        transmit(cx, self.id, pair.path, &sent.bytes);
        cx.stats.checks_sent += 1;
        match &mut pair.status {
            Status::Succeeded { nomination, .. } => *nomination = Nomination::InProgress(sent),
            status => *status = Status::InProgress(sent),
        }
        true
    }

    /// Retransmits unanswered checks, and fails those at the end of their schedule (RFC 8445 section 7.2.5.2.3).
    pub(crate) fn retransmit(&mut self, now: Instant, cx: &mut Context) {
        let searching = matches!(self.state, GenerationState::Checking { .. });
        for pair in self.checklist.pairs_mut() {
            let path = pair.path;
            let urgent = searching || pair.is_usable();
            let urgency = if urgent { Urgency::Urgent } else { Urgency::Patient };
            let Some(sent) = pair.sent_mut() else { continue };
            match sent.retransmission.poll(now, urgency) {
                Due::NotYet => {}
                Due::Resend => {
                    let id = sent.transaction_id;
                    transmit(cx, self.id, path, &sent.bytes);
                    cx.stats.checks_sent += 1;
                    for transaction in pair.transactions.iter_mut().filter(|each| each.id == id) {
                        transaction.retransmitted = true;
                    }
                }
                Due::GiveUp => match &mut pair.status {
                    Status::Succeeded { nomination, .. } => *nomination = Nomination::None,
                    status => {
                        *status = Status::Failed;
                        pair.transactions.clear();
                    }
                },
            }
        }
    }

    /// Sends the consent checks that are due (RFC 7675 section 5.1).
    pub(crate) fn check_consent(&mut self, now: Instant, cx: &mut Context) {
        let Some(peer) = &self.peer else { return };
        for pair in self.checklist.pairs_mut() {
            let Status::Succeeded { consent, .. } = &mut pair.status else { continue };
            if consent.next_check().is_none_or(|at| now < at) {
                continue;
            }
            let config = cx.config.clone();
            consent.on_check_sent(now, &config, &mut cx.generator);
            let transaction = new_transaction(now, cx, Purpose::Consent);
            let mut bytes = Vec::new();
            if write(cx, peer, pair.local, transaction, &mut bytes).is_ok() {
                pair.add_transaction(transaction, cx.config.max_transactions_per_pair);
                transmit(cx, self.id, pair.path, &bytes);
                cx.stats.consent_checks_sent += 1;
            }
        }
    }

    /// Handles a response to a transaction of this generation.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        cx: &mut Context,
        path: Path,
        message: Message<'_>,
    ) -> Result<Outcome, Discard> {
        let id = message.transaction_id();
        let (pair, transaction) = self.checklist.with_transaction(id).ok_or(Discard::UnknownTransaction)?;
        let (pair_id, expected) = (pair.id, pair.path);
        let peer = self.peer.as_ref().ok_or(Discard::UnknownTransaction)?;
        message.check_fingerprint().map_err(|_| Discard::FingerprintMismatch)?;
        let message = message.verify(&peer.key).map_err(|error| {
            if error == stun::Error::IntegrityMissing {
                return Discard::IntegrityMissing;
            }
            if let Some(pair) = self.checklist.get_mut(pair_id) {
                // RFC 8489 section 9.1.4: after such responses a timeout is a different failure than without.
                pair.specific_failure = Some(Failure::IntegrityViolated { path: expected });
            }
            Discard::IntegrityMismatch
        })?;
        // A pair that gets responses from another address only fails by timeout, as RFC 8445 section 7.2.5.2.1
        // requires. A replayed response from another address cannot make it fail.
        if path != expected {
            return Err(Discard::WrongAddress);
        }
        if message.unknown_required(&UNDERSTOOD).next().is_some() {
            return Err(Discard::Malformed);
        }
        if message.message_type().class == Class::Success {
            let mapped = message.xor_mapped_address().ok().flatten().ok_or(Discard::NoMappedAddress)?;
            cx.stats.responses_received += 1;
            self.on_success(now, cx, pair_id, transaction, normalise(mapped));
            return Ok(Outcome::Settled);
        }
        let (code, _) = message.error_code().ok().flatten().ok_or(Discard::Malformed)?;
        cx.stats.responses_received += 1;
        Ok(self.on_error(pair_id, transaction, code, path))
    }

    /// RFC 8445 section 7.2.5.3.
    fn on_success(
        &mut self,
        now: Instant,
        cx: &mut Context,
        id: PairId,
        transaction: Transaction,
        mapped: SocketAddr,
    ) {
        self.discover_local(cx, id, mapped);
        let generation = self.id;
        let Some(pair) = self.checklist.get_mut(id) else { return };
        pair.consume(transaction.id);
        pair.authenticated = true;
        pair.last_authenticated = Some(now);
        if !transaction.retransmitted {
            pair.rtt = Some(now.saturating_duration_since(transaction.sent_at));
        }
        if let Status::Succeeded { consent, nomination } = &mut pair.status {
            consent.renew(now);
            let nominated = transaction.purpose == Purpose::Nomination && cx.role == IceRole::Controlling;
            if nominated && matches!(nomination, Nomination::InProgress(_)) {
                *nomination = Nomination::Done;
            }
            return;
        }
        let accepted = pair.peer_nominated && cx.role == IceRole::Controlled;
        let nomination = if accepted { Nomination::Done } else { Nomination::None };
        let config = cx.config.clone();
        let consent = Consent::proven(now, &config, &mut cx.generator);
        pair.status = Status::Succeeded { consent, nomination };
        let (foundation, snapshot) = (pair.foundation(), pair.snapshot(generation));
        self.checklist.untrigger(id);
        self.checklist.unfreeze(foundation);
        if matches!(self.state, GenerationState::Checking { .. }) {
            self.state = GenerationState::Usable { since: now };
        }
        cx.emit(Event::PairUsable(snapshot));
    }

    /// Adds a peer-reflexive local candidate if the peer reports an unknown address (RFC 8445 section 7.2.5.3.1).
    fn discover_local(&mut self, cx: &mut Context, id: PairId, mapped: SocketAddr) {
        let Some(pair) = self.checklist.get(id) else { return };
        if pair.mapped_candidate.map_or(pair.local.address(), |seen| seen.address()) == mapped {
            return;
        }
        let known = cx
            .local_candidates
            .iter()
            .find(|candidate| candidate.address() == mapped && candidate.base() == pair.path.local());
        let known = known.copied().or_else(|| {
            let mut seen = self.checklist.pairs().filter_map(|pair| pair.mapped_candidate);
            seen.find(|seen| seen.address() == mapped && seen.base() == pair.path.local())
        });
        let candidate = known.unwrap_or_else(|| {
            let priority = priority::as_peer_reflexive(pair.local.priority());
            let foundation = Foundation::from_number(id.0);
            Candidate::peer_reflexive(mapped, pair.path.local(), priority, foundation)
        });
        if known.is_none() {
            let generation = self.id;
            cx.emit(Event::PeerReflexive { generation, side: Side::Local, candidate });
        }
        if let Some(pair) = self.checklist.get_mut(id) {
            pair.mapped_candidate = Some(candidate);
        }
    }

    /// RFC 8445 sections 7.2.5.1 and 7.2.5.2.4. An error fails a connectivity check only; after an error to a consent
    /// check consent is just not renewed.
    fn on_error(&mut self, id: PairId, transaction: Transaction, code: ErrorCode, path: Path) -> Outcome {
        let Some(pair) = self.checklist.get_mut(id) else { return Outcome::Settled };
        pair.consume(transaction.id);
        match code {
            ErrorCode::FORBIDDEN => Outcome::Forbidden { path },
            ErrorCode::ROLE_CONFLICT => Outcome::RoleConflict { claimed: transaction.role, pair: id },
            _ => {
                match &mut pair.status {
                    Status::Succeeded { nomination, .. } if transaction.purpose == Purpose::Nomination => {
                        *nomination = Nomination::None;
                    }
                    status @ Status::InProgress(_) => *status = Status::Failed,
                    _ => {}
                }
                Outcome::Settled
            }
        }
    }
}

fn new_transaction(now: Instant, cx: &mut Context, purpose: Purpose) -> Transaction {
    Transaction { id: cx.transaction_id(), sent_at: now, retransmitted: false, role: cx.role, purpose }
}

fn write(
    cx: &Context,
    peer: &Peer,
    local: Candidate,
    transaction: Transaction,
    buf: &mut Vec<u8>,
) -> Result<(), stun::Error> {
    let check = Check {
        transaction_id: transaction.id,
        username: &peer.username,
        priority: priority::as_peer_reflexive(local.priority()),
        claim: cx.claim(),
        use_candidate: transaction.purpose == Purpose::Nomination,
    };
    check.write(&peer.key, buf)
}

/// A full queue drops the message, as a network would; the timers retransmit it.
fn transmit(cx: &mut Context, generation: GenerationId, path: Path, bytes: &[u8]) {
    let _ = cx.outbox.push(generation, path, |buf| {
        buf.extend_from_slice(bytes);
        Ok(())
    });
}
