//! Why a description is unusable: the line, the attribute, and the problem.

use std::fmt;
use std::num::NonZeroUsize;

use dtls_core::InvalidFingerprint;
use ice_agent::{BadCandidateLine, BadCredentials};

/// Why a description was refused. `Display` describes it, for example `line 7, a=ice-ufrag: an ice-ufrag has 4
/// to 256 characters`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// The line number, counted from 1 over the given lines; `None` if the error concerns no single line.
    pub line: Option<NonZeroUsize>,
    /// The attribute; `None` if the line is no attribute of a transport.
    pub attribute: Option<AttributeName>,
    /// The problem.
    pub problem: Problem,
}

impl ParseError {
    pub(super) const fn of(attribute: AttributeName, problem: Problem) -> Self {
        Self { line: None, attribute: Some(attribute), problem }
    }

    pub(super) const fn at(self, line: NonZeroUsize) -> Self {
        Self { line: Some(line), ..self }
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.attribute) {
            (Some(line), Some(attribute)) => write!(f, "line {line}, a={attribute}: ")?,
            (Some(line), None) => write!(f, "line {line}: ")?,
            (None, Some(attribute)) => write!(f, "a={attribute}: ")?,
            (None, None) => {}
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ParseError {}

/// The names of the attributes that describe a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum AttributeName {
    /// `ice-lite` (RFC 8839 section 5.3).
    IceLite,
    /// `ice-ufrag` (RFC 8839 section 5.4).
    IceUfrag,
    /// `ice-pwd` (RFC 8839 section 5.4).
    IcePwd,
    /// `ice-options` (RFC 8839 section 5.6).
    IceOptions,
    /// `fingerprint` (RFC 8122 section 5).
    Fingerprint,
    /// `setup` (RFC 4145 section 4).
    Setup,
    /// `tls-id` (RFC 8842 section 4).
    TlsId,
    /// `candidate` (RFC 8839 section 5.1).
    Candidate,
    /// `end-of-candidates` (RFC 8840 section 8.2).
    EndOfCandidates,
}

impl AttributeName {
    const ALL: [Self; 9] = [
        Self::IceLite,
        Self::IceUfrag,
        Self::IcePwd,
        Self::IceOptions,
        Self::Fingerprint,
        Self::Setup,
        Self::TlsId,
        Self::Candidate,
        Self::EndOfCandidates,
    ];

    /// Returns the case-sensitive SDP name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IceLite => "ice-lite",
            Self::IceUfrag => "ice-ufrag",
            Self::IcePwd => "ice-pwd",
            Self::IceOptions => "ice-options",
            Self::Fingerprint => "fingerprint",
            Self::Setup => "setup",
            Self::TlsId => "tls-id",
            Self::Candidate => "candidate",
            Self::EndOfCandidates => "end-of-candidates",
        }
    }

    pub(super) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl fmt::Display for AttributeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A problem of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// The attribute is required.
    #[error("missing")]
    Missing,
    /// The line is no attribute of a transport.
    #[error("not an attribute of a transport")]
    UnknownAttribute,
    /// More attributes of this kind than the limit.
    #[error("more than {max}")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// The value is too short.
    #[error("shorter than {min} characters")]
    TooShort {
        /// The minimum number of characters.
        min: usize,
    },
    /// The value is too long.
    #[error("longer than {max} characters")]
    TooLong {
        /// The maximum number of characters.
        max: usize,
    },
    /// The value has a character that its grammar excludes.
    #[error("invalid character")]
    BadCharacter,
    /// The value is not `actpass`, `active` or `passive`.
    #[error("not actpass, active or passive")]
    UnknownSetup,
    /// `holdconn` requests no connection.
    #[error("holdconn is not supported: leave the transport out instead")]
    HoldConn,
    /// A username fragment or a password that violates the grammar.
    #[error(transparent)]
    Credentials(BadCredentials),
    /// A fingerprint that violates the grammar.
    #[error(transparent)]
    Fingerprint(InvalidFingerprint),
    /// There are fingerprints, but none with a supported hash.
    #[error("no fingerprint with sha-256, sha-384 or sha-512")]
    NoKnownHash,
    /// A candidate that violates the grammar.
    #[error(transparent)]
    Candidate(BadCandidateLine),
}
