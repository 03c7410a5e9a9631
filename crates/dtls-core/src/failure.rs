//! The reasons why a connection failed, grouped by origin, and the alert for each.

use crate::alert::AlertDescription;
use crate::timer::Timer;

/// The reason why a connection failed; [`crate::Event::Failed`] reports it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer violated the protocol.
    #[error("the peer violated the protocol: {0}")]
    Peer(#[from] Misbehaved),
    /// Both sides follow the protocol but have no common parameters.
    #[error("no common parameters: {0}")]
    NoOverlap(#[from] Incompatible),
    /// The peer was not accepted.
    #[error("the peer was refused: {0}")]
    Refused(#[from] Refusal),
    /// A timer expired.
    #[error("timed out: {0:?}")]
    Timeout(Timer),
    /// The peer sent a fatal alert.
    #[error("the peer sent the alert {0}")]
    AlertReceived(AlertDescription),
    /// A local operation failed.
    #[error("a local operation failed: {0:?}")]
    Crypto(Operation),
}

/// The peer's violation of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaved {
    /// A message that is not allowed in this state.
    #[error("an unexpected message")]
    UnexpectedMessage,
    /// An authenticated message that cannot be decoded.
    #[error("a message that cannot be decoded")]
    Malformed,
    /// The server selected a version, suite, group, profile or protocol that was not offered, or a field of a hello has
    /// a forbidden value: compression, an echoed session id, a cookie of DTLS 1.2 in an offer of 1.3.
    #[error("a selection that was not offered, or a field of a hello with an illegal value")]
    SelectedUnoffered,
    /// The peer responded to an extension that was not sent.
    #[error("an extension that was not offered")]
    UnsolicitedExtension,
    /// An extension in a message where it is not allowed (RFC 8446 section 4.2).
    #[error("an extension in the wrong message")]
    MisplacedExtension,
    /// The key share is not a valid point of its group.
    #[error("an invalid key share")]
    InvalidKeyShare,
    /// A signature scheme that was not offered, or does not fit the key.
    #[error("a signature algorithm that was not offered")]
    SignatureSchemeUnoffered,
    /// The signature over the handshake does not verify: the peer does not hold the certificate's key.
    #[error("a signature that does not verify")]
    BadSignature,
    /// The Finished does not verify: the handshake was changed in transit.
    #[error("a Finished that does not verify")]
    BadFinished,
    /// `renegotiation_info` does not fit a first handshake (RFC 5746 section 3.4).
    #[error("a renegotiation_info that does not fit a first handshake")]
    BadRenegotiationInfo,
    /// A KeyUpdate with an invalid value (RFC 8446 section 4.6.3).
    #[error("a KeyUpdate with an invalid value")]
    IllegalKeyUpdate,
    /// The server sent an MKI that we did not offer (RFC 5764 section 4.1.3).
    #[error("an SRTP MKI that was not offered")]
    UnexpectedMki,
    /// A required extension is missing.
    #[error("a required extension is missing")]
    MissingExtension,
    /// Downgrade detected: DTLS 1.3 was removed from the offer (RFC 8446 section 4.1.3).
    #[error("downgrade detected: DTLS 1.3 was removed from the offer")]
    Downgraded,
    /// The peer acknowledged records of an epoch that it cannot have received (RFC 9147 section 7.2).
    #[error("an acknowledgement of records that it cannot have received")]
    ImpossibleAck,
    /// The certificate cannot be parsed.
    #[error("an unreadable certificate")]
    UnreadableCertificate,
}

/// The kind of parameter without a common value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// No protocol version.
    #[error("no protocol version in common")]
    Version,
    /// No cipher suite that fits the certificates.
    #[error("no cipher suite in common")]
    Suite,
    /// No key exchange group.
    #[error("no key exchange group in common")]
    Group,
    /// No signature scheme that fits one of our certificates.
    #[error("no signature algorithm in common")]
    SignatureScheme,
    /// No SRTP profile, although one is required.
    #[error("no SRTP profile in common")]
    SrtpProfile,
    /// No application protocol (RFC 7301), although both sides configure some.
    #[error("no application protocol in common")]
    ApplicationProtocol,
    /// The peer does not support the extended master secret (RFC 7627), which is required.
    #[error("the peer has no extended master secret")]
    ExtendedMasterSecret,
    /// The peer does not accept uncompressed elliptic curve points (RFC 8422 section 5.1.2).
    #[error("the peer does not accept uncompressed points")]
    PointFormat,
    /// The certificate's key is of an unsupported kind, such as P-521 or RSA below 2048 bits, or does not fit the
    /// cipher suite.
    #[error("the certificate's key has an unsupported kind or size, or does not fit the cipher suite")]
    CertificateKey,
}

/// The reason why the peer was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The certificate matches no announced fingerprint.
    #[error("its certificate matches no announced fingerprint")]
    FingerprintMismatch,
    /// The peer presented no certificate.
    #[error("it presented no certificate")]
    NoCertificate,
    /// The certificate is not valid in the public key infrastructure.
    #[error("its certificate is not trusted: {0}")]
    Pki(Untrusted),
    /// The application has no pre-shared key for this server.
    #[error("there is no pre-shared key for it")]
    UnknownPsk,
    /// The application refused the certificate.
    #[error("the application refused its certificate")]
    ByApplication,
}

/// The reason why a certificate is not valid in the public key infrastructure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// A certificate of the chain has expired at the given time.
    #[error("expired")]
    Expired,
    /// A certificate of the chain is not valid yet at the given time.
    #[error("not valid yet")]
    NotYetValid,
    /// The chain leads to none of the roots.
    #[error("none of the roots is its issuer")]
    UnknownIssuer,
    /// The certificate is valid for other names.
    #[error("not valid for the expected name")]
    NotValidForName,
    /// Other requirements of RFC 5280: usage, constraints, signatures, versions.
    #[error("not acceptable")]
    Unacceptable,
}

/// The failed local operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The operating system returned no random numbers.
    Random,
    /// Generating or using our key share.
    KeyExchange,
    /// Signing the handshake.
    Sign,
    /// Protecting a record: the sequence numbers of a key are used up.
    Seal,
}

impl Failure {
    /// Returns the alert for this failure; `None` if the peer has ended already.
    pub(crate) const fn alert(self) -> Option<AlertDescription> {
        Some(match self {
            Self::Peer(fault) => fault.alert(),
            Self::NoOverlap(missing) => missing.alert(),
            Self::Refused(refusal) => refusal.alert(),
            Self::Crypto(_) => AlertDescription::INTERNAL_ERROR,
            Self::Timeout(_) | Self::AlertReceived(_) => return None,
        })
    }
}

impl Misbehaved {
    const fn alert(self) -> AlertDescription {
        match self {
            Self::UnexpectedMessage => AlertDescription::UNEXPECTED_MESSAGE,
            Self::Malformed => AlertDescription::DECODE_ERROR,
            Self::SelectedUnoffered
            | Self::MisplacedExtension
            | Self::InvalidKeyShare
            | Self::SignatureSchemeUnoffered
            | Self::Downgraded
            | Self::IllegalKeyUpdate
            | Self::ImpossibleAck
            | Self::UnexpectedMki => AlertDescription::ILLEGAL_PARAMETER,
            Self::UnsolicitedExtension => AlertDescription::UNSUPPORTED_EXTENSION,
            Self::BadSignature | Self::BadFinished => AlertDescription::DECRYPT_ERROR,
            // RFC 5746 section 3.4.
            Self::BadRenegotiationInfo => AlertDescription::HANDSHAKE_FAILURE,
            Self::MissingExtension => AlertDescription::MISSING_EXTENSION,
            Self::UnreadableCertificate => AlertDescription::BAD_CERTIFICATE,
        }
    }
}

impl Incompatible {
    const fn alert(self) -> AlertDescription {
        match self {
            Self::Version => AlertDescription::PROTOCOL_VERSION,
            // RFC 7627 section 5.3 and RFC 5246 section 7.4.1.3.
            Self::Suite
            | Self::Group
            | Self::SignatureScheme
            | Self::SrtpProfile
            | Self::ExtendedMasterSecret => AlertDescription::HANDSHAKE_FAILURE,
            // RFC 8422 section 5.1.
            Self::PointFormat => AlertDescription::ILLEGAL_PARAMETER,
            // RFC 7301 section 3.2.
            Self::ApplicationProtocol => AlertDescription::NO_APPLICATION_PROTOCOL,
            Self::CertificateKey => AlertDescription::UNSUPPORTED_CERTIFICATE,
        }
    }
}

impl Refusal {
    const fn alert(self) -> AlertDescription {
        match self {
            // RFC 8122 section 6.2 names bad_certificate.
            Self::FingerprintMismatch | Self::ByApplication => AlertDescription::BAD_CERTIFICATE,
            // "Expired or not currently valid" (RFC 5246 section 7.2.2).
            Self::Pki(Untrusted::Expired | Untrusted::NotYetValid) => AlertDescription::CERTIFICATE_EXPIRED,
            Self::Pki(Untrusted::UnknownIssuer) => AlertDescription::UNKNOWN_CA,
            Self::Pki(Untrusted::NotValidForName | Untrusted::Unacceptable) => {
                AlertDescription::BAD_CERTIFICATE
            }
            // RFC 5246 section 7.4.6.
            Self::NoCertificate | Self::UnknownPsk => AlertDescription::HANDSHAKE_FAILURE,
        }
    }
}
