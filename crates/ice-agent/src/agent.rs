//! The agent: commands and inputs in, messages and events out.
//!
//! Every command and input first advances the time, then does its own work, then runs what became due (`run`). Polls only
//! return results. `generation` has the state of one set of credentials, `restart` the change from one to the next.

pub(crate) mod context;
pub(crate) mod datagram;
pub(crate) mod dispatch;
pub(crate) mod generation;
pub(crate) mod generation_id;
pub(crate) mod restart;
pub(crate) mod run;
pub(crate) mod timer;
pub(crate) mod transmit;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use stun::TransactionId;

use crate::agent::context::Context;
use crate::agent::datagram::Datagram;
use crate::agent::generation::{Generation, GenerationState};
use crate::agent::generation_id::GenerationId;
use crate::agent::restart::Draining;
use crate::agent::timer::Deadline;
use crate::agent::transmit::{Outbox, Transmit};
use crate::candidate::Candidate;
use crate::check::role::IceRole;
use crate::config::Config;
use crate::credentials::{Parameters, Ufrag};
use crate::discard::Discard;
use crate::error::Error;
use crate::event::{Event, State};
use crate::pair::checklist_pair::Status;
use crate::pair::consent::Consent;
use crate::pair::{CandidatePair, Permission};
use crate::path::Path;
use crate::seed::{Generator, Seed};
use crate::stats::Stats;

/// An ICE agent for one component (rtcp-mux) with one peer.
///
/// The caller gives the time. Time never goes back: an older `now` is treated as the latest one. The crate page shows
/// the loop of the caller.
pub struct Agent {
    pub(crate) context: Context,
    /// The generation that sends.
    pub(crate) current: Generation,
    /// The generation that a restart opened.
    pub(crate) next: Option<Generation>,
    pub(crate) draining: Option<Draining>,
    pub(crate) ended_ufrags: VecDeque<Ufrag>,
    pub(crate) latest_generation: GenerationId,
    pub(crate) closed: bool,
    pub(crate) latest: Instant,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) announced: State,
    pub(crate) bound: Vec<Path>,
}

impl Agent {
    /// Returns a new agent. It sends nothing before it has local candidates and the remote parameters.
    ///
    /// `role` is usually controlling for the offerer; a role conflict is resolved (RFC 8445 section 7.3.1.1). A lite
    /// agent is always controlled.
    #[must_use]
    pub fn new(now: Instant, config: impl Into<Arc<Config>>, role: IceRole, seed: Seed) -> Self {
        let config = config.into();
        let mut generator = Generator::new(seed);
        let tie_breaker = generator.u64();
        let local = Parameters::generate(&mut generator, config.lite);
        let context = Context {
            role: if config.lite { IceRole::Controlled } else { role },
            tie_breaker,
            local_candidates: Vec::new(),
            local_complete: false,
            generator,
            outbox: Outbox::new(config.max_queued_transmits),
            events: VecDeque::new(),
            stats: Stats::default(),
            next_check: now,
            config,
        };
        Self {
            context,
            current: Generation::new(GenerationId::default(), local),
            next: None,
            draining: None,
            ended_ufrags: VecDeque::new(),
            latest_generation: GenerationId::default(),
            closed: false,
            latest: now,
            deadline: None,
            announced: State::New,
            bound: Vec::new(),
        }
    }

    /// Returns the parameters of the newest generation, for the peer.
    #[must_use]
    pub fn local_parameters(&self) -> &Parameters {
        &self.next.as_ref().unwrap_or(&self.current).local
    }

    /// Adds a local candidate to this generation and all later ones. A candidate that is present already changes
    /// nothing.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooManyCandidates`].
    pub fn add_local_candidate(&mut self, now: Instant, candidate: Candidate) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let known = &self.context.local_candidates;
        let same =
            |each: &Candidate| each.address() == candidate.address() && each.base() == candidate.base();
        if known.iter().any(same) {
            return Ok(());
        }
        if known.len() >= self.context.config.max_local_candidates {
            return Err(Error::TooManyCandidates);
        }
        let index = u16::try_from(known.len()).unwrap_or(u16::MAX);
        let now = self.advance(now);
        self.context.local_candidates.push(candidate.with_index(index));
        self.for_each_active(|generation, context| generation.form_pairs(context));
        self.run(now);
        Ok(())
    }

    /// Removes a local candidate, because its socket is gone. With the last candidate of a base its pairs are removed;
    /// [`Event::RestartNeeded`] follows if no usable pair is left. An unknown candidate changes nothing.
    pub fn remove_local_candidate(&mut self, now: Instant, candidate: &Candidate) {
        let now = self.advance(now);
        let (address, base) = (candidate.address(), candidate.base());
        self.context.local_candidates.retain(|each| each.address() != address || each.base() != base);
        if !self.context.local_candidates.iter().any(|each| each.base() == base) {
            self.current.remove_base(now, &mut self.context, base);
            if let Some(next) = &mut self.next {
                next.remove_base(now, &mut self.context, base);
            }
            if let Some(draining) = &mut self.draining {
                draining.generation.checklist.retain(|pair| pair.path.local() != base);
            }
        }
        self.run(now);
    }

    /// Returns the local candidates, with their priorities, in the order in which they were added. Announce these to
    /// the peer.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.context.local_candidates.iter()
    }

    /// Adds a remote candidate. `ufrag` names the peer's generation (the `ufrag` extension of the candidate line);
    /// `None` means the newest one. Candidates may arrive before the parameters.
    ///
    /// # Errors
    /// [`Error::Closed`], [`Error::TooManyCandidates`], [`Error::UnknownUfrag`].
    pub fn add_remote_candidate(
        &mut self,
        now: Instant,
        candidate: Candidate,
        ufrag: Option<&Ufrag>,
    ) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Closed);
        }
        let now = self.advance(now);
        let Self { context, current, next, .. } = self;
        let generation = pick(current, next.as_mut(), ufrag).ok_or(Error::UnknownUfrag)?;
        generation.add_remote_candidate(context, candidate, ufrag)?;
        self.run(now);
        Ok(())
    }

    /// Declares that no more local candidates follow for now (RFC 8838 section 13).
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        let now = self.advance(now);
        self.context.local_complete = true;
        self.run(now);
    }

    /// Declares that the peer announces no more candidates for the generation of `ufrag`, or for its newest one. The
    /// controlling side then nominates without waiting for a better pair. Failure still takes its time (RFC 8863).
    pub fn end_of_remote_candidates(&mut self, now: Instant, ufrag: Option<&Ufrag>) {
        let now = self.advance(now);
        if let Some(generation) = pick(&mut self.current, self.next.as_mut(), ufrag) {
            generation.remote_complete = true;
        }
        self.run(now);
    }

    /// Sets the role that offer and answer decided (RFC 8445 section 6.1.1). After the remote parameters are set, only
    /// a role conflict changes the role. A lite agent stays controlled.
    pub fn set_role(&mut self, now: Instant, role: IceRole) {
        self.advance(now);
        let undecided = self.latest_generation == GenerationId::default()
            && matches!(self.current.state, GenerationState::AwaitingPeer);
        if undecided && !self.context.config.lite {
            self.context.role = role;
        }
    }

    /// Revokes our consent: from now on the agent sends only 403 responses to requests of the peer (RFC 7675 section
    /// 5.2), and data may not be received. A restart that waits for the peer's answer ends, too.
    /// [`restart`](Self::restart) opens a new generation.
    pub fn revoke_consent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.for_each_active(Generation::revoke);
        if self.next.as_ref().is_some_and(|next| !matches!(next.state, GenerationState::Revoked)) {
            self.end_next();
        }
        self.end_draining();
        self.run(now);
    }

    /// Closes the agent: no transmit, no timeout, all paths released. Only [`restart`](Self::restart) leaves this
    /// state.
    pub fn close(&mut self, now: Instant) {
        let now = self.advance(now);
        self.closed = true;
        self.next = None;
        self.draining = None;
        self.current.end(&mut self.context, GenerationState::Ended);
        self.current.checklist.retain(|_| false);
        self.context.outbox.clear();
        self.run(now);
    }

    /// Reports an authenticated close_notify or fatal alert on `path`, which revokes consent (RFC 7675 section 5.2). It
    /// ends the generation that sends or, if that one does not use the path, the one that does.
    pub fn peer_ended(&mut self, now: Instant, path: Path) {
        let now = self.advance(now);
        let Self { context, current, next, .. } = self;
        let has =
            |generation: &Generation| generation.is_active() && generation.checklist.on_path(path).is_some();
        if has(current) {
            current.peer_ended(context, path);
        } else if let Some(next) = next.as_mut().filter(|next| has(next)) {
            next.peer_ended(context, path);
        }
        self.run(now);
    }

    /// Reports authenticated data on `path`. It proves that the peer is alive to a lite agent, and after a restart that
    /// the peer has moved. It never renews consent.
    pub fn note_authenticated(&mut self, now: Instant, path: Path) {
        let now = self.advance(now);
        self.note_data_after_selection(path);
        if self.context.config.lite {
            self.for_each_active(|generation, _| {
                if let Some(pair) = generation.checklist.on_path_mut(path)
                    && let Status::Succeeded { consent, .. } = &mut pair.status
                    && matches!(consent, Consent::Assumed { .. })
                {
                    consent.renew(now);
                }
            });
        }
        self.run(now);
    }

    /// Processes a datagram. An unusable one is discarded and counted; see [`Stats::discarded`].
    pub fn handle_input(&mut self, now: Instant, datagram: Datagram<'_>) {
        let now = self.advance(now);
        match self.dispatch(now, datagram) {
            Ok(()) => self.run(now),
            Err(reason) => {
                tracing::trace!(?reason, path = %datagram.path, "discarded");
                self.context.stats.discard(reason);
                // A discarded input can have changed the state only if it was authenticated before a limit applied.
                if matches!(reason, Discard::PairLimit | Discard::RateLimited) {
                    self.run(now);
                }
            }
        }
    }

    /// Processes everything that is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// Appends the next message to `buf` and returns its path and length, or `None` if there is none.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.context.outbox.pop(buf)
    }

    /// Returns the next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.context.events.pop_front()
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) has work, unless an input changes it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Returns the state of the agent as a whole.
    #[must_use]
    pub fn state(&self) -> State {
        let states = [Some(self.current.state), self.next.as_ref().map(|next| next.state)];
        let is_negotiating =
            self.next.as_ref().is_some_and(|next| matches!(next.state, GenerationState::AwaitingPeer));
        let any = |test: fn(&GenerationState) -> bool| states.iter().flatten().any(test);
        if self.closed {
            State::Closed
        } else if any(|state| matches!(state, GenerationState::Usable { .. })) {
            State::Connected
        } else if any(|state| matches!(state, GenerationState::Checking { .. })) || is_negotiating {
            State::Checking
        } else if any(|state| matches!(state, GenerationState::AwaitingPeer)) {
            State::New
        } else {
            State::Failed
        }
    }

    /// Returns the present role.
    #[must_use]
    pub fn role(&self) -> IceRole {
        self.context.role
    }

    /// Returns the generation that sends.
    #[must_use]
    pub fn generation(&self) -> GenerationId {
        self.current.id
    }

    /// Returns the generation that a restart is negotiating or checking.
    #[must_use]
    pub fn next_generation(&self) -> Option<GenerationId> {
        self.next.as_ref().map(|next| next.id)
    }

    /// Returns the selected pair of the generation that sends.
    #[must_use]
    pub fn selected_pair(&self) -> Option<CandidatePair> {
        self.current.selected_pair().map(|pair| pair.snapshot(self.current.id))
    }

    /// Returns every pair of the current and of the next generation, sorted by priority within each.
    pub fn pairs(&self) -> impl Iterator<Item = CandidatePair> {
        self.current.pairs().chain(self.next.iter().flat_map(Generation::pairs))
    }

    /// Returns whether data may be received on this path: only where a check authenticated, and not after we revoked
    /// consent.
    #[must_use]
    pub fn may_receive(&self, path: Path) -> bool {
        self.generations().any(|generation| {
            !matches!(generation.state, GenerationState::Revoked)
                && generation.authenticated_paths().any(|authenticated| authenticated == path)
        })
    }

    /// Returns whether a check of exactly this generation authenticated on this path, which proves that its sender has
    /// our parameters of it.
    #[must_use]
    pub fn is_bound(&self, id: GenerationId, path: Path) -> bool {
        self.generations().any(|generation| {
            generation.id == id && generation.authenticated_paths().any(|authenticated| authenticated == path)
        })
    }

    /// Returns when the peer last retransmitted a request of this generation that we had answered. Until then none of
    /// our responses had reached it, so possibly no pair of the peer worked.
    #[must_use]
    pub fn request_retransmitted_at(&self, id: GenerationId) -> Option<Instant> {
        self.generations().find(|generation| generation.id == id)?.request_retransmitted_at()
    }

    /// Returns the path on which data may be sent at `now`: the selected pair while it has consent, before a selection
    /// the best usable pair. The next generation's pair counts only if the current generation has ended.
    #[must_use]
    pub fn permission(&self, now: Instant) -> Option<Permission> {
        let now = now.max(self.latest);
        let generations = [Some(&self.current), self.next.as_ref()];
        generations.into_iter().flatten().find_map(|generation| generation.permission(now, &self.context))
    }

    /// Returns each local ufrag whose requests belong to this agent, the newest last.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &Ufrag> {
        self.generations().filter(|_| !self.closed).map(|generation| &generation.local.ufrag)
    }

    /// Returns the paths for which [`Event::PathBound`] was emitted and [`Event::PathReleased`] was not.
    pub fn bound_paths(&self) -> impl Iterator<Item = Path> {
        self.bound.iter().copied()
    }

    /// Returns whether a response to this transaction is pending here.
    #[must_use]
    pub fn awaits(&self, transaction_id: TransactionId) -> bool {
        self.generations().any(|generation| generation.awaits(transaction_id))
    }

    /// Returns the counters.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.context.stats
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent")
            .field("state", &self.state())
            .field("role", &self.context.role)
            .field("generation", &self.current.id)
            .field("selected", &self.selected_pair().map(|pair| pair.path))
            .finish_non_exhaustive()
    }
}

/// Returns the generation that a remote candidate belongs to.
fn pick<'a>(
    current: &'a mut Generation,
    next: Option<&'a mut Generation>,
    ufrag: Option<&Ufrag>,
) -> Option<&'a mut Generation> {
    let is_named = |generation: &Generation| {
        generation
            .peer
            .as_ref()
            .is_some_and(|peer| ufrag.is_some_and(|ufrag| peer.parameters.ufrag == *ufrag))
    };
    // A late candidate of the current generation must not be added to the next one.
    if is_named(current) {
        return Some(current);
    }
    let newest = next.unwrap_or(current);
    (ufrag.is_none() || newest.peer.is_none() || is_named(newest)).then_some(newest)
}
