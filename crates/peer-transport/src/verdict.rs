//! Does a DTLS association outlive an ICE restart? Signalling is asked first, silence last.
//!
//! Pure decisions about plain values; the owner applies them. Knows nothing about sockets or records.

use std::time::{Duration, Instant};

use dtls_core::Fingerprint;

use crate::association::DtlsRole;
use crate::config::{DtlsRestart, RetainedVerdict};
use crate::parameters::TlsId;

/// What signalling told about one side's end of an association (RFC 8842 section 3).
#[derive(Clone, Debug)]
pub(crate) struct Signalled {
    pub(crate) tls_id: Option<TlsId>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) role: DtlsRole,
}

impl Signalled {
    /// Equal sets of fingerprints name the same certificates in whatever order.
    fn same_certificates(&self, other: &Self) -> bool {
        self.fingerprints.iter().all(|fingerprint| other.fingerprints.contains(fingerprint))
            && other.fingerprints.iter().all(|fingerprint| self.fingerprints.contains(fingerprint))
    }

    fn same_tls_id(&self, other: &Self) -> bool {
        self.tls_id.is_some() && self.tls_id == other.tls_id
    }
}

/// Both ends of an association, as signalled.
#[derive(Clone, Debug)]
pub(crate) struct Ends {
    pub(crate) ours: Signalled,
    pub(crate) theirs: Signalled,
}

/// What signalling says about the association of the generation before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BySignalling {
    /// It stays: no ClientHello is sent.
    Retained,
    /// It ends with the new one: only the handshake's deadline ends the wait for it.
    Fresh,
    /// It does not say: a fresh handshake is attempted while the association goes on.
    Open,
}

/// Compares what was signalled for the generation before with what is signalled for the new one.
pub(crate) fn by_signalling(before: &Ends, after: &Ends, policy: DtlsRestart) -> BySignalling {
    let theirs_changed = before.theirs.role != after.theirs.role
        || !before.theirs.same_certificates(&after.theirs)
        || (before.theirs.tls_id != after.theirs.tls_id && after.theirs.tls_id.is_some());
    if theirs_changed {
        return BySignalling::Fresh;
    }
    let both_tls_ids_kept = before.theirs.same_tls_id(&after.theirs) && before.ours.same_tls_id(&after.ours);
    let nothing_of_ours_changed =
        before.ours.same_certificates(&after.ours) && before.ours.tls_id == after.ours.tls_id;
    if both_tls_ids_kept || (policy == DtlsRestart::OnChange && nothing_of_ours_changed) {
        return BySignalling::Retained;
    }
    BySignalling::Open
}

/// What an open attempt has seen so far of the peer's opinion.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attempted {
    /// Since when the new pair has consent and we transmit or wait for a ClientHello.
    pub(crate) since: Instant,
    /// The role in which we try.
    pub(crate) role: DtlsRole,
    /// How often the ClientHello was transmitted.
    pub(crate) transmissions: u32,
}

impl Attempted {
    /// When the silence will have lasted long enough.
    pub(crate) fn silent_until(&self, rule: &RetainedVerdict) -> Instant {
        self.since + rule.silence
    }

    /// Whether a peer from which not one byte of the new association came has kept the old one.
    pub(crate) fn is_retained(&self, now: Instant, rule: &RetainedVerdict) -> bool {
        let asked_enough = match self.role {
            DtlsRole::Client => self.transmissions >= rule.transmissions,
            DtlsRole::Server => true,
        };
        asked_enough && now >= self.silent_until(rule)
    }
}

/// For how long nothing of the old generation must be heard before the side whose last flight may
/// be lost takes the peer to have moved: two round trips, and never less than the timer in which a
/// peer that misses the flight repeats its own.
pub(crate) fn quiet_time(round_trip_time: Option<Duration>) -> Duration {
    const FLOOR: Duration = Duration::from_millis(200);
    round_trip_time.map_or(FLOOR * 2, |rtt| (rtt * 2).max(FLOOR))
}
