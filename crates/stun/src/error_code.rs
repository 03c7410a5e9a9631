//! ERROR-CODE (RFC 8489 section 14.8): a number from 300 to 699 and a reason phrase.

/// An error code: 300 to 699.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(u16);

impl ErrorCode {
    /// Try Alternate.
    pub const TRY_ALTERNATE: Self = Self(300);
    /// Bad Request.
    pub const BAD_REQUEST: Self = Self(400);
    /// Unauthenticated.
    pub const UNAUTHENTICATED: Self = Self(401);
    /// Forbidden; in ICE, revoked consent (RFC 7675 section 5.2).
    pub const FORBIDDEN: Self = Self(403);
    /// Unknown Attribute; the response also has UNKNOWN-ATTRIBUTES.
    pub const UNKNOWN_ATTRIBUTE: Self = Self(420);
    /// Stale Nonce.
    pub const STALE_NONCE: Self = Self(438);
    /// Role Conflict (RFC 8445 section 7.3.1.1).
    pub const ROLE_CONFLICT: Self = Self(487);
    /// Server Error.
    pub const SERVER_ERROR: Self = Self(500);

    /// Returns the code with this number, or `None` if the number is not within 300 to 699.
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number < 300 || number > 699 { None } else { Some(Self(number)) }
    }

    /// Returns the number, 300 to 699.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Returns the reason phrase of RFC 8489 section 14.8 or RFC 8445, or an empty one for other codes.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::TRY_ALTERNATE => "Try Alternate",
            Self::BAD_REQUEST => "Bad Request",
            Self::UNAUTHENTICATED => "Unauthenticated",
            Self::FORBIDDEN => "Forbidden",
            Self::UNKNOWN_ATTRIBUTE => "Unknown Attribute",
            Self::STALE_NONCE => "Stale Nonce",
            Self::ROLE_CONFLICT => "Role Conflict",
            Self::SERVER_ERROR => "Server Error",
            _ => "",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Decodes a value. Returns `None` if the class is not within 3 to 6 or the number exceeds 99.
///
/// The phrase ends before the first byte that is not UTF-8. It is for people only, and a malformed phrase must not
/// invalidate an authenticated 403.
pub(crate) fn decode(value: &[u8]) -> Option<(ErrorCode, &str)> {
    let (&[_, _, class, number], reason) = value.split_first_chunk()?;
    let class = class & 0b111;
    if !(3..=6).contains(&class) || number > 99 {
        return None;
    }
    let code = ErrorCode(u16::from(class) * 100 + u16::from(number));
    let readable = reason.utf8_chunks().next().map_or("", |chunk| chunk.valid());
    Some((code, readable))
}

/// Returns the four bytes before the phrase.
pub(crate) fn encode(code: ErrorCode) -> [u8; 4] {
    let [_, class] = (code.0 / 100).to_be_bytes();
    let [_, number] = (code.0 % 100).to_be_bytes();
    [0, 0, class, number]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_end_at_300_and_699() {
        assert_eq!(ErrorCode::new(299), None);
        assert_eq!(ErrorCode::new(300), Some(ErrorCode::TRY_ALTERNATE));
        assert_eq!(ErrorCode::new(699).map(ErrorCode::number), Some(699));
        assert_eq!(ErrorCode::new(700), None);
    }

    #[test]
    fn every_code_decodes_as_encoded() {
        for number in 300..=699 {
            let code = ErrorCode::new(number).unwrap();
            assert_eq!(decode(&encode(code)), Some((code, "")));
        }
    }

    #[test]
    fn reserved_bits_are_ignored_and_invalid_codes_rejected() {
        assert_eq!(decode(&[0xff, 0xff, 0xfc, 3]), Some((ErrorCode::FORBIDDEN.min(ErrorCode(403)), "")));
        assert_eq!(decode(&[0, 0, 2, 99]), None);
        assert_eq!(decode(&[0, 0, 7, 0]), None);
        assert_eq!(decode(&[0, 0, 4, 100]), None);
        assert_eq!(decode(&[0, 0, 4]), None);
    }

    #[test]
    fn phrase_ends_before_invalid_utf8() {
        assert_eq!(decode(b"\x00\x00\x04\x03For\xffbidden"), Some((ErrorCode::FORBIDDEN, "For")));
    }
}
