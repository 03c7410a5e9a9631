//! One side's name for a DTLS association: `a=tls-id` (RFC 8842 section 4).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::Problem;

/// One side's half of a DTLS association's name. If both halves are unchanged, the association continues; if
/// either is new, the association is new.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TlsId(Arc<str>);

impl TlsId {
    /// The minimum length by RFC 8842, in characters.
    pub const MIN_LEN: usize = 20;
    /// The maximum length by RFC 8842, in characters.
    pub const MAX_LEN: usize = 255;

    /// The random bytes of a generated name: 144 bits; RFC 8842 requires 120.
    pub(crate) const RANDOM_BYTES: usize = 18;

    /// Encodes 24 characters of six bits each.
    pub(crate) fn from_random(random: [u8; Self::RANDOM_BYTES]) -> Self {
        let (groups, _) = random.as_chunks::<3>();
        let characters = groups.iter().flat_map(|&[a, b, c]| {
            let group = u32::from_be_bytes([0, a, b, c]);
            [18, 12, 6, 0].map(|shift| character(group >> shift))
        });
        Self(characters.collect::<String>().into())
    }

    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Encodes the low six bits as one of the 64 characters allowed in a tls-id.
fn character(bits: u32) -> char {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    usize::try_from(bits & 0x3f)
        .ok()
        .and_then(|index| ALPHABET.get(index))
        .map_or('A', |&byte| char::from(byte))
}

impl fmt::Display for TlsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TlsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TlsId({})", self.0)
    }
}

impl FromStr for TlsId {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        if text.len() < Self::MIN_LEN {
            return Err(Problem::TooShort { min: Self::MIN_LEN });
        }
        if text.len() > Self::MAX_LEN {
            return Err(Problem::TooLong { max: Self::MAX_LEN });
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte);
        if !text.bytes().all(allowed) {
            return Err(Problem::BadCharacter);
        }
        Ok(Self(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::{Problem, TlsId};

    #[test]
    fn rfc_8842_example_parses() {
        let id: TlsId = "abc3de65cddef001be82".parse().unwrap();
        assert_eq!(id.to_string(), "abc3de65cddef001be82");
    }

    #[test]
    fn tls_id_length_is_20_to_255() {
        let parse = |len| "x".repeat(len).parse::<TlsId>();
        assert_eq!(parse(19), Err(Problem::TooShort { min: 20 }));
        assert!(parse(20).is_ok());
        assert!(parse(255).is_ok());
        assert_eq!(parse(256), Err(Problem::TooLong { max: 255 }));
    }

    #[test]
    fn only_grammar_characters_parse() {
        for byte in 0..=255u8 {
            let text = format!("{}{}", "x".repeat(20), char::from(byte));
            let allowed = byte.is_ascii_alphanumeric() || "+/-_".contains(char::from(byte));
            assert_eq!(text.parse::<TlsId>().is_ok(), allowed, "{text:?}");
        }
    }

    #[test]
    fn generated_tls_id_encodes_every_random_bit() {
        let zero = TlsId::from_random([0; 18]);
        assert_eq!(zero.as_str(), "A".repeat(24));
        for bit in 0..144 {
            let mut random = [0; 18];
            random[bit / 8] = 1 << (bit % 8);
            let id = TlsId::from_random(random);
            assert_ne!(id, zero, "bit {bit}");
            assert_eq!(id.as_str().parse(), Ok(id.clone()));
        }
        assert_eq!(TlsId::from_random([255; 18]).as_str(), "_".repeat(24));
    }
}
