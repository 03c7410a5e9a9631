//! The deadlines that belong to the transport itself, by name.

/// What a deadline of the transport is for. ICE and DTLS have their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A restart has taken too long.
    RestartDeadline,
    /// The silence of a peer that was offered a fresh handshake has lasted long enough to be judged.
    RetainedVerdict,
    /// A peer that is not heard under the old keys any more has moved.
    QuietMove,
    /// The old keys have read what was still on its way.
    DrainEnd,
    /// A certificate of our own runs out.
    CertificateExpiry,
}
