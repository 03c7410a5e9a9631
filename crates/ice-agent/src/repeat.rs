//! When an unanswered check is sent again (RFC 8445 section 14.3).
//!
//! RFC 8489 section 6.2.1 would double every interval. Here an interval is only doubled once the generation has a
//! usable pair: until then, and for a nomination, a lost message delays the whole connection, and at 30% loss one in
//! two hundred would take half a minute. The network stays protected without it, because the RTO grows with the
//! number of checks under way, so that all of them together send no more than one message per Ta.

use std::time::{Duration, Instant};

/// The schedule of one check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Repeat {
    interval: Duration,
    next: Instant,
    give_up: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    NotYet,
    /// Send it again.
    Resend,
    /// It has failed.
    GiveUp,
}

/// How much a check matters for the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// Nothing works without it.
    Urgent,
    /// Something works already; this would be better.
    Patient,
}

impl Repeat {
    /// The schedule of a check that is sent for the first time now.
    pub(crate) fn new(now: Instant, rto: Duration) -> Self {
        let interval = rto.max(SHORTEST_RTO);
        Self { interval, next: now + interval, give_up: now + GIVE_UP }
    }

    pub(crate) fn poll(&mut self, now: Instant, urgency: Urgency) -> Due {
        if now >= self.give_up {
            return Due::GiveUp;
        }
        if now < self.next {
            return Due::NotYet;
        }
        if urgency == Urgency::Patient {
            self.interval = self.interval.saturating_mul(2);
        }
        self.next = now + self.interval.min(GIVE_UP);
        Due::Resend
    }

    pub(crate) fn deadline(&self) -> Instant {
        self.next.min(self.give_up)
    }
}

/// RFC 8445 section 14.3: never less than 500 ms.
pub(crate) const SHORTEST_RTO: Duration = Duration::from_millis(500);

/// What seven transmissions from 500 ms on take (RFC 8489 section 6.2.1).
const GIVE_UP: Duration = Duration::from_millis(39_500);

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(urgency: Urgency) -> Vec<u128> {
        let start = Instant::now();
        let mut repeat = Repeat::new(start, Duration::ZERO);
        let mut at = Vec::new();
        loop {
            let now = repeat.deadline();
            at.push((now - start).as_millis());
            if repeat.poll(now, urgency) == Due::GiveUp {
                return at;
            }
            assert_eq!(repeat.poll(now, urgency), Due::NotYet);
        }
    }

    #[test]
    fn a_patient_check_doubles_its_interval_as_rfc_8489_does() {
        assert_eq!(timeline(Urgency::Patient), [500, 1500, 3500, 7500, 15500, 31500, 39500]);
    }

    #[test]
    fn an_urgent_check_does_not() {
        let at = timeline(Urgency::Urgent);
        assert_eq!(at.len(), 79);
        assert_eq!(at[..3], [500, 1000, 1500]);
    }
}
