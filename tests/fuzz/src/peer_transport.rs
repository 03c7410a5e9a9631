//! `peer_transport::PeerTransport`: two whole transports over a network that the input controls.
//!
//! The first byte chooses the setup: the DTLS roles, whether one side restarts in the middle, with which certificate,
//! and whether the other side receives the offer. A message that the script changed does not authenticate. When the
//! network delivers everything unchanged again, each transport becomes connected, failed or closed; received media was
//! sent; and two connected transports carry media both ways.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::OnceLock,
    time::{Duration, Instant, SystemTime},
};

use peer_transport::{
    Candidate, Certificate, Config, Datagram, DescriptionKind, Event, Media, Path, PeerTransport,
    RestartCertificates, RestartOptions, Role, Seed, State,
};

use crate::{
    input::Input,
    network::{self, Network, Side},
};

/// The module documentation describes the input and the checks.
pub fn peer_transport(data: &[u8]) {
    play(data);
}

/// Returns the states of both transports in the end.
fn play(data: &[u8]) -> [State; 2] {
    let mut input = Input::new(data);
    let setting = input.byte();
    let role = [Role::Auto, Role::Client, Role::Server, Role::Auto][usize::from(setting & 3)];
    let now = network::beginning();
    let addresses = [1, 2].map(|last| SocketAddr::from(([192, 0, 2, last], 5000)));
    let mut network = Network::new(
        now,
        [
            Endpoint::new(now, 0, role, Path::udp(addresses[0], addresses[1])),
            Endpoint::new(now, 1, Role::Auto, Path::udp(addresses[1], addresses[0])),
        ],
    );
    negotiate(&mut network, 0);
    if setting & 4 != 0 {
        let before = usize::from(input.byte());
        network.play(&mut Input::new(input.take(before)));
        let offerer = usize::from(setting >> 3) & 1;
        let certificates = if setting & 16 == 0 {
            RestartCertificates::Keep
        } else {
            RestartCertificates::Rotate(vec![certificate(2)])
        };
        let now = network.now;
        let options = RestartOptions { certificates, ..RestartOptions::default() };
        if network.sides[offerer].transport.restart(now, options).is_ok() && setting & 32 == 0 {
            negotiate(&mut network, offerer);
        }
    }
    network.play(&mut input);
    network.settle(Duration::from_secs(150));

    for side in &network.sides {
        let state = side.transport.state();
        // A restart whose offer the peer never received waits for its parameters; nothing else may end it.
        let waits = setting & 32 != 0 && state == State::Connecting;
        assert!(
            waits || matches!(state, State::Connected | State::Failed | State::Closed),
            "still {state} at {:?}: {:?}",
            side.path,
            side.transport.ice().state()
        );
    }
    if network.sides.iter().all(|side| side.transport.state() == State::Connected) {
        let now = network.now;
        for side in &mut network.sides {
            side.received = 0;
            side.send_media(now).expect("connected");
        }
        network.settle(Duration::from_secs(1));
        for side in &network.sides {
            assert!(side.received > 0, "connected and no media at {:?}", side.path);
        }
    }
    [network.sides[0].transport.state(), network.sides[1].transport.state()]
}

/// Offer and answer with candidates, where the sides accept them.
fn negotiate(network: &mut Network<Endpoint>, offerer: usize) {
    let kinds = [(offerer, DescriptionKind::Offer), (1 - offerer, DescriptionKind::Answer)];
    let now = network.now;
    for (from, kind) in kinds {
        let parameters = network.sides[from].transport.local_parameters();
        let candidate = Candidate::host(network.sides[from].path.local()).expect("a usable address");
        let to = &mut network.sides[1 - from].transport;
        if to.set_remote_parameters(now, kind, parameters).is_err() {
            return;
        }
        let _ = to.add_remote_candidate(now, candidate, None);
        to.end_of_remote_candidates(now, None);
    }
}

const PAYLOAD: &[u8] = b"synthetic media";

struct Endpoint {
    transport: PeerTransport,
    path: Path,
    /// Media to be sent.
    media: VecDeque<Vec<u8>>,
    sequence_number: u16,
    received: u32,
}

impl Endpoint {
    fn new(now: Instant, number: u8, dtls_role: Role, path: Path) -> Self {
        let config = Config { dtls_role, ..Config::default() };
        let certificates = vec![certificate(usize::from(number))];
        let mut transport =
            PeerTransport::new(now, config, certificates, Seed::new([number; 32])).expect("sound");
        let candidate = Candidate::host(path.local()).expect("a usable address");
        transport.add_local_candidate(now, candidate).expect("the first one");
        transport.end_of_local_candidates(now);
        Self { transport, path, media: VecDeque::new(), sequence_number: 0, received: 0 }
    }

    fn send_media(&mut self, now: Instant) -> Result<(), peer_transport::SendError> {
        self.sequence_number += 1;
        let [high, low] = self.sequence_number.to_be_bytes();
        let header = [0x80, 96, high, low, 0, 0, 0, 1, 0, 0, 0, 7];
        let mut packet = Vec::new();
        let transmit = self.transport.send_rtp(now, &header, PAYLOAD, &mut packet)?;
        assert_eq!((transmit.path, transmit.len), (self.path, packet.len()));
        self.media.push_back(packet);
        Ok(())
    }
}

impl Side for Endpoint {
    fn handle_input(&mut self, now: Instant, datagram: &mut [u8]) {
        match self.transport.handle_input(now, Datagram::new(self.path, datagram)) {
            Some(Media::Rtp(packet)) => {
                assert_eq!(packet.payload(), PAYLOAD, "received what was never sent");
                self.received += 1;
            }
            Some(Media::Rtcp(_)) | None => {}
            Some(other) => panic!("unexpected media: {other:?}"),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.transport.handle_timeout(now);
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<usize> {
        if let Some(packet) = self.media.pop_front() {
            buffer.extend(&packet);
            return Some(packet.len());
        }
        let transmit = self.transport.poll_transmit(buffer)?;
        assert_eq!(transmit.path, self.path, "there is no other path");
        Some(transmit.len)
    }

    fn drain_events(&mut self) {
        while let Some(event) = self.transport.poll_event() {
            if let Event::Data { bytes, .. } = event {
                assert_eq!(bytes, PAYLOAD, "received what was never sent");
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.transport.poll_timeout()
    }

    fn command(&mut self, now: Instant, which: u8) {
        match which {
            0..=119 => drop(self.send_media(now)),
            120..=159 => drop(self.transport.send_data(now, PAYLOAD)),
            160..=199 => {
                let report = [0x80, 201, 0, 1, 0, 0, 0, 7];
                let mut packet = Vec::new();
                if self.transport.send_rtcp(now, &report, &mut packet).is_ok() {
                    self.media.push_back(packet);
                }
            }
            200..=209 => drop(self.transport.rollback_restart(now)),
            210..=219 => self.transport.revoke_consent(now),
            220..=229 => self.transport.close(now),
            _ => {}
        }
    }
}

/// One for each side, and one to rotate to.
pub(crate) fn certificate(number: usize) -> Certificate {
    static CERTIFICATES: OnceLock<[Certificate; 3]> = OnceLock::new();
    let certificates = CERTIFICATES.get_or_init(|| {
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        [(); 3].map(|()| Certificate::generate(today, Duration::from_secs(86_400)).expect("a certificate"))
    });
    certificates[number].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_network_connects_both_in_every_setup() {
        for setting in [0, 1, 2, 4, 4 + 8, 4 + 16, 4 + 8 + 16] {
            assert_eq!(play(&[setting]), [State::Connected; 2], "setting {setting}");
            let mut script = vec![setting, 60];
            script.extend([0, 16].repeat(30));
            assert_eq!(play(&script), [State::Connected; 2], "setting {setting}, later");
        }
    }

    #[test]
    fn a_closed_transport_ends_both() {
        let mut script = vec![0];
        script.extend([0, 16, 13].repeat(20));
        script.extend([14, 225]);
        assert_eq!(play(&script), [State::Closed; 2]);
    }
}
