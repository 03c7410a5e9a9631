//! Ufrag, password and the lite flag: the ICE parameters of one side (RFC 8839 section 5.4).
//!
//! Knows the grammar. Does not know generations or peers.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use zeroize::Zeroizing;

use crate::seed::Generator;

/// 48 random bits keep the ufrags of an endpoint with 10,000 peers apart.
const UFRAG_LENGTH: usize = 8;
/// 144 random bits; RFC 8445 section 5.3 asks for at least 128.
const PASSWORD_LENGTH: usize = 24;
const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// A username fragment: 4 to 256 ice-chars (`ALPHA / DIGIT / "+" / "/"`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ufrag(Arc<str>);

impl Ufrag {
    /// Returns the fragment as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn generate(generator: &mut Generator) -> Self {
        Self(ice_chars(&generator.bytes::<UFRAG_LENGTH>()).as_str().into())
    }
}

impl FromStr for Ufrag {
    type Err = BadCredentials;

    fn from_str(text: &str) -> Result<Self, BadCredentials> {
        match text.len() {
            4..=256 if is_ice_chars(text) => Ok(Self(text.into())),
            4..=256 => Err(BadCredentials::UfragCharacters),
            _ => Err(BadCredentials::UfragLength),
        }
    }
}

impl Borrow<str> for Ufrag {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Ufrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Ufrag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ufrag({})", self.0)
    }
}

/// A STUN short-term password: 22 to 256 ice-chars. Neither `Debug` nor `Display` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Arc<Zeroizing<String>>);

impl Password {
    /// Returns the secret, for the `ice-pwd` line of a description.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn generate(generator: &mut Generator) -> Self {
        Self(Arc::new(ice_chars(&generator.bytes::<PASSWORD_LENGTH>())))
    }
}

impl FromStr for Password {
    type Err = BadCredentials;

    fn from_str(text: &str) -> Result<Self, BadCredentials> {
        match text.len() {
            22..=256 if is_ice_chars(text) => Ok(Self(Arc::new(Zeroizing::new(text.into())))),
            22..=256 => Err(BadCredentials::PasswordCharacters),
            _ => Err(BadCredentials::PasswordLength),
        }
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

/// The ICE parameters of one generation of one side.
///
/// The text forms are the SDP attributes `ice-ufrag`, `ice-pwd` and `ice-lite`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Parameters {
    /// The username fragment.
    pub ufrag: Ufrag,
    /// The password.
    pub password: Password,
    /// Whether this side is a lite implementation (RFC 8445 section 2.5).
    pub lite: bool,
}

impl Parameters {
    /// Returns the parameters of a full implementation.
    #[must_use]
    pub const fn new(ufrag: Ufrag, password: Password) -> Self {
        Self { ufrag, password, lite: false }
    }

    /// Returns the same credentials for a lite or a full implementation.
    #[must_use]
    pub fn with_lite(self, lite: bool) -> Self {
        Self { lite, ..self }
    }

    pub(crate) fn generate(generator: &mut Generator, lite: bool) -> Self {
        Self::new(Ufrag::generate(generator), Password::generate(generator)).with_lite(lite)
    }

    /// Compares two sets of credentials.
    pub(crate) fn compare(&self, other: &Self) -> Comparison {
        match (self.ufrag == other.ufrag, self.password == other.password) {
            (true, true) => Comparison::Same,
            (false, false) => Comparison::Fresh,
            _ => Comparison::HalfChanged,
        }
    }
}

/// The result of comparing two sets of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Same,
    HalfChanged,
    Fresh,
}

/// The reason why a text is not a ufrag or password (RFC 8839 section 5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum BadCredentials {
    /// A ufrag has 4 to 256 characters.
    #[error("an ice-ufrag has 4 to 256 characters")]
    UfragLength,
    /// A ufrag consists of letters, digits, `+` and `/`.
    #[error("an ice-ufrag consists of letters, digits, + and /")]
    UfragCharacters,
    /// A password has 22 to 256 characters.
    #[error("an ice-pwd has 22 to 256 characters")]
    PasswordLength,
    /// A password consists of letters, digits, `+` and `/`.
    #[error("an ice-pwd consists of letters, digits, + and /")]
    PasswordCharacters,
}

pub(crate) fn is_ice_chars(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// Each character takes six bits of one byte, so every character is equally likely.
fn ice_chars(random: &[u8]) -> Zeroizing<String> {
    let letters = random.iter().filter_map(|byte| ICE_CHARS.get(usize::from(byte & 0x3f)));
    Zeroizing::new(letters.map(|&byte| char::from(byte)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    #[test]
    fn credential_lengths_are_checked_at_their_limits() {
        for (length, good) in [(3, false), (4, true), (256, true), (257, false)] {
            assert_eq!("a".repeat(length).parse::<Ufrag>().is_ok(), good, "ufrag of {length}");
        }
        for (length, good) in [(21, false), (22, true), (256, true), (257, false)] {
            assert_eq!("a".repeat(length).parse::<Password>().is_ok(), good, "password of {length}");
        }
        assert_eq!("ab:d".parse::<Ufrag>(), Err(BadCredentials::UfragCharacters));
        assert_eq!("ü".repeat(11).parse::<Password>(), Err(BadCredentials::PasswordCharacters));
    }

    #[test]
    fn generated_credentials_are_valid_and_hide_password() {
        let parameters = Parameters::generate(&mut Generator::new(Seed::new([1; 32])), false);
        assert_eq!(parameters.ufrag.as_str().parse(), Ok(parameters.ufrag.clone()));
        assert_eq!(parameters.password.expose().parse(), Ok(parameters.password.clone()));
        assert!(!format!("{parameters:?}").contains(parameters.password.expose()));
    }
}
