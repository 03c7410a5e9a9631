//! A DTLS 1.2 association after its handshake. Only the proofs of the handshake can build it.

use crate::authentication::PeerAuthenticated;
use crate::crypto::group::NamedGroup;
use crate::dtls12::key_schedule::{FinishedVerified, MasterSecret};
use crate::event::Negotiated;
use crate::message::version::ProtocolVersion;
use bytes::Bytes;

/// The result of a handshake.
pub(crate) struct Connected {
    master: MasterSecret,
    group: Option<NamedGroup>,
    remote_certificate: Option<Bytes>,
}

impl Connected {
    /// The peer is authenticated, and its Finished covers the same handshake.
    pub(crate) fn new(
        peer: PeerAuthenticated,
        _finished: FinishedVerified,
        master: MasterSecret,
        group: Option<NamedGroup>,
    ) -> Self {
        Self { master, group, remote_certificate: peer.into_leaf() }
    }

    pub(crate) const fn negotiated(&self) -> Negotiated {
        let selected = self.master.selected();
        Negotiated {
            version: ProtocolVersion::DTLS12,
            suite: selected.suite.suite,
            group: self.group,
            srtp_profile: selected.carried.srtp_profile,
            application_protocol: selected.carried.protocol,
        }
    }

    pub(crate) const fn master(&self) -> &MasterSecret {
        &self.master
    }

    /// Returns the certificate as DER.
    pub(crate) fn remote_certificate(&self) -> Option<&[u8]> {
        self.remote_certificate.as_deref()
    }
}
