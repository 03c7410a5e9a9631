//! When to report that a local certificate expires, so that the application can restart with another one.
//!
//! Peers that follow RFC 8122 verify fingerprints and ignore dates. A peer that verifies dates would refuse the
//! next handshake.

use std::time::{Duration, Instant, SystemTime};

use dtls_core::Certificate;

use crate::wall_clock::WallClock;

/// The earliest expiry among the local certificates, any of which may be presented to the peer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expiry {
    pub(super) not_after: SystemTime,
    /// When to report it.
    pub(super) due: Instant,
}

impl Expiry {
    /// Returns `None` without a wall clock.
    pub(super) fn of(
        certificates: &[Certificate],
        notice: Duration,
        wall_clock: Option<WallClock>,
    ) -> Option<Self> {
        let not_after = certificates.iter().map(Certificate::not_after).min()?;
        let report_at = not_after.checked_sub(notice).unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Self { not_after, due: wall_clock?.moment(report_at)? })
    }
}
