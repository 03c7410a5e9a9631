//! The exact times of retransmissions.

use crate::world::{Action, Side, World, client_config, message_types, messages, ms, records, server_config};
use dtls_core::{Config, Connection, Failure, NamedGroup, RetransmitConfig, Timer, Versions};
use std::time::{Duration, Instant};

/// The times in milliseconds of a client's transmissions without a response, until it gives up.
fn transmissions(config: Config, rtt: Option<Duration>) -> (Vec<u128>, Vec<dtls_core::Event>) {
    let start = Instant::now();
    let mut client = Connection::client(start, config).unwrap();
    client.start(start, rtt).unwrap();
    let (mut now, mut times, mut events, mut buffer) = (start, Vec::new(), Vec::new(), Vec::new());
    loop {
        while client.poll_transmit(&mut buffer).is_some() {
            times.push((now - start).as_millis());
        }
        events.extend(std::iter::from_fn(|| client.poll_event()));
        let Some(next) = client.poll_timeout() else { return (times, events) };
        assert!(next > now);
        now = next;
        client.handle_timeout(now);
    }
}

//= rfc9147-5.8.2-srtp-timeout
#[test]
fn schedule_is_exact_and_ends_at_the_deadline() {
    let (times, events) = transmissions(client_config(), None);
    let expected: Vec<u128> = (0..=8).map(|sent| sent * 400).chain([4000, 5600]).collect();
    assert_eq!(times[..11], expected);
    assert!(times[10..].windows(2).all(|pair| pair[1] - pair[0] <= 3000));
    assert_eq!(*times.last().unwrap(), 29_600);
    assert_eq!(events, [dtls_core::Event::Failed(Failure::Timeout(Timer::Handshake))]);
}

//= rfc9147-5.8.2-rtt-hint
#[test]
fn rtt_sets_the_first_timeout() {
    for (rtt, timeout) in [(100, 150), (0, 50), (20, 50), (33, 50), (34, 51), (600, 900)] {
        let (times, _) = transmissions(client_config(), Some(ms(rtt)));
        assert_eq!(times[..3], [0, timeout, 2 * timeout], "rtt {rtt}");
    }
}

#[test]
fn handshake_fails_exactly_at_the_deadline() {
    let retransmit = RetransmitConfig { handshake_timeout: ms(1234), ..RetransmitConfig::default() };
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for side in [Side::Client, Side::Server] {
            let with = |config| Config { versions, retransmit, ..config };
            // The server's datagrams never arrive.
            let mut world = World::with(with(client_config()), with(server_config()))
                .network(|packet| if packet.from == Side::Server { Action::Drop } else { Action::Deliver })
                .started();
            world.pass(Duration::from_nanos(1_233_999_999));
            assert_eq!(world.failure(side), None, "{}", world.trace());
            assert_eq!(world.connection(side).poll_timeout(), Some(world.start + ms(1234)));
            world.pass(Duration::from_nanos(1));
            assert_eq!(world.failure(side), Some(Failure::Timeout(Timer::Handshake)), "{}", world.trace());
            let sent = world.sent.len();
            assert_eq!(world.connection(side).poll_timeout(), None);
            world.pass(ms(10_000));
            assert_eq!(world.sent.len(), sent, "no datagram after the end\n{}", world.trace());
        }
    }
}

#[test]
fn whole_schedule_is_configurable() {
    let retransmit = RetransmitConfig {
        initial_rto: ms(10),
        constant_retransmissions: 1,
        max_rto: ms(35),
        handshake_timeout: ms(150),
        ..RetransmitConfig::default()
    };
    let (times, events) = transmissions(Config { retransmit, ..client_config() }, None);
    assert_eq!(times, [0, 10, 30, 65, 100, 135]);
    assert_eq!(events.len(), 1);
}

#[test]
fn deadline_holds_under_constant_input() {
    let mut world = World::new().network(|_| Action::Drop).started();
    while world.failure(Side::Client).is_none() {
        world.now += ms(7);
        world.inject(Side::Client, b"not a record");
        assert!(world.elapsed() <= ms(30_006), "{}", world.trace());
    }
    assert!(world.elapsed() >= ms(30_000));
    assert_eq!(world.failure(Side::Client), Some(Failure::Timeout(Timer::Handshake)));
}

#[test]
fn transmissions_have_new_numbers_and_equal_messages() {
    let mut world =
        World::new()
            .network(|packet| {
                if packet.from == Side::Client && packet.index > 0 { Action::Drop } else { Action::Deliver }
            })
            .started();
    world.pass(ms(2000));
    let mut numbers = Vec::new();
    let mut signatures = Vec::new();
    for packet in world.sent.iter().filter(|packet| packet.from == Side::Client) {
        numbers.extend(records(&packet.bytes).into_iter().map(|(_, epoch, sequence, _)| (epoch, sequence)));
        let messages = messages(&packet.bytes).into_iter();
        signatures.extend(messages.filter(|message| message[0] == 15).map(<[u8]>::to_vec));
    }
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "{}", world.trace());
    // The signature is computed once (a second one would differ).
    assert!(signatures.len() >= 3 && signatures.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn retransmitted_hello_causes_retransmitted_flight() {
    let mut world = World::new()
        .network(|packet| if packet.from == Side::Server { Action::Drop } else { Action::Deliver })
        .started();
    world.pass(ms(390));
    let flights = |world: &World| {
        world
            .sent
            .iter()
            .filter(|packet| packet.from == Side::Server && message_types(&packet.bytes)[0] == 2)
            .count()
    };
    assert_eq!(flights(&world), 1);
    let hello = world.sent[0].bytes.clone();
    // Less than one timeout later: an attacker gains nothing by replaying the hello.
    world.inject(Side::Server, &hello);
    assert_eq!(flights(&world), 1, "{}", world.trace());
    world.now += ms(19);
    world.inject(Side::Server, &hello);
    assert_eq!(flights(&world), 1, "{}", world.trace());
    world.now += ms(1);
    world.inject(Side::Server, &hello);
    world.inject(Side::Server, &hello);
    assert_eq!(flights(&world), 2, "{}", world.trace());
}

#[test]
fn command_retransmits_a_flight_at_once() {
    let mut world =
        World::new().network(|packet| if packet.index == 0 { Action::Drop } else { Action::Deliver });
    world = world.started();
    world.client.retransmit(world.now);
    world.collect();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(40));
    assert_eq!(world.client.stats().flights_retransmitted, 1);
}

//= rfc9147-4.4-back-off
#[test]
fn datagrams_shrink_after_repeated_loss() {
    // This path drops datagrams above 700 bytes silently.
    let mut world = World::with(client_config(), server_config())
        .network(|packet| if packet.bytes.len() > 700 { Action::Drop } else { Action::Deliver })
        .started();
    world.run_until(World::are_connected);
    world.pass(ms(5000));
    world.assert_works();
}

#[test]
fn dtls13_datagrams_shrink_after_repeated_loss() {
    // Both hellos exceed the MTU of this path, and the rest of the flight does not.
    let mut world = {
        let with = |config| Config { versions: Versions::Dtls13, ..config };
        World::with(with(client_config()), with(server_config()))
    }
    .network(|packet| if packet.bytes.len() > 700 { Action::Drop } else { Action::Deliver })
    .started();
    world.run_until(World::are_connected);
    let sizes: std::collections::BTreeSet<_> =
        world.sent.iter().map(|packet| packet.bytes.len()).filter(|len| *len > 650).collect();
    assert!(sizes.contains(&1200) && sizes.contains(&900), "down in steps: {sizes:?}");
    world.pass(ms(5000));
    world.assert_works();
}

#[test]
fn minimum_mtu_suffices_for_the_longest_hellos() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let with = |config| Config { versions, mtu: Config::MIN_MTU, ..config };
        let mut world = World::with(with(client_config()), with(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        assert!(world.sent.iter().all(|packet| packet.bytes.len() <= 256), "{}", world.trace());
        assert_eq!(
            world.client.stats().flights_retransmitted + world.server.stats().flights_retransmitted,
            0
        );
        world.assert_works();
    }
}

#[test]
fn handshake_has_four_datagrams_of_minimal_size() {
    for (versions, records_per_datagram, most) in
        [(Versions::Dtls12, [1, 1, 3, 2], 1330), (Versions::Dtls13, [1, 2, 1, 1], 1310)]
    {
        let groups = vec![NamedGroup::X25519, NamedGroup::SECP256R1];
        let only = |config: Config| Config { versions, groups: groups.clone(), ..config };
        let mut world = World::with(only(client_config()), only(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        let found: Vec<usize> = world.sent.iter().map(|packet| records(&packet.bytes).len()).collect();
        assert_eq!(found, records_per_datagram, "{versions:?}\n{}", world.trace());
        let sent: usize = world.sent.iter().map(|packet| packet.bytes.len()).sum();
        assert!(sent < most, "{versions:?}: {sent} bytes\n{}", world.trace());
    }
}
