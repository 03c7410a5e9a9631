//! When to report that a local certificate expires, so that the application can restart with another one.
//!
//! Peers that follow RFC 8122 verify fingerprints and ignore dates. A peer that verifies dates would refuse the
//! next handshake.

use std::time::{Duration, Instant, SystemTime};

use dtls_core::Certificate;

use crate::config::Config;

/// How long before its expiry a certificate is reported, by default.
pub(crate) const NOTICE: Duration = Duration::from_secs(24 * 3600);

/// The earliest expiry among the local certificates, any of which may be presented to the peer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expiry {
    pub(crate) not_after: SystemTime,
    /// When to report it.
    pub(crate) due: Instant,
}

impl Expiry {
    /// Returns `None` without a wall clock.
    pub(crate) fn of(certificates: &[Certificate], config: &Config) -> Option<Self> {
        let not_after = certificates.iter().map(Certificate::not_after).min()?;
        let notice = not_after.checked_sub(config.expiry_notice).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self { not_after, due: config.wall_clock?.moment(notice)? })
    }
}
