//! Why a transport failed ([`Failure`]), and why a command was refused ([`Error`], [`SendError`]).
//!
//! All are small values without text of their own, comparable in tests.

use std::time::Duration;

use crate::association_id::AssociationId;

/// Why a transport or a restart failed. Reported once, by an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// ICE found no working path, or lost it.
    #[error("ICE: {0}")]
    Ice(ice_agent::Failure),
    /// The DTLS handshake or association failed.
    #[error("DTLS of association {association}: {failure}")]
    #[non_exhaustive]
    Dtls {
        /// The failed association.
        association: AssociationId,
        /// Why it failed.
        failure: dtls_core::Failure,
    },
    /// No DTLS handshake of the new generation completed in time.
    #[error("no DTLS handshake within {within:?}")]
    #[non_exhaustive]
    HandshakeTimeout {
        /// The time limit, counted from the new remote parameters.
        within: Duration,
    },
    /// The handshake completed, but its SRTP keys were unusable.
    #[error("no SRTP keys from association {association}")]
    #[non_exhaustive]
    Keys {
        /// The association of the keys.
        association: AssociationId,
    },
}

/// Why a command was refused. A refused command changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The command needs an association: wait for `StateChanged(Connected)`.
    #[error("not connected: wait for the connected state")]
    NotConnected,
    /// The transport is closed: restart it, or create a new one.
    #[error("closed: restart the transport or create a new one")]
    Closed,
    /// There are no remote parameters yet: set them first.
    #[error("not started: set the remote parameters first")]
    NotStarted,
    /// No restart is in progress.
    #[error("no restart is in progress")]
    NoRestart,
    /// An offer arrived while the local restart offer is outstanding. Roll one of them back
    /// ([`rollback_restart`](crate::PeerTransport::rollback_restart)).
    #[error("both sides offered a restart: roll one of the offers back")]
    Glare,
    /// Fingerprints, role or tls-id changed without new ICE credentials. A new association needs an ICE
    /// restart, which distinguishes it from the old one.
    #[error("DTLS parameters changed without an ICE restart: ask the peer for one")]
    ParametersChanged,
    /// Both sides insist on the same DTLS role.
    #[error("both sides insist on the same DTLS role")]
    RoleConflict,
    /// The parameters have no fingerprint with a supported hash, so no peer could be authenticated.
    #[error("the remote parameters have no certificate fingerprint with a supported hash")]
    NoFingerprint,
    /// The peer was removed, or the id is of another endpoint.
    #[error("no such peer at this endpoint")]
    UnknownPeer,
    /// This direction of media is detached: use the detached half.
    #[error("this direction of media is detached: use the detached half")]
    Detached,
    /// The path is bound to a peer.
    #[error("the path is bound to a peer")]
    PathTaken,
    /// The endpoint has the maximum number of peers.
    #[error("the endpoint is full: {max} peers")]
    TooManyPeers {
        /// The maximum.
        max: usize,
    },
    /// The endpoint forwards the maximum number of paths.
    #[error("the endpoint forwards the maximum of {max} paths")]
    TooManyForwards {
        /// The maximum.
        max: usize,
    },
    /// ICE refused the command.
    #[error("ICE: {0}")]
    Ice(#[from] ice_agent::Error),
    /// DTLS refused the command.
    #[error("DTLS: {0}")]
    Dtls(#[from] dtls_core::Error),
    /// The certificate list is empty, and generating one requires
    /// [`Config::wall_clock`](crate::Config::wall_clock).
    #[error("no certificate: provide one, or set Config::wall_clock to generate one")]
    NoCertificate,
    /// Generating the certificate failed.
    #[error("certificate: {0}")]
    Certificate(#[from] dtls_core::InvalidCertificate),
}

/// Why a packet was not sent. Small, because it is on the media path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// There is no established association.
    #[error("not connected")]
    NotConnected,
    /// The peer does not consent to receive (RFC 7675): stop sending until a restart.
    #[error("the peer's consent is missing")]
    NotPermitted,
    /// A queue is full: try again after the next `poll_transmit`.
    #[error("would block: drain the transport first")]
    WouldBlock,
    /// The data exceeds the limit.
    #[error("too large: at most {max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        max: usize,
    },
    /// This direction of media is detached: use the detached half.
    #[error("outbound media is detached: use the detached half")]
    Detached,
    /// The peer was removed, or the id is of another endpoint.
    #[error("no such peer at this endpoint")]
    UnknownPeer,
    /// The packet is malformed, its index was used before, or the key usage limit is reached.
    #[error("SRTP: {0}")]
    Srtp(#[from] srtp::Error),
}
