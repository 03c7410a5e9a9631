//! The sending half of media, for a thread of its own.
//!
//! It holds the only outbound SRTP context of its keys, so no packet index is used twice. The transport
//! publishes path, permission and new keys. Does not know ICE or DTLS.

use std::sync::Arc;
use std::time::Instant;

use ice_agent::Permission;
use srtp::Outbound;

use super::Transmit;
use super::shared_snapshot::{ReadEpoch, SharedSnapshot};
use crate::association_id::AssociationId;
use crate::error::SendError;

/// Protects RTP and RTCP for one peer outside its [`PeerTransport`](crate::PeerTransport). Created by
/// [`detach_outbound`](crate::PeerTransport::detach_outbound).
///
/// Compared with the transport, each packet costs one additional atomic load. A change in the transport takes
/// effect with the next packet: after consent ends, by expiry, by a 403 or by a close, packets are refused;
/// after sending moves to another pair or to the keys of a restart, packets follow. Consent also expires here
/// in time if the transport's thread is blocked.
pub struct MediaSender {
    shared: Arc<SharedSnapshot<SenderSnapshot>>,
    read_epoch: ReadEpoch,
    now: Instant,
    permission: Option<Permission>,
    sending: Option<AssociationId>,
    /// The keys of every live association, because sending may return to the previous one.
    keys: Vec<Keys>,
}

/// The state that the transport publishes to its sender.
#[derive(Default)]
pub(crate) struct SenderSnapshot {
    pub(crate) permission: Option<Permission>,
    /// The association whose keys protect outgoing packets.
    pub(crate) sending: Option<AssociationId>,
    /// The associations whose keys are kept.
    pub(crate) live: Vec<AssociationId>,
    /// Contexts that the sender has not taken yet.
    pub(crate) new: Vec<Keys>,
}

/// The keys of an association, with the state of its streams.
pub(crate) struct Keys {
    pub(crate) association: AssociationId,
    pub(crate) outbound: Outbound,
}

impl MediaSender {
    pub(crate) fn new(now: Instant, shared: Arc<SharedSnapshot<SenderSnapshot>>) -> Self {
        Self {
            shared,
            read_epoch: ReadEpoch::default(),
            now,
            permission: None,
            sending: None,
            keys: Vec::new(),
        }
    }

    /// Protects one RTP packet and appends it to `out`. `header` is the RTP header with its contributing
    /// sources and extension.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
    pub fn protect_rtp(
        &mut self,
        now: Instant,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let (permission, outbound) = self.ready(now)?;
        let len = outbound.protect_rtp(header, payload, out)?;
        Ok(Transmit::new(permission.path, len))
    }

    /// Protects one compound RTCP packet and appends it to `out`.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
    pub fn protect_rtcp(
        &mut self,
        now: Instant,
        compound: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let (permission, outbound) = self.ready(now)?;
        let len = outbound.protect_rtcp(compound, out)?;
        Ok(Transmit::new(permission.path, len))
    }

    /// Returns the association whose keys protect the next packet.
    pub fn association(&mut self) -> Option<AssociationId> {
        self.refresh();
        self.sending
    }

    /// Whether three quarters of the packet limit of the keys are used (RFC 3711 section 9.2). A restart is
    /// then due.
    #[must_use]
    pub fn key_nears_limit(&self) -> bool {
        self.keys.iter().any(|keys| Some(keys.association) == self.sending && keys.outbound.key_nears_limit())
    }

    /// Returns the permission and the keys for sending, if both are valid.
    fn ready(&mut self, now: Instant) -> Result<(Permission, &mut Outbound), SendError> {
        self.now = self.now.max(now);
        self.refresh();
        let is_sending = |keys: &&mut Keys| Some(keys.association) == self.sending;
        let keys = self.keys.iter_mut().find(is_sending).ok_or(SendError::NotConnected)?;
        let permission = self
            .permission
            .filter(|permission| permission.until.is_none_or(|until| self.now < until))
            .ok_or(SendError::NotPermitted)?;
        Ok((permission, &mut keys.outbound))
    }

    fn refresh(&mut self) {
        let Some(mut snapshot) = self.shared.changed(&mut self.read_epoch) else { return };
        self.permission = snapshot.permission;
        self.sending = snapshot.sending;
        self.keys.append(&mut snapshot.new);
        self.keys.retain(|keys| snapshot.live.contains(&keys.association));
    }
}
