//! Alerts (RFC 5246 section 7.2): two bytes with the reason why one side ends the association.
//!
//! Knows the bytes and the names. Does not decide when an alert is accepted or sent.

use std::fmt;

/// The description of an alert (RFC 5246 section 7.2, RFC 8446 section 6). Unknown values are ordinary values.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AlertDescription(pub u8);

/// Declares the constants together with their RFC names, so that the two cannot differ.
macro_rules! descriptions {
    ($($name:ident = $value:literal, $text:literal;)*) => {
        impl AlertDescription {
            $(#[doc = concat!("`", $text, "`")] pub const $name: Self = Self($value);)*

            /// Returns the name in the RFCs, or `unknown`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($value => $text,)*
                    _ => "unknown",
                }
            }
        }
    };
}

descriptions! {
    CLOSE_NOTIFY = 0, "close_notify";
    UNEXPECTED_MESSAGE = 10, "unexpected_message";
    BAD_RECORD_MAC = 20, "bad_record_mac";
    RECORD_OVERFLOW = 22, "record_overflow";
    HANDSHAKE_FAILURE = 40, "handshake_failure";
    BAD_CERTIFICATE = 42, "bad_certificate";
    UNSUPPORTED_CERTIFICATE = 43, "unsupported_certificate";
    CERTIFICATE_REVOKED = 44, "certificate_revoked";
    CERTIFICATE_EXPIRED = 45, "certificate_expired";
    CERTIFICATE_UNKNOWN = 46, "certificate_unknown";
    ILLEGAL_PARAMETER = 47, "illegal_parameter";
    UNKNOWN_CA = 48, "unknown_ca";
    ACCESS_DENIED = 49, "access_denied";
    DECODE_ERROR = 50, "decode_error";
    DECRYPT_ERROR = 51, "decrypt_error";
    PROTOCOL_VERSION = 70, "protocol_version";
    INSUFFICIENT_SECURITY = 71, "insufficient_security";
    INTERNAL_ERROR = 80, "internal_error";
    USER_CANCELED = 90, "user_canceled";
    NO_RENEGOTIATION = 100, "no_renegotiation";
    MISSING_EXTENSION = 109, "missing_extension";
    UNSUPPORTED_EXTENSION = 110, "unsupported_extension";
    UNKNOWN_PSK_IDENTITY = 115, "unknown_psk_identity";
    CERTIFICATE_REQUIRED = 116, "certificate_required";
    NO_APPLICATION_PROTOCOL = 120, "no_application_protocol";
}

impl fmt::Debug for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

impl fmt::Display for AlertDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// RFC 5246 section 7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AlertLevel {
    Warning,
    Fatal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alert {
    pub(crate) level: AlertLevel,
    pub(crate) description: AlertDescription,
}

impl Alert {
    pub(crate) const fn fatal(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Fatal, description }
    }

    pub(crate) const fn warning(description: AlertDescription) -> Self {
        Self { level: AlertLevel::Warning, description }
    }

    pub(crate) const fn is_close_notify(self) -> bool {
        self.description.0 == AlertDescription::CLOSE_NOTIFY.0
    }

    /// Returns the alert with the level that its description implies. In DTLS 1.3 the level of the wire has no meaning:
    /// every alert except the closure alerts is an error (RFC 8446 section 6).
    pub(crate) const fn with_level_by_description(self) -> Self {
        match self.description {
            AlertDescription::CLOSE_NOTIFY | AlertDescription::USER_CANCELED => {
                Self::warning(self.description)
            }
            _ => Self::fatal(self.description),
        }
    }

    pub(crate) const fn encode(self) -> [u8; 2] {
        let level = match self.level {
            AlertLevel::Warning => 1,
            AlertLevel::Fatal => 2,
        };
        [level, self.description.0]
    }

    /// Returns `None` if the bytes are not exactly one alert.
    pub(crate) const fn decode(bytes: &[u8]) -> Option<Self> {
        let (level, description) = match bytes {
            [1, description] => (AlertLevel::Warning, *description),
            [2, description] => (AlertLevel::Fatal, *description),
            _ => return None,
        };
        Some(Self { level, description: AlertDescription(description) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alert_has_exactly_two_bytes() {
        let alert = Alert::fatal(AlertDescription::BAD_CERTIFICATE);
        assert_eq!(alert.encode(), [2, 42]);
        assert_eq!(Alert::decode(&[2, 42]), Some(alert));
        for bytes in [&[][..], &[2], &[2, 42, 0], &[3, 42], &[0, 0]] {
            assert_eq!(Alert::decode(bytes), None);
        }
    }

    #[test]
    fn unknown_description_keeps_its_number() {
        assert_eq!(AlertDescription(203).to_string(), "unknown(203)");
        assert_eq!(AlertDescription::DECRYPT_ERROR.to_string(), "decrypt_error(51)");
    }
}
