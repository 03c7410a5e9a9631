//! When the application is told that a certificate of its own runs out, so that it can restart with another one.
//!
//! Peers that follow RFC 8122 judge fingerprints and no dates. Those that do judge dates refuse the next handshake.

use std::time::{Duration, Instant, SystemTime};

use dtls_core::Certificate;

use crate::config::Config;

/// How long before the end of its validity a certificate is spoken of, unless the configuration says otherwise.
pub(crate) const NOTICE: Duration = Duration::from_secs(24 * 3600);

/// The end of the first certificate to end, of several that the peer may be shown any of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    pub(crate) not_after: SystemTime,
    /// When to speak of it.
    pub(crate) due: Instant,
}

impl Expiry {
    /// `None` where nobody told the date.
    pub(crate) fn of(certificates: &[Certificate], config: &Config) -> Option<Self> {
        let not_after = certificates.iter().map(Certificate::not_after).min()?;
        let notice = not_after.checked_sub(config.expiry_notice).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self { not_after, due: config.wall_clock?.moment(notice)? })
    }
}
