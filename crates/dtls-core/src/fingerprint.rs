//! Certificate fingerprints in the text form of SDP (RFC 8122 section 5).

use crate::crypto::backend::digest;
use std::fmt;
use std::str::FromStr;

/// The hash algorithms of a fingerprint. SHA-1 and MD5 are refused (RFC 8122 section 5).
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

    /// Length of the digest in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// The hash of a certificate's DER. `Display` and `FromStr` are the value of `a=fingerprint`:
/// `sha-256 AB:CD:..`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    algorithm: HashAlgorithm,
    /// The digest, followed by zeros.
    digest: [u8; 64],
}

impl Fingerprint {
    /// The fingerprint of a certificate given as DER.
    #[must_use]
    pub fn of(algorithm: HashAlgorithm, certificate: &[u8]) -> Self {
        Self::padded(algorithm, algorithm.digest(certificate).as_ref().iter().copied())
    }

    /// Which hash it is.
    #[must_use]
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest: as many bytes as the algorithm yields.
    #[must_use]
    pub fn digest(&self) -> &[u8] {
        self.digest.get(..self.algorithm.digest_len()).unwrap_or_default()
    }

    /// RFC 8122 section 5: the certificate must match one of the fingerprints that use the preferred hash
    /// function, which for us is the strongest that was announced.
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

/// Why a text is no fingerprint that we can check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFingerprint {
    /// Not `hash-name`, one space, pairs of hexadecimal digits with colons between.
    #[error("not of the form `sha-256 AB:CD:..`")]
    Syntax,
    /// A hash that is unknown or too weak.
    #[error("the hash is none of sha-256, sha-384, sha-512")]
    UnknownHash,
    /// More or fewer bytes than the hash yields.
    #[error("not as many bytes as the hash yields")]
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
    fn the_text_form_is_that_of_sdp() {
        // The SHA-256 of the empty string, from FIPS 180-4 test data.
        let text = "sha-256 E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:\
                    78:52:B8:55";
        let fingerprint = Fingerprint::of(HashAlgorithm::Sha256, b"");
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(text.parse(), Ok(fingerprint));
        assert_eq!(text.to_lowercase().parse(), Ok(fingerprint));
    }

    #[test]
    fn every_hash_survives_its_text_form() {
        for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
            let fingerprint = Fingerprint::of(algorithm, b"certificate");
            assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            assert_eq!(fingerprint.digest().len(), algorithm.digest_len());
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_by_name() {
        let parse = str::parse::<Fingerprint>;
        assert_eq!(parse("sha-1 AB:CD"), Err(InvalidFingerprint::UnknownHash));
        assert_eq!(parse("sha-256"), Err(InvalidFingerprint::Syntax));
        assert_eq!(parse("sha-256 AB:CD"), Err(InvalidFingerprint::Length));
        assert_eq!(parse("sha-256 AB:C"), Err(InvalidFingerprint::Syntax));
        assert_eq!(parse("sha-256 +B:CD"), Err(InvalidFingerprint::Syntax));
    }

    #[test]
    fn a_weaker_hash_does_not_decide_beside_a_stronger_one() {
        let weak = Fingerprint::of(HashAlgorithm::Sha256, b"a");
        let strong = Fingerprint::of(HashAlgorithm::Sha512, b"b");
        assert!(Fingerprint::matches(&[weak], b"a"));
        assert!(!Fingerprint::matches(&[weak, strong], b"a"));
        assert!(Fingerprint::matches(&[weak, strong], b"b"));
        assert!(!Fingerprint::matches(&[], b"a"));
    }
}
