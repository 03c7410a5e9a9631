//! Reads an SDP fragment, which trickles candidates and restarts ICE (RFC 8840 section 9).

use ice_agent::{CandidateLine, Password, Ufrag};

use super::ParseError;
use super::gathered::Gathered;

/// The credentials and candidates of a fragment.
///
/// New credentials are the peer's ICE restart. The DTLS parameters then stay the same: replace the credentials
/// in the previous [`Parameters`](super::Parameters).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// `ice-ufrag`.
    pub ufrag: Option<Ufrag>,
    /// `ice-pwd`.
    pub password: Option<Password>,
    /// The candidate lines in their order, at most [`Description::MAX_CANDIDATES`](super::Description::MAX_CANDIDATES).
    pub candidates: Vec<CandidateLine>,
    /// Whether no more candidates will follow.
    pub end_of_candidates: bool,
}

impl Fragment {
    /// Reads a fragment by the rules of [`Description::from_lines`](super::Description::from_lines), except
    /// that every attribute is optional.
    ///
    /// # Errors
    /// Names the line and the problem.
    pub fn from_lines<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Self, ParseError> {
        let Gathered { ufrag, password, candidates, end_of_candidates, .. } = Gathered::from_lines(lines)?;
        Ok(Self { ufrag, password, candidates, end_of_candidates })
    }
}
