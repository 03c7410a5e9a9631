//! The work of every command, input and timeout: processes whatever is due, until nothing is.
//!
//! Knows the order of the steps. Each step is documented at its function.

use std::time::Instant;

use crate::agent::Agent;
use crate::context::Context;
use crate::event::{Event, State};
use crate::path::Path;
use crate::restart::Draining;
use crate::session::Session;
use crate::timer::{Deadline, Timer};

impl Agent {
    /// Advances the time to `now`. An older `now` is treated as the latest one.
    pub(crate) fn advance(&mut self, now: Instant) -> Instant {
        self.latest = self.latest.max(now);
        if self.deadline.is_some_and(|deadline| deadline.at <= self.latest) {
            tracing::trace!(deadline = ?self.deadline.map(|deadline| deadline.timer), "due");
            self.run(self.latest);
        }
        self.latest
    }

    /// Processes everything that is due, until nothing is.
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

    /// Sends at most one new check per Ta (RFC 8445 section 6.1.4.2). The newer generation comes first, because it has
    /// more pairs to check.
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

    /// Emits the events of changed states and paths.
    fn announce(&mut self) {
        let state = self.state();
        if state != self.announced {
            self.announced = state;
            if state != State::Failed {
                self.context.emit(Event::StateChanged(state));
            }
        }
        let mut bound: Vec<Path> = self.sessions().flat_map(Session::authenticated_paths).collect();
        bound.sort_unstable();
        bound.dedup();
        if bound == self.bound {
            return;
        }
        for path in bound.iter().filter(|path| self.bound.binary_search(path).is_err()) {
            self.context.emit(Event::PathBound(*path));
        }
        for path in self.bound.iter().filter(|path| bound.binary_search(path).is_err()) {
            self.context.emit(Event::PathReleased(*path));
        }
        self.bound = bound;
    }

    fn next_deadline(&self) -> Option<Deadline> {
        let sessions = [Some(&self.current), self.next.as_ref()];
        let active = sessions.into_iter().flatten().filter_map(|session| session.deadline(&self.context));
        let drain = self.draining.as_ref().map(|draining| Deadline::new(Timer::Drain, draining.until));
        active.chain(drain).min()
    }

    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        sessions(&self.current, self.next.as_ref(), self.draining.as_ref())
    }

    pub(crate) fn for_each_active(&mut self, mut act: impl FnMut(&mut Session, &mut Context)) {
        let Self { context, current, next, .. } = self;
        for session in next.iter_mut().chain([current]).filter(|session| session.is_active()) {
            act(session, context);
        }
    }
}

/// Returns the generations that are answered, oldest first.
fn sessions<'a>(
    current: &'a Session,
    next: Option<&'a Session>,
    draining: Option<&'a Draining>,
) -> impl Iterator<Item = &'a Session> {
    draining.map(|draining| &draining.session).into_iter().chain([current]).chain(next)
}
