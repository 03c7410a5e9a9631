//! The deadlines of all peers, one per peer, ordered by time and then by peer.
//!
//! Knows ids and instants. Does not know the timers behind them.

use std::collections::BTreeSet;
use std::time::Instant;

use super::PeerId;

#[derive(Default)]
pub(super) struct Deadlines(BTreeSet<(Instant, PeerId)>);

impl Deadlines {
    /// Replaces the deadline of a peer. `before` is the one that was last set for it.
    pub(super) fn set(&mut self, id: PeerId, before: Option<Instant>, after: Option<Instant>) {
        if before == after {
            return;
        }
        if let Some(at) = before {
            self.0.remove(&(at, id));
        }
        if let Some(at) = after {
            self.0.insert((at, id));
        }
    }

    /// The earliest deadline.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.first().map(|(at, _)| *at)
    }

    /// Removes the due peers in their order and appends them to `due`.
    pub(super) fn take_due(&mut self, now: Instant, due: &mut Vec<PeerId>) {
        while let Some((_, id)) = self.0.first().copied().filter(|(at, _)| *at <= now) {
            self.0.pop_first();
            due.push(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Deadlines, PeerId};

    #[test]
    fn peers_are_due_by_time_then_id() {
        let start = Instant::now();
        let at = |millis| Some(start + Duration::from_millis(millis));
        let [a, b, c] = [0, 1, 2].map(|slot| PeerId::new(slot, 0));
        let mut deadlines = Deadlines::default();
        deadlines.set(c, None, at(10));
        deadlines.set(b, None, at(20));
        deadlines.set(a, None, at(20));
        deadlines.set(b, at(20), at(5));
        assert_eq!(deadlines.next(), at(5));

        let mut due = Vec::new();
        deadlines.take_due(start + Duration::from_millis(19), &mut due);
        assert_eq!(due, [b, c]);
        assert_eq!(deadlines.next(), at(20));

        deadlines.set(a, at(20), None);
        assert_eq!(deadlines.next(), None);
    }
}
