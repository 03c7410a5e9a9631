//! The work of every command, input and timeout: processes whatever is due, until nothing is.
//!
//! Knows the order of the steps. Each step is documented at its function.

use std::time::Instant;

use crate::agent::Agent;
use crate::agent::context::Context;
use crate::agent::generation::Generation;
use crate::agent::restart::Draining;
use crate::agent::timer::{Deadline, Timer};
use crate::event::{Event, State};
use crate::path::Path;

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
        self.end_expired_draining(now);
        self.for_each_active(|generation, context| {
            generation.expire(now, context);
            generation.retransmit(now, context);
            generation.check_consent(now, context);
            generation.select(now, context);
        });
        self.end_failed_next();
        self.promote(now);
        self.pace(now);
        self.announce();
        self.deadline = self.next_deadline();
    }

    /// Sends at most one new check per Ta (RFC 8445 section 6.1.4.2). The newer generation comes first, because it has
    /// more pairs to check.
    fn pace(&mut self, now: Instant) {
        let Self { context, current, next, .. } = self;
        for generation in next.iter_mut().chain([current]) {
            while now >= context.next_check {
                let Some(id) = generation.next_check(context) else { break };
                if generation.send_check(now, context, id) {
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
        let mut bound: Vec<Path> = self.generations().flat_map(Generation::authenticated_paths).collect();
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
        let generations = [Some(&self.current), self.next.as_ref()];
        let active =
            generations.into_iter().flatten().filter_map(|generation| generation.deadline(&self.context));
        let drain = self.draining.as_ref().map(|draining| Deadline::new(Timer::Drain, draining.until));
        active.chain(drain).min()
    }

    pub(crate) fn generations(&self) -> impl Iterator<Item = &Generation> {
        generations(&self.current, self.next.as_ref(), self.draining.as_ref())
    }

    pub(crate) fn for_each_active(&mut self, mut act: impl FnMut(&mut Generation, &mut Context)) {
        let Self { context, current, next, .. } = self;
        for generation in next.iter_mut().chain([current]).filter(|generation| generation.is_active()) {
            act(generation, context);
        }
    }
}

/// Returns the generations that are answered, oldest first.
fn generations<'a>(
    current: &'a Generation,
    next: Option<&'a Generation>,
    draining: Option<&'a Draining>,
) -> impl Iterator<Item = &'a Generation> {
    draining.map(|draining| &draining.generation).into_iter().chain([current]).chain(next)
}
