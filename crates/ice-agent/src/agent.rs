//! The agent: commands and inputs in, messages and events out.
//!
//! A table of contents. Every command and input first lets time pass, then does its one thing, then runs what
//! became due (`run`), so that polls only hand out.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use stun::{Class, Message, Method, TransactionId};

use crate::candidate::Candidate;
use crate::config::Config;
use crate::consent::Consent;
use crate::context::Context;
use crate::credentials::{Parameters, Ufrag};
use crate::discard::Discard;
use crate::error::Error;
use crate::event::{Event, Failure, State};
use crate::generation::Generation;
use crate::pair::{Pair, Permission};
use crate::path::Path;
use crate::requester::Outcome;
use crate::restart::Draining;
use crate::role::IceRole;
use crate::seed::{Generator, Seed};
use crate::session::{Life, Session};
use crate::stats::Stats;
use crate::timer::{Deadline, Timer};
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
    latest: Instant,
    deadline: Option<Deadline>,
    announced: State,
    bound: Vec<Path>,
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
    /// and nothing may be received. [`restart`](Self::restart) begins anew.
    pub fn revoke_consent(&mut self, now: Instant) {
        let now = self.advance(now);
        self.for_each_active(Session::revoke);
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
                    && let crate::candidate_pair::Status::Succeeded { consent, .. } = &mut pair.status
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
        let any = |test: fn(&Life) -> bool| lives.iter().flatten().any(test);
        if self.closed {
            State::Closed
        } else if any(|life| matches!(life, Life::Usable { .. })) {
            State::Connected
        } else if any(|life| matches!(life, Life::Searching { .. })) || self.next.is_some() {
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

    /// May data be sent at `now`, and where? The selected pair while it has consent; before a selection the best
    /// usable pair; the next generation's only when the current one is over.
    #[must_use]
    pub fn permission(&self, now: Instant) -> Option<Permission> {
        let now = now.max(self.latest);
        let sessions = [Some(&self.current), self.next.as_ref()];
        sessions.into_iter().flatten().find_map(|session| session.permission(now, &self.context))
    }

    /// Every ufrag of ours that is answered now, newest last.
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

    /// Lets time pass up to `now`, or treats it as the latest time if it is older.
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        if self.deadline.is_some_and(|deadline| deadline.at <= self.latest) {
            tracing::trace!(deadline = ?self.deadline.map(|deadline| deadline.timer), "due");
            self.run(self.latest);
        }
        self.latest
    }

    /// Does everything that is due, until nothing is.
    pub(crate) fn run(&mut self, now: Instant) {
        self.expire_draining(now);
        self.for_each_active(|session, context| {
            session.expire(now, context);
            session.retransmit(now, context);
            session.check_consent(now, context);
            session.select(now, context);
        });
        self.drop_failed_next();
        self.promote(now);
        self.pace(now);
        self.announce();
        self.deadline = self.next_deadline();
    }

    fn dispatch(&mut self, now: Instant, datagram: Datagram<'_>) -> Result<(), Discard> {
        let Datagram { path, payload } = datagram;
        if self.closed {
            return Err(Discard::Closed);
        }
        if !stun::is_stun(payload) {
            return Err(Discard::NotStun);
        }
        if payload.len() > self.context.config.max_datagram {
            return Err(Discard::TooLong);
        }
        let message = Message::decode(payload).map_err(|_| Discard::Malformed)?;
        match (message.message_type().method, message.message_type().class) {
            (Method::BINDING, Class::Request) => self.on_request(now, path, message),
            (Method::BINDING, Class::Success | Class::Error) => self.on_response(now, path, message),
            _ => Err(Discard::NotBinding),
        }
    }

    fn on_response(&mut self, now: Instant, path: Path, message: Message<'_>) -> Result<(), Discard> {
        let id = message.transaction_id();
        let Self { context, current, next, .. } = self;
        let session = if current.awaits(id) { current } else { next.as_mut().unwrap_or(current) };
        let generation = session.generation;
        match session.on_response(now, context, path, message)? {
            Outcome::Settled => {}
            Outcome::RoleConflict { claimed, pair } => {
                // A second 487 to a check from before the switch must not switch back.
                if claimed == self.context.role {
                    self.context.tie_breaker = self.context.generator.u64();
                    self.switch_role(claimed.opposite());
                }
                self.check_again(generation, pair);
            }
            Outcome::Forbidden { path } => {
                // Older generations lose the 5-tuple with this one; a newer one has consent of its own.
                self.for_each_active(|session, context| {
                    if session.generation <= generation {
                        session.lose(context, path, Failure::ConsentRevoked { path });
                    }
                });
            }
        }
        Ok(())
    }

    fn check_again(&mut self, generation: Generation, pair: crate::candidate_pair::PairId) {
        self.for_each_active(|session, _| {
            if session.generation == generation {
                session.check_again(pair);
            }
        });
    }

    /// RFC 8445 section 7.3.1.1.
    pub(crate) fn switch_role(&mut self, role: IceRole) {
        self.context.role = role;
        self.current.checklist.switch_role(role);
        if let Some(next) = &mut self.next {
            next.checklist.switch_role(role);
        }
        self.context.emit(Event::RoleChanged(role));
    }

    /// At most one new check per Ta (RFC 8445 section 6.1.4.2); the newer generation has more to find.
    fn pace(&mut self, now: Instant) {
        let Self { context, current, next, .. } = self;
        for session in next.iter_mut().chain([current]) {
            while now >= context.next_check {
                let Some(id) = session.next_check(context) else { break };
                if session.send_check(now, context, id) {
                    context.next_check = now + context.pacing();
                }
            }
        }
    }

    /// Tells what changed in state and paths.
    fn announce(&mut self) {
        let state = self.state();
        if state != self.announced {
            self.announced = state;
            if state != State::Failed {
                self.context.emit(Event::StateChanged(state));
            }
        }
        let mut bound = std::mem::take(&mut self.bound);
        let before = bound.len();
        for path in self.sessions().flat_map(Session::authenticated_paths) {
            if !bound.contains(&path) {
                bound.push(path);
            }
        }
        for path in bound.iter().skip(before) {
            self.context.emit(Event::PathBound(*path));
        }
        bound.retain(|path| {
            let mut paths = sessions(&self.current, self.next.as_ref(), self.draining.as_ref())
                .flat_map(Session::authenticated_paths);
            let is_bound = paths.any(|each| each == *path);
            if !is_bound {
                self.context.events.push_back(Event::PathReleased(*path));
            }
            is_bound
        });
        self.bound = bound;
    }

    fn next_deadline(&self) -> Option<Deadline> {
        let sessions = [Some(&self.current), self.next.as_ref()];
        let active = sessions.into_iter().flatten().filter_map(|session| session.deadline(&self.context));
        let drain = self.draining.as_ref().map(|draining| Deadline::new(Timer::Drain, draining.until));
        active.chain(drain).min()
    }

    fn sessions(&self) -> impl Iterator<Item = &Session> {
        sessions(&self.current, self.next.as_ref(), self.draining.as_ref())
    }

    fn for_each_active(&mut self, mut act: impl FnMut(&mut Session, &mut Context)) {
        let Self { context, current, next, .. } = self;
        for session in next.iter_mut().chain([current]).filter(|session| session.is_active()) {
            act(session, context);
        }
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

/// Everything that is answered, oldest first.
fn sessions<'a>(
    current: &'a Session,
    next: Option<&'a Session>,
    draining: Option<&'a Draining>,
) -> impl Iterator<Item = &'a Session> {
    draining.map(|draining| &draining.session).into_iter().chain([current]).chain(next)
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
