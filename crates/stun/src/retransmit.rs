//! The retransmission schedule of a request over UDP (RFC 8489 section 6.2.1).
//!
//! Knows the timing of one transaction. Does not know the request or its response: the owner drops the schedule when
//! the response arrives.

use std::time::{Duration, Instant};

/// The parameters of a retransmission schedule. The defaults are those of RFC 8489 section 6.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// RTO: the interval between the first and the second transmission. Each further interval doubles.
    pub rto: Duration,
    /// Rc: the number of transmissions, including the first. Zero means one.
    pub rc: u32,
    /// Rm: the number of RTO to wait for a response after the last transmission. With zero, the transaction fails when
    /// the next transmission would have been due.
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
    /// The number of transmissions left.
    remaining: u32,
    /// The interval between the last transmission and the next.
    interval: Duration,
    deadline: Instant,
}

/// The action that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// No action before [`Retransmit::deadline`].
    NotYet,
    /// Send the request again now.
    Resend,
    /// No response came in time: the transaction failed, and the owner drops it.
    GiveUp,
}

impl Retransmit {
    /// Returns the schedule of a request whose first transmission is at `now`.
    #[must_use]
    pub fn new(now: Instant, schedule: Schedule) -> Self {
        let Schedule { rto, rc, rm } = schedule;
        let mut this = Self { rto, rm, remaining: rc.saturating_sub(1), interval: rto, deadline: now };
        this.wait_from(now);
        this
    }

    /// Returns the action that is due at `now`. A late call asks for at most one transmission, and the next interval
    /// starts at that call.
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

    /// Returns the time of the next action. Constant after [`Due::GiveUp`].
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    fn wait_from(&mut self, sent: Instant) {
        let wait = if self.remaining > 0 { self.interval } else { self.rto.saturating_mul(self.rm) };
        self.deadline = sent + wait.clamp(SHORTEST, LONGEST);
    }
}

/// Each deadline is later than the previous transmission, whatever the parameters are.
const SHORTEST: Duration = Duration::from_millis(1);

/// Bounds the doubling, so that an `Instant` can represent the deadline.
const LONGEST: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the times of all actions, in milliseconds after the first transmission.
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
    fn default_is_the_example_of_the_rfc() {
        let (sent, gave_up) = timeline(Schedule::default());
        assert_eq!(sent, [0, 500, 1500, 3500, 7500, 15500, 31500]);
        assert_eq!(gave_up, 39500);
    }

    #[test]
    fn one_transmission_waits_and_fails() {
        for rc in [0, 1] {
            let schedule = Schedule { rto: Duration::from_millis(100), rc, rm: 3 };
            assert_eq!(timeline(schedule), (vec![0], 300));
        }
    }

    #[test]
    fn late_poll_asks_for_one_transmission() {
        let start = Instant::now();
        let mut retransmit = Retransmit::new(start, Schedule::default());
        let late = start + Duration::from_secs(10);
        assert_eq!(retransmit.poll(late), Due::Resend);
        assert_eq!(retransmit.poll(late), Due::NotYet);
        assert_eq!(retransmit.deadline(), late + Duration::from_secs(1));
    }

    #[test]
    fn extreme_schedule_advances_and_ends() {
        let (sent, _) = timeline(Schedule { rto: Duration::ZERO, rc: 100, rm: 0 });
        assert_eq!(sent.len(), 100);
        let (sent, _) = timeline(Schedule { rto: Duration::MAX, rc: 3, rm: u32::MAX });
        assert_eq!(sent, [0, 3_600_000, 7_200_000]);
    }
}
