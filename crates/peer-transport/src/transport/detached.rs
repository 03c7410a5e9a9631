//! The transport's side of detached media: the state that it publishes to the halves, and the evidence that it
//! receives.
//!
//! After every input it compares the current state with the published one, so it need not know which event
//! changed it.

use std::sync::Arc;
use std::time::Instant;

use ice_agent::Permission;

use super::PeerTransport;
use super::slot::Slot;
use crate::association_id::AssociationId;
use crate::error::{Error, SendError};
use crate::event::Event;
use crate::media::{
    Evidence, Keys, MediaReceiver, MediaSender, ReceiverSnapshot, SenderSnapshot, SharedSnapshot,
};

/// The detached halves.
#[derive(Default)]
pub(super) struct Detached {
    sender: Option<SenderLink>,
    receiver: Option<ReceiverLink>,
    /// The newest association whose key usage limit was reported.
    key_limit_reported: Option<AssociationId>,
}

struct SenderLink {
    shared: Arc<SharedSnapshot<SenderSnapshot>>,
    permission: Option<Permission>,
    sending: Option<AssociationId>,
    live: Live,
}

struct ReceiverLink {
    shared: Arc<SharedSnapshot<ReceiverSnapshot>>,
    live: Live,
}

/// The associations that have SRTP keys, by slot.
type Live = [Option<AssociationId>; 3];

impl Detached {
    /// Whether received media goes to a detached receiver.
    pub(super) const fn has_receiver(&self) -> bool {
        self.receiver.is_some()
    }

    /// The error for media that the transport has no keys to send.
    pub(super) const fn missing_keys_error(&self) -> SendError {
        match self.sender {
            Some(_) => SendError::Detached,
            None => SendError::NotConnected,
        }
    }
}

impl PeerTransport {
    /// Moves the sending of media out of the transport, for example to another thread. From then on
    /// [`send_rtp`](Self::send_rtp) and [`send_rtcp`](Self::send_rtcp) are refused permanently.
    ///
    /// Works in every state. The sender refuses packets until the transport is connected.
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
    /// [`Error::Detached`] if it was detached before.
    pub fn detach_outbound(&mut self, now: Instant) -> Result<MediaSender, Error> {
        let now = self.advance(now);
        if self.detached.sender.is_some() {
            return Err(Error::Detached);
        }
        let shared = Arc::new(SharedSnapshot::default());
        let sender = MediaSender::new(now, Arc::clone(&shared));
        let link = SenderLink { shared, permission: None, sending: None, live: [None; 3] };
        self.detached.sender = Some(link);
        self.route(now);
        Ok(sender)
    }

    /// Moves the opening of received media out of the transport, for example to another thread. From then on
    /// [`handle_input`](Self::handle_input) permanently returns media as
    /// [`Media::Protected`](crate::Media::Protected).
    ///
    /// Works in every state.
    ///
    /// # Errors
    /// [`Error::Detached`] if it was detached before.
    pub fn detach_inbound(&mut self, now: Instant) -> Result<MediaReceiver, Error> {
        let now = self.advance(now);
        if self.detached.receiver.is_some() {
            return Err(Error::Detached);
        }
        let shared = Arc::new(SharedSnapshot::default());
        let receiver = MediaReceiver::new(now, Arc::clone(&shared));
        self.detached.receiver = Some(ReceiverLink { shared, live: [None; 3] });
        self.route(now);
        Ok(receiver)
    }

    /// Processes a detached receiver's evidence of authenticated media. Evidence for an association that has
    /// ended changes nothing.
    pub fn note_authenticated(&mut self, now: Instant, evidence: Evidence) {
        let now = self.advance(now);
        let number = evidence.association();
        let has_number = |slot: &Slot| {
            self.established(*slot).is_some_and(|association| association.identity.number == number)
        };
        let Some(slot) = Slot::ALL.into_iter().find(has_number) else { return };
        if let Some(association) = self.established_mut(slot) {
            association.on_traffic_authenticated(now);
        }
        self.ice.note_authenticated(now, evidence.path());
        self.on_authenticated(now, slot);
        if evidence.key_nears_limit() && self.detached.key_limit_reported < Some(number) {
            self.detached.key_limit_reported = Some(number);
            self.events.push(Event::RestartNeeded);
        }
        self.route(now);
    }

    /// Publishes changes to the detached halves.
    pub(super) fn publish_to_detached(&mut self, now: Instant) {
        if self.detached.sender.is_some() {
            self.publish_sender(now);
        }
        if self.detached.receiver.is_some() {
            self.publish_receiver();
        }
    }

    fn publish_sender(&mut self, now: Instant) {
        let (permission, live) = (self.ice.permission(now), self.live());
        let sending = self.current.established().filter(|association| association.carries_media());
        let sending = sending.map(|association| association.identity.number);
        if let Some(link) = &self.detached.sender
            && (link.permission, link.sending, link.live) == (permission, sending, live)
        {
            return;
        }
        let new = Slot::ALL.into_iter().filter_map(|slot| {
            let association = self.established_mut(slot)?;
            let outbound = association.take_outbound()?;
            Some(Keys { association: association.identity.number, outbound })
        });
        let new: Vec<_> = new.collect();
        let Some(link) = &mut self.detached.sender else { return };
        (link.permission, link.sending, link.live) = (permission, sending, live);
        link.shared.publish(|snapshot| {
            snapshot.permission = permission;
            snapshot.sending = sending;
            snapshot.live = live.into_iter().flatten().collect();
            snapshot.new.extend(new);
            snapshot.new.retain(|keys| snapshot.live.contains(&keys.association));
        });
    }

    fn publish_receiver(&mut self) {
        let live = self.live();
        if self.detached.receiver.as_ref().is_some_and(|link| link.live == live) {
            return;
        }
        let new = Slot::ALL.into_iter().filter_map(|slot| {
            let association = self.established_mut(slot)?;
            Some((association.identity.number, association.take_inbound()?))
        });
        let new: Vec<_> = new.collect();
        let Some(link) = &mut self.detached.receiver else { return };
        link.live = live;
        link.shared.publish(|snapshot| {
            snapshot.live = live.into_iter().flatten().collect();
            snapshot.new.extend(new);
            snapshot.new.retain(|(association, _)| snapshot.live.contains(association));
        });
    }

    fn live(&self) -> Live {
        Slot::ALL.map(|slot| {
            let association = self.established(slot).filter(|association| association.carries_media());
            association.map(|association| association.identity.number)
        })
    }
}
