//! The transport's end of detached media: what it tells the halves, and what it hears from them.
//!
//! Compares what is true now with what was told last, after everything that happened, so it does
//! not matter which event it was that changed it.

use std::sync::Arc;
use std::time::Instant;

use ice_agent::Permission;

use crate::association::Association;
use crate::error::{Error, SendError};
use crate::event::Event;
use crate::mailbox::Mailbox;
use crate::media_receiver::{Evidence, MediaReceiver, ReceiverFacts};
use crate::media_sender::{Keys, MediaSender, SenderFacts};
use crate::reception::Slot;
use crate::transport::PeerTransport;

/// The halves that were detached.
#[derive(Default)]
pub(crate) struct Detached {
    sender: Option<SenderEnd>,
    receiver: Option<ReceiverEnd>,
    /// The newest association whose keys were said to wear out.
    worn_out: Option<Association>,
}

struct SenderEnd {
    mailbox: Arc<Mailbox<SenderFacts>>,
    permission: Option<Permission>,
    sending: Option<Association>,
    live: Live,
}

struct ReceiverEnd {
    mailbox: Arc<Mailbox<ReceiverFacts>>,
    live: Live,
}

/// The associations that have SRTP keys, by their slots.
type Live = [Option<Association>; 3];

impl Detached {
    /// Whether received media belongs to somebody else.
    pub(crate) const fn has_receiver(&self) -> bool {
        self.receiver.is_some()
    }

    /// Why media cannot be sent by the transport itself when it holds no keys for it.
    pub(crate) const fn without_keys(&self) -> SendError {
        match self.sender {
            Some(_) => SendError::Detached,
            None => SendError::NotConnected,
        }
    }
}

impl PeerTransport {
    /// Moves the sending of media out of the transport, to another thread for example. From now on
    /// and for good [`send_rtp`](Self::send_rtp) and [`send_rtcp`](Self::send_rtcp) are refused here.
    ///
    /// It may be done in every state; the sender refuses packets until there is a connection.
    ///
    /// ```
    /// # use std::{net::UdpSocket, sync::mpsc, thread, time::Instant};
    /// # use peer_transport::{Error, PeerTransport};
    /// # fn run(transport: &mut PeerTransport, socket: UdpSocket) -> Result<mpsc::Sender<Vec<u8>>, Error> {
    /// let mut sender = transport.detach_outbound(Instant::now())?;
    /// let (queue, packets) = mpsc::channel::<Vec<u8>>();
    /// thread::spawn(move || {
    ///     let mut datagram = Vec::new();
    ///     for packet in packets {
    ///         let (header, payload) = packet.split_at(12);
    ///         datagram.clear();
    ///         if let Ok(sent) = sender.protect_rtp(Instant::now(), header, payload, &mut datagram) {
    ///             let _ = socket.send_to(&datagram, sent.path.remote());
    ///         }
    ///     }
    /// });
    /// # Ok(queue)
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Detached`] where it was done before.
    pub fn detach_outbound(&mut self, now: Instant) -> Result<MediaSender, Error> {
        let now = self.advance(now);
        if self.detached.sender.is_some() {
            return Err(Error::Detached);
        }
        let mailbox = Arc::new(Mailbox::default());
        let sender = MediaSender::new(now, Arc::clone(&mailbox));
        let end = SenderEnd { mailbox, permission: None, sending: None, live: [None; 3] };
        self.detached.sender = Some(end);
        self.route(now);
        Ok(sender)
    }

    /// Moves the opening of received media out of the transport, to another thread for example. From
    /// now on and for good [`handle_input`](Self::handle_input) hands it out as
    /// [`Media::Protected`](crate::Media::Protected).
    ///
    /// It may be done in every state.
    ///
    /// # Errors
    /// [`Error::Detached`] where it was done before.
    pub fn detach_inbound(&mut self, now: Instant) -> Result<MediaReceiver, Error> {
        let now = self.advance(now);
        if self.detached.receiver.is_some() {
            return Err(Error::Detached);
        }
        let mailbox = Arc::new(Mailbox::default());
        let receiver = MediaReceiver::new(now, Arc::clone(&mailbox));
        self.detached.receiver = Some(ReceiverEnd { mailbox, live: [None; 3] });
        self.route(now);
        Ok(receiver)
    }

    /// A detached receiver saw the peer's media. Evidence about an association that is over changes
    /// nothing.
    pub fn note_authenticated(&mut self, now: Instant, evidence: Evidence) {
        let now = self.advance(now);
        let number = evidence.association();
        let is_meant = |slot: &Slot| {
            self.established(*slot).is_some_and(|association| association.identity.number == number)
        };
        let Some(slot) = Slot::ALL.into_iter().find(is_meant) else { return };
        if let Some(association) = self.established_mut(slot) {
            association.note_proven(now);
        }
        self.ice.note_authenticated(now, evidence.path());
        self.heard_under(now, slot);
        if evidence.key_wears_out() && self.detached.worn_out < Some(number) {
            self.detached.worn_out = Some(number);
            self.events.push(Event::RestartNeeded);
        }
        self.route(now);
    }

    /// Tells the detached halves what they do not know yet.
    pub(crate) fn tell_detached(&mut self, now: Instant) {
        if self.detached.sender.is_some() {
            self.tell_sender(now);
        }
        if self.detached.receiver.is_some() {
            self.tell_receiver();
        }
    }

    fn tell_sender(&mut self, now: Instant) {
        let (permission, live) = (self.ice.permission(now), self.live());
        let sending = self.current.established().filter(|association| association.carries_media());
        let sending = sending.map(|association| association.identity.number);
        if let Some(end) = &self.detached.sender
            && (end.permission, end.sending, end.live) == (permission, sending, live)
        {
            return;
        }
        let new = Slot::ALL.into_iter().filter_map(|slot| {
            let association = self.established_mut(slot)?;
            let outbound = association.take_outbound()?;
            Some(Keys { association: association.identity.number, outbound })
        });
        let new: Vec<_> = new.collect();
        let Some(end) = &mut self.detached.sender else { return };
        (end.permission, end.sending, end.live) = (permission, sending, live);
        end.mailbox.post(|facts| {
            facts.permission = permission;
            facts.sending = sending;
            facts.live = live.into_iter().flatten().collect();
            facts.new.extend(new);
            facts.new.retain(|keys| facts.live.contains(&keys.association));
        });
    }

    fn tell_receiver(&mut self) {
        let live = self.live();
        if self.detached.receiver.as_ref().is_some_and(|end| end.live == live) {
            return;
        }
        let new = Slot::ALL.into_iter().filter_map(|slot| {
            let association = self.established_mut(slot)?;
            Some((association.identity.number, association.take_inbound()?))
        });
        let new: Vec<_> = new.collect();
        let Some(end) = &mut self.detached.receiver else { return };
        end.live = live;
        end.mailbox.post(|facts| {
            facts.live = live.into_iter().flatten().collect();
            facts.new.extend(new);
            facts.new.retain(|(association, _)| facts.live.contains(association));
        });
    }

    fn live(&self) -> Live {
        Slot::ALL.map(|slot| {
            let association = self.established(slot).filter(|association| association.carries_media());
            association.map(|association| association.identity.number)
        })
    }
}
