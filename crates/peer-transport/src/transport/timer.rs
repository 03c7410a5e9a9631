//! The names of the transport's own deadlines.

/// The transport's own timers. ICE and DTLS have timers of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The restart has taken too long.
    RestartDeadline,
    /// The peer has been silent long enough during a fresh handshake for a verdict.
    RetainedVerdict,
    /// No more traffic arrives under the old keys, so the peer has moved.
    QuietMove,
    /// The old keys have read the packets in flight and are erased.
    DrainEnd,
    /// A local certificate expires soon.
    CertificateExpiry,
}
