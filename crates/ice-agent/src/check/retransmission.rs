//! The retransmission schedule of a check (RFC 8445 section 14.3).
//!
//! RFC 8489 section 6.2.1 doubles every interval. Here intervals double only after the generation has a usable pair:
//! until then, and for a nomination, a lost message delays the whole connection, and at 30% loss one connection in two
//! hundred would take half a minute. The network is still protected, because the RTO grows with the number of pending
//! checks, so that all of them together send at most one message per Ta.

use std::time::{Duration, Instant};

/// The retransmission schedule of one check.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Retransmission {
    interval: Duration,
    next: Instant,
    give_up: Instant,
}

/// The action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing.
    NotYet,
    /// Retransmit.
    Resend,
    /// The check failed.
    GiveUp,
}

/// The effect of a check on the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// The connection depends on it.
    Urgent,
    /// A pair is usable already; this check looks for a better one.
    Patient,
}

impl Retransmission {
    /// Returns the schedule of a check whose first transmission is now.
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

/// The duration of seven transmissions with an RTO of 500 ms (RFC 8489 section 6.2.1).
const GIVE_UP: Duration = Duration::from_millis(39_500);

#[cfg(test)]
mod tests {
    use super::*;

    fn timeline(urgency: Urgency) -> Vec<u128> {
        let start = Instant::now();
        let mut retransmission = Retransmission::new(start, Duration::ZERO);
        let mut at = Vec::new();
        loop {
            let now = retransmission.deadline();
            at.push((now - start).as_millis());
            if retransmission.poll(now, urgency) == Due::GiveUp {
                return at;
            }
            assert_eq!(retransmission.poll(now, urgency), Due::NotYet);
        }
    }

    #[test]
    fn patient_check_doubles_its_interval() {
        assert_eq!(timeline(Urgency::Patient), [500, 1500, 3500, 7500, 15500, 31500, 39500]);
    }

    #[test]
    fn urgent_check_keeps_its_interval() {
        let at = timeline(Urgency::Urgent);
        assert_eq!(at.len(), 79);
        assert_eq!(at[..3], [500, 1000, 1500]);
    }
}
