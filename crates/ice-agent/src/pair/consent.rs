//! Consent freshness (RFC 7675): whether a pair may still be used for sending.
//!
//! Knows the proofs of one pair, and time. Does not know candidates, nomination or DTLS.
//!
//! Consent begins with the first success of the pair. Each consent check is sent once, with its own transaction, 0.8 to
//! 1.2 base periods after the previous one. Only an authenticated success response on the path of the pair renews
//! consent; selection does not. A lite agent sends no checks, so authenticated requests of the peer keep a pair alive.

use std::time::{Duration, Instant};

use crate::config::Config;
use crate::event::Failure;
use crate::path::Path;
use crate::seed::Generator;

/// The right to send on one pair.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Consent {
    /// Proven by responses to our checks.
    Checked { proof: Instant, next_check: Instant },
    /// Assumed while authenticated requests of the peer arrive (lite).
    Assumed { last_authenticated: Instant },
}

impl Consent {
    /// Returns the consent after the first success of a full agent's check.
    pub(crate) fn proven(now: Instant, config: &Config, generator: &mut Generator) -> Self {
        Self::Checked { proof: now, next_check: now + interval(config, generator) }
    }

    /// Returns the consent after the first authenticated request at a lite agent.
    pub(crate) const fn assumed(now: Instant) -> Self {
        Self::Assumed { last_authenticated: now }
    }

    /// Renews consent: an authenticated success response arrived, or for a lite agent any authenticated message.
    pub(crate) fn renew(&mut self, now: Instant) {
        match self {
            Self::Checked { proof: last, .. } | Self::Assumed { last_authenticated: last } => *last = now,
        }
    }

    /// Records that a consent check leaves now, and draws the time of the next one.
    pub(crate) fn on_check_sent(&mut self, now: Instant, config: &Config, generator: &mut Generator) {
        if let Self::Checked { next_check, .. } = self {
            *next_check = now + interval(config, generator);
        }
    }

    /// Returns the time of the next consent check.
    pub(crate) const fn next_check(&self) -> Option<Instant> {
        match self {
            Self::Checked { next_check, .. } => Some(*next_check),
            Self::Assumed { .. } => None,
        }
    }

    /// Returns when consent expires unless it is renewed; `None` if it never does.
    pub(crate) fn until(&self, config: &Config) -> Option<Instant> {
        match self {
            Self::Checked { proof, .. } => config.consent_timeout.map(|timeout| *proof + timeout),
            Self::Assumed { last_authenticated } => {
                config.liveness_timeout.map(|timeout| *last_authenticated + timeout)
            }
        }
    }

    /// Returns whether consent has expired, exactly at the timeout.
    pub(crate) fn has_expired(&self, now: Instant, config: &Config) -> bool {
        self.until(config).is_some_and(|until| now >= until)
    }

    /// Returns the failure to report at expiry.
    pub(crate) fn failure(&self, now: Instant, path: Path) -> Failure {
        match self {
            Self::Checked { proof, .. } => {
                Failure::ConsentExpired { path, age: now.saturating_duration_since(*proof) }
            }
            Self::Assumed { last_authenticated } => {
                Failure::PeerSilent { age: now.saturating_duration_since(*last_authenticated) }
            }
        }
    }
}

/// RFC 7675 section 5.1: between 0.8 and 1.2 times the base period, so that peers do not synchronise.
fn interval(config: &Config, generator: &mut Generator) -> Duration {
    // 2^16 steps of 0.4 of the period are fine enough, and exact in integers.
    let step = u32::try_from(generator.u64() >> 48).unwrap_or_default();
    let basic = config.consent_interval.max(SHORTEST);
    basic.saturating_mul(4) / 5 + basic.saturating_mul(2) / 5 * step / 0x1_0000
}

/// An interval of zero would flood the peer.
const SHORTEST: Duration = Duration::from_millis(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn intervals_range_from_four_to_six_seconds() {
        let (config, mut generator) = (Config::default(), Generator::new(Seed::new([3; 32])));
        let draws: Vec<_> = (0..1000).map(|_| interval(&config, &mut generator)).collect();
        let (least, most) = (draws.iter().min().unwrap(), draws.iter().max().unwrap());
        assert!(*least >= Duration::from_secs(4) && *least < Duration::from_millis(4050), "{least:?}");
        assert!(*most <= Duration::from_secs(6) && *most > Duration::from_millis(5950), "{most:?}");
    }

    #[test]
    fn sent_check_does_not_move_consent_expiry() {
        let (config, mut generator) = (Config::default(), Generator::new(Seed::new([3; 32])));
        let start = Instant::now();
        let mut consent = Consent::proven(start, &config, &mut generator);
        consent.on_check_sent(start + Duration::from_secs(5), &config, &mut generator);
        let end = start + Duration::from_secs(30);
        assert_eq!(consent.until(&config), Some(end));
        assert!(!consent.has_expired(end.checked_sub(Duration::from_nanos(1)).unwrap(), &config));
        assert!(consent.has_expired(end, &config));
    }
}
