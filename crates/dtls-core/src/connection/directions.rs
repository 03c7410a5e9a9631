//! The open directions of an established connection. A close_notify closes the direction of its sender (RFC 8446
//! section 6.1). When both are closed, the connection has ended.

use super::Connection;
use super::state::{Established, State};
use crate::alert::{Alert, AlertDescription};
use crate::error::Error;
use crate::event::{ClosedBy, Event};
use crate::record::{ContentType, RecordNumber};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directions {
    Both,
    /// The peer closed its direction with this record.
    OnlySending {
        closed_by: RecordNumber,
    },
    /// This side closed its direction.
    OnlyReceiving,
}

impl Directions {
    pub(super) const fn may_send(self) -> bool {
        !matches!(self, Self::OnlyReceiving)
    }

    /// Returns which side closed first, if this side ends the connection now.
    pub(super) const fn closer(self) -> ClosedBy {
        match self {
            Self::OnlySending { .. } => ClosedBy::Peer,
            Self::Both | Self::OnlyReceiving => ClosedBy::Us,
        }
    }
}

impl Connection {
    pub(super) const fn directions(&self) -> Directions {
        match &self.state {
            State::Connected(established) => established.directions,
            _ => Directions::Both,
        }
    }

    pub(super) fn close_our_direction(&mut self) -> Result<(), Error> {
        match self.directions() {
            _ if self.has_ended() => Err(Error::Closed),
            _ if self.established().is_none() => Err(Error::NotConnected),
            Directions::OnlyReceiving => Err(Error::Closed),
            Directions::OnlySending { .. } => {
                self.close_by_us();
                Ok(())
            }
            Directions::Both => {
                self.send_alert(Alert::warning(AlertDescription::CLOSE_NOTIFY));
                self.set_directions(Directions::OnlyReceiving);
                Ok(())
            }
        }
    }

    /// Handles a close_notify of DTLS 1.3, which leaves our direction open.
    pub(super) fn peer_closes_its_direction(&mut self, number: RecordNumber) {
        match self.directions() {
            Directions::Both => {
                self.set_directions(Directions::OnlySending { closed_by: number });
                self.events.push(Event::PeerClosing);
            }
            // A retransmitted close_notify.
            Directions::OnlySending { .. } => {}
            Directions::OnlyReceiving => self.close_by_us(),
        }
    }

    /// Returns whether a record is ignored, because its sender had closed before it (RFC 9147 section 5.10). ACKs still
    /// count: our own direction needs them for key updates while it is open.
    pub(super) fn is_after_close(&self, number: RecordNumber, content_type: ContentType) -> bool {
        match self.directions() {
            Directions::OnlySending { closed_by } => number > closed_by && content_type != ContentType::Ack,
            Directions::Both | Directions::OnlyReceiving => false,
        }
    }

    const fn set_directions(&mut self, directions: Directions) {
        if let State::Connected(Established { directions: current, .. }) = &mut self.state {
            *current = directions;
        }
    }
}
