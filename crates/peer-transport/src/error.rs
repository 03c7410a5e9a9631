//! Why something died ([`Failure`]), why a command was refused ([`Error`], [`SendError`]).
//!
//! All of them small facts without text of their own, comparable in tests.

use std::time::Duration;

use crate::association::Association;

/// Why a transport or a restart died. Reported once, as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// ICE found no way to the peer, or lost it.
    #[error("ICE: {0}")]
    Ice(ice_agent::Failure),
    /// The DTLS handshake or association ended.
    #[error("DTLS of association {association}: {failure}")]
    Dtls {
        /// Which association.
        association: Association,
        /// Why.
        failure: dtls_core::Failure,
    },
    /// No DTLS handshake of the new generation within its deadline.
    #[error("no DTLS handshake within {within:?}")]
    HandshakeTimeout {
        /// The deadline that passed.
        within: Duration,
    },
    /// The handshake completed, but its SRTP keys could not be used.
    #[error("no SRTP keys from association {association}")]
    Keys {
        /// Which association.
        association: Association,
    },
}

/// Why a command was refused. A refused command leaves no trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no association to do this with: wait for `StateChanged(Connected)`.
    #[error("not connected: wait for the connected state")]
    NotConnected,
    /// The transport is closed: restart it, or make a new one.
    #[error("closed: restart the transport or make a new one")]
    Closed,
    /// There are no remote parameters yet: set them first.
    #[error("not started: set the remote parameters first")]
    NotStarted,
    /// No restart is under way.
    #[error("no restart is under way")]
    NoRestart,
    /// An offer arrived while our own restart offer is out: roll one of them back
    /// ([`abandon_restart`](crate::PeerTransport::abandon_restart)).
    #[error("both sides offer a restart: abandon ours or refuse theirs")]
    Glare,
    /// Fingerprints, role or tls-id changed while the ICE credentials stayed: a new association
    /// needs an ICE restart to be told apart from the old one.
    #[error("DTLS parameters changed without an ICE restart: ask the peer for one")]
    ParametersChanged,
    /// Both sides insist on the same DTLS role, or `setup:holdconn` was given.
    #[error("both sides insist on the same DTLS role")]
    RoleConflict,
    /// Parameters without a fingerprint of a known hash would authenticate nobody.
    #[error("no certificate fingerprint with a known hash in the remote parameters")]
    NoFingerprint,
    /// The peer was removed, or the id is of another endpoint.
    #[error("no such peer at this endpoint")]
    UnknownPeer,
    /// This direction of media was detached: use the detached half.
    #[error("this direction of media is detached: use its own handle")]
    Detached,
    /// The path is bound to a peer.
    #[error("the path belongs to a peer")]
    PathTaken,
    /// The endpoint holds as many peers as its configuration allows.
    #[error("the endpoint is full: {max} peers")]
    TooManyPeers {
        /// The bound.
        max: usize,
    },
    /// The endpoint gives as many paths away as its configuration allows.
    #[error("the endpoint forwards {max} paths already")]
    TooManyForwards {
        /// The bound.
        max: usize,
    },
    /// ICE refused.
    #[error("ICE: {0}")]
    Ice(#[from] ice_agent::Error),
    /// DTLS refused.
    #[error("DTLS: {0}")]
    Dtls(#[from] dtls_core::Error),
    /// No certificate was given and none could be generated without [`Config::wall_clock`](crate::Config::wall_clock).
    #[error("no certificate: give one, or Config::wall_clock to generate one")]
    NoCertificate,
    /// The certificate could not be made.
    #[error("certificate: {0}")]
    Certificate(#[from] dtls_core::InvalidCertificate),
}

/// Why a packet was not sent. Small, because it is on the media path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// No association yet, or none any more.
    #[error("not connected")]
    NotConnected,
    /// The peer does not consent to receive (RFC 7675): stop sending until a restart.
    #[error("the peer's consent is missing")]
    NotPermitted,
    /// A queue is full: try again after the next `poll_transmit`.
    #[error("would block: drain the transport first")]
    WouldBlock,
    /// Larger than fits.
    #[error("too large: at most {max} bytes")]
    TooLarge {
        /// The bound, in bytes.
        max: usize,
    },
    /// This direction of media was detached: use the detached half.
    #[error("outbound media is detached: use its own handle")]
    Detached,
    /// The peer was removed, or the id is of another endpoint.
    #[error("no such peer at this endpoint")]
    UnknownPeer,
    /// The packet is no packet, or its index was used before, or the key is used up.
    #[error("SRTP: {0}")]
    Srtp(#[from] srtp::Error),
}
