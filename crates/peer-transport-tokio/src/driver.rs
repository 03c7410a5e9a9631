//! The driver: sockets, clock and entropy for an [`Endpoint`], in one task.
//!
//! Moves bytes and time between the system and the endpoint. Makes no protocol decision: the endpoint parses and routes
//! datagrams and owns the deadlines.

use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Instant, SystemTime};

use peer_transport::{
    Certificate, Datagram, Endpoint, Error, Event, Media, PeerId, PeerMut, PeerTransport, Protocol, Seed,
    Transmit, WallClock,
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::time::Sleep;

use crate::config::DriverConfig;
use crate::egress::Egress;
use crate::receive_buffer::ReceiveBuffer;
use crate::socket::{Claim, Destination, Socket};
use crate::stats::DriverStats;

/// Many peers on shared UDP sockets, driven by the task that calls [`next`](Self::next).
///
/// All work is done inside the calls: the driver spawns no task, and between two calls of `next` it neither receives
/// nor runs timers. Packets that are sent between two calls leave with the next one. A task that sends without calling
/// `next` calls [`flush`](Self::flush).
pub struct Driver {
    endpoint: Endpoint,
    ports: Vec<Port>,
    /// The index of the socket that is read first.
    turn: usize,
    timer: Pin<Box<Sleep>>,
    life: Life,
    stats: DriverStats,
    scratch: Vec<u8>,
    fan_out: Vec<(PeerId, Result<Transmit, peer_transport::SendError>)>,
    refused: Vec<(PeerId, DriverSendError)>,
}

/// A socket with its queue.
#[derive(Debug)]
struct Port {
    socket: Socket,
    egress: Egress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Running,
    /// Every peer was closed; their final datagrams are being sent.
    Closing,
    Over,
}

/// A result of [`Driver::next`].
#[derive(Debug)]
#[must_use = "media is handed out once and is not kept"]
#[non_exhaustive]
pub enum Next<'b> {
    /// An RTP or RTCP packet of this peer, decrypted in the receive buffer; still protected if the peer's inbound side
    /// is detached.
    Media(PeerId, Media<'b>),
    /// An event of this peer.
    Event(PeerId, Event),
}

/// The reason why a packet was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DriverSendError {
    /// The transport refused the packet.
    #[error(transparent)]
    Refused(#[from] peer_transport::SendError),
    /// The socket is blocked, and [`DriverConfig::max_queued`] bytes wait already.
    #[error("the socket is blocked and its queue is full")]
    Congested,
    /// No UDP socket has the local address of the selected pair.
    #[error("no UDP socket has the local address of the selected pair")]
    NoSocket,
}

impl Driver {
    /// Returns a driver for bound sockets. Call it inside a tokio runtime with I/O and time enabled.
    ///
    /// The addresses of the sockets are the bases of candidates ([`local_addresses`](Self::local_addresses)). A socket
    /// bound to a wildcard address serves every address of the machine: its candidates have an address of the machine
    /// and the port of the socket.
    ///
    /// # Errors
    /// If a socket refuses an option, if there is no runtime, or if the system has no entropy.
    pub fn new(sockets: Vec<UdpSocket>, config: impl Into<Arc<DriverConfig>>) -> io::Result<Self> {
        tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        let config: Arc<DriverConfig> = config.into();
        let ports =
            sockets.into_iter().map(|socket| Port::new(socket, &config)).collect::<io::Result<_>>()?;
        Ok(Self {
            endpoint: Endpoint::new(Instant::now(), config.endpoint.clone(), seed()?),
            ports,
            turn: 0,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            life: Life::Running,
            stats: DriverStats::default(),
            scratch: Vec::new(),
            fan_out: Vec::new(),
            refused: Vec::new(),
        })
    }

    /// Adds a peer. Without certificates one is generated, dated by the system clock. An application with many peers
    /// generates one certificate and passes it to all.
    ///
    /// # Errors
    /// Like [`Endpoint::add_peer`].
    pub fn add_peer(
        &mut self,
        config: impl Into<Arc<peer_transport::Config>>,
        certificates: Vec<Certificate>,
    ) -> Result<PeerId, Error> {
        let mut config: Arc<peer_transport::Config> = config.into();
        // A shared configuration with certificates needs no clock, and so no copy.
        if certificates.is_empty() && config.wall_clock.is_none() {
            Arc::make_mut(&mut config).wall_clock = Some(WallClock::new(Instant::now(), SystemTime::now()));
        }
        self.endpoint.add_peer(Instant::now(), config, certificates)
    }

    /// Removes a peer at once, without a message to the other side. To end a connection properly, close the peer, and
    /// remove it after the `Closed` state.
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn remove_peer(&mut self, id: PeerId) -> Result<(), Error> {
        self.endpoint.remove_peer(id)
    }

    /// Returns a peer for reading; `None` after it was removed.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<&PeerTransport> {
        self.endpoint.peer(id)
    }

    /// Returns a peer for commands. Their datagrams leave with the next call of [`next`](Self::next).
    ///
    /// # Errors
    /// [`Error::UnknownPeer`].
    pub fn peer_mut(&mut self, id: PeerId) -> Result<PeerMut<'_>, Error> {
        self.endpoint.peer_mut(id)
    }

    /// Returns the endpoint for reading: its discards and its routes.
    #[must_use]
    pub const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Returns the peers, in an order that does not depend on their activity.
    pub fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.endpoint.peers()
    }

    /// Returns the addresses of the sockets, wildcards included.
    pub fn local_addresses(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.ports.iter().map(|port| port.socket.local())
    }

    /// Protects one RTP packet for `to` and queues it. `header` and `payload` are those of
    /// [`RtpPacket`](peer_transport::RtpPacket), rewritten for the receiver.
    ///
    /// # Errors
    /// [`DriverSendError`]. A refused packet is never sent.
    pub fn send_rtp(&mut self, to: PeerId, header: &[u8], payload: &[u8]) -> Result<(), DriverSendError> {
        self.scratch.clear();
        let transmit = self.endpoint.send_rtp(Instant::now(), to, header, payload, &mut self.scratch)?;
        self.queue_scratch(&transmit)
    }

    /// Protects one payload for many peers, each with its own header, which `header` appends.
    ///
    /// Returns the peers that do not get the packet, with the reason; an empty slice if all get it.
    pub fn send_rtp_to_many(
        &mut self,
        to: impl IntoIterator<Item = PeerId>,
        payload: &[u8],
        header: impl FnMut(PeerId, &mut Vec<u8>),
    ) -> &[(PeerId, DriverSendError)] {
        self.scratch.clear();
        self.fan_out.clear();
        self.refused.clear();
        let now = Instant::now();
        self.endpoint.send_rtp_to_many(now, to, payload, &mut self.scratch, &mut self.fan_out, header);
        let mut start = 0;
        for (peer, result) in self.fan_out.drain(..) {
            let queued = result.map_err(DriverSendError::from).and_then(|transmit| {
                let end = start + transmit.len;
                let bytes = self.scratch.get(start..end).unwrap_or_default();
                start = end;
                queue(&mut self.ports, &mut self.stats, &transmit, bytes)
            });
            if let Err(error) = queued {
                self.refused.push((peer, error));
            }
        }
        &self.refused
    }

    /// Protects one compound RTCP packet for `to` and queues it.
    ///
    /// # Errors
    /// [`DriverSendError`]. A refused packet is never sent.
    pub fn send_rtcp(&mut self, to: PeerId, compound: &[u8]) -> Result<(), DriverSendError> {
        self.scratch.clear();
        let transmit = self.endpoint.send_rtcp(Instant::now(), to, compound, &mut self.scratch)?;
        self.queue_scratch(&transmit)
    }

    /// Sends application data over DTLS, in one record. DTLS does not retransmit lost data.
    ///
    /// # Errors
    /// [`DriverSendError`].
    pub fn send_data(&mut self, to: PeerId, bytes: &[u8]) -> Result<(), DriverSendError> {
        Ok(self.endpoint.send_data(Instant::now(), to, bytes)?)
    }

    /// Queues a datagram that was protected elsewhere, for example by a detached
    /// [`MediaSender`](peer_transport::MediaSender) on another thread.
    ///
    /// # Errors
    /// [`DriverSendError::Congested`] and [`DriverSendError::NoSocket`].
    pub fn send_protected(&mut self, transmit: &Transmit, bytes: &[u8]) -> Result<(), DriverSendError> {
        queue(&mut self.ports, &mut self.stats, transmit, bytes)
    }

    /// Closes every peer. [`next`](Self::next) continues until all peers have sent their final datagrams and reported
    /// their end, and then returns `None`.
    pub fn shutdown(&mut self) {
        let now = Instant::now();
        let peers: Vec<PeerId> = self.endpoint.peers().collect();
        for id in peers {
            if let Ok(mut peer) = self.endpoint.peer_mut(id) {
                peer.close(now);
            }
        }
        if self.life == Life::Running {
            self.life = Life::Closing;
        }
    }

    /// Returns the counters of the sockets.
    #[must_use]
    pub fn stats(&self) -> DriverStats {
        self.stats
    }

    /// Passes queued datagrams to the sockets, without waiting.
    pub fn flush(&mut self) {
        self.collect_transmits();
        for port in &mut self.ports {
            port.egress.flush(&port.socket, &mut self.stats);
        }
    }

    /// Waits for the next packet or event of any peer. Returns `None` after [`shutdown`](Self::shutdown).
    ///
    /// Cancel-safe: the only waiting point holds nothing that could be lost. Always pass the same `buffer`.
    ///
    /// # Errors
    /// If a socket itself fails. A datagram that cannot be sent, or an unreachable peer, is not an error; both are
    /// counted ([`DriverStats`]). The driver stays usable after an error.
    pub async fn next<'b>(&mut self, buffer: &'b mut ReceiveBuffer) -> io::Result<Option<Next<'b>>> {
        // Media borrows the buffer. Inside the loop that borrow would last for all iterations.
        let (peer, media, range) = loop {
            let now = Instant::now();
            if let Some((peer, event)) = self.endpoint.poll_event() {
                self.flush();
                return Ok(Some(Next::Event(peer, event)));
            }
            if let Some((meta, range)) = buffer.pop() {
                let payload = buffer.bytes_mut(range.clone());
                if let Some((peer, media)) = self.endpoint.handle_input(now, Datagram { meta, payload }) {
                    break (peer, media.detach(), range);
                }
                continue;
            }
            if self.endpoint.poll_timeout().is_some_and(|deadline| deadline <= now) {
                self.endpoint.handle_timeout(now);
                continue;
            }
            self.flush();
            if self.is_over() {
                return Ok(None);
            }
            // A flood of malformed input must not starve the other tasks of the runtime.
            tokio::task::coop::consume_budget().await;
            self.receive(buffer)?;
            if buffer.is_empty() {
                self.readiness().await?;
            }
        };
        Ok(Some(Next::Media(peer, media.attach(buffer.bytes_mut(range)))))
    }

    /// Moves the endpoint's datagrams to the queues.
    fn collect_transmits(&mut self) {
        loop {
            self.scratch.clear();
            let Some(transmit) = self.endpoint.poll_transmit(&mut self.scratch) else { break };
            if let Err(error) = self.queue_scratch(&transmit) {
                // Equivalent to a loss on the network: STUN and DTLS retransmit.
                tracing::debug!(%error, path = ?transmit.path, "a protocol packet was dropped");
            }
        }
    }

    fn queue_scratch(&mut self, transmit: &Transmit) -> Result<(), DriverSendError> {
        queue(&mut self.ports, &mut self.stats, transmit, transmit.bytes(&self.scratch))
    }

    fn is_over(&mut self) -> bool {
        if self.life == Life::Closing && self.ports.iter().all(|port| port.egress.is_empty()) {
            self.life = Life::Over;
        }
        self.life == Life::Over
    }

    /// Fills the buffer from the next readable socket, in turn.
    fn receive(&mut self, buffer: &mut ReceiveBuffer) -> io::Result<()> {
        for _ in 0..self.ports.len() {
            self.turn = (self.turn + 1) % self.ports.len();
            let Some(port) = self.ports.get(self.turn) else { continue };
            match buffer.fill(&port.socket, &mut self.stats) {
                Ok(()) if buffer.is_empty() => {}
                Ok(()) => return Ok(()),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => {}
                    // An ICMP error about an earlier datagram; some systems report it here.
                    io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::Interrupted => {
                        self.stats.receive_errors = self.stats.receive_errors.saturating_add(1);
                    }
                    _ => return Err(error),
                },
            }
        }
        Ok(())
    }

    /// Waits until a socket is readable, a blocked socket is writable, or a timer is due.
    async fn readiness(&mut self) -> io::Result<()> {
        let deadline = self.endpoint.poll_timeout().map(tokio::time::Instant::from_std);
        if let Some(deadline) = deadline
            && deadline != self.timer.deadline()
        {
            self.timer.as_mut().reset(deadline);
        }
        let (ports, timer) = (&self.ports, &mut self.timer);
        poll_fn(|cx| {
            for Port { socket, egress } in ports {
                if let Poll::Ready(result) = socket.poll_readable(cx) {
                    return Poll::Ready(result);
                }
                if !egress.is_empty()
                    && let Poll::Ready(result) = socket.poll_writable(cx)
                {
                    return Poll::Ready(result);
                }
            }
            if deadline.is_some() { timer.as_mut().poll(cx).map(Ok) } else { Poll::Pending }
        })
        .await
    }
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver")
            .field("peers", &self.endpoint.len())
            .field("sockets", &self.ports.len())
            .field("life", &self.life)
            .finish_non_exhaustive()
    }
}

impl Port {
    fn new(socket: UdpSocket, config: &DriverConfig) -> io::Result<Self> {
        let socket = Socket::new(socket)?;
        socket.set_buffers(config.receive_buffer, config.send_buffer)?;
        Ok(Self { socket, egress: Egress::new(config.max_queued) })
    }
}

/// Queues a datagram at the socket with its local address.
fn queue(
    ports: &mut [Port],
    stats: &mut DriverStats,
    transmit: &Transmit,
    bytes: &[u8],
) -> Result<(), DriverSendError> {
    let to = Destination { local: transmit.path.local(), remote: transmit.path.remote(), ecn: transmit.ecn };
    // The application owns TCP connections.
    let sockets = if transmit.path.protocol() == Protocol::Udp { ports } else { &mut [] };
    let best = sockets
        .iter_mut()
        .map(|port| (port.socket.claim(to.local), port))
        .filter(|(claim, _)| *claim != Claim::No)
        .max_by_key(|(claim, _)| *claim);
    let Some((_, Port { socket, egress })) = best else {
        stats.no_socket = stats.no_socket.saturating_add(1);
        return Err(DriverSendError::NoSocket);
    };
    let max_segments = socket.max_segments();
    let mut queued = egress.push(to, bytes, transmit.segment_size, max_segments);
    if queued.is_err() {
        // The queue may contain a batch that is not flushed yet.
        egress.flush(socket, stats);
        queued = egress.push(to, bytes, transmit.segment_size, max_segments);
    }
    queued.map_err(|_| {
        stats.queue_full = stats.queue_full.saturating_add(1);
        DriverSendError::Congested
    })
}

/// Returns 32 bytes of the system's generator.
fn seed() -> io::Result<Seed> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no entropy"))?;
    Ok(Seed::new(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer_transport::Path;

    fn port(address: &str) -> Port {
        Port::new(UdpSocket::bind(address).unwrap(), &DriverConfig::default()).unwrap()
    }

    fn queued(ports: &mut [Port], path: Path) -> Result<usize, DriverSendError> {
        let bytes = [1; 10];
        queue(ports, &mut DriverStats::default(), &Transmit::new(path, bytes.len()), &bytes)?;
        Ok(ports.iter().position(|port| !port.egress.is_empty()).unwrap())
    }

    #[tokio::test]
    async fn exact_socket_is_preferred_to_a_wildcard() {
        let mut ports = [port("0.0.0.0:0"), port("127.0.0.1:0")];
        let remote = SocketAddr::from(([127, 0, 0, 1], 9));
        let exact = ports[1].socket.local();
        assert_eq!(queued(&mut ports, Path::udp(exact, remote)), Ok(1));
        let mut ports = [port("0.0.0.0:0"), port("127.0.0.1:0")];
        let any = SocketAddr::from(([127, 0, 0, 1], ports[0].socket.local().port()));
        assert_eq!(queued(&mut ports, Path::udp(any, remote)), Ok(0));
    }

    #[tokio::test]
    async fn unknown_address_and_tcp_path_are_refused() {
        let mut ports = [port("127.0.0.1:0")];
        let own = ports[0].socket.local();
        let remote = SocketAddr::from(([127, 0, 0, 1], 9));
        let elsewhere = SocketAddr::from(([127, 0, 0, 1], own.port().wrapping_add(1)));
        assert_eq!(queued(&mut ports, Path::udp(elsewhere, remote)), Err(DriverSendError::NoSocket));
        assert_eq!(queued(&mut ports, Path::new(own, remote, Protocol::Tcp)), Err(DriverSendError::NoSocket));
    }
}
