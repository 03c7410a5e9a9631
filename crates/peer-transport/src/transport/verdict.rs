//! Decides whether a DTLS association outlives an ICE restart: by signalling first, by silence last.
//!
//! A new tls-id of the peer requires a fresh handshake. A new local tls-id alone does not: a peer without RFC 8842
//! would otherwise make every restart fail.
//!
//! Pure decisions about plain values; the owner applies them. Does not know sockets or records.

use std::time::{Duration, Instant};

use dtls_core::DtlsRole;

use super::signalling::SignalledParameters;
use crate::config::{DtlsRestart, RetentionPolicy};

/// The decision of signalling about the previous association.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignallingDecision {
    /// Retained: no ClientHello is sent.
    Retained,
    /// Replaced by a fresh handshake: only the handshake deadline ends the wait for it.
    Fresh,
    /// Undecided: a fresh handshake is attempted while the previous association carries media.
    Open,
}

/// Compares the parameters signalled for the previous generation with those of the new one.
pub(super) fn decide_by_signalling(
    before: &SignalledParameters,
    after: &SignalledParameters,
    policy: DtlsRestart,
) -> SignallingDecision {
    let remote_changed = before.remote.role != after.remote.role
        || !before.remote.same_certificates(&after.remote)
        || (before.remote.tls_id != after.remote.tls_id && after.remote.tls_id.is_some());
    if remote_changed {
        return SignallingDecision::Fresh;
    }
    let both_tls_ids_kept =
        before.remote.same_tls_id(&after.remote) && before.local.same_tls_id(&after.local);
    let local_unchanged =
        before.local.same_certificates(&after.local) && before.local.tls_id == after.local.tls_id;
    if both_tls_ids_kept || (policy == DtlsRestart::OnChange && local_unchanged) {
        return SignallingDecision::Retained;
    }
    SignallingDecision::Open
}

/// The observed progress of an open attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct AttemptProgress {
    /// When the new pair became usable for both sides, as far as known, and the attempt started to send or
    /// await the ClientHello.
    pub(super) since: Instant,
    /// The local role in the attempt.
    pub(super) role: DtlsRole,
    /// How often the ClientHello was sent.
    pub(super) transmissions: u32,
}

impl AttemptProgress {
    /// When the silence has lasted long enough.
    pub(super) fn silence_end(&self, policy: &RetentionPolicy) -> Instant {
        self.since + policy.silence
    }

    /// Whether a peer that sent no byte of the new association has retained the old one.
    pub(super) fn is_retained(&self, now: Instant, policy: &RetentionPolicy) -> bool {
        let asked_enough = match self.role {
            DtlsRole::Client => self.transmissions >= policy.transmissions,
            DtlsRole::Server => true,
        };
        asked_enough && now >= self.silence_end(policy)
    }
}

/// The time without traffic of the old generation after which the side whose final flight may be lost assumes
/// that the peer has moved.
///
/// Two round trips, and at least the time after which a peer that misses the flight retransmits its own.
pub(super) fn quiet_time(round_trip_time: Option<Duration>) -> Duration {
    const FLOOR: Duration = Duration::from_millis(200);
    round_trip_time.map_or(FLOOR * 2, |rtt| (rtt * 2).max(FLOOR))
}

/// The maximum age of traffic that proves that the peer retained the keys.
///
/// Two round trips, and at least the interval of RTCP reports (RFC 3550 section 6.2), which are all that a
/// muted peer sends. On a short path any two packets are more than two round trips apart. A peer that restarted
/// dropped the old keys long before the silence is evaluated.
pub(super) fn proof_age(round_trip_time: Option<Duration>) -> Duration {
    const FLOOR: Duration = Duration::from_secs(1);
    round_trip_time.map_or(FLOOR, |rtt| (rtt * 2).max(FLOOR))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::signalling::SignalledSide;

    fn side(tls_id: Option<&str>, certificate: u8, role: DtlsRole) -> SignalledSide {
        let fingerprint = format!("sha-256 {}", vec![format!("{certificate:02X}"); 32].join(":"));
        SignalledSide {
            tls_id: tls_id.map(|name| name.repeat(20).parse().unwrap()),
            fingerprints: vec![fingerprint.parse().unwrap()],
            role,
        }
    }

    fn parameters(local: Option<&str>, remote: Option<&str>) -> SignalledParameters {
        SignalledParameters {
            local: side(local, 1, DtlsRole::Client),
            remote: side(remote, 2, DtlsRole::Server),
        }
    }

    #[test]
    fn unchanged_tls_ids_retain_association() {
        let same = parameters(Some("a"), Some("b"));
        assert_eq!(decide_by_signalling(&same, &same, DtlsRestart::Always), SignallingDecision::Retained);
    }

    #[test]
    fn new_peer_tls_id_requires_fresh_handshake() {
        let before = parameters(Some("a"), Some("b"));
        for after in [parameters(Some("a"), Some("c")), parameters(Some("d"), Some("c"))] {
            assert_eq!(
                decide_by_signalling(&before, &after, DtlsRestart::OnChange),
                SignallingDecision::Fresh
            );
        }
    }

    #[test]
    fn changed_peer_certificate_or_role_requires_handshake() {
        let before = parameters(None, None);
        let mut rotated = before.clone();
        rotated.remote = side(None, 3, DtlsRole::Server);
        assert_eq!(decide_by_signalling(&before, &rotated, DtlsRestart::Always), SignallingDecision::Fresh);
        let mut turned = before.clone();
        turned.remote.role = DtlsRole::Client;
        assert_eq!(decide_by_signalling(&before, &turned, DtlsRestart::Always), SignallingDecision::Fresh);
    }

    #[test]
    fn unchanged_peer_without_tls_id_follows_policy() {
        let same = parameters(None, None);
        assert_eq!(decide_by_signalling(&same, &same, DtlsRestart::Always), SignallingDecision::Open);
        assert_eq!(decide_by_signalling(&same, &same, DtlsRestart::OnChange), SignallingDecision::Retained);
    }

    #[test]
    fn local_rotation_is_attempted_under_on_change() {
        let before = parameters(None, None);
        let mut after = before.clone();
        after.local = side(None, 9, DtlsRole::Client);
        assert_eq!(decide_by_signalling(&before, &after, DtlsRestart::OnChange), SignallingDecision::Open);
    }

    #[test]
    fn fingerprint_order_is_ignored() {
        let mut before = parameters(None, None);
        before.remote.fingerprints.extend(side(None, 7, DtlsRole::Server).fingerprints);
        let mut after = before.clone();
        after.remote.fingerprints.reverse();
        assert_eq!(decide_by_signalling(&before, &after, DtlsRestart::Always), SignallingDecision::Open);
    }

    #[test]
    fn retained_verdict_needs_transmissions_and_silence() {
        let policy = RetentionPolicy::default();
        let since = Instant::now();
        let at = |millis| since + Duration::from_millis(millis);
        let attempt = |transmissions| AttemptProgress { since, role: DtlsRole::Client, transmissions };
        assert!(attempt(8).is_retained(at(4000), &policy));
        assert!(!attempt(7).is_retained(at(4000), &policy));
        assert!(!attempt(8).is_retained(at(3999), &policy));
        let waiting = AttemptProgress { since, role: DtlsRole::Server, transmissions: 0 };
        assert!(waiting.is_retained(at(4000), &policy));
        assert!(!waiting.is_retained(at(3999), &policy));
    }

    #[test]
    fn quiet_time_is_two_round_trips_or_200_ms() {
        assert_eq!(quiet_time(Some(Duration::from_millis(300))), Duration::from_millis(600));
        assert_eq!(quiet_time(Some(Duration::from_millis(1))), Duration::from_millis(200));
        assert_eq!(quiet_time(None), Duration::from_millis(400));
    }
}
