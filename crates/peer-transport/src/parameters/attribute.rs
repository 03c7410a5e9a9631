//! One SDP attribute of a transport.

use std::fmt;
use std::str::FromStr;

use dtls_core::Fingerprint;
use ice_agent::{CandidateLine, Password, Ufrag};

use super::{AttributeName, IceOptions, ParseError, Problem, Setup, TlsId};

/// An SDP attribute that describes a transport.
///
/// `Display` writes the form after `a=`, for example `ice-ufrag:8hhY`. `FromStr` reads it with or without `a=`
/// and line end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attribute {
    /// `ice-lite`. It belongs to the session level of an SDP (RFC 8839 section 5.3); all others may be in a
    /// media description.
    IceLite,
    /// `ice-ufrag`.
    IceUfrag(Ufrag),
    /// `ice-pwd`. `Debug` hides the password. `Display` shows it, for the description.
    IcePwd(Password),
    /// `ice-options`.
    IceOptions(IceOptions),
    /// `fingerprint`.
    Fingerprint(Fingerprint),
    /// `setup`.
    Setup(Setup),
    /// `tls-id`.
    TlsId(TlsId),
    /// `candidate`.
    Candidate(CandidateLine),
    /// `end-of-candidates`.
    EndOfCandidates,
}

impl Attribute {
    /// Returns the attribute's name.
    #[must_use]
    pub const fn name(&self) -> AttributeName {
        match self {
            Self::IceLite => AttributeName::IceLite,
            Self::IceUfrag(_) => AttributeName::IceUfrag,
            Self::IcePwd(_) => AttributeName::IcePwd,
            Self::IceOptions(_) => AttributeName::IceOptions,
            Self::Fingerprint(_) => AttributeName::Fingerprint,
            Self::Setup(_) => AttributeName::Setup,
            Self::TlsId(_) => AttributeName::TlsId,
            Self::Candidate(_) => AttributeName::Candidate,
            Self::EndOfCandidates => AttributeName::EndOfCandidates,
        }
    }

    /// Reads a line. Returns `None` for any other SDP line.
    pub(super) fn read(line: &str) -> Option<Result<Self, ParseError>> {
        let line = line.trim();
        let line = line.strip_prefix("a=").unwrap_or(line);
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = AttributeName::find(name)?;
        Some(Self::from_value(name, value).map_err(|problem| ParseError::of(name, problem)))
    }

    fn from_value(name: AttributeName, value: &str) -> Result<Self, Problem> {
        Ok(match name {
            AttributeName::IceLite => Self::IceLite,
            AttributeName::IceUfrag => Self::IceUfrag(value.parse().map_err(Problem::Credentials)?),
            AttributeName::IcePwd => Self::IcePwd(value.parse().map_err(Problem::Credentials)?),
            AttributeName::IceOptions => Self::IceOptions(value.parse()?),
            AttributeName::Fingerprint => Self::Fingerprint(value.parse().map_err(Problem::Fingerprint)?),
            AttributeName::Setup => Self::Setup(value.parse()?),
            AttributeName::TlsId => Self::TlsId(value.parse()?),
            AttributeName::Candidate => Self::Candidate(value.parse().map_err(Problem::Candidate)?),
            AttributeName::EndOfCandidates => Self::EndOfCandidates,
        })
    }
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::IceLite | Self::EndOfCandidates => write!(f, "{name}"),
            Self::IceUfrag(ufrag) => write!(f, "{name}:{ufrag}"),
            Self::IcePwd(password) => write!(f, "{name}:{}", password.expose()),
            Self::IceOptions(options) => write!(f, "{name}:{options}"),
            Self::Fingerprint(fingerprint) => write!(f, "{name}:{fingerprint}"),
            Self::Setup(setup) => write!(f, "{name}:{setup}"),
            Self::TlsId(tls_id) => write!(f, "{name}:{tls_id}"),
            // The text form of a candidate already starts with the attribute name, as in W3C's API.
            Self::Candidate(candidate) => candidate.fmt(f),
        }
    }
}

impl FromStr for Attribute {
    type Err = ParseError;

    fn from_str(line: &str) -> Result<Self, ParseError> {
        Self::read(line).unwrap_or(Err(ParseError {
            line: None,
            attribute: None,
            problem: Problem::UnknownAttribute,
        }))
    }
}
