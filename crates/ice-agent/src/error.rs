//! The reasons for refusing a command. A refused command changes nothing.

use thiserror::Error;

use crate::candidate::InvalidCandidate;
use crate::credentials::BadCredentials;

/// The reason for refusing a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Error {
    /// The agent is closed; `restart` opens a new generation.
    #[error("the agent is closed; restart opens a new generation")]
    Closed,
    /// There is nothing to restart: set the remote parameters first.
    #[error("nothing to restart yet: set the remote parameters first")]
    NotStarted,
    /// No restart is in progress.
    #[error("no restart is in progress")]
    NoRestart,
    /// Only one of ufrag and password changed (RFC 8839 section 5.4 changes both or none).
    #[error("only one of ufrag and password changed; a restart changes both")]
    HalfChangedCredentials,
    /// The credentials are those of an older generation than the one that is being negotiated.
    #[error("these credentials belong to an older generation than the one being negotiated")]
    CredentialsChanged,
    /// Both sides are lite, so no side would send checks.
    #[error("both sides are ice-lite, so no side would send checks")]
    BothLite,
    /// A ufrag or a password violates its grammar.
    #[error("bad credentials: {0}")]
    BadCredentials(#[from] BadCredentials),
    /// The candidate is not usable.
    #[error("bad candidate: {0}")]
    Candidate(#[from] InvalidCandidate),
    /// The limit of [`Config`](crate::Config) on candidates is reached.
    #[error("too many candidates")]
    TooManyCandidates,
    /// The candidate has a ufrag of no known generation of the peer.
    #[error("no generation of the peer has this ufrag")]
    UnknownUfrag,
}
