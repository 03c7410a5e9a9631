//! The network loses, repeats and reorders, and the handshake completes all the same.

use crate::world::{Dice, Fate, LATENCY, Side, World, client_config, ms, server_config};
use dtls_core::Config;

#[test]
fn the_loss_of_any_one_datagram_costs_at_most_one_timeout() {
    for lost in 0..4 {
        let mut world = World::new()
            .network(move |packet| if packet.index == lost { Fate::Drop } else { Fate::Deliver })
            .started();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(400) + 4 * LATENCY, "datagram {lost}\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}

#[test]
fn the_loss_of_any_one_small_datagram_costs_at_most_one_timeout() {
    let small = |config: Config| Config { mtu: 256, ..config };
    for lost in 0..8 {
        let mut world = World::with(small(client_config()), small(server_config()))
            .network(move |packet| if packet.index == lost { Fate::Drop } else { Fate::Deliver })
            .started();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(400) + 4 * LATENCY, "datagram {lost}\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}

#[test]
fn every_datagram_twice_changes_nothing() {
    let mut world = World::new().network(|_| Fate::Duplicate).started();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), 4 * LATENCY);
    world.pass(ms(100));
    assert_eq!(world.client.stats().flights_repeated, 0, "{}", world.trace());
    world.assert_works();
}

#[test]
fn every_flight_may_arrive_backwards() {
    let small = |config: Config| Config { mtu: 256, ..config };
    let mut world = World::with(small(client_config()), small(server_config()))
        .network(|packet| Fate::Delay(ms(40 - u64::try_from(packet.index).unwrap())))
        .started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() < ms(400), "nothing had to be sent again\n{}", world.trace());
    world.set_network(|_| Fate::Deliver);
    world.pass(ms(100));
    world.assert_works();
}

#[test]
fn heavy_loss_reordering_and_duplication_only_take_time() {
    for seed in 0..60 {
        for mtu in [256, 1200] {
            let mut dice = Dice::new(seed);
            let sized = |config: Config| Config { mtu, ..config };
            let mut world = World::with(sized(client_config()), sized(server_config()))
                .network(move |_| match dice.roll(10) {
                    0..=2 => Fate::Drop,
                    3 => Fate::Duplicate,
                    4 | 5 => Fate::Delay(ms(dice.roll(60))),
                    _ => Fate::Deliver,
                })
                .started();
            println!("seed {seed} mtu {mtu}");
            world.run_until(|world| {
                assert!(world.failure(Side::Client).is_none(), "{}", world.trace());
                assert!(world.failure(Side::Server).is_none(), "{}", world.trace());
                world.are_connected()
            });
            world.set_network(|_| Fate::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}
