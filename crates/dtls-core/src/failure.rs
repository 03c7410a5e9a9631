//! Why a connection died, grouped by whose fault it is, and the alert that tells the peer.

use crate::alert::AlertDescription;
use crate::timer::Timer;

/// Why a connection died; carried once by [`crate::Event::Failed`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Peer(#[from] Misbehaved),
    /// Both sides follow the protocol and have nothing in common.
    #[error("no common ground: {0}")]
    NoOverlap(#[from] Incompatible),
    /// The peer is not whom we want.
    #[error("the peer was refused: {0}")]
    Refused(#[from] Refusal),
    /// Time ran out.
    #[error("timed out: {0:?}")]
    Timeout(Timer),
    /// The peer sent a fatal alert.
    #[error("the peer sent the alert {0}")]
    AlertReceived(AlertDescription),
    /// Something of our own failed.
    #[error("a local operation failed: {0:?}")]
    Crypto(Operation),
}

/// How the peer broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaved {
    /// A message that the protocol does not allow here.
    #[error("a message out of order")]
    UnexpectedMessage,
    /// An authenticated message that cannot be decoded.
    #[error("a message that cannot be decoded")]
    Malformed,
    /// The server selected a version, suite, group, profile or protocol that we did not offer, or a field of a hello has a
    /// value that it may not have: compression, an echoed session id, a cookie of DTLS 1.2 in an offer of 1.3.
    #[error("a selection that was not offered, or a field of a hello with an illegal value")]
    SelectedUnoffered,
    /// The peer answered an extension that we did not send.
    #[error("an extension that was not offered")]
    UnsolicitedExtension,
    /// An extension in a message where it has no place (RFC 8446 section 4.2).
    #[error("an extension in the wrong message")]
    MisplacedExtension,
    /// The key share is no point of its group.
    #[error("an invalid key share")]
    InvalidKeyShare,
    /// A signature algorithm that we did not offer, or that does not suit the key.
    #[error("a signature algorithm that was not offered")]
    SignatureSchemeUnoffered,
    /// The signature over the handshake does not verify: the peer does not hold the certificate's key.
    #[error("a signature that does not verify")]
    BadSignature,
    /// The Finished message does not verify: somebody changed the handshake.
    #[error("a Finished that does not verify")]
    BadFinished,
    /// `renegotiation_info` is not what a first handshake carries (RFC 5746 section 3.4).
    #[error("a renegotiation_info that belongs to no first handshake")]
    BadRenegotiationInfo,
    /// A KeyUpdate that neither asks for another nor says that it does not (RFC 8446 section 4.6.3).
    #[error("a KeyUpdate with a value that does not exist")]
    IllegalKeyUpdate,
    /// The server sent an MKI that we did not offer (RFC 5764 section 4.1.3).
    #[error("an SRTP MKI that was not offered")]
    UnexpectedMki,
    /// A required extension is missing.
    #[error("a required extension is missing")]
    MissingExtension,
    /// The server has DTLS 1.3 and was made to believe that we have not (RFC 8446 section 4.1.3).
    #[error("somebody removed DTLS 1.3 from our offer")]
    Downgraded,
    /// The peer acknowledged records of an epoch that it cannot have seen (RFC 9147 section 7.2).
    #[error("an acknowledgement of records that it cannot have seen")]
    ImpossibleAck,
    /// The certificate cannot be read.
    #[error("an unreadable certificate")]
    UnreadableCertificate,
}

/// What both sides have not in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatible {
    /// No protocol version.
    #[error("no protocol version in common")]
    Version,
    /// No cipher suite that also suits the certificates.
    #[error("no cipher suite in common")]
    Suite,
    /// No key exchange group.
    #[error("no key exchange group in common")]
    Group,
    /// No signature algorithm that suits a certificate of ours.
    #[error("no signature algorithm in common")]
    SignatureScheme,
    /// No SRTP profile, where one is required.
    #[error("no SRTP profile in common")]
    SrtpProfile,
    /// No application protocol (RFC 7301), where both sides name some.
    #[error("no application protocol in common")]
    ApplicationProtocol,
    /// The peer has no extended master secret (RFC 7627), which we require.
    #[error("the peer has no extended master secret")]
    ExtendedMasterSecret,
    /// The peer does not take uncompressed elliptic curve points (RFC 8422 section 5.1.2).
    #[error("the peer takes no uncompressed points")]
    PointFormat,
    /// The certificate's key is of a kind that is not implemented, P-521 and RSA below 2048 bits among them, or it does
    /// not suit the cipher suite.
    #[error("the certificate's key is of an unsupported kind or size, or does not suit the cipher suite")]
    CertificateKey,
}

/// Why the peer is not whom we want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The certificate is none of those announced.
    #[error("its certificate matches no announced fingerprint")]
    FingerprintMismatch,
    /// The peer presented no certificate.
    #[error("it presented no certificate")]
    NoCertificate,
    /// The public key infrastructure does not vouch for it.
    #[error("its certificate is not trusted: {0}")]
    Pki(Untrusted),
    /// The application has no pre-shared key for this server.
    #[error("there is no pre-shared key for it")]
    UnknownPsk,
    /// The application said no.
    #[error("the application refused its certificate")]
    ByApplication,
}

/// Why the public key infrastructure does not vouch for a certificate.
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
    /// Everything else that RFC 5280 asks for: usage, constraints, signatures, versions.
    #[error("not acceptable")]
    Unacceptable,
}

/// Which operation of our own failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// The operating system gave no random numbers.
    Random,
    /// Making or using our share of the key exchange.
    KeyExchange,
    /// Signing the handshake.
    Sign,
    /// Sealing a record: a key's sequence numbers are used up.
    Seal,
}

impl Failure {
    /// The alert that the RFCs name for this failure; `None` where nobody is left to be told.
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
