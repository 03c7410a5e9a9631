//! Two peers in one process, connected over UDP sockets. Bob echoes the RTP and the data that Alice sends.
//!
//! 1. Signalling: the peers exchange descriptions as text, an offer and an answer.
//! 2. ICE selects a path, DTLS authenticates both peers and exports the SRTP keys. The driver does this in `next`.
//! 3. Alice sends an RTP packet and application data, and waits for both echoes.
//!
//! `cargo run -p peer-transport-tokio --example echo`

use std::error::Error;
use std::net::UdpSocket;
use std::time::{Duration, Instant};

use peer_transport::{
    Candidate, CandidateLine, Config, Description, DescriptionKind, Event, Media, PeerId, State,
};
use peer_transport_tokio::{Driver, DriverConfig, Next, ReceiveBuffer};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Version 2, payload type 96, sequence number 1, timestamp 0, SSRC 7.
const RTP_HEADER: [u8; 12] = [0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let ((mut alice, to_bob), (mut bob, to_alice)) = (bind()?, bind()?);
    let offer = describe(&alice, to_bob)?;
    apply(&mut bob, to_alice, DescriptionKind::Offer, &offer)?;
    let answer = describe(&bob, to_alice)?;
    apply(&mut alice, to_bob, DescriptionKind::Answer, &answer)?;
    println!("Alice's description, which signalling carried to Bob:\n{offer}\n");

    tokio::select! {
        result = send_and_await_echo(&mut alice, to_bob) => result,
        result = echo(&mut bob) => result.and(Err("Bob stopped".into())),
        () = tokio::time::sleep(Duration::from_secs(5)) => Err("no echo within 5 s".into()),
    }
}

/// Alice: sends when connected, and returns when both echoes have arrived.
async fn send_and_await_echo(driver: &mut Driver, bob: PeerId) -> Result<()> {
    let (start, mut buffer, mut missing) = (Instant::now(), ReceiveBuffer::new(), 2);
    while missing > 0 {
        let Some(next) = driver.next(&mut buffer).await? else { break };
        match next {
            Next::Event(_, Event::StateChanged(State::Connected)) => {
                println!("connected after {:.1?}", start.elapsed());
                driver.send_rtp(bob, &RTP_HEADER, b"a frame")?;
                driver.send_data(bob, b"a message")?;
            }
            Next::Event(_, Event::Data { bytes, .. }) => {
                println!("data echoed: {}", bytes.escape_ascii());
                missing -= 1;
            }
            Next::Event(_, Event::Failed(failure)) => return Err(failure.into()),
            Next::Media(_, Media::Rtp(packet)) => {
                println!("RTP echoed: {}", packet.payload().escape_ascii());
                missing -= 1;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Bob: returns each packet to its sender.
async fn echo(driver: &mut Driver) -> Result<()> {
    let mut buffer = ReceiveBuffer::new();
    while let Some(next) = driver.next(&mut buffer).await? {
        match next {
            Next::Media(from, Media::Rtp(packet)) => {
                driver.send_rtp(from, packet.header_bytes(), packet.payload())?;
            }
            Next::Event(from, Event::Data { bytes, .. }) => driver.send_data(from, &bytes)?,
            _ => {}
        }
    }
    Ok(())
}

/// Returns a driver on a new socket, with one peer: the other side.
fn bind() -> Result<(Driver, PeerId)> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let candidate = Candidate::host(socket.local_addr()?)?;
    let mut driver = Driver::new(vec![socket], DriverConfig::default())?;
    let id = driver.add_peer(Config::default(), Vec::new())?;
    driver.peer_mut(id)?.add_local_candidate(Instant::now(), candidate)?;
    Ok((driver, id))
}

/// Returns the attribute lines of SDP that describe our side of the transport.
fn describe(driver: &Driver, id: PeerId) -> Result<String> {
    let peer = driver.peer(id).ok_or("no such peer")?;
    let candidates =
        peer.ice().local_candidates().map(|candidate| CandidateLine::of(*candidate, None)).collect();
    let description =
        Description { parameters: peer.local_parameters(), candidates, end_of_candidates: true };
    Ok(description.attributes().map(|line| format!("a={line}")).collect::<Vec<_>>().join("\n"))
}

/// Applies the description of the other side.
fn apply(driver: &mut Driver, id: PeerId, kind: DescriptionKind, text: &str) -> Result<()> {
    let (now, description) = (Instant::now(), Description::from_lines(text.lines())?);
    let mut peer = driver.peer_mut(id)?;
    peer.set_remote_parameters(now, kind, description.parameters)?;
    for line in description.candidates {
        if let CandidateLine::Candidate { candidate, .. } = line {
            peer.add_remote_candidate(now, candidate, None)?;
        }
    }
    Ok(())
}
