//! Collects the attributes of one transport, complete or not.

use std::num::NonZeroUsize;

use dtls_core::{Fingerprint, InvalidFingerprint};
use ice_agent::{BadCandidateLine, CandidateLine, Password, Ufrag};

use super::{
    Attribute, AttributeName, Description, IceOptions, Parameters, ParseError, Problem, Setup, TlsId,
};

#[derive(Default)]
pub(super) struct Gathered {
    pub(super) lite: bool,
    pub(super) ufrag: Option<Ufrag>,
    pub(super) password: Option<Password>,
    pub(super) ice_options: IceOptions,
    pub(super) fingerprints: Fingerprints,
    pub(super) setup: Option<Setup>,
    pub(super) tls_id: Option<TlsId>,
    pub(super) candidates: Vec<CandidateLine>,
    pub(super) end_of_candidates: bool,
}

/// The fingerprints so far, and the SDP level that they came from.
#[derive(Default)]
pub(super) struct Fingerprints {
    pub(super) values: Vec<Fingerprint>,
    /// Whether there was one with an unsupported hash.
    pub(super) unknown_hash: bool,
    level: Level,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Level {
    #[default]
    Session,
    Media,
}

impl Gathered {
    pub(super) fn from_lines<'l>(lines: impl IntoIterator<Item = &'l str>) -> Result<Self, ParseError> {
        let mut gathered = Self::default();
        let mut level = Level::Session;
        for (before, line) in lines.into_iter().enumerate() {
            if line.trim_start().starts_with("m=") {
                if level == Level::Media {
                    break;
                }
                level = Level::Media;
                continue;
            }
            let number = NonZeroUsize::MIN.saturating_add(before);
            gathered.read(level, line).map_err(|error| error.at(number))?;
        }
        Ok(gathered)
    }

    fn read(&mut self, level: Level, line: &str) -> Result<(), ParseError> {
        let attribute = match Attribute::read(line) {
            None => return Ok(()),
            Some(Ok(attribute)) => attribute,
            Some(Err(error)) => return self.skip_unsupported(level, error),
        };
        match attribute {
            Attribute::IceLite => self.lite = true,
            Attribute::IceUfrag(ufrag) => self.ufrag = Some(ufrag),
            Attribute::IcePwd(password) => self.password = Some(password),
            Attribute::IceOptions(options) => self.ice_options = self.ice_options | options,
            Attribute::Fingerprint(fingerprint) => self.fingerprints.add(level, fingerprint)?,
            Attribute::Setup(setup) => self.setup = Some(setup),
            Attribute::TlsId(tls_id) => self.tls_id = Some(tls_id),
            Attribute::Candidate(candidate) => self.add_candidate(candidate)?,
            Attribute::EndOfCandidates => self.end_of_candidates = true,
        }
        Ok(())
    }

    /// Accepts unsupported values that a peer may legitimately send.
    fn skip_unsupported(&mut self, level: Level, error: ParseError) -> Result<(), ParseError> {
        match error.problem {
            Problem::Fingerprint(InvalidFingerprint::UnknownHash) => {
                self.fingerprints.enter(level);
                self.fingerprints.unknown_hash = true;
                Ok(())
            }
            Problem::Candidate(
                BadCandidateLine::Component
                | BadCandidateLine::Transport
                | BadCandidateLine::Type
                | BadCandidateLine::Candidate(_),
            ) => Ok(()),
            _ => Err(error),
        }
    }

    fn add_candidate(&mut self, candidate: CandidateLine) -> Result<(), ParseError> {
        let max = Description::MAX_CANDIDATES;
        if self.candidates.len() == max {
            return Err(ParseError::of(AttributeName::Candidate, Problem::TooMany { max }));
        }
        self.candidates.push(candidate);
        Ok(())
    }
}

impl Fingerprints {
    fn add(&mut self, level: Level, fingerprint: Fingerprint) -> Result<(), ParseError> {
        self.enter(level);
        if self.values.contains(&fingerprint) {
            return Ok(());
        }
        let max = Parameters::MAX_FINGERPRINTS;
        if self.values.len() == max {
            return Err(ParseError::of(AttributeName::Fingerprint, Problem::TooMany { max }));
        }
        self.values.push(fingerprint);
        Ok(())
    }

    /// Fingerprints of the session level apply only to media descriptions without their own (RFC 8122 section
    /// 5).
    fn enter(&mut self, level: Level) {
        if self.level != level {
            *self = Self { level, ..Self::default() };
        }
    }
}
