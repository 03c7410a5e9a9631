//! One of the two peers: its driver on its own loopback socket, its traffic, and its events.

use std::error::Error;
use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::{Duration, Instant};

use peer_transport::{
    AssociationId, Candidate, CandidateLine, Config, Description, DescriptionKind, Event, Failure, Media,
    PeerId, RestartOptions, RestartOutcome, State,
};
use peer_transport_tokio::{Driver, DriverSendError, Next, ReceiveBuffer};
use ring::digest;

use crate::traffic::Traffic;

/// A peer.
#[derive(Debug)]
pub(crate) struct Side {
    pub(crate) name: &'static str,
    pub(crate) driver: Driver,
    buffer: ReceiveBuffer,
    pub(crate) peer: PeerId,
    pub(crate) traffic: Traffic,
    /// The fingerprints of the keys that this side sent with, per association.
    pub(crate) keys: Vec<(AssociationId, String)>,
    pub(crate) outcome: Option<RestartOutcome>,
    /// The time and the reason when sending ended.
    pub(crate) failed: Option<(Instant, Failure)>,
    pub(crate) silence: Silence,
}

/// The longest time without media: before the restart, which shows how busy the machine is, and since the restart.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    last: Option<Instant>,
    pub(crate) usual: Duration,
    pub(crate) longest: Duration,
}

impl Silence {
    fn on_media(&mut self, now: Instant) {
        if let Some(last) = self.last.replace(now) {
            self.longest = self.longest.max(now.saturating_duration_since(last));
        }
    }
}

impl Side {
    /// Binds a socket and creates the peer.
    pub(crate) fn new(name: &'static str, ssrc: u32, config: Arc<Config>) -> Result<Self, Box<dyn Error>> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let candidate = Candidate::host(socket.local_addr()?)?;
        let mut driver = Driver::new(vec![socket], peer_transport_tokio::DriverConfig::default())?;
        let peer = driver.add_peer(config, Vec::new())?;
        let now = Instant::now();
        let mut transport = driver.peer_mut(peer)?;
        transport.add_local_candidate(now, candidate)?;
        transport.end_of_local_candidates(now);
        Ok(Self {
            name,
            driver,
            buffer: ReceiveBuffer::new(),
            peer,
            traffic: Traffic::new(ssrc),
            keys: Vec::new(),
            outcome: None,
            failed: None,
            silence: Silence::default(),
        })
    }

    /// Returns the SDP attribute lines for the other side.
    pub(crate) fn describe(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let transport = self.driver.peer(self.peer).ok_or("the peer is gone")?;
        let candidates =
            transport.ice().local_candidates().map(|candidate| CandidateLine::of(*candidate, None));
        let description = Description {
            parameters: transport.local_parameters(),
            candidates: candidates.collect(),
            end_of_candidates: true,
        };
        Ok(description.attributes().map(|attribute| format!("a={attribute}")).collect())
    }

    /// Applies the SDP attribute lines of the other side.
    pub(crate) fn apply(&mut self, kind: DescriptionKind, lines: &[String]) -> Result<(), Box<dyn Error>> {
        let now = Instant::now();
        let description = Description::from_lines(lines.iter().map(String::as_str))?;
        let mut transport = self.driver.peer_mut(self.peer)?;
        transport.set_remote_parameters(now, kind, description.parameters)?;
        for line in description.candidates {
            if let CandidateLine::Candidate { candidate, .. } = line {
                transport.add_remote_candidate(now, candidate, None)?;
            }
        }
        transport.end_of_remote_candidates(now, None);
        Ok(())
    }

    pub(crate) fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        self.driver.peer_mut(self.peer)?.restart(Instant::now(), RestartOptions::default())?;
        Ok(())
    }

    /// Sends the next packet of each kind that is due.
    pub(crate) fn send(&mut self, report_due: bool) -> Result<(), DriverSendError> {
        let association = self.association().map_or(0, AssociationId::number);
        let (header, payload) = self.traffic.next_rtp();
        self.driver.send_rtp(self.peer, &header, &payload)?;
        self.traffic.sent_rtp(association);
        if report_due {
            self.driver.send_rtcp(self.peer, &self.traffic.sender_report())?;
            self.traffic.sent_rtcp(association);
        }
        Ok(())
    }

    /// Waits for the next packet or event and records it. Returns events. Cancel-safe, like [`Driver::next`].
    pub(crate) async fn next_event(&mut self) -> io::Result<Option<Event>> {
        match self.driver.next(&mut self.buffer).await? {
            Some(Next::Media(_, media)) => {
                self.silence.on_media(Instant::now());
                receive(&mut self.traffic, &media);
                Ok(None)
            }
            Some(Next::Event(_, event)) => {
                self.on_event(&event);
                Ok(Some(event))
            }
            _ => Ok(None),
        }
    }

    pub(crate) fn state(&self) -> State {
        self.driver.peer(self.peer).map_or(State::Closed, peer_transport::PeerTransport::state)
    }

    pub(crate) fn association(&self) -> Option<AssociationId> {
        self.driver.peer(self.peer)?.association()
    }

    /// Restarts the measurement of the longest time without media.
    pub(crate) fn restart_silence_measurement(&mut self) {
        self.silence.usual = std::mem::take(&mut self.silence.longest);
    }

    /// Returns a short name of the keys in use: the hash of bytes that are exported with their own label (RFC 5705
    /// section 4), so that it reveals nothing of a key.
    pub(crate) fn key_fingerprint(&self) -> Option<String> {
        let mut exported = [0; 32];
        let label = "EXPERIMENTAL peer-transport key fingerprint";
        self.driver.peer(self.peer)?.export(label, None, &mut exported).ok()?;
        let hash = digest::digest(&digest::SHA256, &exported);
        let [a, b, c, d] = *hash.as_ref().first_chunk()?;
        Some(format!("{:08x}", u32::from_be_bytes([a, b, c, d])))
    }

    fn on_event(&mut self, event: &Event) {
        match event {
            Event::KeysChanged { association, .. } => {
                if let Some(fingerprint) = self.key_fingerprint() {
                    self.keys.push((*association, fingerprint));
                }
            }
            Event::RestartCompleted { outcome, .. } => self.outcome = Some(*outcome),
            Event::Failed(failure) => self.failed = Some((Instant::now(), *failure)),
            _ => {}
        }
    }
}

fn receive(traffic: &mut Traffic, media: &Media<'_>) {
    match media {
        Media::Rtp(packet) => traffic.received_rtp(packet.association().number(), packet.payload()),
        Media::Rtcp(packet) => traffic.received_rtcp(packet.association().number(), packet.bytes()),
        // No half is detached here.
        _ => {}
    }
}
