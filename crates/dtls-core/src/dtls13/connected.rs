//! A DTLS 1.3 association after its handshake. Only the proofs of the handshake can build it.

use crate::authentication::PeerAuthenticated;
use crate::config::DtlsRole;
use crate::dtls13::key_schedule::{ApplicationSecrets, Exporter, FinishedVerified, TrafficSecret};
use crate::dtls13::selected::Selected;
use crate::event::Negotiated;
use crate::message::version::ProtocolVersion;
use crate::negotiated_extensions::NegotiatedExtensions;
use crate::record::epoch::FIRST_APPLICATION_EPOCH;
use crate::record::epoch_key::EpochKey;
use bytes::Bytes;

/// The result of a handshake.
pub(crate) struct Connected {
    selected: Selected,
    carried: NegotiatedExtensions,
    remote_certificate: Option<Bytes>,
    exporter: Exporter,
    writing: Epoch,
    reading: Epoch,
}

/// The newest epoch of one direction.
struct Epoch {
    number: u16,
    secret: TrafficSecret,
}

impl Epoch {
    /// Returns the next epoch, after a KeyUpdate; `None` if the epochs are used up.
    fn advance(&mut self) -> Option<(u16, EpochKey)> {
        let number = self.number.checked_add(1)?;
        let secret = self.secret.next();
        let key = secret.key()?;
        *self = Self { number, secret };
        Some((number, key))
    }
}

impl Connected {
    /// The peer is authenticated, and its Finished covers the same handshake.
    pub(crate) fn new(
        peer: PeerAuthenticated,
        _finished: FinishedVerified,
        selected: Selected,
        carried: NegotiatedExtensions,
        secrets: ApplicationSecrets,
        role: DtlsRole,
    ) -> Self {
        let ApplicationSecrets { traffic, exporter } = secrets;
        let (writing, reading) = traffic.into_write_and_read(role);
        let first = |secret| Epoch { number: FIRST_APPLICATION_EPOCH, secret };
        Self {
            selected,
            carried,
            remote_certificate: peer.into_leaf(),
            exporter,
            writing: first(writing),
            reading: first(reading),
        }
    }

    pub(crate) const fn negotiated(&self) -> Negotiated {
        Negotiated {
            version: ProtocolVersion::DTLS13,
            suite: self.selected.suite.suite,
            group: Some(self.selected.group),
            srtp_profile: self.carried.srtp_profile,
            application_protocol: self.carried.protocol,
        }
    }

    pub(crate) const fn selected(&self) -> &Selected {
        &self.selected
    }

    pub(crate) const fn exporter(&self) -> &Exporter {
        &self.exporter
    }

    /// Returns the certificate as DER.
    pub(crate) fn remote_certificate(&self) -> Option<&[u8]> {
        self.remote_certificate.as_deref()
    }

    /// Returns the epoch for sending.
    pub(crate) const fn writing(&self) -> u16 {
        self.writing.number
    }

    #[cfg(test)]
    pub(crate) const fn skip_to_writing(&mut self, epoch: u16) {
        self.writing.number = epoch;
    }

    #[cfg(test)]
    pub(crate) const fn skip_to_reading(&mut self, epoch: u16) {
        self.reading.number = epoch;
    }

    /// Advances after our KeyUpdate was acknowledged.
    pub(crate) fn advance_writing(&mut self) -> Option<(u16, EpochKey)> {
        self.writing.advance()
    }

    /// Advances after the peer's KeyUpdate arrived.
    pub(crate) fn advance_reading(&mut self) -> Option<(u16, EpochKey)> {
        self.reading.advance()
    }
}
