//! `dtls_core::Connection`: a client and a server, while the input tampers with the handshake and with the traffic
//! after it.
//!
//! Two bytes choose versions, authentication and more ([`Setup`]); the rest is the script of a network that tampers
//! with real flights in any state. Then the network delivers everything unchanged, and these hold: each side has
//! connected or ended; a side that lacks a proof has not connected; a connected side ends only because its peer did;
//! two connected sides export the same keys and carry data both ways.

use std::time::Duration;

use crate::{
    dtls_endpoint::Endpoint,
    dtls_setup::{CLIENT, SERVER, Setup},
    input::Input,
    network::{self, Network},
};

/// The module documentation describes the input and the checks.
pub fn dtls_connection(data: &[u8]) {
    play(data);
}

/// Returns which sides are connected in the end.
fn play(data: &[u8]) -> [bool; 2] {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input);
    let now = network::beginning();
    let mut network = Network::new(now, setup.set(now));
    network.play(&mut input);
    network.sides.iter_mut().for_each(Endpoint::answer);
    network.settle(Duration::from_secs(45));
    check_result(&mut network)
}

/// Checks the properties that two sides have once tampering has stopped.
pub(crate) fn check_result(network: &mut Network<Endpoint>) -> [bool; 2] {
    for (side, peer) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
        let (side, peer) = (&network.sides[side], &network.sides[peer]);
        assert!(
            side.connected.is_some() || side.ended.is_some(),
            "a handshake without end: {:?}",
            side.connection.stats()
        );
        if side.connected.is_some() && side.ended.is_some() && !side.closed_by_us {
            let knows = peer.ended.is_some() || peer.only_receives();
            assert!(knows, "a connection ended and its peer knows nothing: {:?}", side.ended);
        }
        if side.ended.is_some() {
            assert_eq!(side.connection.poll_timeout(), None, "what has ended waits for nothing");
        }
    }
    let open = [CLIENT, SERVER].map(|side| network.sides[side].is_open());
    if open == [true, true] {
        assert_works(network);
    }
    open
}

/// Both sides have the same keys and receive each other's data.
pub(crate) fn assert_works(network: &mut Network<Endpoint>) {
    let [client, server] = &network.sides;
    assert_eq!(client.exported(), server.exported());
    assert_eq!(client.connection.negotiated(), server.connection.negotiated());
    let now = network.now;
    let sent = [CLIENT, SERVER].map(|side| network.sides[side].send(now).expect("connected"));
    network.settle(Duration::from_secs(1));
    for (from, number) in [(CLIENT, sent[CLIENT]), (SERVER, sent[SERVER])] {
        assert!(network.sides[1 - from].received.contains(&number), "an open connection carries data");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn exactly_the_authenticated_sides_connect() {
        for number in 0..81 {
            for shape in [0, 1, 2, 4, 8, 0x10, 0x20, 0x30, 0xc0] {
                let connected = super::play(&[number, shape]);
                let has_version = number % 9 != 1 && number % 9 != 3;
                let expected = match number / 9 {
                    0..=2 => has_version,
                    3 => true,
                    _ => false,
                };
                assert_eq!(connected, [expected; 2], "{number} {shape}");
            }
        }
    }

    #[test]
    fn a_closed_connection_is_closed_on_both_sides() {
        for versions in [0, 4] {
            let mut script = vec![versions, 0];
            script.extend([0, 16].repeat(8));
            script.extend([14, 255]);
            assert_eq!(super::play(&script), [false, false]);
        }
    }
}
