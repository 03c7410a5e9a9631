//! Sends media, which is returned protected, and data, which is queued.
//!
//! Knows keys and permission. Does not know how they were established.

use std::time::Instant;

use ice_agent::{CandidatePair, PairState, Path};

use super::PeerTransport;
use super::association::Established;
use super::slot::Slot;
use crate::error::SendError;
use crate::media::Transmit;

impl PeerTransport {
    /// Protects one RTP packet and appends it to `out`. `header` is the RTP header with its contributing
    /// sources and extension.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
    pub fn send_rtp(
        &mut self,
        now: Instant,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let path = self.sending_path(now)?;
        let missing_keys_error = self.detached.missing_keys_error();
        let outbound = self.sending()?.outbound().ok_or(missing_keys_error)?;
        let len = outbound.protect_rtp(header, payload, out)?;
        self.stats.rtp_sent.add(len);
        Ok(Transmit::new(path, len))
    }

    /// Protects one compound RTCP packet and appends it to `out`.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
    pub fn send_rtcp(
        &mut self,
        now: Instant,
        compound: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let path = self.sending_path(now)?;
        let missing_keys_error = self.detached.missing_keys_error();
        let outbound = self.sending()?.outbound().ok_or(missing_keys_error)?;
        let len = outbound.protect_rtcp(compound, out)?;
        self.stats.rtcp_sent.add(len);
        Ok(Transmit::new(path, len))
    }

    /// Sends application data, for example an SCTP packet, in one DTLS record.
    /// [`poll_transmit`](Self::poll_transmit) returns the datagram.
    ///
    /// # Errors
    /// [`SendError::TooLarge`] above [`max_data_len`](Self::max_data_len), [`SendError::WouldBlock`] if the
    /// queue is full.
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

    pub(super) fn sending_path(&self, now: Instant) -> Result<Path, SendError> {
        if self.current.established().is_none() {
            return Err(SendError::NotConnected);
        }
        let permission = self.ice.permission(now).ok_or(SendError::NotPermitted)?;
        if permission.until.is_some_and(|until| now >= until) {
            return Err(SendError::NotPermitted);
        }
        Ok(permission.path)
    }

    /// The path for an association's DTLS records: the selected path, or the best usable pair of the
    /// association's own generation until that generation selects one.
    pub(super) fn path_of(&self, slot: Slot) -> Option<Path> {
        let permission = self.ice.permission(self.now);
        let permitted = permission.map(|permission| permission.path);
        match (slot, &self.restart) {
            (Slot::Next, Some(restart))
                if permission.is_none_or(|permission| permission.generation != restart.generation) =>
            {
                let usable = |pair: &CandidatePair| {
                    pair.generation == restart.generation && pair.state == PairState::Succeeded
                };
                self.ice.pairs().filter(usable).max_by_key(|pair| pair.priority).map(|pair| pair.path)
            }
            _ => permitted,
        }
    }

    pub(super) fn poll_dtls(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        for slot in Slot::ALL {
            let Some(path) = self.path_of(slot) else { continue };
            if let Some(transmit) =
                self.connection_mut(slot).and_then(|connection| connection.poll_transmit(buf))
            {
                return Some(Transmit::new(path, transmit.len));
            }
        }
        None
    }
}
