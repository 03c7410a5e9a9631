//! `peer_transport::Endpoint`: two clients, and an endpoint with a peer for each, over a network that the input
//! controls.
//!
//! In transit a datagram carries one more byte in front, the number of its client, so that a script that damages it
//! spoofs source addresses. Two further numbers are unused addresses. When the network delivers everything unchanged
//! again, every transport is connected, failed or closed, or waits for an answer that signalling never delivered; media
//! of a client was delivered as that of its peer; and a peer that is connected like its client, and whose address was
//! not spoofed towards the other peer, receives what the client sends.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use peer_transport::{
    Candidate, Config, Datagram, DescriptionKind, Endpoint, EndpointConfig, ForwardTag, Media, Parameters,
    Path, PeerId, PeerTransport, RestartOptions, Seed, SendError, State,
};

use crate::{
    input::Input,
    network::{self, Network, Side},
    peer_transport::certificate,
};

/// The module documentation describes the input and the checks.
pub fn endpoint(data: &[u8]) {
    play(data);
}

/// Returns the states of the two peers in the end; `None` for a removed peer.
fn play(data: &[u8]) -> [Option<State>; 2] {
    let mut input = Input::new(data);
    let setting = input.byte();
    let now = network::beginning();
    let mut clients = Clients::new(now);
    let mut hub = Hub::new(now);
    for number in 0..2 {
        assert!(connect(now, &mut clients, &mut hub, number), "the first offer is answered");
    }
    let mut network = Network::new(now, [World::Clients(Box::new(clients)), World::Hub(Box::new(hub))]);
    let mut waits = false;
    if setting & 1 != 0 {
        let before = usize::from(input.byte());
        network.play(&mut Input::new(input.take(before)));
        let now = network.now;
        let [World::Clients(clients), World::Hub(hub)] = &mut network.sides else { unreachable!() };
        if clients.transports[0].restart(now, RestartOptions::default()).is_ok() {
            waits = !connect(now, clients, hub, 0);
        }
    }
    network.play(&mut input);
    network.settle(Duration::from_secs(150));
    check(&mut network, waits)
}

/// Client `number` offers and its peer answers. Returns whether there was an answer.
fn connect(now: Instant, clients: &mut Clients, hub: &mut Hub, number: usize) -> bool {
    let client = &mut clients.transports[number];
    let Ok(mut peer) = hub.endpoint.peer_mut(hub.peers[number]) else { return false };
    if peer.set_remote_parameters(now, DescriptionKind::Offer, client.local_parameters()).is_err() {
        return false;
    }
    let _ = peer.add_remote_candidate(now, host(address(number)), None);
    peer.end_of_remote_candidates(now, None);
    let answer: Parameters = peer.local_parameters();
    if client.set_remote_parameters(now, DescriptionKind::Answer, answer).is_err() {
        return false;
    }
    let _ = client.add_remote_candidate(now, host(HUB), None);
    client.end_of_remote_candidates(now, None);
    true
}

/// `waits`: the first client's restart offer has no answer.
fn check(network: &mut Network<World>, waits: bool) -> [Option<State>; 2] {
    let now = network.now;
    let [World::Clients(clients), World::Hub(hub)] = &mut network.sides else { unreachable!() };
    let mut both = [false; 2];
    for (number, both) in both.iter_mut().enumerate() {
        let client = clients.transports[number].state();
        let peer = hub.endpoint.peer(hub.peers[number]).map(PeerTransport::state);
        for state in [Some(client), peer].into_iter().flatten() {
            let ended = matches!(state, State::Connected | State::Failed | State::Closed);
            assert!(ended || (waits && number == 0), "client {number} or its peer still {state}");
        }
        *both =
            client == State::Connected && peer == Some(State::Connected) && !hub.is_bound_elsewhere(number);
        if *both {
            hub.received[number] = 0;
            clients.send_media(now, number).expect("connected");
        }
    }
    network.settle(Duration::from_secs(1));
    let [World::Clients(_), World::Hub(hub)] = &network.sides else { unreachable!() };
    for (number, both) in both.into_iter().enumerate() {
        assert!(!both || hub.received[number] > 0, "client {number} is connected and not heard");
    }
    hub.peers.map(|id| hub.endpoint.peer(id).map(PeerTransport::state))
}

/// The media of each client.
const PAYLOADS: [&[u8]; 2] = [b"media of the first", b"media of the second"];

const HUB: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 100)), 5000);

fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, u8::try_from(number).expect("few")], 5000))
}

fn host(address: SocketAddr) -> Candidate {
    Candidate::host(address).expect("a usable address")
}

/// The two sides of the network.
enum World {
    Clients(Box<Clients>),
    Hub(Box<Hub>),
}

struct Clients {
    transports: [PeerTransport; 2],
    /// Media to be sent, with the number in front.
    media: VecDeque<Vec<u8>>,
    sequence_number: u16,
}

impl Clients {
    fn new(now: Instant) -> Self {
        let transports = [0, 1].map(|number| {
            let seed = Seed::new([u8::try_from(number).expect("few"); 32]);
            let certificates = vec![certificate(number)];
            let mut client = PeerTransport::new(now, Config::default(), certificates, seed).expect("sound");
            client.add_local_candidate(now, host(address(number))).expect("the first one");
            client.end_of_local_candidates(now);
            client
        });
        Self { transports, media: VecDeque::new(), sequence_number: 0 }
    }

    fn send_media(&mut self, now: Instant, number: usize) -> Result<(), SendError> {
        self.sequence_number += 1;
        let [high, low] = self.sequence_number.to_be_bytes();
        let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7];
        let mut packet = vec![u8::try_from(number).expect("few")];
        let transmit = self.transports[number].send_rtp(now, &header, PAYLOADS[number], &mut packet)?;
        assert_eq!(transmit.len, packet.len() - 1);
        self.media.push_back(packet);
        Ok(())
    }
}

struct Hub {
    endpoint: Endpoint,
    peers: [PeerId; 2],
    /// RTP packets of each client.
    received: [u32; 2],
}

impl Hub {
    fn new(now: Instant) -> Self {
        let mut endpoint = Endpoint::new(now, EndpointConfig::default(), Seed::new([9; 32]));
        let peers = [(); 2].map(|()| {
            let id = endpoint.add_peer(now, Config::default(), vec![certificate(2)]).expect("room for two");
            let mut peer = endpoint.peer_mut(id).expect("just added");
            peer.add_local_candidate(now, host(HUB)).expect("the first one");
            peer.end_of_local_candidates(now);
            id
        });
        Self { endpoint, peers, received: [0; 2] }
    }

    /// Whether the other client's peer has bound this client's address: a spoofed source address caused that, and the
    /// first peer to bind a path keeps it.
    fn is_bound_elsewhere(&self, number: usize) -> bool {
        let other = self.endpoint.peer(self.peers[1 - number]);
        other.is_some_and(|other| other.ice().bound_paths().any(|path| path.remote() == address(number)))
    }
}

impl Side for World {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        let Some((&mut number, datagram)) = datagram.split_first_mut() else { return };
        let number = usize::from(number & 3);
        match self {
            Self::Clients(clients) => {
                if let Some(client) = clients.transports.get_mut(number) {
                    client.handle_input(now, Datagram::new(Path::udp(address(number), HUB), datagram));
                }
            }
            Self::Hub(hub) => {
                let datagram = Datagram::new(Path::udp(HUB, address(number)), datagram);
                let _ = hub.endpoint.route(&datagram);
                if let Some((id, Media::Rtp(packet))) = hub.endpoint.handle_input(now, datagram) {
                    let number = PAYLOADS.iter().position(|payload| *payload == packet.payload());
                    let number = number.expect("received what was never sent");
                    assert_eq!(id, hub.peers[number], "media of one peer handed out as another's");
                    hub.received[number] += 1;
                }
            }
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        match self {
            Self::Clients(clients) => {
                for client in &mut clients.transports {
                    if client.poll_timeout().is_some_and(|deadline| deadline <= now) {
                        client.handle_timeout(now);
                    }
                }
            }
            Self::Hub(hub) => hub.endpoint.handle_timeout(now),
        }
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Clients(clients) => {
                if let Some(packet) = clients.media.pop_front() {
                    buffer.extend(&packet);
                    return Some(packet.len());
                }
                for (number, client) in (0..).zip(&mut clients.transports) {
                    let start = buffer.len();
                    buffer.push(number);
                    if let Some(transmit) = client.poll_transmit(buffer) {
                        return Some(1 + transmit.len);
                    }
                    buffer.truncate(start);
                }
                None
            }
            Self::Hub(hub) => {
                let start = buffer.len();
                buffer.push(0);
                let Some(transmit) = hub.endpoint.poll_transmit(buffer) else {
                    buffer.truncate(start);
                    return None;
                };
                let to = (0..4).find(|number| transmit.path.remote() == address(usize::from(*number)));
                buffer[start] = to.expect("an address of a client");
                Some(1 + transmit.len)
            }
        }
    }

    fn drain_events(&mut self) {
        match self {
            Self::Clients(clients) => {
                for client in &mut clients.transports {
                    while client.poll_event().is_some() {}
                }
            }
            Self::Hub(hub) => while hub.endpoint.poll_event().is_some() {},
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self {
            Self::Clients(clients) => clients.transports.iter().filter_map(PeerTransport::poll_timeout).min(),
            Self::Hub(hub) => hub.endpoint.poll_timeout(),
        }
    }

    fn command(&mut self, now: Instant, which: u8) {
        let number = usize::from(which & 1);
        match self {
            Self::Clients(clients) => match which {
                0..=149 => drop(clients.send_media(now, number)),
                150..=169 => drop(clients.transports[number].send_data(now, PAYLOADS[number])),
                170..=179 => clients.transports[number].close(now),
                _ => {}
            },
            Self::Hub(hub) => {
                let id = hub.peers[number];
                match which {
                    0..=99 => drop(hub.endpoint.send_data(now, id, PAYLOADS[number])),
                    100..=119 => {
                        let path = Path::udp(HUB, address(usize::from(which >> 1 & 3)));
                        let _ = hub.endpoint.set_forward(now, path, Some(ForwardTag(7)));
                        let _ = hub.endpoint.set_forward(now, path, None);
                    }
                    120..=129 => drop(hub.endpoint.remove_peer(id)),
                    130..=149 => {
                        if let Ok(mut peer) = hub.endpoint.peer_mut(id) {
                            match which {
                                130..=134 => peer.revoke_consent(now),
                                135..=139 => peer.close(now),
                                _ => peer.end_of_local_candidates(now),
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_network_connects_both_clients() {
        assert_eq!(play(&[0]), [Some(State::Connected); 2]);
        let mut script = vec![1, 60];
        script.extend([0, 16].repeat(30));
        assert_eq!(play(&script), [Some(State::Connected); 2], "with a restart");
    }

    #[test]
    fn a_removed_peer_does_not_affect_the_other() {
        let mut script = vec![0];
        script.extend([0, 16, 13].repeat(20));
        script.extend([30, 120]);
        assert_eq!(play(&script), [None, Some(State::Connected)]);
    }
}
