//! Alice and Bob, two peers in one process, connect over UDP sockets. Bob echoes the RTP and the data that Alice sends.
//!
//! 1. Signalling: the peers exchange descriptions as text, an offer and an answer.
//! 2. ICE selects a path, DTLS authenticates both peers and exports the SRTP keys. The driver does this in `next`.
//! 3. Alice sends an RTP packet and application data, and receives both echoes.
//!
//! `cargo run -p peer-transport-tokio --example echo`

use std::error::Error;
use std::net::{SocketAddr, UdpSocket};
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
    // One driver serves any number of sockets and peers.
    let sockets = [UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?];
    let addresses = [sockets[0].local_addr()?, sockets[1].local_addr()?];
    let mut driver = Driver::new(sockets.into(), DriverConfig::default())?;
    let (alice, bob) = (add_peer(&mut driver, addresses[0])?, add_peer(&mut driver, addresses[1])?);

    let offer = describe(&driver, alice)?;
    println!("The offer:\n{offer}\n");
    apply(&mut driver, bob, DescriptionKind::Offer, &offer)?;
    let answer = describe(&driver, bob)?;
    apply(&mut driver, alice, DescriptionKind::Answer, &answer)?;

    tokio::time::timeout(Duration::from_secs(5), echo(&mut driver, alice, bob)).await?
}

/// Runs both peers until Alice has received both echoes.
async fn echo(driver: &mut Driver, alice: PeerId, bob: PeerId) -> Result<()> {
    let (start, mut buffer, mut missing) = (Instant::now(), ReceiveBuffer::new(), 2);
    while missing > 0 {
        match driver.next(&mut buffer).await?.ok_or("the driver was shut down")? {
            Next::Event(id, Event::StateChanged(State::Connected)) if id == alice => {
                println!("Connected after {:.1?}.", start.elapsed());
                driver.send_rtp(alice, &RTP_HEADER, b"a frame")?;
                driver.send_data(alice, b"a message")?;
            }
            Next::Media(id, Media::Rtp(packet)) if id == bob => {
                driver.send_rtp(bob, packet.header_bytes(), packet.payload())?;
            }
            Next::Event(id, Event::Data { bytes, .. }) if id == bob => driver.send_data(bob, &bytes)?,
            Next::Media(_, Media::Rtp(packet)) => {
                println!("RTP came back: {}", packet.payload().escape_ascii());
                missing -= 1;
            }
            Next::Event(_, Event::Data { bytes, .. }) => {
                println!("Data came back: {}", bytes.escape_ascii());
                missing -= 1;
            }
            Next::Event(_, Event::Failed(failure)) => return Err(failure.into()),
            _ => {}
        }
    }
    Ok(())
}

fn add_peer(driver: &mut Driver, address: SocketAddr) -> Result<PeerId> {
    let id = driver.add_peer(Config::default(), Vec::new())?;
    driver.peer_mut(id)?.add_local_candidate(Instant::now(), Candidate::host(address)?)?;
    Ok(id)
}

/// Returns the attribute lines of SDP that describe a peer's side of the transport.
fn describe(driver: &Driver, id: PeerId) -> Result<String> {
    let peer = driver.peer(id).ok_or("no such peer")?;
    let candidates = peer.ice().local_candidates().map(|candidate| CandidateLine::of(*candidate, None));
    let candidates = candidates.collect();
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
