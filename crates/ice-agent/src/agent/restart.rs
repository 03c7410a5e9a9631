//! The ICE restart (RFC 8445 section 9): opens, promotes, drains and ends generations.
//!
//! 1. `restart`, or changed credentials of the peer, open the next generation beside the current one.
//! 2. Both are checked. The current one keeps sending, with its own consent.
//! 3. The next one selects a pair and becomes the current one. The old one only responds.
//! 4. The peer proves that it has moved too, or three seconds pass: the old one ends.

use std::time::{Duration, Instant};

use crate::agent::Agent;
use crate::agent::generation::{Generation, GenerationState};
use crate::agent::generation_id::GenerationId;
use crate::check::role::IceRole;
use crate::credentials::{Comparison, Parameters, Ufrag};
use crate::error::Error;
use crate::event::Event;
use crate::path::Path;

/// The effect of [`Agent::set_remote_parameters`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// These are the first parameters of the peer: checks begin.
    First,
    /// The agent had these parameters already; nothing changed.
    Unchanged,
    /// A restart of the peer, or its answer to ours: this generation starts its checks.
    IceRestart(GenerationId),
}

/// A replaced generation that still responds, so that a peer which has not moved yet keeps consent.
pub(crate) struct Draining {
    pub(crate) generation: Generation,
    /// The latest end of the drain.
    pub(crate) until: Instant,
    /// From this time on a check of the new generation proves that the peer has selected too. An earlier one may be a
    /// retransmission of the nomination itself.
    proof_from: Instant,
    /// The pair that was selected instead.
    successor: Path,
}

impl Draining {
    pub(crate) fn answers_on(&self, path: Path) -> bool {
        path.local() == self.successor.local()
    }
}

/// The number of ufrags of ended generations that are kept, so that late requests are counted as such.
const MAX_ENDED_UFRAGS: usize = 4;

impl Agent {
    /// Opens a new generation with new credentials (RFC 8445 section 9) and returns its number. The working generation
    /// continues, with its consent, until the new one has selected a pair. A restart during a restart replaces the
    /// generation that was being negotiated. Also works after a failure and after [`close`](Self::close).
    ///
    /// Then send [`local_parameters`](Self::local_parameters) to the peer. No deadline runs until its answer is
    /// [set](Self::set_remote_parameters).
    ///
    /// # Errors
    /// [`Error::NotStarted`] before the first remote parameters.
    pub fn restart(&mut self, now: Instant) -> Result<GenerationId, Error> {
        if self.current.peer.is_none() {
            return Err(Error::NotStarted);
        }
        let now = self.advance(now);
        self.closed = false;
        let id = self.open_next();
        self.run(now);
        Ok(id)
    }

    /// Removes the generation that [`restart`](Self::restart) or the peer opened, because signalling rolled back.
    ///
    /// # Errors
    /// [`Error::NoRestart`] if there is none.
    pub fn rollback_restart(&mut self, now: Instant) -> Result<(), Error> {
        if self.next.is_none() {
            return Err(Error::NoRestart);
        }
        let now = self.advance(now);
        self.end_next();
        self.run(now);
        Ok(())
    }

    /// Ends a generation that is draining or was opened by a restart: its requests get no more responses. The generation
    /// that sends is not affected; [`close`](Self::close) ends it.
    pub fn end_generation(&mut self, now: Instant, id: GenerationId) {
        let now = self.advance(now);
        if self.draining.as_ref().is_some_and(|draining| draining.generation.id == id) {
            self.end_draining();
        }
        if self.next.as_ref().is_some_and(|next| next.id == id) {
            self.end_next();
        }
        self.run(now);
    }

    /// Sets the peer's parameters: its first ones, its answer to our restart, or its own restart, which also opens a
    /// closed agent.
    ///
    /// # Errors
    /// [`Error::Closed`] if a closed agent gets anything but a restart, [`Error::BothLite`],
    /// [`Error::HalfChangedCredentials`], and [`Error::CredentialsChanged`] if a restart has begun and these are the
    /// parameters from before it.
    pub fn set_remote_parameters(&mut self, now: Instant, parameters: Parameters) -> Result<Applied, Error> {
        if self.context.config.lite && parameters.lite {
            return Err(Error::BothLite);
        }
        let compare = |generation: &Generation| {
            generation.peer.as_ref().map(|peer| peer.parameters.compare(&parameters))
        };
        let step = match (compare(&self.current), self.next.as_ref().map(compare)) {
            (Some(Comparison::HalfChanged), _) | (_, Some(Some(Comparison::HalfChanged))) => {
                return Err(Error::HalfChangedCredentials);
            }
            (None, _) => Step::First,
            (Some(Comparison::Same), Some(Some(_))) => return Err(Error::CredentialsChanged),
            (Some(Comparison::Same), _) | (_, Some(Some(Comparison::Same))) => Step::Nothing,
            (Some(Comparison::Fresh), Some(None)) => Step::Answer,
            (Some(Comparison::Fresh), None | Some(Some(Comparison::Fresh))) => Step::PeerRestart,
        };
        if self.closed && step != Step::PeerRestart {
            return Err(Error::Closed);
        }
        let now = self.advance(now);
        self.closed = false;
        if step != Step::Nothing {
            self.follow_lite(parameters.lite);
        }
        let Self { context, .. } = self;
        let applied = match step {
            Step::Nothing => Applied::Unchanged,
            Step::First => {
                self.current.begin(now, context, parameters);
                Applied::First
            }
            Step::Answer | Step::PeerRestart => {
                if step == Step::PeerRestart {
                    self.open_next();
                }
                let Self { context, next, .. } = self;
                let next = next.as_mut().ok_or(Error::NoRestart)?;
                next.begin(now, context, parameters);
                Applied::IceRestart(next.id)
            }
        };
        self.run(now);
        Ok(applied)
    }

    /// RFC 8445 section 6.1.1: if one of the agents is lite, the full one controls.
    fn follow_lite(&mut self, peer_is_lite: bool) {
        let role = match (self.context.config.lite, peer_is_lite) {
            (true, _) => IceRole::Controlled,
            (false, true) => IceRole::Controlling,
            (false, false) => return,
        };
        if self.context.role != role {
            self.switch_role(role);
        }
    }

    fn open_next(&mut self) -> GenerationId {
        self.end_next();
        self.latest_generation = self.latest_generation.next();
        let id = self.latest_generation;
        let local = Parameters::generate(&mut self.context.generator, self.context.config.lite);
        self.next = Some(Generation::new(id, local));
        id
    }

    /// The next generation has selected a pair: all sending moves there now (RFC 8445 section 12.1).
    pub(crate) fn promote(&mut self, now: Instant) {
        let ready = self.next.take_if(|next| next.selected.is_some());
        let Some(next) = ready else { return };
        let successor = next.selected_pair().map(|pair| pair.path);
        let mut old = std::mem::replace(&mut self.current, next);
        self.end_draining();
        let Some(successor) = successor.filter(|_| old.is_active()) else {
            self.record_end(&old);
            return;
        };
        for pair in old.checklist.pairs_mut() {
            pair.transactions.clear();
        }
        self.context.outbox.purge(old.id, None);
        self.draining = Some(Draining {
            generation: old,
            until: now + self.context.config.drain,
            proof_from: now + PROOF_AFTER,
            successor,
        });
    }

    /// Ends a next generation that failed before it replaced the current one, which is unchanged.
    pub(crate) fn end_failed_next(&mut self) {
        if self.next.as_ref().is_some_and(|next| matches!(next.state, GenerationState::Ended)) {
            self.end_next();
        }
    }

    pub(crate) fn end_expired_draining(&mut self, now: Instant) {
        if self.draining.as_ref().is_some_and(|draining| now >= draining.until) {
            self.end_draining();
        }
    }

    /// Handles an authenticated check of the current generation.
    pub(crate) fn note_check_after_selection(&mut self, now: Instant, path: Path) {
        let proves = |draining: &Draining| now >= draining.proof_from && path == draining.successor;
        if self.draining.as_ref().is_some_and(proves) {
            self.end_draining();
        }
    }

    /// Handles authenticated data. On a path that only the current generation has, it proves that the peer selected.
    pub(crate) fn note_data_after_selection(&mut self, path: Path) {
        let proves = |draining: &Draining| {
            path == draining.successor && draining.generation.checklist.on_path(path).is_none()
        };
        if self.draining.as_ref().is_some_and(proves) {
            self.end_draining();
        }
    }

    pub(crate) fn end_next(&mut self) {
        if let Some(next) = self.next.take() {
            self.record_end(&next);
        }
    }

    pub(crate) fn end_draining(&mut self) {
        if let Some(draining) = self.draining.take() {
            self.record_end(&draining.generation);
        }
    }

    fn record_end(&mut self, generation: &Generation) {
        self.context.outbox.purge(generation.id, None);
        if self.ended_ufrags.len() >= MAX_ENDED_UFRAGS {
            self.ended_ufrags.pop_front();
        }
        self.ended_ufrags.push_back(Ufrag::clone(&generation.local.ufrag));
        self.context.emit(Event::GenerationEnded(generation.id));
    }
}

/// One RTO (RFC 8445 section 14.3) after the selection, no retransmission of the nomination is in flight.
const PROOF_AFTER: Duration = Duration::from_millis(500);

/// The meaning of remote parameters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Nothing,
    First,
    Answer,
    PeerRestart,
}
