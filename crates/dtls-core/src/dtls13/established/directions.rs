//! The open directions of an established connection. A close_notify closes the direction of its sender (RFC 8446
//! section 6.1). When both are closed, the connection has ended.

use super::Established;
use crate::alert::{Alert, AlertDescription};
use crate::end::End;
use crate::event::{ClosedBy, Event};
use crate::link::Link;
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

impl Established {
    pub(crate) const fn may_send(&self) -> bool {
        !matches!(self.directions, Directions::OnlyReceiving)
    }

    /// Returns which side closed first, if this side ends the connection now.
    pub(crate) const fn closer(&self) -> ClosedBy {
        match self.directions {
            Directions::OnlySending { .. } => ClosedBy::Peer,
            Directions::Both | Directions::OnlyReceiving => ClosedBy::Us,
        }
    }

    /// Closes our direction, which was open. If the peer has closed its own, the connection ends.
    pub(crate) fn close_sending(&mut self, link: &mut Link) -> Result<(), End> {
        match self.directions {
            Directions::Both => {
                link.send_alert(self.epoch(), Alert::warning(AlertDescription::CLOSE_NOTIFY));
                self.directions = Directions::OnlyReceiving;
                Ok(())
            }
            Directions::OnlySending { .. } | Directions::OnlyReceiving => Err(End::Closed(self.closer())),
        }
    }

    /// Handles a close_notify of the peer, which leaves our direction open.
    pub(crate) fn on_close_notify(&mut self, number: RecordNumber, link: &mut Link) -> Result<(), End> {
        match self.directions {
            Directions::Both => {
                self.directions = Directions::OnlySending { closed_by: number };
                link.events.push(Event::PeerClosing);
                Ok(())
            }
            // A retransmitted close_notify.
            Directions::OnlySending { .. } => Ok(()),
            Directions::OnlyReceiving => Err(End::Closed(self.closer())),
        }
    }

    /// Returns whether a record is ignored, because its sender had closed before it (RFC 9147 section 5.10). ACKs still
    /// count: our own direction needs them for key updates while it is open.
    #[inline]
    pub(crate) fn is_after_close(&self, number: RecordNumber, content_type: ContentType) -> bool {
        match self.directions {
            Directions::OnlySending { closed_by } => number > closed_by && content_type != ContentType::Ack,
            Directions::Both | Directions::OnlyReceiving => false,
        }
    }
}
