//! `dtls_core::Connection`: a client and a server of ours, whose whole handshake and life the input tampers with.
//!
//! Two bytes choose versions, authentication and more ([`Stage`]); the rest is the script of a network that tampers
//! with real flights in any state. Afterwards the network is honest, and then: each side has connected or ended; a side
//! without its proofs has not connected; a side that was connected ends only because its peer did; two sides that are
//! connected export the same keys and carry data both ways.

use std::time::Duration;

use crate::{
    dtls_endpoint::Endpoint,
    dtls_stage::{CLIENT, SERVER, Stage},
    input::Input,
    network::{self, Network},
};

/// See the head of the file.
pub fn dtls_connection(data: &[u8]) {
    play(data);
}

/// Which sides are connected in the end.
fn play(data: &[u8]) -> [bool; 2] {
    let mut input = Input::new(data);
    let stage = Stage::read(&mut input);
    let now = network::beginning();
    let mut network = Network::new(now, stage.set(now));
    network.play(&mut input);
    network.sides.iter_mut().for_each(Endpoint::answer);
    network.settle(Duration::from_secs(45));
    judge(&mut network)
}

/// What holds for any two sides when nobody tampers any more.
pub(crate) fn judge(network: &mut Network<Endpoint>) -> [bool; 2] {
    for (side, peer) in [(CLIENT, SERVER), (SERVER, CLIENT)] {
        let (side, peer) = (&network.sides[side], &network.sides[peer]);
        assert!(
            side.connected.is_some() || side.ended.is_some(),
            "a handshake without end: {:?}",
            side.connection.stats()
        );
        if side.connected.is_some() && side.ended.is_some() && !side.closed_by_us {
            let knows = peer.ended.is_some() || peer.only_listens();
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

/// Both sides have the same keys and hear each other.
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
    fn an_honest_network_connects_exactly_those_who_can_prove_who_they_are() {
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
