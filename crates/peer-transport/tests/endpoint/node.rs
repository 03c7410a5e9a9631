//! An endpoint as a node of the virtual network.
//!
//! Knows the verbs of an endpoint and the order of its outputs. Does not know what a test sends.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{
    AssociationId, Candidate, Certificate, Config, Datagram, Endpoint, EndpointConfig, Event, Path, PeerId,
    Seed, SendError,
};
use sim::{Ecn, Node, Sent};

/// An output of the endpoint, with the peer that it concerns.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Output {
    Event(PeerId, Event),
    Media { peer: PeerId, association: Option<AssociationId>, bytes: Vec<u8> },
}

pub(crate) struct EndpointNode {
    pub(crate) endpoint: Endpoint,
    media: VecDeque<(Path, Vec<u8>)>,
    outputs: VecDeque<Output>,
}

/// One certificate for all tests, because generating it takes longer than a test.
pub(crate) fn certificate() -> Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    let month = Duration::from_secs(30 * 24 * 3600);
    CERTIFICATE.get_or_init(|| Certificate::generate(SystemTime::now(), month).unwrap()).clone()
}

/// An RTP header: version 2, payload type 96, timestamp 0.
pub(crate) fn rtp_header(sequence_number: u16, ssrc: u32) -> [u8; 12] {
    let ([s0, s1], [a, b, c, d]) = (sequence_number.to_be_bytes(), ssrc.to_be_bytes());
    [0x80, 96, s0, s1, 0, 0, 0, 0, a, b, c, d]
}

impl EndpointNode {
    pub(crate) fn new(now: Instant, seed: [u8; 32]) -> Self {
        let endpoint = Endpoint::new(now, EndpointConfig::default(), Seed::new(seed));
        Self { endpoint, media: VecDeque::new(), outputs: VecDeque::new() }
    }

    /// Adds a peer with a host candidate.
    pub(crate) fn add_peer(&mut self, now: Instant, address: SocketAddr) -> PeerId {
        let id = self.endpoint.add_peer(now, Config::default(), vec![certificate()]).unwrap();
        let mut peer = self.endpoint.peer_mut(id).unwrap();
        peer.add_local_candidate(now, Candidate::host(address).unwrap()).unwrap();
        peer.end_of_local_candidates(now);
        id
    }

    /// Queues a protected RTP packet behind the datagrams of the endpoint.
    pub(crate) fn send_rtp(
        &mut self,
        now: Instant,
        to: PeerId,
        header: &[u8],
        payload: &[u8],
    ) -> Result<(), SendError> {
        let mut out = Vec::new();
        let sent = self.endpoint.send_rtp(now, to, header, payload, &mut out)?;
        self.media.push_back((sent.path, out));
        Ok(())
    }

    /// Queues a protected RTCP packet behind the datagrams of the endpoint.
    pub(crate) fn send_rtcp(&mut self, now: Instant, to: PeerId, compound: &[u8]) -> Result<(), SendError> {
        let mut out = Vec::new();
        let sent = self.endpoint.send_rtcp(now, to, compound, &mut out)?;
        self.media.push_back((sent.path, out));
        Ok(())
    }
}

impl Node for EndpointNode {
    type Output = Output;

    fn handle_input(&mut self, now: Instant, path: sim::Path, _ecn: Ecn, payload: &mut [u8]) {
        let path = Path::udp(path.local, path.remote);
        let media = self.endpoint.handle_input(now, Datagram::new(path, payload)).map(|(peer, media)| {
            Output::Media { peer, association: media.association(), bytes: media.bytes().to_vec() }
        });
        if let Some(media) = media {
            // The events that preceded the packet come first.
            while let Some((peer, event)) = self.endpoint.poll_event() {
                self.outputs.push_back(Output::Event(peer, event));
            }
            self.outputs.push_back(media);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.endpoint.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let (path, len) = if let Some(transmit) = self.endpoint.poll_transmit(buffer) {
            (transmit.path, transmit.len)
        } else {
            let (path, bytes) = self.media.pop_front()?;
            buffer.extend_from_slice(&bytes);
            (path, bytes.len())
        };
        let path = sim::Path { local: path.local(), remote: path.remote() };
        Some(Sent { path, len, ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<Output> {
        let queued = self.outputs.pop_front();
        queued.or_else(|| self.endpoint.poll_event().map(|(peer, event)| Output::Event(peer, event)))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.endpoint.poll_timeout()
    }
}
