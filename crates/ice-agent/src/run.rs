//! What happens at every command, input and timeout: whatever is due, until nothing is.
//!
//! Knows the order. What each step does is said where the step is.

use std::time::Instant;

use crate::agent::Agent;
use crate::context::Context;
use crate::event::{Event, State};
use crate::path::Path;
use crate::restart::Draining;
use crate::session::Session;
use crate::timer::{Deadline, Timer};

impl Agent {
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

/// Everything that is answered, oldest first.
fn sessions<'a>(
    current: &'a Session,
    next: Option<&'a Session>,
    draining: Option<&'a Draining>,
) -> impl Iterator<Item = &'a Session> {
    draining.map(|draining| &draining.session).into_iter().chain([current]).chain(next)
}
