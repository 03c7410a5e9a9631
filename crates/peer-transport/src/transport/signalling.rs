//! The signalled DTLS parameters of a generation, local and remote.
//!
//! Plain values. Does not know connections or which generation is current.

use dtls_core::{Certificate, DtlsRole, Fingerprint, HashAlgorithm};

use super::dtls_role;
use super::expiry::Expiry;
use crate::config::Role;
use crate::parameters::{DescriptionKind, Parameters, Setup, TlsId};

/// The local DTLS parameters of a generation.
#[derive(Clone, Debug)]
pub(super) struct LocalDtls {
    pub(super) certificates: Vec<Certificate>,
    pub(super) expiry: Option<Expiry>,
    /// The role that the application requested.
    pub(super) requested_role: Role,
    /// The `setup` value of the local description.
    pub(super) setup: Setup,
    /// Omitted from an answer if the offer had none (RFC 8842 section 5.3).
    pub(super) tls_id: Option<TlsId>,
}

impl LocalDtls {
    /// The local parameters for an answer: the derived role, and a tls-id only if the offer had one.
    pub(super) fn for_answer(self, kind: DescriptionKind, role: DtlsRole, remote: &Parameters) -> Self {
        match kind {
            DescriptionKind::Answer => self,
            DescriptionKind::Offer => Self {
                setup: dtls_role::answered(role),
                tls_id: self.tls_id.filter(|_| remote.tls_id.is_some()),
                ..self
            },
        }
    }

    fn signalled(&self, role: DtlsRole) -> SignalledSide {
        SignalledSide {
            tls_id: self.tls_id.clone(),
            fingerprints: self
                .certificates
                .iter()
                .map(|certificate| certificate.fingerprint(HashAlgorithm::Sha256))
                .collect(),
            role,
        }
    }
}

/// The signalled parameters of both sides for a generation.
#[derive(Clone, Debug)]
pub(super) struct Signalling {
    pub(super) local: LocalDtls,
    pub(super) remote: Option<Parameters>,
}

/// The signalled parameters of one side of an association (RFC 8842 section 3).
#[derive(Clone, Debug)]
pub(super) struct SignalledSide {
    pub(super) tls_id: Option<TlsId>,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) role: DtlsRole,
}

impl SignalledSide {
    /// Compares the sets of fingerprints; their order has no meaning.
    pub(super) fn same_certificates(&self, other: &Self) -> bool {
        self.fingerprints.iter().all(|fingerprint| other.fingerprints.contains(fingerprint))
            && other.fingerprints.iter().all(|fingerprint| self.fingerprints.contains(fingerprint))
    }

    pub(super) fn same_tls_id(&self, other: &Self) -> bool {
        self.tls_id.is_some() && self.tls_id == other.tls_id
    }
}

/// The signalled parameters of both sides of an association.
#[derive(Clone, Debug)]
pub(super) struct SignalledParameters {
    pub(super) local: SignalledSide,
    pub(super) remote: SignalledSide,
}

impl SignalledParameters {
    /// Combines both sides' parameters with the derived local role.
    pub(super) fn new(local: &LocalDtls, remote: &Parameters, role: DtlsRole) -> Self {
        let remote_role = match role {
            DtlsRole::Client => DtlsRole::Server,
            DtlsRole::Server => DtlsRole::Client,
        };
        Self {
            local: local.signalled(role),
            remote: SignalledSide {
                tls_id: remote.tls_id.clone(),
                fingerprints: remote.fingerprints.clone(),
                role: remote_role,
            },
        }
    }
}
