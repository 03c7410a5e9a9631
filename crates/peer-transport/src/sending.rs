//! What the application sends: media, which is handed back protected, and data, which is queued.
//!
//! Knows keys and permission. Knows nothing of how either came about.

use std::time::Instant;

use ice_agent::Path;

use crate::association::Established;
use crate::error::SendError;
use crate::media::Transmit;
use crate::transport::PeerTransport;

impl PeerTransport {
    /// Protects one RTP packet and appends it to `out`: the header as bytes, with its contributing sources
    /// and extension, and the payload.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then as it was.
    pub fn send_rtp(
        &mut self,
        now: Instant,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let path = self.sending_path(now)?;
        let without_keys = self.detached.without_keys();
        let outbound = self.sending()?.outbound().ok_or(without_keys)?;
        let len = outbound.protect_rtp(header, payload, out)?;
        self.stats.rtp_sent.add(len);
        Ok(Transmit::new(path, len))
    }

    /// Protects one compound RTCP packet and appends it to `out`.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then as it was.
    pub fn send_rtcp(
        &mut self,
        now: Instant,
        compound: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let path = self.sending_path(now)?;
        let without_keys = self.detached.without_keys();
        let outbound = self.sending()?.outbound().ok_or(without_keys)?;
        let len = outbound.protect_rtcp(compound, out)?;
        self.stats.rtcp_sent.add(len);
        Ok(Transmit::new(path, len))
    }

    /// Sends application data, an SCTP packet for example, in one DTLS record.
    /// [`poll_transmit`](Self::poll_transmit) hands it out.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`max_data_len`](Self::max_data_len), [`SendError::WouldBlock`] where
    /// the queue is full.
    pub fn send_data(&mut self, now: Instant, data: &[u8]) -> Result<(), SendError> {
        let now = self.advance(now);
        self.sending_path(now)?;
        self.sending()?.connection.send(now, data).map_err(|error| match error {
            dtls_core::Error::TooLarge { max } => SendError::TooLarge { max },
            dtls_core::Error::WouldBlock => SendError::WouldBlock,
            _ => SendError::NotConnected,
        })
    }

    fn sending(&mut self) -> Result<&mut Established, SendError> {
        self.current.established_mut().ok_or(SendError::NotConnected)
    }

    pub(crate) fn sending_path(&self, now: Instant) -> Result<Path, SendError> {
        if self.current.established().is_none() {
            return Err(SendError::NotConnected);
        }
        let permission = self.ice.permission(now).ok_or(SendError::NotPermitted)?;
        if permission.until.is_some_and(|until| now >= until) {
            return Err(SendError::NotPermitted);
        }
        Ok(permission.path)
    }
}
