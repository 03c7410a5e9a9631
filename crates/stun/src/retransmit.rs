//! When to send a request again over UDP (RFC 8489 section 6.2.1).
//!
//! Knows one transaction's instants. Knows neither the request nor whether an answer came: whoever gets one drops this.

use std::time::{Duration, Instant};

/// How often and how long a request is sent. The default is that of RFC 8489 section 6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// RTO: from the first transmission to the second. Each further interval is twice the one before.
    pub rto: Duration,
    /// Rc: how many transmissions there are, the first one included. Zero means one.
    pub rc: u32,
    /// Rm: how many RTO to wait for an answer to the last one. Zero gives up when another one would have been due at
    /// once.
    pub rm: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { rto: Duration::from_millis(500), rc: 7, rm: 16 }
    }
}

/// The schedule of one request.
///
/// ```
/// use std::time::{Duration, Instant};
/// use stun::{Due, Retransmit, Schedule};
///
/// let now = Instant::now();
/// let schedule = Schedule { rto: Duration::from_millis(100), rc: 2, rm: 4 };
/// let mut retransmit = Retransmit::new(now, schedule);                // the request leaves now
/// assert_eq!(retransmit.poll(now + Duration::from_millis(99)), Due::NotYet);
/// assert_eq!(retransmit.poll(now + Duration::from_millis(100)), Due::Resend);
/// assert_eq!(retransmit.poll(now + Duration::from_millis(500)), Due::GiveUp);
/// ```
#[derive(Clone, Debug)]
pub struct Retransmit {
    rto: Duration,
    rm: u32,
    /// Transmissions still to come.
    remaining: u32,
    /// Between the last transmission and the next.
    interval: Duration,
    deadline: Instant,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// Nothing before [`Retransmit::deadline`].
    NotYet,
    /// Send the request again, now.
    Resend,
    /// No answer came in time: the transaction has failed. The owner drops it.
    GiveUp,
}

impl Retransmit {
    /// The schedule of a request that is sent for the first time at `now`.
    #[must_use]
    pub fn new(now: Instant, schedule: Schedule) -> Self {
        let Schedule { rto, rc, rm } = schedule;
        let mut this = Self { rto, rm, remaining: rc.saturating_sub(1), interval: rto, deadline: now };
        this.wait_from(now);
        this
    }

    /// What is due at `now`. However late it comes, one call asks for one transmission at most, and the next interval
    /// counts from it.
    pub fn poll(&mut self, now: Instant) -> Due {
        if now < self.deadline {
            return Due::NotYet;
        }
        let Some(remaining) = self.remaining.checked_sub(1) else { return Due::GiveUp };
        self.remaining = remaining;
        self.interval = self.interval.saturating_mul(2);
        self.wait_from(now);
        Due::Resend
    }

    /// When [`poll`](Self::poll) has something to say. Does not move after [`Due::GiveUp`].
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    fn wait_from(&mut self, sent: Instant) {
        let wait = if self.remaining > 0 { self.interval } else { self.rto.saturating_mul(self.rm) };
        self.deadline = sent + wait.clamp(SHORTEST, LONGEST);
    }
}

/// A deadline is always later than the transmission before it, whatever the schedule says.
const SHORTEST: Duration = Duration::from_millis(1);

/// Keeps the doubling within what an `Instant` can add.
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    /// The instants, in milliseconds after the first transmission, at which something happens.
    fn timeline(schedule: Schedule) -> (Vec<u128>, u128) {
        let start = Instant::now();
        let mut retransmit = Retransmit::new(start, schedule);
        let mut sent = vec![0];
        loop {
            let now = retransmit.deadline();
            assert_eq!(retransmit.poll(now.checked_sub(Duration::from_millis(1)).unwrap()), Due::NotYet);
            match retransmit.poll(now) {
                Due::NotYet => panic!("nothing due at the deadline"),
                Due::Resend => sent.push((now - start).as_millis()),
                Due::GiveUp => return (sent, (now - start).as_millis()),
            }
        }
    }

    #[test]
    fn the_default_is_the_example_of_the_rfc() {
        let (sent, gave_up) = timeline(Schedule::default());
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(gave_up, 39500);
    }

    #[test]
    fn one_transmission_is_only_waited_for() {
        for rc in [0, 1] {
            let schedule = Schedule { rto: Duration::from_millis(100), rc, rm: 3 };
            assert_eq!(timeline(schedule), (vec![0], 300));
        }
    }

    #[test]
    fn a_late_poll_asks_for_one_transmission_and_counts_from_it() {
        let start = Instant::now();
        let mut retransmit = Retransmit::new(start, Schedule::default());
        let late = start + Duration::from_secs(10);
        assert_eq!(retransmit.poll(late), Due::Resend);
        assert_eq!(retransmit.poll(late), Due::NotYet);
        assert_eq!(retransmit.deadline(), late + Duration::from_secs(1));
    }

    #[test]
    fn the_most_absurd_schedule_moves_forward_and_ends() {
        let (sent, _) = timeline(Schedule { rto: Duration::ZERO, rc: 100, rm: 0 });
        assert_eq!(sent.len(), 100);
        let (sent, _) = timeline(Schedule { rto: Duration::MAX, rc: 3, rm: u32::MAX });
        assert_eq!(sent, [0, 3_600_000, 7_200_000]);
    }
}
