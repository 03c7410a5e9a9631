//! When the application is told that a certificate of its own runs out, so that it can restart with another one.
//!
//! Peers that follow RFC 8122 judge fingerprints and no dates. Those that do judge dates refuse the next handshake.

use std::time::{Duration, Instant, SystemTime};

use dtls_core::Certificate;

use crate::wall_clock::WallClock;

/// How long before the end of its validity a certificate is spoken of, unless the configuration says otherwise.
pub(crate) const NOTICE: Duration = Duration::from_secs(24 * 3600);

/// Remembers of which end the application knows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ExpiryNotice {
    told: Option<SystemTime>,
}

impl ExpiryNotice {
    /// When to speak of these certificates. `None` where nobody told the date, or the application knows.
    pub(crate) fn due(
        self,
        clock: Option<WallClock>,
        notice: Duration,
        certificates: &[Certificate],
    ) -> Option<Instant> {
        let clock = clock?;
        let end = first_end(certificates)?;
        if self.told == Some(end) {
            return None;
        }
        clock.moment(end.checked_sub(notice).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// What to say, once for each end.
    pub(crate) fn tell(&mut self, certificates: &[Certificate]) -> Option<SystemTime> {
        self.told = first_end(certificates);
        self.told
    }
}

/// Of several certificates the peer may be shown any.
fn first_end(certificates: &[Certificate]) -> Option<SystemTime> {
    certificates.iter().map(Certificate::not_after).min()
}
