//! The media server: one task that owns the driver and every session.
//!
//! Receives commands of the HTTP handlers (`command`). Creates peers from offers, echoes their media, restarts and
//! revokes, and records events. Does not know HTTP.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{
    Candidate, CandidateLine, Certificate, Description, DescriptionKind, Event, Fragment, Media, PeerId,
    RestartCertificates, RestartOptions, Role,
};
use peer_transport_tokio::{Driver, Next, ReceiveBuffer};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::command::{Command, Created, Handle, NextCertificate, Patch, Patched, Precondition, Refusal};
use crate::echo::{Arrived, Echo};
use crate::sdp::{self, Offer};
use crate::session::{Session, SessionId};

/// The task.
#[derive(Debug)]
pub(crate) struct Server {
    driver: Driver,
    commands: mpsc::Receiver<Command>,
    sessions: HashMap<SessionId, Session>,
    by_peer: HashMap<PeerId, SessionId>,
    /// Closed peers, which still send their final datagrams.
    closing: Vec<(PeerId, Instant)>,
    port: u16,
    random: SystemRandom,
}

impl Server {
    /// Binds one UDP socket to the wildcard address, in the family of `like`.
    pub(crate) fn bind(like: IpAddr, port: u16) -> io::Result<(Self, Handle)> {
        let any: IpAddr = match like {
            IpAddr::V4(_) => std::net::Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, port))?;
        let port = socket.local_addr()?.port();
        let driver = Driver::new(vec![socket], peer_transport_tokio::DriverConfig::default())?;
        let (handle, commands) = Handle::new();
        let server = Self {
            driver,
            commands,
            sessions: HashMap::new(),
            by_peer: HashMap::new(),
            closing: Vec::new(),
            port,
            random: SystemRandom::new(),
        };
        Ok((server, handle))
    }

    /// Serves until the last handle is dropped, and then closes every peer.
    pub(crate) async fn run(mut self) -> io::Result<()> {
        let mut buffer = ReceiveBuffer::new();
        let mut tick = tokio::time::interval(TICK);
        let mut serving = true;
        loop {
            // `next` is cancel-safe, so a later call returns what this one has not returned.
            tokio::select! {
                next = self.driver.next(&mut buffer) => match next? {
                    Some(Next::Media(peer, media)) => self.on_media(peer, media),
                    Some(Next::Event(peer, event)) => self.on_event(peer, &event),
                    Some(_) => {}
                    None => return Ok(()),
                },
                command = self.commands.recv(), if serving => {
                    if let Some(command) = command {
                        self.on_command(command);
                    } else {
                        serving = false;
                        self.driver.shutdown();
                    }
                }
                _ = tick.tick() => self.on_tick(),
            }
        }
    }

    /// Echoes a packet: it arrives decrypted and leaves encrypted again.
    fn on_media(&mut self, peer: PeerId, media: Media<'_>) {
        let now = Instant::now();
        let Some(session) = self.by_peer.get(&peer).and_then(|id| self.sessions.get_mut(id)) else { return };
        match media {
            Media::Rtp(mut packet) => {
                let header = packet.header();
                let arrived = Arrived {
                    payload_type: header.payload_type(),
                    ssrc: header.ssrc(),
                    sequence_number: header.sequence_number(),
                    timestamp: header.timestamp(),
                };
                if let Some(ssrc) = session.echo.on_rtp(now, arrived) {
                    packet.set_ssrc(ssrc);
                    if let Err(error) = self.driver.send_rtp(peer, packet.header_bytes(), packet.payload()) {
                        session.on_refused_packet(error);
                    }
                }
                if let Some(request) = session.echo.key_frame_requests(now) {
                    let _ = self.driver.send_rtcp(peer, &request.bytes());
                }
            }
            Media::Rtcp(packet) => {
                for compound in session.echo.on_rtcp(now, packet.bytes()) {
                    // A refused packet is not lost for long: reports are periodic, and the browser requests lost frames
                    // again.
                    let _ = self.driver.send_rtcp(peer, &compound.bytes());
                }
            }
            // This server detaches no half.
            _ => {}
        }
    }

    fn on_event(&mut self, peer: PeerId, event: &Event) {
        let Some(session) = self.by_peer.get(&peer).and_then(|id| self.sessions.get_mut(id)) else { return };
        let now = Instant::now();
        if let Some(transport) = self.driver.peer(peer) {
            session.on_event(now, event, transport);
        }
        if let Some(request) = session.echo.key_frame_requests(now) {
            let _ = self.driver.send_rtcp(peer, &request.bytes());
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for session in self.sessions.values_mut() {
            if let Some(report) = session.echo.receiver_report(now) {
                let _ = self.driver.send_rtcp(session.peer, &report.bytes());
            }
        }
        let ended = self.sessions.values().filter(|session| session.ended_for(now, LOOK_AFTER_END));
        for id in ended.map(|session| session.id.clone()).collect::<Vec<_>>() {
            self.part(&id, now);
        }
        let (gone, closing) = self.closing.drain(..).partition(|(_, since)| now - *since > CLOSING_TIME);
        self.closing = closing;
        for (peer, _) in gone {
            // The peer exists: nothing else removes peers.
            let _ = self.driver.remove_peer(peer);
        }
    }

    fn on_command(&mut self, command: Command) {
        // A client that disconnected needs no reply.
        match command {
            Command::Create { offer, role, reached, reply } => {
                let _ = reply.send(self.create(&offer, role, reached));
            }
            Command::Patch { id, patch, reply } => {
                let _ = reply.send(self.patch(&id, &patch));
            }
            Command::RevokeConsent { id, reply } => {
                let _ = reply.send(self.revoke_consent(&id));
            }
            Command::End { id, reply } => {
                let ended = self.sessions.contains_key(&id).then(|| self.part(&id, Instant::now()));
                let _ = reply.send(ended.ok_or(Refusal::NoSuchSession));
            }
            Command::Look { id, reply } => {
                let _ = reply.send(self.look(&id));
            }
        }
    }

    fn create(&mut self, sdp: &str, role: Role, reached: IpAddr) -> Result<Created, Refusal> {
        let now = Instant::now();
        if self.sessions.len() >= MAX_SESSIONS {
            return Err(Refusal::Full { max: MAX_SESSIONS });
        }
        let offer = Offer::read(sdp.as_bytes())?;
        let remote = Description::from_lines(sdp.lines()).map_err(|error| bad(&error))?;
        let peer = self
            .driver
            .add_peer(peer_transport::Config { dtls_role: role, ..Default::default() }, Vec::new())
            .map_err(|error| internal(&error))?;
        match self.answer(now, peer, &offer, &remote, reached) {
            Ok(created) => Ok(created),
            Err(refusal) => {
                let _ = self.driver.remove_peer(peer);
                Err(refusal)
            }
        }
    }

    fn answer(
        &mut self,
        now: Instant,
        peer: PeerId,
        offer: &Offer,
        remote: &Description,
        reached: IpAddr,
    ) -> Result<Created, Refusal> {
        let candidates = self.local_candidates(reached)?;
        let mut transport = self.driver.peer_mut(peer).map_err(|error| internal(&error))?;
        for candidate in &candidates {
            transport.add_local_candidate(now, *candidate).map_err(|error| internal(&error))?;
        }
        transport.end_of_local_candidates(now);
        transport
            .set_remote_parameters(now, DescriptionKind::Offer, remote.parameters.clone())
            .map_err(|error| bad(&error))?;
        add_remote_candidates(&mut transport, now, &remote.candidates, remote.end_of_candidates);
        let local = transport.local_parameters();

        let id = SessionId::new(&self.random);
        let echo = Echo::new(offer.sections.clone(), &id.cname(), || random_u32(&self.random));
        let session = Session::new(now, id.clone(), peer, echo, remote.parameters.clone(), candidates);
        let answer = sdp::answer(
            offer,
            u64::from(random_u32(&self.random)),
            &local.attributes().map(|attribute| attribute.to_string()).collect::<Vec<_>>(),
            &session.candidate_lines(),
            |section| session.echo.source(section),
        );
        let created = Created { id: id.clone(), etag: etag(&local.ice.ufrag), answer };
        self.by_peer.insert(peer, id.clone());
        self.sessions.insert(id, session);
        Ok(created)
    }

    fn patch(&mut self, id: &SessionId, patch: &Patch) -> Result<Patched, Refusal> {
        let now = Instant::now();
        let session = self.sessions.get_mut(id).ok_or(Refusal::NoSuchSession)?;
        let mut transport = self.driver.peer_mut(session.peer).map_err(|error| internal(&error))?;
        let current = etag(&transport.local_parameters().ice.ufrag);
        match &patch.precondition {
            Precondition::Missing => return Err(Refusal::PreconditionRequired),
            Precondition::Tags(tags) if !tags.contains(&current) => return Err(Refusal::PreconditionFailed),
            Precondition::Any | Precondition::Tags(_) => {}
        }
        let fragment = Fragment::from_lines(patch.fragment.lines()).map_err(|error| bad(&error))?;
        let mut remote = session.remote.clone();
        let changed = (
            fragment.ufrag.as_ref().is_some_and(|ufrag| *ufrag != remote.ice.ufrag),
            fragment.password.as_ref().is_some_and(|password| *password != remote.ice.password),
        );
        match (changed, fragment.ufrag, fragment.password) {
            ((false, false), ..) => {
                add_remote_candidates(&mut transport, now, &fragment.candidates, fragment.end_of_candidates);
                return Ok(Patched::Trickled);
            }
            ((true, true), Some(ufrag), Some(password)) => {
                remote.ice.ufrag = ufrag;
                remote.ice.password = password;
                // RFC 8840 has no DTLS parameters in a fragment. A fragment with all of them asks for a new
                // association.
                if let Ok(said) = Description::from_lines(patch.fragment.lines()) {
                    remote = said.parameters;
                }
            }
            _ => {
                let reason =
                    "a restart changes both a=ice-ufrag and a=ice-pwd, and this fragment one of them";
                return Err(Refusal::BadRequest(reason.into()));
            }
        }
        let certificates = match patch.certificate {
            NextCertificate::Same => RestartCertificates::Keep,
            NextCertificate::New => RestartCertificates::Rotate(vec![
                Certificate::generate(SystemTime::now(), Certificate::DEFAULT_LIFETIME)
                    .map_err(|error| internal(&error))?,
            ]),
        };
        transport.set_restart_options(RestartOptions { certificates, ..RestartOptions::default() });
        transport
            .set_remote_parameters(now, DescriptionKind::Offer, remote.clone())
            .map_err(|error| bad(&error))?;
        add_remote_candidates(&mut transport, now, &fragment.candidates, fragment.end_of_candidates);
        let local = transport.local_parameters();
        session.on_restart(now, remote, patch.certificate);
        let lines: Vec<String> = local.attributes().map(|attribute| attribute.to_string()).collect();
        let fragment = sdp::restart_fragment(&session.sections(), &lines, &session.candidate_lines());
        Ok(Patched::Restarted { fragment, etag: etag(&local.ice.ufrag) })
    }

    fn revoke_consent(&mut self, id: &SessionId) -> Result<(), Refusal> {
        let now = Instant::now();
        let session = self.sessions.get_mut(id).ok_or(Refusal::NoSuchSession)?;
        let mut transport = self.driver.peer_mut(session.peer).map_err(|error| internal(&error))?;
        transport.revoke_consent(now);
        session.note(now, "consent revoked: checks get a 403".into());
        Ok(())
    }

    fn look(&mut self, id: &SessionId) -> Result<Value, Refusal> {
        let now = Instant::now();
        let session = self.sessions.get(id).ok_or(Refusal::NoSuchSession)?;
        let transport = self.driver.peer(session.peer).ok_or(Refusal::NoSuchSession)?;
        Ok(session.look(now, transport))
    }

    /// Sends close_notify and removes the session. The peer itself is removed a moment later.
    fn part(&mut self, id: &SessionId, now: Instant) {
        let Some(session) = self.sessions.remove(id) else { return };
        self.by_peer.remove(&session.peer);
        if let Ok(mut transport) = self.driver.peer_mut(session.peer) {
            transport.close(now);
        }
        self.closing.push((session.peer, now));
    }

    /// The address by which the client reached the web server, and the address of the default route, which also serves
    /// a browser that hides its loopback interface.
    fn local_candidates(&self, reached: IpAddr) -> Result<Vec<Candidate>, Refusal> {
        let mut addresses = vec![reached.to_canonical()];
        addresses
            .extend(default_route(reached.to_canonical()).filter(|address| !addresses.contains(address)));
        addresses
            .into_iter()
            .map(|address| {
                Candidate::host(SocketAddr::new(address, self.port)).map_err(|error| internal(&error))
            })
            .collect()
    }
}

/// Adds usable candidates. Names, TCP candidates (RFC 9725 section 4.3.2) and candidates above the limit are skipped.
fn add_remote_candidates(
    transport: &mut peer_transport::PeerMut<'_>,
    now: Instant,
    candidates: &[CandidateLine],
    end: bool,
) {
    for line in candidates {
        if let CandidateLine::Candidate { candidate, extensions } = line {
            let _ = transport.add_remote_candidate(now, *candidate, extensions.ufrag.as_ref());
        }
    }
    if end {
        transport.end_of_remote_candidates(now, None);
    }
}

/// Returns the machine's address on the default route. Connecting a UDP socket sends nothing.
fn default_route(like: IpAddr) -> Option<IpAddr> {
    // Addresses of the documentation ranges (RFC 5737, RFC 3849), which use the default route.
    let (any, world): (&str, &str) =
        if like.is_ipv4() { ("0.0.0.0:0", "192.0.2.1:9") } else { ("[::]:0", "[2001:db8::1]:9") };
    let socket = UdpSocket::bind(any).ok()?;
    socket.connect(world).ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_unspecified()).then_some(ip)
}

/// Returns a strong entity tag for an ICE session: its username fragment (RFC 9725 section 4.3.1).
fn etag(ufrag: &impl std::fmt::Display) -> String {
    format!("\"{ufrag}\"")
}

fn bad(error: &impl std::fmt::Display) -> Refusal {
    Refusal::BadRequest(error.to_string())
}

fn internal(error: &impl std::fmt::Display) -> Refusal {
    Refusal::Internal(error.to_string())
}

fn random_u32(random: &SystemRandom) -> u32 {
    let mut bytes = [0; 4];
    // The generator worked when the driver was created.
    let _ = random.fill(&mut bytes);
    u32::from_be_bytes(bytes)
}

/// More than a demo needs; limits what unauthenticated clients can open.
const MAX_SESSIONS: usize = 256;

/// RFC 3550 asks for reports every few seconds; a sender without other feedback adapts faster with more.
const TICK: Duration = Duration::from_secs(1);

/// An ended session can be inspected for this long.
const LOOK_AFTER_END: Duration = Duration::from_secs(60);

/// The time for the final datagrams of a closed peer.
const CLOSING_TIME: Duration = Duration::from_secs(2);
