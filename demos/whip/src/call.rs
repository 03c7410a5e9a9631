//! A whole call between our own driver and the server, as a browser would make it.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use peer_transport::{
    Candidate, CandidateLine, Config, Description, DescriptionKind, Event, Failure, IceFailure, Media,
    PeerId, RestartOptions, RestartOutcome, State,
};
use peer_transport_tokio::{Driver, Next, ReceiveBuffer};

use crate::client::Client;
use crate::rtcp::{self, Compound, Report};

/// The SSRC of the caller's video.
const SSRC: u32 = 7;

/// A caller: a driver with one peer, and the echoed packets.
struct Caller {
    driver: Driver,
    buffer: ReceiveBuffer,
    peer: PeerId,
    candidate: Candidate,
    events: Vec<Event>,
    /// SSRC, sequence number and payload of each packet.
    echoes: Vec<(u32, u16, Vec<u8>)>,
    reports: Vec<Report>,
}

impl Caller {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let candidate = Candidate::host(socket.local_addr().unwrap()).unwrap();
        let mut driver = Driver::new(vec![socket], peer_transport_tokio::DriverConfig::default()).unwrap();
        let mut config = Config::default();
        std::sync::Arc::make_mut(&mut config.ice).consent_interval = Duration::from_millis(300);
        let peer = driver.add_peer(config, Vec::new()).unwrap();
        driver.peer_mut(peer).unwrap().add_local_candidate(Instant::now(), candidate).unwrap();
        Self {
            driver,
            buffer: ReceiveBuffer::new(),
            peer,
            candidate,
            events: Vec::new(),
            echoes: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Returns our transport as attribute lines.
    fn lines(&self) -> String {
        let parameters = self.driver.peer(self.peer).unwrap().local_parameters();
        let candidate = CandidateLine::of(self.candidate, None);
        parameters
            .attributes()
            .map(|line| format!("a={line}\r\n"))
            .chain([format!("a={candidate}\r\n")])
            .collect()
    }

    fn offer(&self) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
             m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
             a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack pli\r\n{}",
            self.lines()
        )
    }

    /// Applies the server's answer, or its fragment.
    fn take_answer(&mut self, text: &str) {
        let now = Instant::now();
        let Description { parameters, candidates, .. } = Description::from_lines(text.lines()).unwrap();
        let mut peer = self.driver.peer_mut(self.peer).unwrap();
        peer.set_remote_parameters(now, DescriptionKind::Answer, parameters).unwrap();
        for line in candidates {
            let CandidateLine::Candidate { candidate, .. } = line else {
                panic!("{line} is not a usable candidate")
            };
            peer.add_remote_candidate(now, candidate, None).unwrap();
        }
    }

    fn send(&mut self, sequence_number: u16) {
        let [high, low] = sequence_number.to_be_bytes();
        let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7];
        self.driver.send_rtp(self.peer, &header, &[high, low, 9]).unwrap();
    }

    fn state(&self) -> State {
        self.driver.peer(self.peer).unwrap().state()
    }

    async fn until(&mut self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "{what} never came: {:?}", self.events);
            let turn =
                tokio::time::timeout(Duration::from_millis(50), self.driver.next(&mut self.buffer)).await;
            match turn {
                Ok(Ok(Some(Next::Media(_, Media::Rtp(packet))))) => {
                    let header = packet.header();
                    self.echoes.push((header.ssrc(), header.sequence_number(), packet.payload().to_vec()));
                }
                Ok(Ok(Some(Next::Media(_, Media::Rtcp(packet))))) => {
                    self.reports.extend(rtcp::read(packet.bytes()));
                }
                Ok(Ok(Some(Next::Event(_, event)))) => self.events.push(event),
                Ok(other) => panic!("{other:?}"),
                Err(_) => {}
            }
        }
    }
}

/// Returns a connected caller, its client and the URL of its session.
async fn call(setup: &str) -> (Caller, Client, String, String) {
    let client = Client::of_a_new_server().await;
    let mut caller = Caller::new();
    let headers = [("Content-Type", crate::http::SDP)];
    let answer = client.request("POST", &format!("/whip?setup={setup}"), &headers, &caller.offer()).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    caller.take_answer(&answer.body);
    caller.until("the connection", |caller| caller.state() == State::Connected).await;
    let path = answer.header("location");
    (caller, client, path, answer.body)
}

fn announced_source(answer: &str) -> u32 {
    let line = answer.lines().find_map(|line| line.strip_prefix("a=ssrc:")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn video_returns_with_the_ssrc_of_the_answer() {
    for setup in ["passive", "active"] {
        let (mut caller, _client, _, answer) = call(setup).await;
        let source = announced_source(&answer);
        assert_ne!(source, SSRC);
        for sequence_number in 1..=5 {
            caller.send(sequence_number);
        }
        caller.until("the echo", |caller| caller.echoes.len() == 5).await;
        let expected = (1..=5).map(|at: u16| (source, at, [&at.to_be_bytes()[..], &[9]].concat()));
        assert_eq!(caller.echoes, expected.collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn losses_and_receptions_are_reported() {
    let (mut caller, _client, _, answer) = call("passive").await;
    caller.send(1);
    caller.until("the echo", |caller| caller.echoes.len() == 1).await;
    let lost = Compound::receiver_report(SSRC, [], "caller").picture_loss(SSRC, announced_source(&answer));
    caller.driver.send_rtcp(caller.peer, &lost.bytes()).unwrap();
    caller
        .until("the request for a key frame", |caller| {
            caller.reports.contains(&Report::KeyFrameWanted { ssrc: SSRC })
        })
        .await;
    caller
        .until("a report", |caller| caller.reports.contains(&Report::Reception { ssrc: SSRC, lost: 0 }))
        .await;
}

#[tokio::test]
async fn patch_restarts_with_a_new_certificate() {
    let (mut caller, client, path, _) = call("passive").await;
    caller.send(1);
    caller.until("the echo", |caller| caller.echoes.len() == 1).await;
    let certificate =
        |caller: &Caller| caller.driver.peer(caller.peer).unwrap().remote_certificate().unwrap().to_vec();
    let before = certificate(&caller);
    caller.driver.peer_mut(caller.peer).unwrap().restart(Instant::now(), RestartOptions::default()).unwrap();
    let fragment = client.patch(&format!("{path}?certificate=rotate"), Some("*"), &caller.lines()).await;
    assert_eq!(fragment.status, 200, "{}", fragment.body);
    caller.take_answer(&fragment.body);
    let fresh = |event: &Event| match event {
        Event::RestartCompleted { outcome: RestartOutcome::FreshHandshake { association, .. }, .. } => {
            Some(*association)
        }
        _ => None,
    };
    let moved = |events: &[Event]| {
        let fresh = events.iter().find_map(fresh);
        let is_ours = |event: &Event| match event {
            Event::KeysChanged { association, .. } => Some(*association) == fresh,
            _ => false,
        };
        fresh.is_some() && events.iter().any(is_ours)
    };
    caller.until("the new keys", |caller| moved(&caller.events)).await;
    assert_ne!(certificate(&caller), before);
    caller.send(2);
    caller.until("the echo", |caller| caller.echoes.len() == 2).await;
}

#[tokio::test]
async fn lost_consent_is_reported_by_403() {
    let (mut caller, client, path, _) = call("passive").await;
    assert_eq!(client.request("DELETE", &format!("{path}/consent"), &[], "").await.status, 204);
    let revoked =
        |event: &Event| matches!(event, Event::Failed(Failure::Ice(IceFailure::ConsentRevoked { .. })));
    caller.until("the 403", |caller| caller.events.iter().any(revoked)).await;
}

#[tokio::test]
async fn deleted_session_sends_close_notify() {
    let (mut caller, client, path, _) = call("active").await;
    assert_eq!(client.request("DELETE", &path, &[], "").await.status, 200);
    caller.until("the goodbye", |caller| caller.state() == State::Closed).await;
}
