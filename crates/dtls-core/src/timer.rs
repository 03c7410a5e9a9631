//! The deadlines of a connection, each with a name.

use std::time::{Duration, Instant};

/// The purpose of a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Timer {
    /// Retransmits our flight.
    Retransmit,
    /// Ends the handshake with a failure.
    Handshake,
    /// Accepts an unauthenticated alert as the reason of failure, because the handshake made no progress since.
    PendingAlert,
    /// Drops the final flight: it is no longer kept for retransmissions of the peer, or no longer retransmitted.
    FinalFlight,
    /// DTLS 1.3: acknowledges the received part of the peer's flight, because the rest does not arrive. A client
    /// retransmits this ACK like a flight.
    Acknowledge,
}

impl Timer {
    const ALL: [Self; 5] =
        [Self::Retransmit, Self::Handshake, Self::PendingAlert, Self::FinalFlight, Self::Acknowledge];
}

/// One optional deadline per [`Timer`].
#[derive(Debug, Default)]
pub(crate) struct Timers {
    deadlines: [Option<Instant>; Timer::ALL.len()],
    /// The earliest deadline: each record asks for it, and few change it.
    next: Option<Instant>,
}

impl Timers {
    /// A duration that exceeds the clock never expires.
    pub(crate) fn set(&mut self, timer: Timer, now: Instant, after: Duration) {
        self.put(timer, now.checked_add(after));
    }

    /// Keeps the earlier of two deadlines.
    pub(crate) fn set_no_later(&mut self, timer: Timer, now: Instant, after: Duration) {
        let earlier = [*self.slot(timer), now.checked_add(after)].into_iter().flatten().min();
        self.put(timer, earlier);
    }

    pub(crate) fn stop(&mut self, timer: Timer) {
        self.put(timer, None);
    }

    pub(crate) fn stop_all(&mut self) {
        *self = Self::default();
    }

    pub(crate) const fn is_set(&self, timer: Timer) -> bool {
        let [retransmit, handshake, pending_alert, final_flight, acknowledge] = &self.deadlines;
        match timer {
            Timer::Retransmit => retransmit.is_some(),
            Timer::Handshake => handshake.is_some(),
            Timer::PendingAlert => pending_alert.is_some(),
            Timer::FinalFlight => final_flight.is_some(),
            Timer::Acknowledge => acknowledge.is_some(),
        }
    }

    pub(crate) const fn next(&self) -> Option<Instant> {
        self.next
    }

    /// Takes one expired timer, the earliest first; of equal ones the one that ends more.
    #[inline]
    pub(crate) fn expire(&mut self, now: Instant) -> Option<Timer> {
        if self.next.is_some_and(|next| next <= now) { self.take_expired(now) } else { None }
    }

    fn take_expired(&mut self, now: Instant) -> Option<Timer> {
        let (timer, _) = [
            Timer::Handshake,
            Timer::PendingAlert,
            Timer::FinalFlight,
            Timer::Acknowledge,
            Timer::Retransmit,
        ]
        .into_iter()
        .filter_map(|timer| Some((timer, (*self.slot(timer))?)))
        .filter(|(_, deadline)| *deadline <= now)
        .min_by_key(|(_, deadline)| *deadline)?;
        self.stop(timer);
        Some(timer)
    }

    /// The only function that changes a deadline.
    fn put(&mut self, timer: Timer, deadline: Option<Instant>) {
        *self.slot(timer) = deadline;
        self.next = self.deadlines.iter().flatten().min().copied();
    }

    fn slot(&mut self, timer: Timer) -> &mut Option<Instant> {
        let [retransmit, handshake, pending_alert, final_flight, acknowledge] = &mut self.deadlines;
        match timer {
            Timer::Retransmit => retransmit,
            Timer::Handshake => handshake,
            Timer::PendingAlert => pending_alert,
            Timer::FinalFlight => final_flight,
            Timer::Acknowledge => acknowledge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_expire_in_order() {
        let start = Instant::now();
        let ms = Duration::from_millis;
        let mut timers = Timers::default();
        timers.set(Timer::Retransmit, start, ms(2));
        timers.set(Timer::Handshake, start, ms(3));
        timers.set(Timer::PendingAlert, start, ms(2));
        assert_eq!(timers.next(), Some(start + ms(2)));
        assert_eq!(timers.expire(start + ms(1)), None);
        assert_eq!(timers.expire(start + ms(9)), Some(Timer::PendingAlert));
        assert_eq!(timers.expire(start + ms(9)), Some(Timer::Retransmit));
        assert_eq!(timers.expire(start + ms(9)), Some(Timer::Handshake));
        assert_eq!(timers.next(), None);
    }

    #[test]
    fn deadline_beyond_the_clock_never_expires() {
        let mut timers = Timers::default();
        timers.set(Timer::Handshake, Instant::now(), Duration::MAX);
        assert_eq!(timers.next(), None);
    }
}
