//! KeyUpdate (RFC 9147 section 8): one at a time, by command, at the key limits, and on request of the peer.

use super::{Established, Outstanding};
use crate::end::End;
use crate::error::Error;
use crate::failure::Misbehaved;
use crate::handshake::HandshakeType;
use crate::link::Link;
use crate::message::key_update::KeyUpdate;

/// The result of an attempt to replace the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyChange {
    Begun,
    /// A message of ours is unacknowledged, so the attempt can be made again later.
    Waits,
    /// The epochs or the message sequence numbers are used up, or our direction is closed.
    Impossible,
}

impl Established {
    /// Returns why the application cannot update the keys now.
    pub(crate) fn check_key_update(&self) -> Result<(), Error> {
        if self.outstanding != Outstanding::Nothing {
            return Err(Error::WouldBlock);
        }
        if self.can_update_keys() { Ok(()) } else { Err(Error::KeyExhausted) }
    }

    /// Replaces the keys of our direction, and with [`KeyUpdate::Requested`] those of the peer.
    pub(crate) fn update_keys(&mut self, request: KeyUpdate, link: &mut Link) -> Result<KeyChange, End> {
        if self.outstanding != Outstanding::Nothing {
            return Ok(KeyChange::Waits);
        }
        if !self.can_update_keys() {
            return Ok(KeyChange::Impossible);
        }
        let epoch = self.epoch();
        self.outstanding = Outstanding::KeyUpdate;
        self.outgoing.flight.begin();
        self.outgoing.push(epoch, HandshakeType::KEY_UPDATE, |writer| request.write(writer));
        self.outgoing.transcript.restart();
        link.transmit(&mut self.outgoing.flight)?;
        Ok(KeyChange::Begun)
    }

    /// Handles a KeyUpdate. The peer sends with new keys as soon as it receives our ACK. The old keys stay until a
    /// record with the new ones has arrived.
    pub(super) fn on_key_update(&mut self, request: KeyUpdate, link: &mut Link) -> Result<(), End> {
        // One update at a time, and a KeyUpdate is the last message of its epoch: later messages come with the new
        // keys.
        if !link.records.epochs().newest_is_received() || self.reassembly.holds_protected() {
            return Err(Misbehaved::UnexpectedMessage.into());
        }
        // The epochs are used up, which ends the association (RFC 9147 section 8).
        let Some((epoch, key)) = self.connected.advance_reading() else {
            return Err(End::Closed(self.closer()));
        };
        link.records.epochs().begin_reading(epoch, key);
        if request == KeyUpdate::Requested {
            self.update_wanted = true;
            self.answer_update_request(link)?;
        }
        Ok(())
    }

    /// Answers the peer's request for a KeyUpdate as soon as nothing of ours is unacknowledged.
    pub(super) fn answer_update_request(&mut self, link: &mut Link) -> Result<(), End> {
        if self.update_wanted && self.outstanding == Outstanding::Nothing {
            self.update_wanted = false;
            // Without another epoch the request is ignored, as RFC 9147 section 8 requires.
            self.update_keys(KeyUpdate::NotRequested, link)?;
        }
        Ok(())
    }

    /// Returns whether there is another epoch, and a message sequence number to begin it (RFC 9147 section 8).
    const fn can_update_keys(&self) -> bool {
        self.may_send() && self.connected.writing() < u16::MAX && self.outgoing.has_sequence()
    }
}
