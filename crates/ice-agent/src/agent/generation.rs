//! One generation of ICE credentials with its remote candidates, checklist and consent: an ICE session of RFC 8445
//! section 4.
//!
//! Does not know the other generations.

use std::time::Instant;

use stun::{IntegrityKey, TransactionId};

use crate::agent::context::Context;
use crate::agent::generation_id::GenerationId;
use crate::agent::timer::{Deadline, Timer};
use crate::candidate::{Candidate, CandidateKind};
use crate::check::Received;
use crate::credentials::{Parameters, Ufrag};
use crate::error::Error;
use crate::event::{Event, Failure};
use crate::pair::checklist::Checklist;
use crate::pair::checklist_pair::{ChecklistPair, PairId, Status};
use crate::pair::consent::Consent;
use crate::pair::{CandidatePair, Permission};
use crate::path::{Path, Protocol, can_pair};

/// A generation: the credentials of both sides, and everything that belongs to them.
pub(crate) struct Generation {
    pub(crate) id: GenerationId,
    pub(crate) local: Parameters,
    pub(crate) local_key: IntegrityKey,
    pub(crate) peer: Option<Peer>,
    pub(crate) checklist: Checklist,
    pub(crate) selected: Option<PairId>,
    /// A pair was selected before, so the next selection replaces a lost one.
    pub(crate) has_selected: bool,
    pub(crate) state: GenerationState,
    pub(crate) remote_candidates: Vec<RemoteCandidate>,
    /// The peer will announce no more candidates.
    pub(crate) remote_complete: bool,
    pub(crate) early_checks: Vec<EarlyCheck>,
    /// The latest request that was answered, and when the peer last retransmitted it.
    last_request: Option<TransactionId>,
    request_retransmitted_at: Option<Instant>,
}

/// The parameters of the peer, and the values derived from them.
pub(crate) struct Peer {
    pub(crate) parameters: Parameters,
    pub(crate) key: IntegrityKey,
    /// `peer:ours`, the USERNAME of our checks.
    pub(crate) username: String,
}

/// The state of a generation.
#[derive(Clone, Copy, Debug)]
pub(crate) enum GenerationState {
    /// The remote parameters are unknown, and no deadline runs.
    AwaitingPeer,
    /// No pair is usable yet.
    Checking { until: Instant },
    /// At least one pair is usable, the first one since this time.
    Usable { since: Instant },
    /// We revoked consent: requests get a 403, nothing else is sent.
    Revoked,
    /// Ended and silent.
    Ended,
}

/// A remote candidate, with the ufrag of the generation that it was announced for, if known.
pub(crate) struct RemoteCandidate {
    pub(crate) candidate: Candidate,
    pub(crate) ufrag: Option<Ufrag>,
}

/// An authenticated check that arrived before the remote parameters. It was answered; its triggered check waits.
pub(crate) struct EarlyCheck {
    pub(crate) path: Path,
    pub(crate) remote_ufrag: Ufrag,
    pub(crate) received: Received,
}

impl Generation {
    pub(crate) fn new(id: GenerationId, local: Parameters) -> Self {
        let local_key = IntegrityKey::short_term(local.password.expose());
        Self {
            id,
            local,
            local_key,
            peer: None,
            checklist: Checklist::default(),
            selected: None,
            has_selected: false,
            state: GenerationState::AwaitingPeer,
            remote_candidates: Vec::new(),
            remote_complete: false,
            early_checks: Vec::new(),
            last_request: None,
            request_retransmitted_at: None,
        }
    }

    /// Records a request that authenticated and will be answered.
    pub(crate) fn on_request_answered(&mut self, now: Instant, id: TransactionId) {
        if self.last_request.replace(id) == Some(id) {
            self.request_retransmitted_at = Some(now);
        }
    }

    pub(crate) const fn request_retransmitted_at(&self) -> Option<Instant> {
        self.request_retransmitted_at
    }

    /// Sets the remote parameters: forms the checklist and handles the early checks.
    pub(crate) fn begin(&mut self, now: Instant, cx: &mut Context, parameters: Parameters) {
        self.remote_candidates
            .retain(|remote| remote.ufrag.as_ref().is_none_or(|ufrag| *ufrag == parameters.ufrag));
        let mut early = std::mem::take(&mut self.early_checks);
        early.retain(|check| check.remote_ufrag == parameters.ufrag);
        self.peer = Some(Peer {
            key: IntegrityKey::short_term(parameters.password.expose()),
            username: format!("{}:{}", parameters.ufrag, self.local.ufrag),
            parameters,
        });
        self.state = GenerationState::Checking { until: now + cx.config.patience };
        self.form_pairs(cx);
        for EarlyCheck { path, received, .. } in early {
            if let Err(reason) = self.on_authenticated_check(now, cx, path, &received) {
                cx.stats.discard(reason);
            }
        }
    }

    /// Adds a candidate that the peer announced, at any time (RFC 8838 section 11).
    pub(crate) fn add_remote_candidate(
        &mut self,
        cx: &Context,
        candidate: Candidate,
        ufrag: Option<&Ufrag>,
    ) -> Result<(), Error> {
        let same = |known: &&mut RemoteCandidate| known.candidate.address() == candidate.address();
        if let Some(known) = self.remote_candidates.iter_mut().find(same) {
            if known.candidate.kind() == CandidateKind::PeerReflexive {
                known.candidate = candidate;
                self.checklist.update_remote(candidate, cx.role);
            }
            return Ok(());
        }
        if self.remote_candidates.len() >= cx.config.max_remote_candidates {
            return Err(Error::TooManyCandidates);
        }
        self.remote_candidates.push(RemoteCandidate { candidate, ufrag: ufrag.cloned() });
        self.form_pairs(cx);
        Ok(())
    }

    /// Pairs every local base with every remote candidate that it can reach (RFC 8445 section 6.1.2.2).
    pub(crate) fn form_pairs(&mut self, cx: &Context) {
        if cx.config.lite || !self.is_active() {
            return;
        }
        for local in cx.bases() {
            for remote in self.remote_candidates.iter().map(|remote| remote.candidate) {
                if can_pair(local.base(), remote.address()) {
                    let path = Path::new(local.base(), remote.address(), Protocol::Udp);
                    self.checklist.add(path, local, remote, cx.role, cx.config.max_pairs);
                }
            }
        }
    }

    /// Removes the pairs of a base whose socket is gone.
    pub(crate) fn remove_base(&mut self, now: Instant, cx: &mut Context, base: std::net::SocketAddr) {
        self.checklist.retain(|pair| pair.path.local() != base);
        self.early_checks.retain(|check| check.path.local() != base);
        if self.selected.is_some_and(|id| self.checklist.get(id).is_none()) {
            self.selected = None;
        }
        if matches!(self.state, GenerationState::Usable { .. }) && self.checklist.best_usable().is_none() {
            self.state = GenerationState::Checking { until: now + cx.config.patience };
            cx.emit(Event::RestartNeeded { generation: self.id });
        }
    }

    /// Ends consent on `path`: by expiry, by the peer's 403 or by its close.
    pub(crate) fn end_consent(&mut self, cx: &mut Context, path: Path, failure: Failure) {
        let generation = self.id;
        let Some(pair) = self.checklist.on_path_mut(path) else { return };
        let was_usable = pair.is_usable();
        pair.specific_failure = Some(failure);
        pair.end();
        let id = pair.id;
        self.checklist.untrigger(id);
        cx.outbox.purge(generation, Some(path));
        if was_usable {
            cx.emit(Event::ConsentLost { path, generation, failure });
        }
        if matches!(self.state, GenerationState::Usable { .. }) && self.checklist.best_usable().is_none() {
            self.fail(cx, failure);
        }
    }

    /// Ends the generation with a failure: nothing is sent or answered any more under these credentials.
    pub(crate) fn fail(&mut self, cx: &mut Context, failure: Failure) {
        self.end(cx, GenerationState::Ended);
        cx.emit(Event::Failed { generation: self.id, failure });
    }

    /// Revokes our consent: requests of the peer get a 403 (RFC 7675 section 5.2).
    pub(crate) fn revoke(&mut self, cx: &mut Context) {
        if !self.is_active() {
            return;
        }
        let generation = self.id;
        let usable: Vec<Path> =
            self.checklist.pairs().filter(|pair| pair.is_usable()).map(|pair| pair.path).collect();
        let failure =
            usable.first().map_or(Failure::NoPairSucceeded, |&path| Failure::ConsentRevoked { path });
        self.end(cx, GenerationState::Revoked);
        for path in usable {
            let failure = Failure::ConsentRevoked { path };
            cx.emit(Event::ConsentLost { path, generation, failure });
        }
        cx.emit(Event::Failed { generation, failure });
    }

    /// Handles the authenticated end of the connection over `path`: no path of this generation has consent any more.
    pub(crate) fn peer_ended(&mut self, cx: &mut Context, path: Path) {
        let usable: Vec<Path> =
            self.checklist.pairs().filter(|pair| pair.is_usable()).map(|pair| pair.path).collect();
        for each in usable {
            self.end_consent(cx, each, Failure::ConsentRevoked { path: each });
        }
        if self.is_active() {
            self.fail(cx, Failure::ConsentRevoked { path });
        }
    }

    /// After a role conflict the pair is checked at the next opportunity (RFC 8445 section 7.2.5.1).
    pub(crate) fn check_again(&mut self, id: PairId) {
        if let Some(pair) = self.checklist.get_mut(id)
            && matches!(pair.status, Status::InProgress(_))
        {
            pair.status = Status::Waiting;
            self.checklist.trigger(id);
        }
    }

    /// Ends all pairs, and drops the queued messages. `state` is `Revoked` or `Ended`.
    pub(crate) fn end(&mut self, cx: &mut Context, state: GenerationState) {
        self.state = state;
        self.selected = None;
        self.checklist.end();
        self.early_checks.clear();
        cx.outbox.purge(self.id, None);
    }

    /// Handles expired consent, and the end of the search.
    pub(crate) fn expire(&mut self, now: Instant, cx: &mut Context) {
        let config = cx.config.clone();
        let expired: Vec<(Path, Failure)> = self
            .checklist
            .pairs()
            .filter_map(|pair| {
                let consent = pair.consent().filter(|consent| consent.has_expired(now, &config))?;
                Some((pair.path, consent.failure(now, pair.path)))
            })
            .collect();
        for (path, failure) in expired {
            self.end_consent(cx, path, failure);
        }
        if let GenerationState::Checking { until } = self.state
            && now >= until
        {
            self.fail(cx, self.checking_failure());
        }
    }

    fn checking_failure(&self) -> Failure {
        let specific_failure = self.checklist.pairs().find_map(|pair| pair.specific_failure);
        specific_failure.unwrap_or(Failure::NoPairSucceeded)
    }

    /// Returns whether checks may be sent, answered and accepted.
    pub(crate) const fn is_active(&self) -> bool {
        matches!(self.state, GenerationState::Checking { .. } | GenerationState::Usable { .. })
    }

    pub(crate) fn awaits(&self, id: TransactionId) -> bool {
        self.checklist.with_transaction(id).is_some()
    }

    pub(crate) fn selected_pair(&self) -> Option<&ChecklistPair> {
        self.selected.and_then(|id| self.checklist.get(id))
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = CandidatePair> {
        self.checklist.pairs().map(|pair| pair.snapshot(self.id))
    }

    /// Returns the paths on which STUN authenticated.
    pub(crate) fn authenticated_paths(&self) -> impl Iterator<Item = Path> {
        let pairs = self.checklist.pairs().filter(|pair| pair.authenticated).map(|pair| pair.path);
        pairs.chain(self.early_checks.iter().map(|check| check.path))
    }

    /// Returns the selected pair while it has consent, before a selection the best usable one.
    pub(crate) fn permission(&self, now: Instant, cx: &Context) -> Option<Permission> {
        let pair = self.selected_pair().or_else(|| self.checklist.best_usable())?;
        let until = pair.consent()?.until(&cx.config);
        until.is_none_or(|until| now < until).then_some(Permission {
            path: pair.path,
            generation: self.id,
            until,
        })
    }

    /// Returns the next pair to check.
    pub(crate) fn next_check(&self, cx: &Context) -> Option<PairId> {
        let selected = self.selected_pair().map(|pair| pair.priority);
        if cx.config.lite || !self.is_active() { None } else { self.checklist.next(selected) }
    }

    /// Returns the earliest deadline.
    pub(crate) fn deadline(&self, cx: &Context) -> Option<Deadline> {
        if !self.is_active() {
            return None;
        }
        let pairs = self.checklist.pairs().flat_map(|pair| {
            let consent = pair.consent();
            [
                pair.sent().map(|sent| Deadline::new(Timer::Retransmission, sent.retransmission.deadline())),
                consent.and_then(Consent::next_check).map(|at| Deadline::new(Timer::ConsentCheck, at)),
                consent
                    .and_then(|consent| consent.until(&cx.config))
                    .map(|at| Deadline::new(Timer::ConsentExpiry, at)),
            ]
        });
        let own = [
            self.next_check(cx).map(|_| Deadline::new(Timer::Pacing, cx.next_check)),
            match self.state {
                GenerationState::Checking { until } => Some(Deadline::new(Timer::Patience, until)),
                _ => None,
            },
            self.nomination_due(cx).map(|at| Deadline::new(Timer::NominationWait, at)),
        ];
        pairs.chain(own).flatten().min()
    }
}
