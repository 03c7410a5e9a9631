//! Many peers on shared sockets: assigns datagrams to peers, and finds the peers that are ready or due.
//!
//! One index for each of these questions, so that the cost of a datagram does not depend on the number of
//! peers. Does not know the state of a peer: that is in [`PeerTransport`].

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
/// It has the five verbs of a single transport; the outputs carry the peer's id. Datagrams find their peer by
/// index: a STUN request by its username fragment, a STUN response by its transaction, and everything else by
/// its path, which only authenticated STUN binds to a peer. If several peers are bound to a path, it leads to
/// the peer that sends on it, otherwise to the first that was authenticated there. So a peer that forges source
/// addresses can neither take over another peer's path nor keep it from that peer. (A lite agent selects pairs
/// without a response, so with lite agents the first peer keeps the path.)
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
    /// The number of peers added so far. Each has its own stream of random numbers.
    added: u64,
    now: Instant,
    peers: Slots<Peer>,
    indexes: Indexes,
    discarded: Discarded,
    /// Reused for its capacity.
    due: Vec<PeerId>,
    /// Reused for its capacity.
    header: Vec<u8>,
}

impl Endpoint {
    /// Creates an endpoint without peers.
    ///
    /// The seed must come from a cryptographic generator: all random numbers of ICE derive from it, in an
    /// independent stream for each peer.
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

    /// Adds a peer. For the arguments see [`PeerTransport::new`].
    ///
    /// # Errors
    /// [`Error::TooManyPeers`] if the endpoint is full, and the errors of [`PeerTransport::new`].
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
        // Stream 0 is the key of the indexes.
        let stream = self.added.saturating_add(1);
        let transport = PeerTransport::new(now, config, certificates, self.seed.derive(stream))?;
        let id = self.peers.insert(Peer::new(transport)).ok_or(full)?;
        self.added = stream;
        if let Some(peer) = self.peers.get_mut(id) {
            self.indexes.update_after_command(id, peer);
        }
        Ok(id)
    }

    /// Removes a peer immediately in any state, with its pending datagrams and events. To notify the other
    /// side, [`close`](PeerMut::close) the peer first and drain it.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn remove_peer(&mut self, id: PeerId) -> Result<(), Error> {
        let mut peer = self.peers.remove(id).ok_or(Error::UnknownPeer)?;
        self.indexes.remove(id, &mut peer);
        Ok(())
    }

    /// Returns the peers in an order that does not depend on their activity.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.peers.ids()
    }

    /// The number of peers.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.peers.len()
    }

    /// Whether there are no peers.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns a peer, read-only, or `None` for the id of a removed peer.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&PeerTransport> {
        self.peers.get(id).map(|peer| &peer.transport)
    }

    /// Returns a peer for commands.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn peer_mut(&mut self, id: PeerId) -> Result<PeerMut<'_>, Error> {
        let peer = self.peers.get_mut(id).ok_or(Error::UnknownPeer)?;
        Ok(PeerMut::new(id, peer, &mut self.indexes))
    }

    /// Forwards a path: its datagrams are [`Route::Forward`] from now on, except STUN for the ufrag or
    /// transaction of a local peer. `None` removes the entry.
    ///
    /// Entries never expire; the application must remove those of unused paths.
    ///
    /// # Errors
    /// [`Error::PathTaken`] if a local peer was authenticated on the path, [`Error::TooManyForwards`] if
    /// [`EndpointConfig::max_forwards`] is reached.
    pub fn set_forward(&mut self, now: Instant, path: Path, tag: Option<ForwardTag>) -> Result<(), Error> {
        self.advance(now);
        let index = &mut self.indexes.index;
        if tag.is_some() {
            if index.by_path(&path).is_some() {
                return Err(Error::PathTaken);
            }
            let max = self.config.max_forwards;
            if index.forward(&path).is_none() && index.forwards() >= max {
                return Err(Error::TooManyForwards { max });
            }
        }
        index.set_forward(path, tag);
        Ok(())
    }

    /// Returns where a datagram belongs, without processing it. For applications that forward datagrams;
    /// [`handle_input`](Self::handle_input) does the same lookup itself.
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

    /// Processes a received datagram and returns its media, decrypted in the datagram's own bytes.
    ///
    /// First runs the timers of all peers that are due at `now`, so deadlines fire even on a socket that is
    /// never idle. A datagram for no local peer is counted by its reason.
    pub fn handle_input<'d>(&mut self, now: Instant, datagram: Datagram<'d>) -> Option<(PeerId, Media<'d>)> {
        self.handle_timeout(now);
        let reason = match self.route(&datagram) {
            Route::Peer(id) => return self.deliver(id, datagram),
            Route::Foreign { .. } => Discard::Ice(ice_agent::Discard::UnknownUfrag),
            Route::Forward(_) => Discard::UnknownPath,
            Route::Unknown(reason) => reason,
        };
        self.discarded.add(reason, 1);
        None
    }

    /// Runs the timers that are due at `now`, for every peer.
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
                self.indexes.update_after_input(id, peer);
            }
        }
        self.due = due;
    }

    /// Appends the next datagram to send to `buf`: its last [`Transmit::len`] bytes, see [`Transmit::bytes`].
    /// Peers take turns in the order in which they became ready. Each one is drained before the next, so that
    /// datagrams on one path can be sent in one batch.
    pub fn poll_transmit(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        while let Some(id) = self.indexes.transmits.first() {
            if let Some(peer) = self.peers.get_mut(id) {
                if let Some(transmit) = peer.transport.poll_transmit(buf) {
                    self.indexes.note_sent(self.now, id, peer, transmit.bytes(buf));
                    return Some(transmit);
                }
                peer.transmits = Mark::Absent;
            }
            self.indexes.transmits.pop();
        }
        None
    }

    /// Returns the next event and its peer. The events of one peer are in order.
    pub fn poll_event(&mut self) -> Option<(PeerId, Event)> {
        while let Some(id) = self.indexes.events.first() {
            if let Some(peer) = self.peers.get_mut(id) {
                if let Some(event) = peer.transport.poll_event() {
                    return Some((id, event));
                }
                peer.events = Mark::Absent;
            }
            self.indexes.events.pop();
        }
        None
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), or `None` if no timer is set.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.indexes.deadlines.next()
    }

    /// Protects one RTP packet for a peer and appends it to `out`: see [`PeerTransport::send_rtp`].
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
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

    /// Protects one compound RTCP packet for a peer and appends it to `out`: see [`PeerTransport::send_rtcp`].
    ///
    /// # Errors
    /// [`SendError`]; `out` is then unchanged.
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
    /// [`poll_transmit`](Self::poll_transmit) returns the datagram.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn send_data(&mut self, now: Instant, to: PeerId, data: &[u8]) -> Result<(), SendError> {
        let now = self.advance(now);
        let peer = self.peers.get_mut(to).ok_or(SendError::UnknownPeer)?;
        let sent = peer.transport.send_data(now, data);
        self.indexes.update_after_input(to, peer);
        sent
    }

    /// Sends one payload to many peers, each with its own header, for a forwarding unit.
    ///
    /// `header` is called once per peer and appends the header to its buffer. The protected packets are
    /// appended to `out` in sequence, and `sent` gets one entry per peer, in order. An entry with an error has
    /// no bytes in `out`.
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

    /// Returns how many datagrams for no local peer were dropped for this reason. Drops of a peer are in its
    /// own [`stats`](PeerTransport::stats).
    #[must_use]
    pub fn discarded(&self, reason: Discard) -> u64 {
        self.discarded.get(reason)
    }

    /// Returns every reason for which datagrams for no local peer were dropped, in the order of first
    /// occurrence.
    pub fn discards(&self) -> impl Iterator<Item = (Discard, u64)> + '_ {
        self.discarded.iter()
    }

    fn deliver<'d>(&mut self, id: PeerId, datagram: Datagram<'d>) -> Option<(PeerId, Media<'d>)> {
        let peer = self.peers.get_mut(id)?;
        let media = peer.transport.handle_input(self.now, datagram);
        self.indexes.update_after_input(id, peer);
        media.map(|media| (id, media))
    }

    fn route_stun<'r>(&self, path: &Path, payload: &'r [u8]) -> Route<'r> {
        match ice_agent::peek(payload) {
            Ok(Peek::Request { local_ufrag, .. }) => match self.indexes.index.by_ufrag(local_ufrag) {
                Some(id) => Route::Peer(id),
                None => Route::Foreign { ufrag: local_ufrag },
            },
            Ok(Peek::Response { transaction_id }) => {
                match self.indexes.index.by_transaction(&transaction_id) {
                    Some(id) => Route::Peer(id),
                    None => self.forwarded(path, Discard::Ice(ice_agent::Discard::UnknownTransaction)),
                }
            }
            Ok(Peek::Indication) => self.route_by_path(path, Discard::UnknownPath),
            Err(reason) => self.forwarded(path, Discard::Ice(reason)),
        }
    }

    fn route_by_path<'r>(&self, path: &Path, fallback: Discard) -> Route<'r> {
        match self.indexes.index.by_path(path) {
            Some(id) => Route::Peer(id),
            None => self.forwarded(path, fallback),
        }
    }

    fn forwarded<'r>(&self, path: &Path, fallback: Discard) -> Route<'r> {
        self.indexes.index.forward(path).map_or(Route::Unknown(fallback), Route::Forward)
    }

    /// A time earlier than the latest one counts as the latest one.
    fn advance(&mut self, now: Instant) -> Instant {
        self.now = self.now.max(now);
        self.now
    }
}
