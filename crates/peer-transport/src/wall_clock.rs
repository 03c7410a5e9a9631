//! The calendar date for a given instant, provided by the application: no layer below the driver reads a clock.

use std::time::{Instant, SystemTime};

/// A date at one instant, from which the date at any other instant follows.
///
/// Create it once and share it in a [`Config`](crate::Config); it is also valid for peers that are added later:
/// `WallClock::new(Instant::now(), SystemTime::now())`. Later corrections of the system clock, and the sleep of
/// the machine, are not noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    moment: Instant,
    date: SystemTime,
}

impl WallClock {
    /// Creates a clock that reads `date` at `moment`.
    #[must_use]
    pub const fn new(moment: Instant, date: SystemTime) -> Self {
        Self { moment, date }
    }

    /// Returns the date at `moment`.
    #[must_use]
    pub fn date(&self, moment: Instant) -> SystemTime {
        let date = match moment.checked_duration_since(self.moment) {
            Some(after) => self.date.checked_add(after),
            None => self.date.checked_sub(self.moment.saturating_duration_since(moment)),
        };
        date.unwrap_or(self.date)
    }

    /// Returns the instant of `date`, at the earliest the clock's own instant. `None` if no [`Instant`] is that
    /// far ahead.
    pub(crate) fn moment(&self, date: SystemTime) -> Option<Instant> {
        let ahead = date.duration_since(self.date).unwrap_or_default();
        self.moment.checked_add(ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn date_and_moment_are_inverse() {
        let seconds = Duration::from_secs;
        let (early, date) = (Instant::now(), SystemTime::UNIX_EPOCH + seconds(1000));
        let known = early + seconds(100);
        let clock = WallClock::new(known, date + seconds(100));
        assert_eq!(clock.date(early), date);
        assert_eq!(clock.date(known + seconds(7)), date + seconds(107));
        assert_eq!(clock.moment(date + seconds(107)), Some(known + seconds(7)));
        assert_eq!(clock.moment(date), Some(known), "a past date maps to the own instant");
    }
}
