//! Who the peer is: the judgement of its certificate, and the proofs that a connection asks for.
//!
//! Each proof can be made only where its check is made: [`CertificateAccepted`] here, `SignatureVerified` in
//! `crypto::verify`, `FinishedVerified` in the key schedule.

pub(crate) mod pki;

use crate::config::{Authentication, Config, DtlsRole, PeerPolicy};
use crate::crypto::shared_secret::SharedSecret;
use crate::crypto::verify::{PeerKey, SignatureVerified};
use crate::event::CertificateVerdict;
use crate::failure::{Failure, Misbehaved, Refusal};
use crate::fingerprint::Fingerprint;
use crate::psk::Psk;
use bytes::Bytes;
use rustls_pki_types::CertificateDer;

/// Proof that the peer's certificate is one that we want.
pub(crate) struct CertificateAccepted(());

/// Proof that our policy does without a certificate of the peer.
pub(crate) struct AnonymousAccepted(());

/// Proof that the key schedule was fed with a pre-shared key of the application's, so that a Finished which
/// verifies proves that the peer holds it too.
pub(crate) struct PskHeld(());

/// Proof of who the peer is.
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

    /// The certificate that the peer proved to own.
    pub(crate) fn into_leaf(self) -> Option<Bytes> {
        match self {
            Self::Certificate { leaf, .. } => Some(leaf),
            Self::Anonymous { .. } | Self::Psk { .. } => None,
        }
    }
}

/// A certificate that the peer showed. Nothing is proven by that.
pub(crate) struct Presented {
    pub(crate) leaf: Bytes,
    pub(crate) key: PeerKey,
}

/// What the policy says to a certificate.
pub(crate) enum Judgement {
    Accepted(CertificateAccepted),
    /// The application decides.
    Ask {
        chain: Vec<Bytes>,
    },
}

/// Judges a chain of the side in the role of `owner`; `None` where it is empty.
pub(crate) fn judge<'c>(
    config: &Config,
    chain: impl Iterator<Item = &'c [u8]> + Clone,
    owner: DtlsRole,
) -> Result<Option<(Presented, Judgement)>, Failure> {
    let Authentication::Certificates { peer, .. } = &config.authentication else {
        return Err(Misbehaved::UnexpectedMessage.into());
    };
    let mut issuers = chain.clone();
    let Some(leaf) = issuers.next() else { return Ok(None) };
    let judgement = match peer {
        // Before anything else is read out of it.
        PeerPolicy::Fingerprints(announced) if Fingerprint::matches(announced, leaf) => {
            Judgement::Accepted(CertificateAccepted(()))
        }
        PeerPolicy::Fingerprints(_) => return Err(Refusal::FingerprintMismatch.into()),
        PeerPolicy::Pki { roots, name, now } => {
            let issuers: Vec<_> = issuers.map(CertificateDer::from).collect();
            pki::verify(leaf, &issuers, owner, roots, name.as_deref(), *now).map_err(Refusal::Pki)?;
            Judgement::Accepted(CertificateAccepted(()))
        }
        PeerPolicy::Application => Judgement::Ask { chain: chain.map(Bytes::copy_from_slice).collect() },
    };
    let key = PeerKey::from_certificate(leaf)?;
    Ok(Some((Presented { leaf: Bytes::copy_from_slice(leaf), key }, judgement)))
}

/// The application's verdict on a certificate that it was asked about.
pub(crate) fn judged_by_application(verdict: CertificateVerdict) -> Result<CertificateAccepted, Failure> {
    match verdict {
        CertificateVerdict::Accept => Ok(CertificateAccepted(())),
        CertificateVerdict::Refuse => Err(Refusal::ByApplication.into()),
    }
}

/// A pre-shared key, ready for the key schedule.
pub(crate) fn hold(psk: &Psk) -> (SharedSecret, PskHeld) {
    (SharedSecret::pre_shared(psk), PskHeld(()))
}

/// A client without a certificate is nobody whom a fingerprint describes.
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
