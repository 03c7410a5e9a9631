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
    /// Since when the new pair works for both sides, as far as we know, and we transmit or wait for a
    /// ClientHello.
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

/// How old traffic under the kept keys may be and still prove that the peer kept them too: two round
/// trips, and never less than the time between two reports (RFC 3550 section 6.2), which is all that a
/// muted peer sends. On a short path two round trips pass between any two packets. A peer that began
/// anew dropped the old keys long before silence is judged.
pub(crate) fn proof_age(round_trip_time: Option<Duration>) -> Duration {
    const FLOOR: Duration = Duration::from_secs(1);
    round_trip_time.map_or(FLOOR, |rtt| (rtt * 2).max(FLOOR))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signalled(tls_id: Option<&str>, certificate: u8, role: DtlsRole) -> Signalled {
        let fingerprint = format!("sha-256 {}", vec![format!("{certificate:02X}"); 32].join(":"));
        Signalled {
            tls_id: tls_id.map(|name| name.repeat(20).parse().unwrap()),
            fingerprints: vec![fingerprint.parse().unwrap()],
            role,
        }
    }

    fn ends(ours: Option<&str>, theirs: Option<&str>) -> Ends {
        Ends { ours: signalled(ours, 1, DtlsRole::Client), theirs: signalled(theirs, 2, DtlsRole::Server) }
    }

    #[test]
    fn both_tls_ids_as_before_retain_the_association() {
        let same = ends(Some("a"), Some("b"));
        assert_eq!(by_signalling(&same, &same, DtlsRestart::Always), BySignalling::Retained);
    }

    #[test]
    fn a_new_tls_id_of_the_peer_promises_a_fresh_handshake() {
        let before = ends(Some("a"), Some("b"));
        for after in [ends(Some("a"), Some("c")), ends(Some("d"), Some("c"))] {
            assert_eq!(by_signalling(&before, &after, DtlsRestart::OnChange), BySignalling::Fresh);
        }
    }

    #[test]
    fn another_certificate_or_role_of_the_peer_promises_a_fresh_handshake() {
        let before = ends(None, None);
        let mut rotated = before.clone();
        rotated.theirs = signalled(None, 3, DtlsRole::Server);
        assert_eq!(by_signalling(&before, &rotated, DtlsRestart::Always), BySignalling::Fresh);
        let mut turned = before.clone();
        turned.theirs.role = DtlsRole::Client;
        assert_eq!(by_signalling(&before, &turned, DtlsRestart::Always), BySignalling::Fresh);
    }

    #[test]
    fn a_peer_without_tls_id_and_with_the_same_certificate_leaves_it_open() {
        let same = ends(None, None);
        assert_eq!(by_signalling(&same, &same, DtlsRestart::Always), BySignalling::Open);
        assert_eq!(by_signalling(&same, &same, DtlsRestart::OnChange), BySignalling::Retained);
    }

    #[test]
    fn our_own_rotation_is_attempted_whatever_the_policy() {
        let before = ends(None, None);
        let mut after = before.clone();
        after.ours = signalled(None, 9, DtlsRole::Client);
        assert_eq!(by_signalling(&before, &after, DtlsRestart::OnChange), BySignalling::Open);
    }

    #[test]
    fn the_order_of_fingerprints_means_nothing() {
        let mut before = ends(None, None);
        before.theirs.fingerprints.extend(signalled(None, 7, DtlsRole::Server).fingerprints);
        let mut after = before.clone();
        after.theirs.fingerprints.reverse();
        assert_eq!(by_signalling(&before, &after, DtlsRestart::Always), BySignalling::Open);
    }

    #[test]
    fn eight_transmissions_over_four_seconds_are_enough_and_less_of_either_is_not() {
        let rule = RetainedVerdict::default();
        let since = Instant::now();
        let at = |millis| since + Duration::from_millis(millis);
        let tried = |transmissions| Attempted { since, role: DtlsRole::Client, transmissions };
        assert!(tried(8).is_retained(at(4000), &rule));
        assert!(!tried(7).is_retained(at(4000), &rule));
        assert!(!tried(8).is_retained(at(3999), &rule));
        let waiting = Attempted { since, role: DtlsRole::Server, transmissions: 0 };
        assert!(waiting.is_retained(at(4000), &rule));
        assert!(!waiting.is_retained(at(3999), &rule));
    }

    #[test]
    fn quiet_is_two_round_trips_and_no_less_than_a_repeated_flight_takes() {
        assert_eq!(quiet_time(Some(Duration::from_millis(300))), Duration::from_millis(600));
        assert_eq!(quiet_time(Some(Duration::from_millis(1))), Duration::from_millis(200));
        assert_eq!(quiet_time(None), Duration::from_millis(400));
    }
}
