//! `dtls_core::Connection` under an attacker without keys who controls the network.
//!
//! Two bytes choose versions, authentication and more ([`Setup`]); a third chooses the length of the first phase. In
//! the first phase the attacker loses, delays and duplicates datagrams and adds datagrams that must change nothing; the
//! handshake succeeds nevertheless. In the second phase, on the connected pair, the attacker does anything for as long
//! as it likes: neither side ends, no data arrives that was not sent, no data arrives twice, and afterwards data flows
//! both ways.

use std::time::Duration;

use crate::{
    dtls_connection::assert_works,
    dtls_endpoint::{Commands, Endpoint},
    dtls_forgery,
    dtls_setup::{CLIENT, SERVER, Setup},
    input::Input,
    network::{self, Network},
};

/// The module documentation describes the input and the checks.
pub fn dtls_established(data: &[u8]) {
    let mut input = Input::new(data);
    let setup = Setup::read(&mut input).with_matching_credentials();
    let now = network::beginning();
    let mut network = Network::new(now, setup.set(now));
    for side in &mut network.sides {
        side.commands = Commands::NoClose;
    }

    let first_act = usize::from(input.byte());
    disturb(&mut network, &mut Input::new(input.take(first_act)));
    network.sides.iter_mut().for_each(Endpoint::answer);
    network.settle(RECOVERY);
    for side in &network.sides {
        assert!(
            side.is_open(),
            "the attacker prevented the handshake: {:?}, {:?}, {:?}",
            setup,
            side.ended,
            side.connection.stats()
        );
    }
    assert_works(&mut network);

    network.play(&mut input);
    for side in &network.sides {
        assert!(side.is_open(), "the attacker ended the connection: {:?}", side.ended);
    }
    network.settle(Duration::from_secs(10));
    assert_works(&mut network);
}

/// The first phase is shorter than this, so that the second one fits into the handshake timeout.
const DISTURBED: Duration = Duration::from_secs(8);

/// Enough time for every retransmission, and less than the rest of the handshake timeout.
const RECOVERY: Duration = Duration::from_secs(20);

/// Actions that may delay a handshake but must not prevent it.
fn disturb(network: &mut Network<Endpoint>, script: &mut Input<'_>) {
    let end = network.now + DISTURBED;
    while let Some(step) = script.next() {
        let to = if step & 16 == 0 { CLIENT } else { SERVER };
        match step & 15 {
            0..=4 => network.deliver_next(to),
            5 => network.drop_next(to),
            6 => network.repeat_next(to),
            7 => network.delay_next(to),
            8 => network.repeat_earlier(to, script.byte()),
            9..=12 => {
                let forged = dtls_forgery::harmless_datagram(script);
                network.deliver(to, forged);
            }
            13 => network.sides[to].connection.retransmit(network.now),
            14 => network.sides[to].answer(),
            _ => {
                let time = Duration::from_millis(u64::from(script.byte()) * 4);
                network.wait(time.min(end.saturating_duration_since(network.now)));
            }
        }
        network.collect();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_pair_without_an_attacker_connects() {
        for number in 0..81 {
            super::dtls_established(&[number, number]);
        }
    }
}
