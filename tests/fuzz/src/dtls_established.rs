//! `dtls_core::Connection` under an attacker without keys, who owns the network.
//!
//! Two bytes choose versions, authentication and more ([`Stage`]); a third how long the first act is. In the first act
//! the attacker loses, delays and repeats what it likes and adds what may not change anything: the handshake succeeds
//! nevertheless. In the second act, over the connected pair, it does whatever it wants, for as long as it wants: neither
//! side ends, nothing arrives that was not sent, nothing arrives twice, and when it gives up data flows both ways.

use std::time::Duration;

use crate::{
    dtls_connection::assert_works,
    dtls_endpoint::{Endpoint, Plot},
    dtls_forgery,
    dtls_stage::{CLIENT, SERVER, Stage},
    input::Input,
    network::{self, Network},
};

/// See the head of the file.
pub fn dtls_established(data: &[u8]) {
    let mut input = Input::new(data);
    let stage = Stage::read(&mut input).of_friends();
    let now = network::beginning();
    let mut network = Network::new(now, stage.set(now));
    for side in &mut network.sides {
        side.plot = Plot::Siege;
    }

    let first_act = usize::from(input.byte());
    disturb(&mut network, &mut Input::new(input.take(first_act)));
    network.sides.iter_mut().for_each(Endpoint::answer);
    network.settle(HONEST);
    for side in &network.sides {
        assert!(
            side.is_open(),
            "a handshake that anybody can prevent: {:?}, {:?}, {:?}",
            stage,
            side.ended,
            side.connection.stats()
        );
    }
    assert_works(&mut network);

    network.play(&mut input);
    for side in &network.sides {
        assert!(side.is_open(), "a connection that anybody can end: {:?}", side.ended);
    }
    network.settle(Duration::from_secs(10));
    assert_works(&mut network);
}

/// The first act is shorter than this, so that what follows is within the deadline of a handshake.
const DISTURBED: Duration = Duration::from_secs(8);

/// Time enough for every retransmission, and less than the deadline leaves.
const HONEST: Duration = Duration::from_secs(20);

/// What may delay a handshake, and may not prevent it.
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
    fn nothing_is_needed_for_a_pair_that_nobody_attacks() {
        for number in 0..81 {
            super::dtls_established(&[number, number]);
        }
    }
}
