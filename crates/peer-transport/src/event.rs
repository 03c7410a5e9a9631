//! Events for the application. An application may ignore any of them.

use std::time::SystemTime;

use bytes::Bytes;
use dtls_core::KeyLogLine;
use ice_agent::{CandidatePair, GenerationId, Path, SelectionReason};
use srtp_keys::Profile;

use crate::association_id::AssociationId;
use crate::error::Failure;

/// The W3C states of a transport; `Display` prints their W3C names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No remote parameters were set yet.
    New,
    /// ICE, DTLS or a restart is in progress. During a restart media continues.
    Connecting,
    /// A pair has consent and the DTLS peer is verified.
    Connected,
    /// Closed by either side. A restart reopens it.
    Closed,
    /// No association is usable. A restart reopens it.
    Failed,
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::New => "new",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Closed => "closed",
            Self::Failed => "failed",
        })
    }
}

/// The side that ended an association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The local side.
    Local,
    /// The peer, authenticated.
    Peer,
}

/// The outcome of a completed restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RestartOutcome {
    /// The fresh handshake completed. [`Event::KeysChanged`] follows when sending moves to its keys.
    #[non_exhaustive]
    FreshHandshake {
        /// The new association.
        association: AssociationId,
    },
    /// Both sides kept the previous association: same keys, new ICE generation.
    #[non_exhaustive]
    AssociationRetained {
        /// The retained association.
        association: AssociationId,
        /// Whether traffic under its keys arrived within the last two round trips, at least 1 s. `false` proves
        /// nothing: a muted peer may still be connected.
        proven: bool,
    },
}

/// An event of a peer, returned by [`PeerTransport::poll_event`](crate::PeerTransport::poll_event).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state changed. [`Event::Failed`] replaces this event for [`State::Failed`].
    StateChanged(State),
    /// The ICE state changed.
    IceStateChanged(ice_agent::State),
    /// All outgoing traffic uses this pair from now on.
    #[non_exhaustive]
    PairSelected {
        /// The selected pair.
        pair: Box<CandidatePair>,
        /// Why it was selected.
        reason: SelectionReason,
    },
    /// The peer's consent to receive on a path ended (RFC 7675).
    #[non_exhaustive]
    ConsentLost {
        /// The path.
        path: Path,
        /// The generation of the consent.
        generation: GenerationId,
        /// Why it ended.
        failure: ice_agent::Failure,
    },
    /// All outgoing traffic is protected with this association's keys from now on.
    #[non_exhaustive]
    KeysChanged {
        /// The association.
        association: AssociationId,
        /// The ICE generation of its handshake.
        generation: GenerationId,
        /// The SRTP profile, or `None` if the peers negotiated data only.
        profile: Option<Profile>,
    },
    /// Application data arrived.
    #[non_exhaustive]
    Data {
        /// The association that received it.
        association: AssociationId,
        /// The content of one record.
        bytes: Bytes,
    },
    /// A DTLS association ended. The transport ends with it unless another association continues: that of a
    /// restart, or the previous one if the peer refused the handshake that [`Event::RestartCompleted`]
    /// reported.
    #[non_exhaustive]
    AssociationClosed {
        /// The association that ended.
        association: AssociationId,
        /// The side that ended it.
        by: Side,
    },
    /// A local certificate expires within [`Config::expiry_notice`](crate::Config::expiry_notice). The
    /// association continues, but the next handshake should use another certificate: restart with
    /// [`RestartCertificates::Rotate`](crate::RestartCertificates::Rotate). Reported once per expiry date, if
    /// [`Config::wall_clock`](crate::Config::wall_clock) is set.
    #[non_exhaustive]
    CertificateExpiring {
        /// The expiry date.
        not_after: SystemTime,
    },
    /// A restart is recommended, because a key usage limit is near or consent is about to end.
    RestartNeeded,
    /// A restart completed.
    #[non_exhaustive]
    RestartCompleted {
        /// The new ICE generation.
        generation: GenerationId,
        /// Whether the keys are new.
        outcome: RestartOutcome,
    },
    /// A restart failed. The previous generation is unchanged and media continues.
    #[non_exhaustive]
    RestartFailed {
        /// The generation that failed.
        generation: GenerationId,
        /// Why it failed.
        failure: Failure,
    },
    /// The peer started a handshake without signalling a restart. The application decides whether to restart.
    /// Rate-limited.
    #[non_exhaustive]
    FreshClientHello {
        /// The path of the ClientHello.
        path: Path,
    },
    /// An authenticated peer is reachable on this path, so 5-tuple routing may use it.
    PathBound(Path),
    /// The path no longer belongs to the peer.
    PathReleased(Path),
    /// A line for Wireshark, if [`Config::key_log`](crate::Config::key_log) asks for it. `Debug` hides it.
    KeyLog(KeyLogLine),
    /// The transport failed: no association is usable. Reported once until a restart reopens the transport.
    Failed(Failure),
}
