//! Handshakes over a network that loses, duplicates and reorders datagrams.

use crate::world::{Action, Dice, LATENCY, Side, World, client_config, ms, server_config, without_ml_kem};
use dtls_core::{Config, Versions};
use std::time::Duration;

#[test]
fn loss_of_one_datagram_costs_at_most_one_timeout() {
    for lost in 0..4 {
        let mut world = World::new()
            .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
            .started();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(400) + 4 * LATENCY, "datagram {lost}\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}

#[test]
fn loss_of_one_small_datagram_costs_at_most_one_timeout() {
    let small = |config: Config| Config { mtu: 256, ..config };
    for lost in 0..8 {
        let mut world = World::with(small(client_config()), small(server_config()))
            .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
            .started();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(400) + 4 * LATENCY, "datagram {lost}\n{}", world.trace());
        world.pass(ms(1000));
        world.assert_works();
    }
}

//= rfc6347-4.2.2-old-messages
#[test]
fn duplicated_datagrams_have_no_effect() {
    let mut world = World::new().network(|_| Action::Duplicate).started();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), 4 * LATENCY);
    world.pass(ms(100));
    assert_eq!(world.client.stats().flights_retransmitted, 0, "{}", world.trace());
    world.assert_works();
}

#[test]
fn reversed_flights_connect() {
    let small = |config: Config| Config { mtu: 256, ..config };
    let mut world = World::with(small(client_config()), small(server_config()))
        .network(|packet| Action::Delay(ms(40 - u64::try_from(packet.index).unwrap())))
        .started();
    world.run_until(World::are_connected);
    assert!(world.elapsed() < ms(400), "no retransmission was needed\n{}", world.trace());
    world.set_network(|_| Action::Deliver);
    world.pass(ms(100));
    world.assert_works();
}

#[test]
fn heavy_loss_reordering_and_duplication_only_delay() {
    for seed in 0..60 {
        for mtu in [256, 1200] {
            let mut dice = Dice::new(seed);
            let sized = |config: Config| Config { mtu, ..config };
            let mut world = World::with(sized(client_config()), sized(server_config()))
                .network(move |_| match dice.roll(10) {
                    0..=2 => Action::Drop,
                    3 => Action::Duplicate,
                    4 | 5 => Action::Delay(ms(dice.roll(60))),
                    _ => Action::Deliver,
                })
                .started();
            println!("seed {seed} mtu {mtu}");
            world.run_until(|world| {
                assert!(world.failure(Side::Client).is_none(), "{}", world.trace());
                assert!(world.failure(Side::Server).is_none(), "{}", world.trace());
                world.are_connected()
            });
            world.set_network(|_| Action::Deliver);
            world.pass(ms(5000));
            world.assert_works();
        }
    }
}

/// The 99th percentile of a thousand handshakes with 50 ms latency one way and a known round-trip time.
fn slowest_percent(loss_percent: u64, config: fn(Config) -> Config) -> Duration {
    let mut times: Vec<Duration> = (0..1000)
        .map(|seed| {
            let mut dice = Dice::new(seed);
            let mut world = World::with(config(client_config()), config(server_config()))
                .network(move |_| if dice.roll(100) < loss_percent { Action::Drop } else { Action::Deliver });
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
fn dtls12_p99_is_650_ms_at_10_percent_loss() {
    assert!(slowest_percent(10, |config| config) <= ms(650));
}

#[test]
fn dtls12_p99_is_1500_ms_at_30_percent_loss() {
    assert!(slowest_percent(30, |config| config) <= ms(1500));
}

fn dtls13(config: Config) -> Config {
    Config { versions: Versions::Dtls13, ..config }
}

#[test]
fn dtls13_p99_is_450_ms_at_10_percent_loss() {
    assert!(slowest_percent(10, |config| without_ml_kem(dtls13(config))) <= ms(450));
}

#[test]
fn dtls13_p99_is_1000_ms_at_30_percent_loss() {
    assert!(slowest_percent(30, |config| without_ml_kem(dtls13(config))) <= ms(1000));
}

/// ClientHello and server flight take one more datagram each.
#[test]
fn ml_kem_p99_is_600_ms_at_10_percent_loss() {
    assert!(slowest_percent(10, dtls13) <= ms(600));
}

#[test]
fn ml_kem_p99_is_1250_ms_at_30_percent_loss() {
    assert!(slowest_percent(30, dtls13) <= ms(1250));
}
