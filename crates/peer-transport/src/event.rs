//! What happened, for the application. Events are facts: nothing breaks if nobody reads them.

use std::time::SystemTime;

use bytes::Bytes;
use dtls_core::KeyLogLine;
use ice_agent::{Generation, Pair, Path, SelectionReason};
use srtp_keys::Profile;

use crate::association::Association;
use crate::error::Failure;

/// The W3C states of a transport; `Display` prints their W3C names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// No remote parameters yet.
    New,
    /// ICE or DTLS is on its way, or a restart is. During a restart media goes on.
    Connecting,
    /// A pair has consent and DTLS is verified.
    Connected,
    /// Closed by us or by the peer. A restart opens it again.
    Closed,
    /// Nothing works any more. A restart opens it again.
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

/// Who ended something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// We did.
    Local,
    /// The peer did, and it was authenticated.
    Peer,
}

/// How a restart ended well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestartOutcome {
    /// The fresh handshake is complete. [`Event::KeysChanged`] follows when sending moves to it.
    FreshHandshake {
        /// The new association.
        association: Association,
    },
    /// The peer kept the association, and so did we: same keys, new ICE generation.
    AssociationRetained {
        /// The association that lives on.
        association: Association,
        /// Whether traffic under its keys arrived in the last two round trips. A muted peer proves
        /// nothing and may still be there.
        proven: bool,
    },
}

/// What happened to a peer. Read with [`PeerTransport::poll_event`](crate::PeerTransport::poll_event).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The state is another one. [`Event::Failed`] stands in for a change to [`State::Failed`].
    StateChanged(State),
    /// ICE is in another state.
    IceStateChanged(ice_agent::State),
    /// Everything we send takes this pair from now on.
    PairSelected {
        /// The pair.
        pair: Box<Pair>,
        /// Why this one.
        reason: SelectionReason,
    },
    /// The peer's consent to receive on a path has ended (RFC 7675).
    ConsentLost {
        /// The path.
        path: Path,
        /// Whose credentials the consent was for.
        generation: Generation,
        /// How it ended.
        failure: ice_agent::Failure,
    },
    /// What we send is protected with the keys of this association from now on.
    KeysChanged {
        /// The association.
        association: Association,
        /// The ICE generation that it was made in.
        generation: Generation,
        /// The SRTP profile, `None` where the peers agreed on data only.
        profile: Option<Profile>,
    },
    /// Application data arrived.
    Data {
        /// Under this association.
        association: Association,
        /// One record.
        bytes: Bytes,
    },
    /// A DTLS association is over. The transport is too, unless another association carries on: that of a restart,
    /// or the one before where the peer refused what [`Event::RestartCompleted`] had announced.
    AssociationClosed {
        /// Which.
        association: Association,
        /// By whom.
        by: Side,
    },
    /// A certificate of our own is valid for no more than [`Config::expiry_notice`](crate::Config::expiry_notice).
    /// The association lives on, and the next handshake should have another one: restart with
    /// [`RestartCertificates::Rotate`](crate::RestartCertificates::Rotate). Once for each end of validity, where
    /// [`Config::wall_clock`](crate::Config::wall_clock) tells the date.
    CertificateExpiring {
        /// The end of its validity.
        not_after: SystemTime,
    },
    /// Keys wear out or consent is about to end: a restart would help.
    RestartNeeded,
    /// A restart ended well.
    RestartCompleted {
        /// The new ICE generation.
        generation: Generation,
        /// With new keys, or with the old ones.
        outcome: RestartOutcome,
    },
    /// A restart failed and left the generation before as it was; media goes on.
    RestartFailed {
        /// The generation that came to nothing.
        generation: Generation,
        /// Why.
        failure: Failure,
    },
    /// The peer began a handshake without a restart in signalling. The application decides:
    /// ignore it, or restart. Rate-limited.
    FreshClientHello {
        /// Where it came from.
        path: Path,
    },
    /// An authenticated peer is reachable on this path: 5-tuple routing may point here.
    PathBound(Path),
    /// And no longer.
    PathReleased(Path),
    /// A line for Wireshark, if [`Config::key_log`](crate::Config::key_log) asks for it. `Debug` hides it.
    KeyLog(KeyLogLine),
    /// Nothing works any more; once per life. A restart opens the transport again.
    Failed(Failure),
}
