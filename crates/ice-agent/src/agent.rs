//! The agent: commands and inputs in, messages and events out.
//!
//! A table of contents. Every command and input first lets time pass, then does its one thing, then runs what
//! became due (`run`), so that polls only hand out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use stun::TransactionId;

use crate::candidate::Candidate;
use crate::candidate_pair::Status;
use crate::config::Config;
use crate::consent::Consent;
use crate::context::Context;
use crate::credentials::{Parameters, Ufrag};
use crate::discard::Discard;
use crate::error::Error;
use crate::event::{Event, State};
use crate::generation::Generation;
use crate::pair::{Pair, Permission};
use crate::path::Path;
use crate::restart::Draining;
use crate::role::IceRole;
use crate::seed::{Generator, Seed};
use crate::session::{Life, Session};
use crate::stats::Stats;
use crate::timer::Deadline;
use crate::transmit::{Outbox, Transmit};

/// One received datagram.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// Where it came in: the socket's own address, and the source address.
    pub path: Path,
    /// Its bytes.
    pub payload: &'a [u8],
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagram({}, {} bytes)", self.path, self.payload.len())
    }
}

/// What [`Agent::set_remote_parameters`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// The first parameters of the peer: checks begin.
    First,
    /// The parameters were known already; nothing changed.
    Unchanged,
    /// A restart, the peer's own or its answer to ours: this generation looks for a pair now.
    IceRestart(Generation),
}

/// An ICE agent for one component (rtcp-mux) with one peer.
///
/// Time is given and never goes back: an older `now` is treated as the latest one. See the crate page for the
/// loop around it.
pub struct Agent {
    pub(crate) context: Context,
    /// The generation that sends.
    pub(crate) current: Session,
    /// The generation that a restart opened.
    pub(crate) next: Option<Session>,
    pub(crate) draining: Option<Draining>,
    pub(crate) retired: VecDeque<Ufrag>,
    pub(crate) latest_generation: Generation,
    pub(crate) closed: bool,
    pub(crate) latest: Instant,
    pub(crate) deadline: Option<Deadline>,
    pub(crate) announced: State,
    pub(crate) bound: Vec<Path>,
}

impl Agent {
    /// A new agent. It is silent until it has local candidates and the peer's parameters.
    ///
    /// `role` is usually controlling for the side that offers; a conflict resolves itself. A lite agent is
    /// always controlled.
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
            current: Session::new(Generation::default(), local),
            next: None,
            draining: None,
            retired: VecDeque::new(),
            latest_generation: Generation::default(),
            closed: false,
            latest: now,
            deadline: None,
            announced: State::New,
            bound: Vec::new(),
        }
    }

    /// What the peer has to be told: the parameters of the newest generation.
    #[must_use]
    pub fn local_parameters(&self) -> &Parameters {
        &self.next.as_ref().unwrap_or(&self.current).local
    }

    /// Adds a candidate of ours, for this generation and all later ones. The same one again changes nothing.
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
        self.for_each_active(|session, context| session.form_pairs(context));
        self.run(now);
        Ok(())
    }

    /// The socket at this candidate's base is gone, or the candidate never was. Pairs go with the last candidate
    /// of a base; [`Event::RestartNeeded`] follows when no usable pair is left.
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
                draining.session.checklist.retain(|pair| pair.path.local() != base);
            }
        }
        self.run(now);
    }

    /// Our candidates in the order in which they were added, with the priorities that were given to them. These
    /// are the ones to announce.
    pub fn local_candidates(&self) -> impl Iterator<Item = &Candidate> {
        self.context.local_candidates.iter()
    }

    /// Adds a candidate of the peer. `ufrag` names the peer's generation that it belongs to (the `ufrag` extension of
    /// its line); `None` means the newest one. Candidates may come before the parameters.
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
        let session = pick(current, next.as_mut(), ufrag).ok_or(Error::UnknownUfrag)?;
        session.add_remote_candidate(context, candidate, ufrag)?;
        self.run(now);
        Ok(())
    }

    /// No more local candidates will be added for now (RFC 8838 section 13).
    pub fn end_of_local_candidates(&mut self, now: Instant) {
        let now = self.advance(now);
        self.context.local_complete = true;
        self.run(now);
    }

    /// The peer announces no more candidates for the generation that `ufrag` names, or for its newest one. This lets
    /// the controlling side nominate without waiting; failure still takes its time (RFC 8863).
    pub fn end_of_remote_candidates(&mut self, now: Instant, ufrag: Option<&Ufrag>) {
        let now = self.advance(now);
        if let Some(session) = pick(&mut self.current, self.next.as_mut(), ufrag) {
            session.remote_complete = true;
        }
        self.run(now);
    }

    /// Takes the role that offer and answer decided (RFC 8445 section 6.1.1). Once the peer's parameters are set
    /// only a role conflict changes the role; a lite agent stays controlled.
    pub fn set_role(&mut self, now: Instant, role: IceRole) {
        self.advance(now);
        let undecided = self.latest_generation == Generation::default()
            && matches!(self.current.life, Life::AwaitingPeer);
        if undecided && !self.context.config.lite {
            self.context.role = role;
        }
    }

    /// Takes back our consent: nothing is sent any more except 403 to whatever the peer asks (RFC 7675 section 5.2),
    /// and nothing may be received. A restart that waits for the peer's answer is given up, too.
    /// [`restart`](Self::restart) begins anew.
    pub fn revoke_consent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.for_each_active(Session::revoke);
        if self.next.as_ref().is_some_and(|next| !matches!(next.life, Life::Revoked)) {
            self.retire_next();
        }
        self.retire_draining();
        self.run(now);
    }

    /// Falls silent: no transmit, no timeout, every path released. Only [`restart`](Self::restart) leads out of it.
    pub fn close(&mut self, now: Instant) {
        let now = self.advance(now);
        self.closed = true;
        self.next = None;
        self.draining = None;
        self.current.stop(&mut self.context, Life::Dead);
        self.current.checklist.retain(|_| false);
        self.context.outbox.clear();
        self.run(now);
    }

    /// The layer above received an authenticated close_notify or fatal alert on `path`, which revokes consent
    /// (RFC 7675 section 5.2). It ends the generation that sends, or else the one that has the path.
    pub fn peer_ended(&mut self, now: Instant, path: Path) {
        let now = self.advance(now);
        let Self { context, current, next, .. } = self;
        let has = |session: &Session| session.is_active() && session.checklist.on_path(path).is_some();
        if has(current) {
            current.peer_ended(context, path);
        } else if let Some(next) = next.as_mut().filter(|next| has(next)) {
            next.peer_ended(context, path);
        }
        self.run(now);
    }

    /// The layer above authenticated data on `path`: liveness for a lite agent, and after a restart the proof that
    /// the peer has moved. It never renews consent.
    pub fn note_authenticated(&mut self, now: Instant, path: Path) {
        let now = self.advance(now);
        self.note_data_after_selection(path);
        if self.context.config.lite {
            self.for_each_active(|session, _| {
                if let Some(pair) = session.checklist.on_path_mut(path)
                    && let Status::Succeeded { consent, .. } = &mut pair.status
                    && matches!(consent, Consent::Assumed { .. })
                {
                    consent.prove(now);
                }
            });
        }
        self.run(now);
    }

    /// Takes a datagram. What cannot be used is dropped and counted; see [`Stats::discarded`].
    pub fn handle_input(&mut self, now: Instant, datagram: Datagram<'_>) {
        let now = self.advance(now);
        match self.dispatch(now, datagram) {
            Ok(()) => self.run(now),
            Err(reason) => {
                tracing::trace!(?reason, path = %datagram.path, "discarded");
                self.context.stats.discard(reason);
                // Only what authenticated before it met a bound can have changed anything.
                if matches!(reason, Discard::PairLimit | Discard::RateLimited) {
                    self.run(now);
                }
            }
        }
    }

    /// Does what is due at `now`.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.advance(now);
    }

    /// The next message to send, if any: appended to `buf`, described by its path and length.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.context.outbox.pop(buf)
    }

    /// The next event, if any.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.context.events.pop_front()
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do, unless an input changes it.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Where the agent as a whole stands.
    #[must_use]
    pub fn state(&self) -> State {
        let lives = [Some(self.current.life), self.next.as_ref().map(|next| next.life)];
        let is_negotiating = self.next.as_ref().is_some_and(|next| matches!(next.life, Life::AwaitingPeer));
        let any = |test: fn(&Life) -> bool| lives.iter().flatten().any(test);
        if self.closed {
            State::Closed
        } else if any(|life| matches!(life, Life::Usable { .. })) {
            State::Connected
        } else if any(|life| matches!(life, Life::Searching { .. })) || is_negotiating {
            State::Checking
        } else if any(|life| matches!(life, Life::AwaitingPeer)) {
            State::New
        } else {
            State::Failed
        }
    }

    /// Who nominates, by now.
    #[must_use]
    pub fn role(&self) -> IceRole {
        self.context.role
    }

    /// The generation that sends.
    #[must_use]
    pub fn generation(&self) -> Generation {
        self.current.generation
    }

    /// The generation that a restart is negotiating or checking.
    #[must_use]
    pub fn next_generation(&self) -> Option<Generation> {
        self.next.as_ref().map(|next| next.generation)
    }

    /// The selected pair of the generation that sends.
    #[must_use]
    pub fn selected_pair(&self) -> Option<Pair> {
        self.current.selected_pair().map(|pair| pair.snapshot(self.current.generation))
    }

    /// Every pair of the current and of the next generation, the best first in each.
    pub fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.current.pairs().chain(self.next.iter().flat_map(Session::pairs))
    }

    /// May data be received on this path? Only where a check authenticated, and not after we revoked consent.
    #[must_use]
    pub fn may_receive(&self, path: Path) -> bool {
        self.sessions().any(|session| {
            !matches!(session.life, Life::Revoked)
                && session.authenticated_paths().any(|authenticated| authenticated == path)
        })
    }

    /// Whether a check of this very generation authenticated on this path: its sender has our parameters of it.
    #[must_use]
    pub fn is_bound(&self, generation: Generation, path: Path) -> bool {
        self.sessions().any(|session| {
            session.generation == generation
                && session.authenticated_paths().any(|authenticated| authenticated == path)
        })
    }

    /// When the peer last repeated a request of this generation that we had answered before: until then no
    /// answer of ours had reached it, so no pair of its own may have worked.
    #[must_use]
    pub fn asked_again(&self, generation: Generation) -> Option<Instant> {
        self.sessions().find(|session| session.generation == generation)?.asked_again()
    }

    /// May data be sent at `now`, and where? The selected pair while it has consent; before a selection the best
    /// usable pair; the next generation's only when the current one is over.
    #[must_use]
    pub fn permission(&self, now: Instant) -> Option<Permission> {
        let now = now.max(self.latest);
        let sessions = [Some(&self.current), self.next.as_ref()];
        sessions.into_iter().flatten().find_map(|session| session.permission(now, &self.context))
    }

    /// Every ufrag of ours whose requests belong here, newest last.
    pub fn local_ufrags(&self) -> impl Iterator<Item = &Ufrag> {
        self.sessions().filter(|_| !self.closed).map(|session| &session.local.ufrag)
    }

    /// Every path for which [`Event::PathBound`] was emitted, and [`Event::PathReleased`] was not.
    pub fn bound_paths(&self) -> impl Iterator<Item = Path> {
        self.bound.iter().copied()
    }

    /// Whether a response to this transaction is awaited here.
    #[must_use]
    pub fn awaits(&self, transaction_id: TransactionId) -> bool {
        self.sessions().any(|session| session.awaits(transaction_id))
    }

    /// What was counted so far.
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
            .field("generation", &self.current.generation)
            .field("selected", &self.selected_pair().map(|pair| pair.path))
            .finish_non_exhaustive()
    }
}

/// The generation that a candidate of the peer belongs to.
fn pick<'a>(
    current: &'a mut Session,
    next: Option<&'a mut Session>,
    ufrag: Option<&Ufrag>,
) -> Option<&'a mut Session> {
    let is_named = |session: &Session| {
        session.peer.as_ref().is_some_and(|peer| ufrag.is_some_and(|ufrag| peer.parameters.ufrag == *ufrag))
    };
    // A late candidate of the generation that still sends must not be taken for one of the next.
    if is_named(current) {
        return Some(current);
    }
    let newest = next.unwrap_or(current);
    (ufrag.is_none() || newest.peer.is_none() || is_named(newest)).then_some(newest)
}
