//! A peer transport as a node of the virtual network, and two of them as a subject of the contract.
//!
//! The application sends media with [`PeerNode::send_rtp`], and it leaves with all other output; received media becomes
//! an [`Output`] in its order among the events.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

use dtls_core::{Certificate, Versions};
use ice_agent::{Candidate, Seed};
use peer_transport::{
    AssociationId, Config, Datagram, DescriptionKind, Event, Media, Parameters, PeerTransport,
    RestartCertificates, RestartOptions, SendError, State,
};
use sim::contract::{ADDRESSES, Subject};
use sim::{Ecn, Node, Path, Rng, Sent};

use crate::identity::certificate;

/// An output of a peer: an event, or received media.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// An event of the transport.
    Event(Event),
    /// A decrypted RTP packet.
    Rtp {
        /// The association whose keys decrypted it.
        association: AssociationId,
        /// The packet's number in the stream, from its payload.
        number: u32,
    },
    /// A decrypted compound RTCP packet.
    Rtcp {
        /// The association whose keys decrypted it.
        association: AssociationId,
        /// Its length in bytes.
        len: usize,
    },
}

/// A transport with the methods of a [`Node`].
pub struct PeerNode {
    /// The transport itself.
    pub transport: PeerTransport,
    media: VecDeque<(Path, Vec<u8>)>,
    outputs: VecDeque<Output>,
    ssrc: u32,
    next_number: u32,
}

impl PeerNode {
    /// A peer with one certificate and a host candidate at each of `addresses`.
    #[must_use]
    pub fn new(
        now: Instant,
        config: Config,
        certificate: Certificate,
        addresses: &[SocketAddr],
        rng: &mut Rng,
    ) -> Self {
        let seed = Seed::new(rng.seed32());
        let ssrc = u32::try_from(rng.below(u64::from(u32::MAX))).unwrap_or(1);
        let mut transport = PeerTransport::new(now, config, vec![certificate], seed)
            .expect("a transport with a certificate can be made");
        for address in addresses {
            let candidate = Candidate::host(*address).expect("a test's address is reachable");
            transport.add_local_candidate(now, candidate).expect("a few candidates are not too many");
        }
        transport.end_of_local_candidates(now);
        Self { transport, media: VecDeque::new(), outputs: VecDeque::new(), ssrc, next_number: 0 }
    }

    /// The description that signalling carries to the peer: parameters and candidates.
    #[must_use]
    pub fn description(&self) -> (Parameters, Vec<Candidate>) {
        (self.transport.local_parameters(), self.transport.ice().local_candidates().copied().collect())
    }

    /// Sets the description that signalling brought from the peer.
    ///
    /// # Errors
    ///
    ///
    /// As [`PeerTransport::set_remote_parameters`].
    pub fn set_remote(
        &mut self,
        now: Instant,
        kind: DescriptionKind,
        (parameters, candidates): (Parameters, Vec<Candidate>),
    ) -> Result<(), peer_transport::Error> {
        let ufrag = parameters.ice.ufrag.clone();
        self.transport.set_remote_parameters(now, kind, parameters)?;
        for candidate in candidates {
            // A known candidate changes nothing; a candidate above the limit is refused.
            let _ = self.transport.add_remote_candidate(now, candidate, Some(&ufrag));
        }
        self.transport.end_of_remote_candidates(now, Some(&ufrag));
        Ok(())
    }

    /// Sends the next packet of this peer's stream: 100 bytes that begin with the packet's number.
    ///
    /// # Errors
    /// As [`PeerTransport::send_rtp`]; the number is then used for the next packet.
    pub fn send_rtp(&mut self, now: Instant) -> Result<u32, SendError> {
        let number = self.next_number;
        let mut header = vec![0x80, 96];
        header.extend(u16::try_from(number & 0xffff).unwrap_or(0).to_be_bytes());
        header.extend(number.wrapping_mul(960).to_be_bytes());
        header.extend(self.ssrc.to_be_bytes());
        let mut payload = vec![0; 100];
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let mut out = Vec::new();
        let transmit = self.transport.send_rtp(now, &header, &payload, &mut out)?;
        self.next_number += 1;
        self.media.push_back((plain(transmit.path), out));
        Ok(number)
    }

    /// Sends a receiver report without report blocks.
    ///
    /// # Errors
    /// As [`PeerTransport::send_rtcp`].
    pub fn send_rtcp(&mut self, now: Instant) -> Result<(), SendError> {
        let mut report = vec![0x80, 201, 0, 1];
        report.extend(self.ssrc.to_be_bytes());
        let mut out = Vec::new();
        let transmit = self.transport.send_rtcp(now, &report, &mut out)?;
        self.media.push_back((plain(transmit.path), out));
        Ok(())
    }
}

fn plain(path: ice_agent::Path) -> Path {
    Path { local: path.local(), remote: path.remote() }
}

impl Node for PeerNode {
    type Output = Output;

    fn handle_input(&mut self, now: Instant, path: Path, _ecn: Ecn, payload: &mut [u8]) {
        let path = ice_agent::Path::udp(path.local, path.remote);
        let media = self.transport.handle_input(now, Datagram::new(path, payload)).map(|media| match media {
            Media::Rtp(packet) => {
                let number = packet.payload().first_chunk().copied().map_or(u32::MAX, u32::from_be_bytes);
                Output::Rtp { association: packet.association(), number }
            }
            Media::Rtcp(packet) => {
                Output::Rtcp { association: packet.association(), len: packet.bytes().len() }
            }
            other => unreachable!("unexpected media: {other:?}"),
        });
        if let Some(media) = media {
            // Events from before the packet was decrypted come first.
            while let Some(event) = self.transport.poll_event() {
                self.outputs.push_back(Output::Event(event));
            }
            self.outputs.push_back(media);
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.transport.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        if let Some(transmit) = self.transport.poll_transmit(buffer) {
            return Some(Sent { path: plain(transmit.path), len: transmit.len, ecn: Ecn::NotEct });
        }
        let (path, bytes) = self.media.pop_front()?;
        buffer.extend_from_slice(&bytes);
        Some(Sent { path, len: bytes.len(), ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front().or_else(|| self.transport.poll_event().map(Output::Event))
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.transport.poll_timeout()
    }
}

/// Two peers under the contract; the left one offers.
pub struct PeerPair;

/// A call by the application, allowed or not.
#[derive(Clone, Debug)]
pub enum PeerCommand {
    /// Send a packet of the stream.
    SendRtp,
    /// Send a receiver report.
    SendRtcp,
    /// Send bytes that are no RTP packet.
    SendNonsense,
    /// Send application data of this many bytes.
    SendData(usize),
    /// Restart, and signal at once; with another certificate if one is given.
    Restart {
        /// The number of the new certificate in the pool.
        rotate: Option<usize>,
    },
    /// Restart; the offer is not answered yet.
    RestartUnanswered,
    /// Restart without any certificate.
    RestartWithNothing,
    /// Roll the offer back.
    Abandon,
    /// Set the peer's current parameters again.
    SameParameters,
    /// Set the peer's parameters with half of the credentials changed.
    HalfChanged,
    /// Add a candidate with a ufrag of no generation.
    UnknownUfrag,
    /// Revoke consent.
    Revoke,
    /// Close.
    Close,
}

impl Subject for PeerPair {
    type Node = PeerNode;
    type Command = PeerCommand;

    fn pair(&self, now: Instant, seed: u64) -> [PeerNode; 2] {
        let mut rng = Rng::labelled(seed, "peers");
        let mut side = 0..2;
        let mut pair = ADDRESSES.map(|address| {
            let own = certificate(side.next().unwrap_or_default());
            let versions = if rng.chance(0.7) { Versions::Auto } else { Versions::Dtls12 };
            let config = Config { dtls_versions: versions, ..Config::default() };
            PeerNode::new(now, config, own, &[address], &mut rng)
        });
        let [offerer, answerer] = &mut pair;
        answerer
            .set_remote(now, DescriptionKind::Offer, offerer.description())
            .expect("an offer fits a new peer");
        offerer
            .set_remote(now, DescriptionKind::Answer, answerer.description())
            .expect("an answer fits its offer");
        pair
    }

    fn command(&self, rng: &mut Rng) -> PeerCommand {
        match rng.below(60) {
            0..=15 => PeerCommand::SendRtp,
            16..=18 => PeerCommand::SendRtcp,
            19..=21 => PeerCommand::SendNonsense,
            22..=27 => PeerCommand::SendData(rng.index(1500)),
            28..=32 => PeerCommand::Restart { rotate: None },
            33..=35 => PeerCommand::Restart { rotate: Some(rng.index(8)) },
            36..=38 => PeerCommand::RestartUnanswered,
            39..=41 => PeerCommand::RestartWithNothing,
            42..=45 => PeerCommand::Abandon,
            46..=49 => PeerCommand::SameParameters,
            50..=53 => PeerCommand::HalfChanged,
            54..=57 => PeerCommand::UnknownUfrag,
            58 => PeerCommand::Revoke,
            _ => PeerCommand::Close,
        }
    }

    fn execute(
        &self,
        node: &mut PeerNode,
        peer: &mut PeerNode,
        now: Instant,
        command: &PeerCommand,
    ) -> Result<(), String> {
        let transport = &mut node.transport;
        let certificates = match command {
            PeerCommand::Restart { rotate: Some(number) } => {
                RestartCertificates::Rotate(vec![certificate(*number)])
            }
            PeerCommand::RestartWithNothing => RestartCertificates::Rotate(Vec::new()),
            _ => RestartCertificates::Keep,
        };
        let options = RestartOptions { certificates, ..RestartOptions::default() };
        let refused = |error: peer_transport::Error| error.to_string();
        match command {
            PeerCommand::SendRtp => node.send_rtp(now).map(drop).map_err(|error| error.to_string()),
            PeerCommand::SendRtcp => node.send_rtcp(now).map_err(|error| error.to_string()),
            PeerCommand::SendNonsense => {
                let sent = transport.send_rtp(now, &[1, 2, 3], &[], &mut Vec::new());
                sent.map(drop).map_err(|error| error.to_string())
            }
            PeerCommand::SendData(len) => {
                transport.send_data(now, &vec![7; *len]).map_err(|error| error.to_string())
            }
            PeerCommand::Restart { .. } => {
                transport.restart(now, options).map_err(refused)?;
                // The other side may be closed or have an offer of its own; then there is no answer.
                if peer.set_remote(now, DescriptionKind::Offer, node.description()).is_ok() {
                    let _ = node.set_remote(now, DescriptionKind::Answer, peer.description());
                }
                Ok(())
            }
            PeerCommand::RestartUnanswered | PeerCommand::RestartWithNothing => {
                transport.restart(now, options).map(drop).map_err(refused)
            }
            PeerCommand::Abandon => transport.rollback_restart(now).map_err(refused),
            PeerCommand::SameParameters => {
                let parameters = peer.transport.local_parameters();
                let same = transport.set_remote_parameters(now, DescriptionKind::Answer, parameters);
                same.map(drop).map_err(refused)
            }
            PeerCommand::HalfChanged => {
                let mut parameters = peer.transport.local_parameters();
                parameters.ice.password = transport.local_parameters().ice.password;
                let half = transport.set_remote_parameters(now, DescriptionKind::Answer, parameters);
                half.map(drop).map_err(refused)
            }
            PeerCommand::UnknownUfrag => {
                let candidate = Candidate::host(ADDRESSES[0]).map_err(|error| error.to_string())?;
                let unknown = "unknown".parse().map_err(|error| format!("{error:?}"))?;
                transport.add_remote_candidate(now, candidate, Some(&unknown)).map_err(refused)
            }
            PeerCommand::Revoke => {
                transport.revoke_consent(now);
                Ok(())
            }
            PeerCommand::Close => {
                transport.close(now);
                Ok(())
            }
        }
    }

    // DTLS has its own keys in every run, so only the shape of a datagram is the same in two runs.
    fn wire(&self, datagram: &[u8]) -> String {
        sim::shape(datagram)
    }

    fn discarded(&self, node: &PeerNode) -> u64 {
        node.transport.stats().discards().map(|(_, times)| times).sum()
    }

    // Early DTLS records, until the handshake that they belong to is over.
    fn may_hold(&self, datagram: &[u8]) -> bool {
        sim::Class::of(datagram) == sim::Class::Dtls
    }

    fn is_failure(&self, output: &Output) -> bool {
        matches!(output, Output::Event(Event::Failed(_)))
    }

    fn withdraws(&self, output: &Output) -> bool {
        let Output::Event(event) = output else { return false };
        let ended =
            matches!(event, Event::ConsentLost { .. } | Event::Failed(_) | Event::AssociationClosed { .. });
        ended || *event == Event::StateChanged(State::Closed)
    }

    fn is_connected(&self, node: &PeerNode) -> bool {
        node.transport.state() == State::Connected && node.transport.association().is_some()
    }
}
