//! The handshake messages that may arrive after the handshake (RFC 9147 sections 5.8.1 and 8, RFC 8446 section 4.6).

use super::{Established, Outstanding};
use crate::config::DtlsRole;
use crate::discard::Discard;
use crate::end::End;
use crate::event::Admitted;
use crate::failure::{Failure, Misbehaved};
use crate::handshake::{Fragment, HandshakeType, Message};
use crate::link::Link;
use crate::message::key_update::KeyUpdate;

impl Established {
    /// Handles a handshake message with the application keys, or a retransmitted one with the handshake keys.
    pub(crate) fn on_handshake(
        &mut self,
        fragment: &Fragment<'_>,
        epoch: u16,
        link: &mut Link,
    ) -> Result<Admitted, End> {
        if fragment.sequence < self.reassembly.next() {
            self.answer_retransmitted_flight(link)?;
            return Ok(link.discard(Discard::RetransmittedMessage));
        }
        // A message before a change of keys must end its record (RFC 8446 section 5.1).
        if link.records.epochs().newest_reading() != Some(epoch) {
            return Err(Misbehaved::UnexpectedMessage.into());
        }
        if let Err(reason) = self.reassembly.insert(fragment, true, &link.config.limits) {
            return Ok(link.discard(reason));
        }
        while let Some(assembled) = self.reassembly.take_complete() {
            self.reassembly.advance();
            self.on_message(&assembled.message(), link)?;
        }
        Ok(Admitted::Authenticated)
    }

    fn on_message(&mut self, message: &Message<'_>, link: &mut Link) -> Result<(), End> {
        match (message.kind, link.role) {
            (HandshakeType::KEY_UPDATE, _) => {
                let request = KeyUpdate::decode(message.body).map_err(Failure::from)?;
                self.on_key_update(request, link)
            }
            // Acknowledged like all messages, but not used: there is no resumption.
            (HandshakeType::NEW_SESSION_TICKET, DtlsRole::Client) => Ok(()),
            _ => Err(Misbehaved::UnexpectedMessage.into()),
        }
    }

    /// The server retransmits its flight because it lost our final one, so that is retransmitted at once (RFC 9147
    /// section 5.8.1). The records authenticated, so only the server can cause this. A flight of several datagrams is
    /// answered once; retransmissions by the timer do not count.
    fn answer_retransmitted_flight(&mut self, link: &mut Link) -> Result<(), End> {
        if self.outstanding != Outstanding::FinalFlight || self.outgoing.flight.is_acknowledged() {
            return Ok(());
        }
        // Our flight acknowledges theirs, so no ACK is needed (RFC 9147 section 7.1).
        link.answered = true;
        let interval = link.rto / 2;
        if self.answered_at.is_none_or(|at| link.now.saturating_duration_since(at) >= interval) {
            self.answered_at = Some(link.now);
            link.retransmit(&mut self.outgoing.flight)?;
        }
        Ok(())
    }
}
