//! The sending half of media, for a thread of its own.
//!
//! It holds the only SRTP context of its keys, so no index is ever used twice. Path, permission
//! and new keys come from the transport. Knows nothing about ICE or DTLS.

use std::sync::Arc;
use std::time::Instant;

use ice_agent::Permission;
use srtp::Outbound;

use crate::association::Association;
use crate::error::SendError;
use crate::mailbox::{Mailbox, Seen};
use crate::media::Transmit;

/// Protects RTP and RTCP for one peer, apart from its [`PeerTransport`](crate::PeerTransport):
/// [`detach_outbound`](crate::PeerTransport::detach_outbound).
///
/// A packet costs one atomic load more than it does in the transport. What happens there is known
/// here with the next packet: when consent ends, by its time, by a 403 or by a close, packets are
/// refused; when sending moves to another pair or to the keys of a restart, they move too. Consent
/// that nobody renews ends here at its time even if the transport's thread is stuck.
pub struct MediaSender {
    mailbox: Arc<Mailbox<SenderFacts>>,
    seen: Seen,
    now: Instant,
    permission: Option<Permission>,
    sending: Option<Association>,
    /// Of every association that lives, because the one before may be returned to.
    keys: Vec<Keys>,
}

/// What the transport tells its sender.
#[derive(Default)]
pub(crate) struct SenderFacts {
    pub(crate) permission: Option<Permission>,
    /// Under whose keys everything is to be protected.
    pub(crate) sending: Option<Association>,
    /// The associations whose keys are to be kept.
    pub(crate) live: Vec<Association>,
    /// Contexts that the sender has not fetched yet.
    pub(crate) new: Vec<Keys>,
}

/// The keys of an association, with the state of its streams.
pub(crate) struct Keys {
    pub(crate) association: Association,
    pub(crate) outbound: Outbound,
}

impl MediaSender {
    pub(crate) fn new(now: Instant, mailbox: Arc<Mailbox<SenderFacts>>) -> Self {
        Self { mailbox, seen: Seen::default(), now, permission: None, sending: None, keys: Vec::new() }
    }

    /// Protects one RTP packet and appends it to `out`: the header as bytes, with its contributing
    /// sources and extension, and the payload.
    ///
    /// # Errors
    /// [`SendError`]; `out` is then as it was.
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
    /// [`SendError`]; `out` is then as it was.
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

    /// The association whose keys protect the next packet.
    pub fn association(&mut self) -> Option<Association> {
        self.refresh();
        self.sending
    }

    /// Whether three quarters of what the keys may protect are used up (RFC 3711 section 9.2): time
    /// for a restart.
    #[must_use]
    pub fn key_wears_out(&self) -> bool {
        self.keys.iter().any(|keys| Some(keys.association) == self.sending && keys.outbound.key_wears_out())
    }

    /// What it takes to send: a permission that has not ended, and keys.
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
        let Some(mut facts) = self.mailbox.changed(&mut self.seen) else { return };
        self.permission = facts.permission;
        self.sending = facts.sending;
        self.keys.append(&mut facts.new);
        self.keys.retain(|keys| facts.live.contains(&keys.association));
    }
}
