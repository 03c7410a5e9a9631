//! Certificate fingerprints in the text form of SDP (RFC 8122 section 5).

use crate::crypto::backend::digest;
use std::fmt;
use std::str::FromStr;

/// The hash algorithms of a fingerprint. SHA-1 and MD5 are not supported (RFC 8122 section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// `sha-256`
    Sha256,
    /// `sha-384`
    Sha384,
    /// `sha-512`
    Sha512,
}

impl HashAlgorithm {
    const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn digest(self, data: &[u8]) -> digest::Digest {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data)
    }

    /// Returns the length of the digest in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The hash of a certificate's DER. `Display` and `FromStr` use the value of `a=fingerprint`: `sha-256 AB:CD:..`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    /// The digest, followed by zeros.
    digest: [u8; 64],
}

impl Fingerprint {
    /// Returns the fingerprint of a certificate in DER.
    #[must_use]
    pub fn of(algorithm: HashAlgorithm, certificate: &[u8]) -> Self {
        Self::padded(algorithm, algorithm.digest(certificate).as_ref().iter().copied())
    }

    /// Returns the hash algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Returns the digest, with the length of the algorithm.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        self.digest.get(..self.algorithm.digest_len()).unwrap_or_default()
    }

    /// RFC 8122 section 5: the certificate must match one of the fingerprints with the preferred hash function, which
    /// is the strongest of the announced ones.
    pub(crate) fn matches(announced: &[Self], certificate: &[u8]) -> bool {
        let Some(strongest) = announced.iter().map(Self::algorithm).max() else { return false };
        announced.contains(&Self::of(strongest, certificate))
    }

    fn padded(algorithm: HashAlgorithm, bytes: impl Iterator<Item = u8>) -> Self {
        let mut digest = [0; 64];
        digest.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot = byte);
        Self { algorithm, digest }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.name())?;
        let mut separator = ' ';
        for byte in self.digest() {
            write!(f, "{separator}{byte:02X}")?;
            separator = ':';
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The reason why a text is not a supported fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprint {
    /// Not `hash-name`, one space, pairs of hexadecimal digits separated by colons.
    #[error("not of the form `sha-256 AB:CD:..`")]
    Syntax,
    /// The hash is unknown or too weak.
    #[error("the hash is none of sha-256, sha-384, sha-512")]
    UnknownHash,
    /// The number of bytes is not that of the hash.
    #[error("the number of bytes is not that of the hash")]
    Length,
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, hex) = text.trim().split_once(' ').ok_or(InvalidFingerprint::Syntax)?;
        let algorithm = [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
            .ok_or(InvalidFingerprint::UnknownHash)?;
        let bytes = hex.trim_start().split(':').map(parse_byte).collect::<Result<Vec<u8>, _>>()?;
        if bytes.len() != algorithm.digest_len() {
            return Err(InvalidFingerprint::Length);
        }
        Ok(Self::padded(algorithm, bytes.into_iter()))
    }
}

fn parse_byte(pair: &str) -> Result<u8, InvalidFingerprint> {
    if pair.len() != 2 || !pair.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(InvalidFingerprint::Syntax);
    }
    u8::from_str_radix(pair, 16).map_err(|_| InvalidFingerprint::Syntax)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_is_that_of_sdp() {
        // The SHA-256 of the empty string, from FIPS 180-4 test data.
        let text = "sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:\
                    78:52:B8:55";
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, b"");
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn every_hash_parses_from_its_text_form() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let fingerprint = Fingerprint::of(algorithm, b"certificate");
            assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            assert_eq!(fingerprint.digest().len(), algorithm.digest_len());
        }
    }

    #[test]
    fn unsupported_fingerprint_is_refused_with_its_reason() {
        let parse = str::parse::<Fingerprint>;
        assert_eq!(parse("sha-1 AB:CD"), Err(InvalidFingerprint::UnknownHash));
        assert_eq!(parse("sha-256"), Err(InvalidFingerprint::Syntax));
        assert_eq!(parse("sha-256 AB:CD"), Err(InvalidFingerprint::Length));
        assert_eq!(parse("sha-256 AB:C"), Err(InvalidFingerprint::Syntax));
        assert_eq!(parse("sha-256 +B:CD"), Err(InvalidFingerprint::Syntax));
    }

    #[test]
    fn weaker_hash_is_ignored_beside_a_stronger_one() {
        let weak = Fingerprint::of(HashAlgorithm::Sha256, b"a");
        let strong = Fingerprint::of(HashAlgorithm::Sha512, b"b");
        assert!(Fingerprint::matches(&[weak], b"a"));
        assert!(!Fingerprint::matches(&[weak, strong], b"a"));
        assert!(Fingerprint::matches(&[weak, strong], b"b"));
        assert!(!Fingerprint::matches(&[], b"a"));
    }
}
