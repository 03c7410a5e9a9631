//! Many peers on shared sockets: whose is a datagram, who has something to send, who is due when.
//!
//! Three questions with one index each, so that a datagram costs the same among ten peers and ten
//! thousand. What a peer is and does is in [`PeerTransport`]; nothing here looks into it.

mod config;
mod deadlines;
mod index;
mod indexes;
mod keyed;
mod peer_id;
mod peer_mut;
mod ready;
mod route;
mod slots;

pub use config::EndpointConfig;
pub use peer_id::PeerId;
pub use peer_mut::PeerMut;
pub use route::{ForwardTag, Route};

use std::sync::Arc;
use std::time::Instant;

use dtls_core::Certificate;
use ice_agent::{Path, Peek, Seed};

use crate::config::Config;
use crate::demux::{self, Class};
use crate::error::{Error, SendError};
use crate::event::Event;
use crate::media::{Datagram, Media, Transmit};
use crate::stats::{Discard, Discarded};
use crate::transport::PeerTransport;
use indexes::{Indexes, Peer};
use keyed::Keyed;
use ready::Mark;
use slots::Slots;

/// Many [`PeerTransport`]s behind any number of local addresses.
///
/// The same five verbs as a single transport, with the peer's id in front of what comes out.
/// Datagrams find their peer without being tried on all of them: a STUN request by the username
/// fragment that it asks for, a STUN response by the transaction that it answers, and everything
/// else by its path, which only authenticated STUN binds to a peer. A path leads to the peer that
/// sends on it, and before anybody does to the first that was authenticated there: a peer that
/// forges source addresses takes over no path of another, nor keeps one from it. (A lite agent
/// selects without an answer, so behind it the first keeps the path.)
///
/// ```
/// use std::time::Instant;
///
/// use peer_transport::{Datagram, Endpoint, Event, Media, Path, PeerId};
///
/// /// One turn of a forwarding unit: what `from` sends goes to `to`, in the loop that received it.
/// fn on_datagram(
///     endpoint: &mut Endpoint,
///     (from, to): (PeerId, PeerId),
///     (path, bytes): (Path, &mut [u8]),
///     mut send: impl FnMut(Path, &[u8]),
/// ) {
///     let now = Instant::now();
///     let mut buffer = Vec::new();
///     if let Some((peer, Media::Rtp(packet))) = endpoint.handle_input(now, Datagram::new(path, bytes)) {
///         // The packet borrows `bytes` and not the endpoint.
///         if peer == from
///             && let Ok(sent) = endpoint.send_rtp(now, to, packet.header_bytes(), packet.payload(), &mut buffer)
///         {
///             send(sent.path, sent.bytes(&buffer));
///         }
///     }
///     while let Some(sent) = endpoint.poll_transmit(&mut buffer) {
///         send(sent.path, sent.bytes(&buffer));
///         buffer.clear();
///     }
///     while let Some((peer, event)) = endpoint.poll_event() {
///         if let Event::Failed(reason) = event {
///             eprintln!("{peer}: {reason}");
///         }
///     }
/// }
/// ```
pub struct Endpoint {
    config: EndpointConfig,
    seed: Seed,
    /// How many peers there were so far; each has a stream of randomness of its own.
    added: u64,
    now: Instant,
    peers: Slots<Peer>,
    indexes: Indexes,
    discarded: Discarded,
    /// Kept for its capacity.
    due: Vec<PeerId>,
    /// Kept for its capacity.
    header: Vec<u8>,
}

impl Endpoint {
    /// An endpoint without peers.
    ///
    /// The seed has to come from a cryptographic generator: all randomness of ICE follows from it,
    /// in an independent stream for each peer.
    #[must_use]
    pub fn new(now: Instant, config: EndpointConfig, seed: Seed) -> Self {
        let indexes = Indexes::new(&Keyed::from_seed(&seed.derive(0)), config.max_paths_per_peer);
        Self {
            config,
            seed,
            added: 0,
            now,
            peers: Slots::new(),
            indexes,
            discarded: Discarded::default(),
            due: Vec::new(),
            header: Vec::new(),
        }
    }

    /// Adds a peer; [`PeerTransport::new`] says what the arguments are.
    ///
    /// # Errors
    /// [`Error::TooManyPeers`] where the endpoint is full, and the errors of
    /// [`PeerTransport::new`].
    pub fn add_peer(
        &mut self,
        now: Instant,
        config: impl Into<Arc<Config>>,
        certificates: Vec<Certificate>,
    ) -> Result<PeerId, Error> {
        let now = self.advance(now);
        let full = Error::TooManyPeers { max: self.config.max_peers };
        if self.peers.len() >= self.config.max_peers {
            return Err(full);
        }
        // Stream 0 keys the indexes.
        let stream = self.added.saturating_add(1);
        let transport = PeerTransport::new(now, config, certificates, self.seed.derive(stream))?;
        let id = self.peers.insert(Peer::new(transport)).ok_or(full)?;
        self.added = stream;
        if let Some(peer) = self.peers.get_mut(id) {
            self.indexes.settle_after_command(id, peer);
        }
        Ok(id)
    }

    /// Drops a peer at once, whatever state it is in. What it still had to send or to tell is
    /// dropped with it: [`close`](PeerMut::close) it first and drain it where the other side
    /// should hear of the end.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn remove_peer(&mut self, id: PeerId) -> Result<(), Error> {
        let mut peer = self.peers.remove(id).ok_or(Error::UnknownPeer)?;
        self.indexes.remove(id, &mut peer);
        Ok(())
    }

    /// The peers, in an order that does not depend on what they do.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.ids()
    }

    /// How many peers there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there is no peer.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A peer, to look at. `None` for the id of a peer that was removed.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&PeerTransport> {
        self.peers.get(id).map(|peer| &peer.transport)
    }

    /// A peer, to command.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn peer_mut(&mut self, id: PeerId) -> Result<PeerMut<'_>, Error> {
        let peer = self.peers.get_mut(id).ok_or(Error::UnknownPeer)?;
        Ok(PeerMut::new(id, peer, &mut self.indexes))
    }

    /// Gives a path away: what arrives on it is [`Route::Forward`] from now on, except where a
    /// peer here is meant by name. `None` takes the path back.
    ///
    /// Which paths are no longer used is for the application to find out; nothing here expires.
    ///
    /// # Errors
    /// [`Error::PathTaken`] where a peer here was authenticated on the path,
    /// [`Error::TooManyForwards`] where [`EndpointConfig::max_forwards`] is reached.
    pub fn set_forward(&mut self, now: Instant, path: Path, tag: Option<ForwardTag>) -> Result<(), Error> {
        self.advance(now);
        let names = &mut self.indexes.names;
        if tag.is_some() {
            if names.by_path(&path).is_some() {
                return Err(Error::PathTaken);
            }
            let max = self.config.max_forwards;
            if names.forward(&path).is_none() && names.forwards() >= max {
                return Err(Error::TooManyForwards { max });
            }
        }
        names.set_forward(path, tag);
        Ok(())
    }

    /// Where a datagram belongs. Looks only; [`handle_input`](Self::handle_input) asks the same
    /// for itself, so this is for those who forward.
    #[must_use]
    pub fn route<'r>(&self, datagram: &'r Datagram<'_>) -> Route<'r> {
        let (path, payload) = (&datagram.meta.path, &*datagram.payload);
        match demux::classify(payload) {
            Class::Stun => self.route_stun(path, payload),
            Class::Dtls | Class::Rtp | Class::Rtcp => self.route_by_path(path, Discard::UnknownPath),
            Class::Unknown => self.forwarded(path, Discard::UnknownClass),
            Class::Empty => Route::Unknown(Discard::Empty),
        }
    }

    /// A received datagram. Media comes back at once, decrypted in the datagram's own bytes.
    ///
    /// What is due at `now` is done first, for all peers, so a socket that is never idle still
    /// sees every deadline. A datagram for no peer here is counted by its reason.
    pub fn handle_input<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<(PeerId, Media<'d>)> {
        self.handle_timeout(now);
        let reason = match self.route(&datagram) {
            Route::Peer(id) => return self.give(id, datagram),
            Route::Foreign { .. } => Discard::Ice(ice_agent::Discard::UnknownUfrag),
            Route::Forward(_) => Discard::UnknownPath,
            Route::Unknown(reason) => reason,
        };
        self.discarded.add(reason, 1);
        None
    }

    /// Does what is due at `now`, for every peer whose deadline has come.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.advance(now);
        if self.poll_timeout().is_none_or(|deadline| deadline > now) {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        self.indexes.deadlines.take_due(now, &mut due);
        for id in due.drain(..) {
            if let Some(peer) = self.peers.get_mut(id) {
                Indexes::deadline_taken(peer);
                peer.transport.handle_timeout(now);
                self.indexes.settle(id, peer);
            }
        }
        self.due = due;
    }

    /// Appends the next datagram to send to `buf`: the last [`Transmit::len`] bytes of it, see
    /// [`Transmit::bytes`]. Peers take turns in the order in which they became ready, and each
    /// says all that it has to say before the next, so that datagrams on one path can be joined.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(id) = self.indexes.sending.first() {
            if let Some(peer) = self.peers.get_mut(id) {
                if let Some(transmit) = peer.transport.poll_transmit(buf) {
                    self.indexes.note_sent(self.now, id, peer, transmit.bytes(buf));
                    return Some(transmit);
                }
                peer.sending = Mark::Absent;
            }
            self.indexes.sending.pop();
        }
        None
    }

    /// The next thing that happened, and to whom. In order for each peer.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(id) = self.indexes.telling.first() {
            if let Some(peer) = self.peers.get_mut(id) {
                if let Some(event) = peer.transport.poll_event() {
                    return Some((id, event));
                }
                peer.telling = Mark::Absent;
            }
            self.indexes.telling.pop();
        }
        None
    }

    /// When [`handle_timeout`](Self::handle_timeout) wants to be called; `None` when nothing is
    /// due ever.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.indexes.deadlines.next()
    }

    /// Protects one RTP packet for a peer and appends it to `out`: see
    /// [`PeerTransport::send_rtp`].
    ///
    /// # Errors
    /// [`SendError`]; `out` is then as it was.
    pub fn send_rtp(
        &mut self,
        now: Instant,
        to: PeerId,
        header: &[u8],
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let peer = self.peers.get_mut(to).ok_or(SendError::UnknownPeer)?;
        peer.transport.send_rtp(now, header, payload, out)
    }

    /// Protects one compound RTCP packet for a peer and appends it to `out`: see
    /// [`PeerTransport::send_rtcp`].
    ///
    /// # Errors
    /// [`SendError`]; `out` is then as it was.
    pub fn send_rtcp(
        &mut self,
        now: Instant,
        to: PeerId,
        compound: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Transmit, SendError> {
        let now = self.advance(now);
        let peer = self.peers.get_mut(to).ok_or(SendError::UnknownPeer)?;
        peer.transport.send_rtcp(now, compound, out)
    }

    /// Sends application data to a peer in one DTLS record: see [`PeerTransport::send_data`].
    /// [`poll_transmit`](Self::poll_transmit) hands it out.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_data(&mut self, now: Instant, to: PeerId, data: &[u8]) -> Result<(), SendError> {
        let now = self.advance(now);
        let peer = self.peers.get_mut(to).ok_or(SendError::UnknownPeer)?;
        let sent = peer.transport.send_data(now, data);
        self.indexes.settle(to, peer);
        sent
    }

    /// Sends one payload to many peers, each under a header of its own, as a forwarding unit does.
    ///
    /// `header` is asked once for each peer and appends the header to the buffer that it is given.
    /// The protected packets are appended to `out`, one behind the other, and `sent` gets one
    /// entry for each peer, in order; an entry that is an error has no bytes in `out`.
    ///
    /// ```
    /// # use std::time::Instant;
    /// # use peer_transport::{Endpoint, PeerId, RtpPacket};
    /// # fn fan_out(endpoint: &mut Endpoint, now: Instant, viewers: &[PeerId], packet: &RtpPacket<'_>) {
    /// let (mut out, mut sent) = (Vec::new(), Vec::new());
    /// let viewers = viewers.iter().copied();
    /// endpoint.send_rtp_to_many(now, viewers, packet.payload(), &mut out, &mut sent, |_viewer, header| {
    ///     header.extend_from_slice(packet.header_bytes());
    /// });
    /// let mut rest = &out[..];
    /// for transmit in sent.iter().filter_map(|(_, result)| result.as_ref().ok()) {
    ///     let (datagram, behind) = rest.split_at(transmit.len);
    ///     rest = behind;
    ///     // Send `datagram` on `transmit.path`.
    ///     # let _ = datagram;
    /// }
    /// # }
    /// ```
    pub fn send_rtp_to_many(
        &mut self,
        now: Instant,
        to: impl IntoIterator<Item = PeerId>,
        payload: &[u8],
        out: &mut Vec<u8>,
        sent: &mut Vec<(PeerId, Result<Transmit, SendError>)>,
        mut header: impl FnMut(PeerId, &mut Vec<u8>),
    ) {
        let now = self.advance(now);
        let mut own_header = std::mem::take(&mut self.header);
        for id in to {
            own_header.clear();
            header(id, &mut own_header);
            sent.push((id, self.send_rtp(now, id, &own_header, payload, out)));
        }
        self.header = own_header;
    }

    /// How many datagrams for no peer here were dropped for this reason. What peers drop is in
    /// their own [`stats`](PeerTransport::stats).
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.get(reason)
    }

    /// Every reason for which datagrams for no peer here were dropped, in the order of first
    /// occurrence.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.discarded.iter()
    }

    fn give<'d>(&mut self, id: PeerId, datagram: Datagram<'d>) -> Option<(PeerId, Media<'d>)> {
        let peer = self.peers.get_mut(id)?;
        let media = peer.transport.handle_input(self.now, datagram);
        self.indexes.settle(id, peer);
        media.map(|media| (id, media))
    }

    fn route_stun<'r>(&self, path: &Path, payload: &'r [u8]) -> Route<'r> {
        match ice_agent::peek(payload) {
            Ok(Peek::Request { local_ufrag, .. }) => match self.indexes.names.by_ufrag(local_ufrag) {
                Some(id) => Route::Peer(id),
                None => Route::Foreign { ufrag: local_ufrag },
            },
            Ok(Peek::Response { transaction_id }) => {
                match self.indexes.names.by_transaction(&transaction_id) {
                    Some(id) => Route::Peer(id),
                    None => self.forwarded(path, Discard::Ice(ice_agent::Discard::UnknownTransaction)),
                }
            }
            Ok(Peek::Indication) => self.route_by_path(path, Discard::UnknownPath),
            Err(reason) => self.forwarded(path, Discard::Ice(reason)),
        }
    }

    fn route_by_path<'r>(&self, path: &Path, otherwise: Discard) -> Route<'r> {
        match self.indexes.names.by_path(path) {
            Some(id) => Route::Peer(id),
            None => self.forwarded(path, otherwise),
        }
    }

    fn forwarded<'r>(&self, path: &Path, otherwise: Discard) -> Route<'r> {
        self.indexes.names.forward(path).map_or(Route::Unknown(otherwise), Route::Forward)
    }

    /// A `now` that goes back is treated as the latest one.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
