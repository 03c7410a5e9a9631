//! The STUN server of ICE (RFC 8445 section 7.3): receives requests, sends responses and triggered checks.
//!
//! An unauthenticated request is dropped silently. RFC 8489 section 9.1.3 would respond with 400 or 401, but no ICE
//! peer may accept such a response, because it cannot be authenticated, and it would reflect traffic to a spoofed
//! address.

use std::time::Instant;

use stun::{ErrorCode, Message, Verified};

use crate::agent::Agent;
use crate::agent::context::Context;
use crate::agent::generation::{EarlyCheck, Generation, GenerationState, RemoteCandidate};
use crate::agent::restart::Draining;
use crate::candidate::{Candidate, Foundation};
use crate::check::binding_policy::{BindingDecision, BindingRequest, Refusal};
use crate::check::role::{self, IceRole, Resolution};
use crate::check::{Received, Response, UNDERSTOOD};
use crate::discard::Discard;
use crate::event::{Event, Side};
use crate::pair::PairState;
use crate::pair::checklist_pair::{Nomination, PairId, Status};
use crate::pair::consent::Consent;
use crate::path::{Path, is_reachable};
use crate::peek::split_username;

impl Agent {
    /// Authenticates a request with the generation that its USERNAME names, and responds.
    pub(crate) fn on_request(
        &mut self,
        now: Instant,
        path: Path,
        message: Message<'_>,
    ) -> Result<(), Discard> {
        if !is_reachable(path.remote()) {
            return Err(Discard::Filtered);
        }
        if !self.context.local_candidates.iter().any(|candidate| candidate.base() == path.local()) {
            return Err(Discard::UnknownBase);
        }
        let (ours, theirs) = split_username(&message)?;
        let slot = self.slot_of(ours, path)?;
        let generation = self.generation_in(slot);
        let has_ended =
            generation.checklist.on_path(path).is_some_and(|pair| pair.state() == PairState::Ended);
        if matches!(generation.state, GenerationState::Ended)
            || (has_ended && !matches!(generation.state, GenerationState::Revoked))
        {
            return Err(Discard::Revoked);
        }
        message.check_fingerprint().map_err(|_| Discard::FingerprintMismatch)?;
        let message = message.verify(&generation.local_key).map_err(|error| match error {
            stun::Error::IntegrityMissing => Discard::IntegrityMissing,
            _ => Discard::IntegrityMismatch,
        })?;
        self.context.stats.requests_received += 1;
        let response = self.decide(now, slot, path, &message, theirs)?;
        let generation = generation_in(slot, &self.current, self.next.as_ref(), self.draining.as_ref());
        let (id, key) = (message.transaction_id(), &generation.local_key);
        let queued = self.context.outbox.push(generation.id, path, |buf| response.write(id, key, buf));
        queued.map_err(|_| Discard::RateLimited)?;
        self.context.stats.responses_sent += 1;
        Ok(())
    }

    fn decide(
        &mut self,
        now: Instant,
        slot: Slot,
        path: Path,
        message: &Verified<'_>,
        theirs: &str,
    ) -> Result<Response, Discard> {
        let generation = self.generation_in(slot);
        if matches!(generation.state, GenerationState::Revoked) {
            return Ok(Response::Refused(Refusal::new(ErrorCode::FORBIDDEN)));
        }
        if generation.peer.as_ref().is_some_and(|peer| peer.parameters.ufrag.as_str() != theirs) {
            return Err(Discard::UnknownUfrag);
        }
        let unknown: Vec<_> = message.unknown_required(&UNDERSTOOD).collect();
        if !unknown.is_empty() {
            return Ok(Response::UnknownAttributes(unknown));
        }
        let received = Received::from_message(message)?;
        let request = BindingRequest {
            message: message.message(),
            path,
            generation: generation.id,
            remote_ufrag: theirs,
            priority: received.priority,
            use_candidate: received.use_candidate,
        };
        if let Some(policy) = &self.context.config.binding_policy
            && let BindingDecision::Refuse(refusal) = policy.decide(&request)
        {
            return Ok(Response::Refused(refusal));
        }
        if slot == Slot::Draining {
            return Ok(Response::Success(path.remote()));
        }
        if let Some(claim) = received.claim.filter(|_| !self.context.config.lite) {
            match role::resolve(self.context.claim(), claim) {
                Resolution::NoConflict => {}
                Resolution::PeerYields => return Ok(Response::RoleConflict),
                Resolution::WeSwitch => self.switch_role(self.context.role.opposite()),
            }
        }
        let Self { context, current, next, .. } = self;
        let generation = match (slot, next) {
            (Slot::Next, Some(next)) => next,
            _ => current,
        };
        generation.on_request_answered(now, message.transaction_id());
        if received.priority.is_none() && generation.remote_candidate(path).is_none() {
            return Ok(Response::BadRequest);
        }
        if generation.peer.is_none() {
            generation.keep_early_check(context, path, theirs, received)?;
        } else {
            generation.on_authenticated_check(now, context, path, &received)?;
        }
        if slot == Slot::Current {
            self.note_check_after_selection(now, path);
        }
        Ok(Response::Success(path.remote()))
    }

    fn slot_of(&self, ufrag: &str, path: Path) -> Result<Slot, Discard> {
        if self.current.local.ufrag.as_str() == ufrag {
            return Ok(Slot::Current);
        }
        if self.next.as_ref().is_some_and(|next| next.local.ufrag.as_str() == ufrag) {
            return Ok(Slot::Next);
        }
        if let Some(draining) = &self.draining
            && draining.generation.local.ufrag.as_str() == ufrag
        {
            // A base that the restart left behind gets no more responses, so that the peer notices and follows.
            return if draining.answers_on(path) {
                Ok(Slot::Draining)
            } else {
                Err(Discard::EndedGeneration)
            };
        }
        if self.ended_ufrags.iter().any(|ended| ended.as_str() == ufrag) {
            return Err(Discard::EndedGeneration);
        }
        Err(Discard::UnknownUfrag)
    }

    fn generation_in(&self, slot: Slot) -> &Generation {
        generation_in(slot, &self.current, self.next.as_ref(), self.draining.as_ref())
    }
}

/// Returns the generation in a slot. [`Agent::slot_of`] returned the slot, so it is occupied.
fn generation_in<'a>(
    slot: Slot,
    current: &'a Generation,
    next: Option<&'a Generation>,
    draining: Option<&'a Draining>,
) -> &'a Generation {
    match slot {
        Slot::Current => current,
        Slot::Next => next.unwrap_or(current),
        Slot::Draining => draining.map_or(current, |draining| &draining.generation),
    }
}

/// The place of a generation within the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slot {
    Current,
    Next,
    Draining,
}

impl Generation {
    fn remote_candidate(&self, path: Path) -> Option<Candidate> {
        let mut known = self.remote_candidates.iter().map(|remote| remote.candidate);
        known.find(|candidate| candidate.address() == path.remote())
    }

    /// Keeps a check that arrived before the remote parameters. Its triggered check waits for them.
    fn keep_early_check(
        &mut self,
        cx: &Context,
        path: Path,
        theirs: &str,
        received: Received,
    ) -> Result<(), Discard> {
        let remote_ufrag = theirs.parse().map_err(|_| Discard::Malformed)?;
        if let Some(known) = self
            .early_checks
            .iter_mut()
            .find(|check| check.path == path && check.remote_ufrag.as_str() == theirs)
        {
            known.received.use_candidate |= received.use_candidate;
            return Ok(());
        }
        if self.early_checks.len() >= cx.config.max_early_checks {
            return Err(Discard::PairLimit);
        }
        self.early_checks.push(EarlyCheck { path, remote_ufrag, received });
        Ok(())
    }

    /// Applies an authenticated check: learns a candidate, triggers a check, records a nomination (RFC 8445 sections
    /// 7.3.1.3 to 7.3.1.5 and 7.3.2).
    pub(crate) fn on_authenticated_check(
        &mut self,
        now: Instant,
        cx: &mut Context,
        path: Path,
        received: &Received,
    ) -> Result<(), Discard> {
        let known = self.checklist.on_path(path).map(|pair| pair.id);
        let id = match known {
            Some(id) => id,
            None => self.pair_with(cx, path, received)?,
        };
        let generation = self.id;
        let Some(pair) = self.checklist.get_mut(id) else { return Ok(()) };
        pair.authenticated = true;
        pair.last_authenticated = Some(now);
        let nominates = received.use_candidate && cx.role == IceRole::Controlled;
        pair.peer_nominated |= nominates;
        match &mut pair.status {
            Status::Succeeded { consent, nomination } => {
                if nominates {
                    *nomination = Nomination::Done;
                }
                if cx.config.lite {
                    consent.renew(now);
                }
            }
            status if cx.config.lite => {
                // A lite agent sends no checks, so the nomination makes the pair valid.
                if nominates {
                    let consent = Consent::assumed(now);
                    *status = Status::Succeeded { consent, nomination: Nomination::Done };
                    self.state = GenerationState::Usable { since: now };
                    cx.emit(Event::PairUsable(pair.snapshot(generation)));
                }
            }
            // While responses to earlier checks may arrive, one more check would displace the oldest transaction.
            Status::InProgress(_) if pair.transactions.len() >= cx.config.max_transactions_per_pair => {}
            Status::InProgress(_) => self.checklist.trigger(id),
            status @ (Status::Frozen | Status::Waiting | Status::Failed) => {
                *status = Status::Waiting;
                self.checklist.trigger(id);
            }
            Status::Ended => {}
        }
        if nominates {
            self.follow_nomination(now, cx, id);
        }
        Ok(())
    }

    /// Returns the pair of the source address, with a new peer-reflexive candidate if necessary.
    fn pair_with(&mut self, cx: &mut Context, path: Path, received: &Received) -> Result<PairId, Discard> {
        let local = cx.bases().into_iter().find(|local| local.base() == path.local());
        let local = local.ok_or(Discard::UnknownBase)?;
        let known = self.remote_candidate(path);
        let remote = known.unwrap_or_else(|| self.peer_reflexive(path, received));
        if known.is_none() && self.remote_candidates.len() >= cx.config.max_remote_candidates {
            return Err(Discard::PairLimit);
        }
        let id = self.checklist.add(path, local, remote, cx.role, cx.config.max_pairs);
        let id = id.ok_or(Discard::PairLimit)?;
        if known.is_none() {
            self.remote_candidates.push(RemoteCandidate { candidate: remote, ufrag: None });
            let generation = self.id;
            cx.emit(Event::PeerReflexive { generation, side: Side::Remote, candidate: remote });
        }
        Ok(id)
    }

    fn peer_reflexive(&self, path: Path, received: &Received) -> Candidate {
        // A new foundation (RFC 8445 section 7.3.1.3); announced ones are unlikely to begin with these letters.
        let number = self.remote_candidates.len();
        let foundation = format!("prflx{number}").parse().unwrap_or(Foundation::from_number(0));
        let priority = received.priority.unwrap_or(1);
        Candidate::peer_reflexive(path.remote(), path.remote(), priority, foundation)
    }
}
