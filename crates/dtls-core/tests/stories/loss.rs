//! The network loses, repeats and reorders, and the handshake completes all the same.

use crate::world::{Dice, Fate, LATENCY, Side, World, client_config, ms, server_config, without_ml_kem};
use dtls_core::{Config, Versions};
use std::time::Duration;

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

//= rfc6347-4.2.2-old-messages
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

/// The 99th percentile over a thousand handshakes at 50 ms one way, with the round trip time known.
fn slowest_percent(loss_percent: u64, config: fn(Config) -> Config) -> Duration {
    let mut times: Vec<Duration> = (0..1000)
        .map(|seed| {
            let mut dice = Dice::new(seed);
            let mut world = World::with(config(client_config()), config(server_config()))
                .network(move |_| if dice.roll(100) < loss_percent { Fate::Drop } else { Fate::Deliver });
            world.latency = ms(50);
            let mut world = world.started_with(Some(ms(100)));
            world.run_until(World::are_connected);
            world.elapsed()
        })
        .collect();
    times.sort_unstable();
    println!(
        "{loss_percent}% loss: median {:?}, p99 {:?}",
        times[times.len() / 2],
        times[times.len() * 99 / 100]
    );
    times[times.len() * 99 / 100]
}

#[test]
fn one_handshake_in_a_hundred_takes_longer_than_650_ms_at_10_percent_loss_in_dtls_1_2() {
    assert!(slowest_percent(10, |config| config) <= ms(650));
}

#[test]
fn one_handshake_in_a_hundred_takes_longer_than_1500_ms_at_30_percent_loss_in_dtls_1_2() {
    assert!(slowest_percent(30, |config| config) <= ms(1500));
}

fn dtls13(config: Config) -> Config {
    Config { versions: Versions::Dtls13, ..config }
}

#[test]
fn one_handshake_in_a_hundred_takes_longer_than_450_ms_at_10_percent_loss_in_dtls_1_3() {
    assert!(slowest_percent(10, |config| without_ml_kem(dtls13(config))) <= ms(450));
}

#[test]
fn one_handshake_in_a_hundred_takes_longer_than_1000_ms_at_30_percent_loss_in_dtls_1_3() {
    assert!(slowest_percent(30, |config| without_ml_kem(dtls13(config))) <= ms(1000));
}

/// ClientHello and ServerHello take a datagram more each.
#[test]
fn one_handshake_in_a_hundred_takes_longer_than_600_ms_at_10_percent_loss_with_ml_kem() {
    assert!(slowest_percent(10, dtls13) <= ms(600));
}

#[test]
fn one_handshake_in_a_hundred_takes_longer_than_1250_ms_at_30_percent_loss_with_ml_kem() {
    assert!(slowest_percent(30, dtls13) <= ms(1250));
}
