//! Reads the SDP lines that describe one transport.

use ice_agent::CandidateLine;

use super::gathered::Gathered;
use super::{Attribute, AttributeName, Parameters, ParseError, Problem};

/// A description of one side's transport: its parameters, and the candidates known so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Credentials, fingerprints, role.
    pub parameters: Parameters,
    /// The candidate lines in their order, at most [`Description::MAX_CANDIDATES`]. A line may contain a host
    /// name (mDNS) that the application resolves, or a TCP candidate.
    pub candidates: Vec<CandidateLine>,
    /// Whether no more candidates will follow (RFC 8840 section 8.2).
    pub end_of_candidates: bool,
}

impl Description {
    /// The maximum number of candidates. A host with dozens of interfaces and two TURN servers has far fewer;
    /// the limit protects memory.
    pub const MAX_CANDIDATES: usize = 256;

    /// Reads the attribute lines of a transport, with or without `a=`, and skips all other lines.
    ///
    /// The lines may be a media description, the session level followed by a media description, or a whole SDP.
    /// Of a whole SDP only the session level and the first media description are read, up to the second `m=`
    /// line, because with BUNDLE the first one carries the transport (RFC 9143 section 9.2). If it is rejected
    /// or not bundled, select the media description before the call.
    ///
    /// The last of several values of one attribute applies, so a media description overrides the session level.
    /// Fingerprints accumulate, but the first one after an `m=` line replaces those of the session level (RFC
    /// 8122 section 5). ICE options accumulate. A candidate with an unsupported component, transport, type or
    /// address is skipped (RFC 8839 section 5.1), and so is a fingerprint whose hash is unknown or too weak.
    ///
    /// ```
    /// use peer_transport::{Description, Setup};
    ///
    /// let description = Description::from_lines([
    ///     "a=ice-ufrag:8hhY",
    ///     "a=ice-pwd:asd88fgpdd777uzjYhagZg",
    ///     "a=fingerprint:sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:\
    ///      27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55",
    ///     "a=setup:actpass",
    ///     "a=mid:0",
    ///     "a=candidate:1 1 udp 2130706431 192.0.2.1 5000 typ host",
    /// ])?;
    /// assert_eq!(description.parameters.setup, Setup::ActPass);
    /// assert_eq!(description.candidates.len(), 1);
    /// # Ok::<(), peer_transport::ParseError>(())
    /// ```
    ///
    /// # Errors
    /// Names the line and the problem: an attribute that violates its grammar, a missing attribute
    /// (`ice-ufrag`, `ice-pwd`, `fingerprint`, `setup`), or more values than the limit.
    pub fn from_lines<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Self, ParseError> {
        let gathered = Gathered::from_lines(lines)?;
        let missing = |name| ParseError::of(name, Problem::Missing);
        let ufrag = gathered.ufrag.ok_or(missing(AttributeName::IceUfrag))?;
        let password = gathered.password.ok_or(missing(AttributeName::IcePwd))?;
        if gathered.fingerprints.values.is_empty() {
            return Err(ParseError::of(
                AttributeName::Fingerprint,
                if gathered.fingerprints.unknown_hash { Problem::NoKnownHash } else { Problem::Missing },
            ));
        }
        Ok(Self {
            parameters: Parameters {
                ice: ice_agent::Parameters::new(ufrag, password).with_lite(gathered.lite),
                ice_options: gathered.ice_options,
                fingerprints: gathered.fingerprints.values,
                setup: gathered.setup.ok_or(missing(AttributeName::Setup))?,
                tls_id: gathered.tls_id,
            },
            candidates: gathered.candidates,
            end_of_candidates: gathered.end_of_candidates,
        })
    }

    /// Returns the attributes in the recommended order: those of [`Parameters::attributes`], then the
    /// candidates, then `end-of-candidates`.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute> + '_ {
        self.parameters
            .attributes()
            .chain(self.candidates.iter().cloned().map(Attribute::Candidate))
            .chain(self.end_of_candidates.then_some(Attribute::EndOfCandidates))
    }
}
