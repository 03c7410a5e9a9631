//! Consent freshness (RFC 7675): may we still send on this pair?
//!
//! Knows one pair's proofs and time. Knows nothing about candidates, nomination or DTLS.
//!
//! Consent begins with the pair's first success. Each check is sent once, with a transaction of its own, 0.8
//! to 1.2 intervals after the one before it. Only an authenticated success response on the pair's path
//! proves consent anew; being selected does not. A lite agent sends no checks, so its peer's authenticated
//! requests are what keeps a pair alive.

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::event::Failure;
use crate::path::Path;
use crate::seed::Generator;

/// The right to send on one pair, while it lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Consent {
    /// Proven by answers to our checks.
    Checked { proof: Instant, next_check: Instant },
    /// Assumed while the peer's requests keep coming (lite).
    Assumed { heard: Instant },
}

impl Consent {
    /// The first success of a full agent's check.
    pub(crate) fn proven(now: Instant, config: &Config, generator: &mut Generator) -> Self {
        Self::Checked { proof: now, next_check: now + interval(config, generator) }
    }

    /// The first authenticated request at a lite agent.
    pub(crate) const fn assumed(now: Instant) -> Self {
        Self::Assumed { heard: now }
    }

    /// An authenticated success response, or for a lite agent anything authenticated, arrived.
    pub(crate) fn prove(&mut self, now: Instant) {
        match self {
            Self::Checked { proof: last, .. } | Self::Assumed { heard: last } => *last = now,
        }
    }

    /// A consent check leaves now; the next one is drawn anew, counted from this one.
    pub(crate) fn checked(&mut self, now: Instant, config: &Config, generator: &mut Generator) {
        if let Self::Checked { next_check, .. } = self {
            *next_check = now + interval(config, generator);
        }
    }

    /// When the next check is due.
    pub(crate) const fn next_check(&self) -> Option<Instant> {
        match self {
            Self::Checked { next_check, .. } => Some(*next_check),
            Self::Assumed { .. } => None,
        }
    }

    /// When it ends unless it is proven again; `None` when expiry is disabled.
    pub(crate) fn until(&self, config: &Config) -> Option<Instant> {
        match self {
            Self::Checked { proof, .. } => config.consent_timeout.map(|timeout| *proof + timeout),
            Self::Assumed { heard } => config.liveness_timeout.map(|timeout| *heard + timeout),
        }
    }

    /// Whether it has ended, exactly at the timeout.
    pub(crate) fn has_expired(&self, now: Instant, config: &Config) -> bool {
        self.until(config).is_some_and(|until| now >= until)
    }

    /// What to say when it has.
    pub(crate) fn failure(&self, now: Instant, path: Path) -> Failure {
        match self {
            Self::Checked { proof, .. } => {
                Failure::ConsentExpired { path, age: now.saturating_duration_since(*proof) }
            }
            Self::Assumed { heard } => Failure::PeerSilent { age: now.saturating_duration_since(*heard) },
        }
    }
}

/// RFC 7675 section 5.1: between 0.8 and 1.2 times the basic period, so that peers do not synchronise.
fn interval(config: &Config, generator: &mut Generator) -> Duration {
    // Steps of 0.4 / 2^16 of the period are fine enough, and exact in integers.
    let step = u32::try_from(generator.u64() >> 48).unwrap_or_default();
    let basic = config.consent_interval.max(SHORTEST);
    basic.saturating_mul(4) / 5 + basic.saturating_mul(2) / 5 * step / 0x1_0000
}

/// An interval of zero would be a flood.
const SHORTEST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn intervals_fill_the_range_from_four_to_six_seconds() {
        let (config, mut generator) = (Config::default(), Generator::new(Seed::new([3; 32])));
        let draws: Vec<_> = (0..1000).map(|_| interval(&config, &mut generator)).collect();
        let (least, most) = (draws.iter().min().unwrap(), draws.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(4) && *least < Duration::from_millis(4050), "{least:?}");
        assert!(*most <= Duration::from_secs(6) && *most > Duration::from_millis(5950), "{most:?}");
    }

    #[test]
    fn consent_ends_exactly_at_its_timeout_and_sending_a_check_does_not_move_it() {
        let (config, mut generator) = (Config::default(), Generator::new(Seed::new([3; 32])));
        let start = Instant::now();
        let mut consent = Consent::proven(start, &config, &mut generator);
        consent.checked(start + Duration::from_secs(5), &config, &mut generator);
        let end = start + Duration::from_secs(30);
        assert_eq!(consent.until(&config), Some(end));
        assert!(!consent.has_expired(end.checked_sub(Duration::from_nanos(1)).unwrap(), &config));
        assert!(consent.has_expired(end, &config));
    }
}
