//! The accessors of a connection, available in every state.

use super::Connection;
use super::state::State;
use crate::config::DtlsRole;
use crate::dtls12::key_schedule::RESERVED_LABELS;
use crate::error::Error;
use crate::established::Established;
use crate::event::Negotiated;
use crate::record::MAX_CONTENT_LEN;
use crate::record::epoch::Epoch;
use crate::stats::Stats;

impl Connection {
    /// Returns the role: the client sends the ClientHello.
    #[must_use]
    pub const fn role(&self) -> DtlsRole {
        self.link.role
    }

    /// Returns whether application data can be sent.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.established().is_some_and(Established::may_send)
    }

    /// Returns the negotiated parameters while the connection is established.
    #[must_use]
    pub fn negotiated(&self) -> Option<Negotiated> {
        self.established().map(Established::negotiated)
    }

    /// Returns the certificate that the peer authenticated with, as DER, while the connection is established.
    #[must_use]
    pub fn remote_certificate(&self) -> Option<&[u8]> {
        self.established()?.remote_certificate()
    }

    /// Exports keying material (RFC 5705), which only the two sides can compute. For SRTP the label is
    /// `EXTRACTOR-dtls_srtp` without a context (RFC 5764 section 4.2).
    ///
    /// # Errors
    /// [`Error::NotConnected`], [`Error::ReservedLabel`], [`Error::TooLarge`] for a context above 2^16-1 bytes.
    pub fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Result<(), Error> {
        if RESERVED_LABELS.contains(&label) {
            return Err(Error::ReservedLabel);
        }
        let established = self.established().ok_or(Error::NotConnected)?;
        let exported = established.export(label, context, out);
        exported.ok_or(Error::TooLarge { max: usize::from(u16::MAX) })
    }

    /// Returns the random of our hello, which identifies this handshake on the wire; `None` after the end.
    #[must_use]
    pub fn local_random(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Idle { local_random } => Some(*local_random),
            State::Handshaking(handshaking) => Some(handshaking.local_random),
            State::Connected(established) => Some(established.randoms(self.link.role).local),
            State::Closed | State::Failed => None,
        }
    }

    /// Returns the random of the peer's hello, after one was accepted; `None` after the end. It is not authenticated
    /// before [`crate::Event::Connected`].
    #[must_use]
    pub fn remote_random(&self) -> Option<[u8; 32]> {
        match &self.state {
            State::Handshaking(handshaking) => handshaking.remote_random,
            State::Connected(established) => Some(established.randoms(self.link.role).remote),
            State::Idle { .. } | State::Closed | State::Failed => None,
        }
    }

    /// Returns the maximum number of bytes of one [`Connection::send`].
    #[must_use]
    pub fn max_data_len(&self) -> usize {
        self.link.config.mtu.saturating_sub(self.record_overhead()).min(MAX_CONTENT_LEN)
    }

    /// Returns the number of bytes that a record adds to its data with the negotiated suite, or the maximum before
    /// that.
    #[must_use]
    pub fn record_overhead(&self) -> usize {
        let epoch = match &self.state {
            State::Connected(established) => established.epoch(),
            _ => Epoch::Protected,
        };
        self.link.records.overhead(epoch)
    }

    /// Returns the counters.
    #[must_use]
    pub const fn stats(&self) -> &Stats {
        &self.link.stats
    }
}
