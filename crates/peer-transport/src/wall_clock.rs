//! The calendar, as far as somebody tells us: no layer below the driver reads a clock.

use std::time::{Instant, SystemTime};

/// What the calendar said at one moment, from which follows what it says at any other.
///
/// Made once and shared with a [`Config`](crate::Config), it stays true however late a peer comes:
/// `WallClock::new(Instant::now(), SystemTime::now())`. A calendar that is set right afterwards, or a machine that
/// sleeps, is not noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    moment: Instant,
    date: SystemTime,
}

impl WallClock {
    /// The calendar says `date` at `moment`.
    #[must_use]
    pub const fn new(moment: Instant, date: SystemTime) -> Self {
        Self { moment, date }
    }

    /// What the calendar says at `moment`.
    #[must_use]
    pub fn date(&self, moment: Instant) -> SystemTime {
        let date = match moment.checked_duration_since(self.moment) {
            Some(after) => self.date.checked_add(after),
            None => self.date.checked_sub(self.moment.saturating_duration_since(moment)),
        };
        date.unwrap_or(self.date)
    }

    /// When the calendar says `date`; not before our own moment, and `None` where no [`Instant`] lies that far ahead.
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
    fn dates_and_moments_lie_as_far_from_what_was_told_as_each_other() {
        let seconds = Duration::from_secs;
        let (early, date) = (Instant::now(), SystemTime::UNIX_EPOCH + seconds(1000));
        let told = early + seconds(100);
        let clock = WallClock::new(told, date + seconds(100));
        assert_eq!(clock.date(early), date);
        assert_eq!(clock.date(told + seconds(7)), date + seconds(107));
        assert_eq!(clock.moment(date + seconds(107)), Some(told + seconds(7)));
        assert_eq!(clock.moment(date), Some(told), "what is past is due at once");
    }
}
