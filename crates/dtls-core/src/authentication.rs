//! Authentication of the peer: verification of its certificate, and the proofs that a connection requires.
//!
//! Only the code of a check builds its proof: [`CertificateAccepted`] here, `SignatureVerified` in `crypto::verify`,
//! `FinishedVerified` in the key schedule.

mod pki;
pub(crate) mod pki_parameters;

use crate::config::{Authentication, Config, DtlsRole, PeerPolicy};
use crate::crypto::shared_secret::SharedSecret;
use crate::crypto::verify::{PeerKey, SignatureVerified};
use crate::event::CertificateVerdict;
use crate::failure::{Failure, Misbehaved, Refusal};
use crate::fingerprint::Fingerprint;
use crate::psk::Psk;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;

/// Proof that the policy accepts the peer's certificate.
pub(crate) struct CertificateAccepted(());

/// Proof that the policy accepts a peer without a certificate.
pub(crate) struct AnonymousAccepted(());

/// Proof that the key schedule used a pre-shared key of the application, so that a valid Finished proves that the peer
/// holds it too.
pub(crate) struct PskHeld(());

/// Proof that the peer is authenticated.
pub(crate) enum PeerAuthenticated {
    Certificate { _accepted: CertificateAccepted, _signed: SignatureVerified, leaf: Bytes },
    Anonymous { _accepted: AnonymousAccepted },
    Psk { _held: PskHeld },
}

impl PeerAuthenticated {
    pub(crate) const fn by_certificate(
        accepted: CertificateAccepted,
        signed: SignatureVerified,
        leaf: Bytes,
    ) -> Self {
        Self::Certificate { _accepted: accepted, _signed: signed, leaf }
    }

    pub(crate) const fn anonymous(accepted: AnonymousAccepted) -> Self {
        Self::Anonymous { _accepted: accepted }
    }

    pub(crate) const fn by_psk(held: PskHeld) -> Self {
        Self::Psk { _held: held }
    }

    /// Returns the certificate whose key the peer has proved to hold.
    pub(crate) fn into_leaf(self) -> Option<Bytes> {
        match self {
            Self::Certificate { leaf, .. } => Some(leaf),
            Self::Anonymous { .. } | Self::Psk { .. } => None,
        }
    }
}

/// A certificate that the peer sent. It proves nothing.
pub(crate) struct Presented {
    pub(crate) leaf: Bytes,
    pub(crate) key: PeerKey,
}

/// The policy's decision about a certificate.
pub(crate) enum VerificationResult {
    Accepted(CertificateAccepted),
    /// The application decides.
    Ask {
        chain: Vec<Bytes>,
    },
}

/// Verifies the chain of the side in the role of `owner`; `None` if the chain is empty.
pub(crate) fn judge<'c>(
    config: &Config,
    chain: impl Iterator<Item = &'c [u8]> + Clone,
    owner: DtlsRole,
) -> Result<Option<(Presented, VerificationResult)>, Failure> {
    let Authentication::Certificates { peer, .. } = &config.authentication else {
        return Err(Misbehaved::UnexpectedMessage.into());
    };
    let mut issuers = chain.clone();
    let Some(leaf) = issuers.next() else { return Ok(None) };
    let judgement = match peer {
        // Checked before any other part of the certificate is parsed.
        PeerPolicy::Fingerprints(announced) if Fingerprint::matches(announced, leaf) => {
            VerificationResult::Accepted(CertificateAccepted(()))
        }
        PeerPolicy::Fingerprints(_) => return Err(Refusal::FingerprintMismatch.into()),
        PeerPolicy::Pki { roots, name, now } => {
            let issuers: Vec<_> = issuers.map(CertificateDer::from).collect();
            pki::verify(leaf, &issuers, owner, roots, name.as_deref(), *now).map_err(Refusal::Pki)?;
            VerificationResult::Accepted(CertificateAccepted(()))
        }
        PeerPolicy::Application => {
            VerificationResult::Ask { chain: chain.map(Bytes::copy_from_slice).collect() }
        }
    };
    let key = PeerKey::from_certificate(leaf)?;
    Ok(Some((Presented { leaf: Bytes::copy_from_slice(leaf), key }, judgement)))
}

/// Applies the application's verdict on a certificate.
pub(crate) fn apply_verdict(verdict: CertificateVerdict) -> Result<CertificateAccepted, Failure> {
    match verdict {
        CertificateVerdict::Accept => Ok(CertificateAccepted(())),
        CertificateVerdict::Refuse => Err(Refusal::ByApplication.into()),
    }
}

/// Converts a pre-shared key for the key schedule.
pub(crate) fn hold(psk: &Psk) -> (SharedSecret, PskHeld) {
    (SharedSecret::pre_shared(psk), PskHeld(()))
}

/// A client without a certificate is refused with the policy for fingerprints, because none can match.
pub(crate) const fn accept_anonymous(config: &Config) -> Result<AnonymousAccepted, Failure> {
    match config.authentication {
        Authentication::Certificates {
            peer: PeerPolicy::Application | PeerPolicy::Pki { .. },
            require_peer: false,
            ..
        } => Ok(AnonymousAccepted(())),
        Authentication::Certificates { .. } | Authentication::Psk { .. } => {
            Err(Failure::Refused(Refusal::NoCertificate))
        }
    }
}
