//! When flights are sent again, exactly.

use crate::world::{Fate, Side, World, client_config, message_types, messages, ms, records, server_config};
use dtls_core::{Config, Connection, Failure, NamedGroup, Schedule, Timer, Versions};
use std::time::{Duration, Instant};

/// The times in milliseconds at which a client sends into the void, until it gives up.
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
fn the_schedule_is_exact_and_ends_with_the_deadline() {
    let (times, events) = transmissions(client_config(), None);
    let expected: Vec<u128> = (0..=8).map(|sent| sent * 400).chain([4000, 5600]).collect();
    assert_eq!(times[..11], expected);
    assert!(times[10..].windows(2).all(|pair| pair[1] - pair[0] <= 3000));
    assert_eq!(*times.last().unwrap(), 29_600);
    assert_eq!(events, [dtls_core::Event::Failed(Failure::Timeout(Timer::Handshake))]);
}

//= rfc9147-5.8.2-rtt-hint
#[test]
fn a_round_trip_hint_sets_the_first_timeout() {
    for (rtt, timeout) in [(100, 150), (0, 50), (20, 50), (33, 50), (34, 51), (600, 900)] {
        let (times, _) = transmissions(client_config(), Some(ms(rtt)));
        assert_eq!(times[..3], [0, timeout, 2 * timeout], "rtt {rtt}");
    }
}

#[test]
fn the_handshake_is_given_up_at_the_deadline_and_not_a_nanosecond_earlier() {
    let schedule = Schedule { deadline: ms(1234), ..Schedule::default() };
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for side in [Side::Client, Side::Server] {
            let with = |config| Config { versions, schedule, ..config };
            // The client never hears the server.
            let mut world = World::with(with(client_config()), with(server_config()))
                .network(|packet| if packet.from == Side::Server { Fate::Drop } else { Fate::Deliver })
                .started();
            world.pass(Duration::from_nanos(1_233_999_999));
            assert_eq!(world.failure(side), None, "{}", world.trace());
            assert_eq!(world.connection(side).poll_timeout(), Some(world.start + ms(1234)));
            world.pass(Duration::from_nanos(1));
            assert_eq!(world.failure(side), Some(Failure::Timeout(Timer::Handshake)), "{}", world.trace());
            let sent = world.sent.len();
            assert_eq!(world.connection(side).poll_timeout(), None);
            world.pass(ms(10_000));
            assert_eq!(world.sent.len(), sent, "nothing after the end\n{}", world.trace());
        }
    }
}

#[test]
fn the_whole_schedule_is_configuration() {
    let schedule =
        Schedule { initial: ms(10), unchanged: 1, cap: ms(35), deadline: ms(150), ..Schedule::default() };
    let (times, events) = transmissions(Config { schedule, ..client_config() }, None);
    assert_eq!(times, [0, 10, 30, 65, 100, 135]);
    assert_eq!(events.len(), 1);
}

#[test]
fn the_deadline_is_met_when_datagrams_never_cease() {
    let mut world = World::new().network(|_| Fate::Drop).started();
    while world.failure(Side::Client).is_none() {
        world.now += ms(7);
        world.inject(Side::Client, b"not a record");
        assert!(world.elapsed() <= ms(30_006), "{}", world.trace());
    }
    assert!(world.elapsed() >= ms(30_000));
    assert_eq!(world.failure(Side::Client), Some(Failure::Timeout(Timer::Handshake)));
}

#[test]
fn each_transmission_has_record_numbers_of_its_own_and_the_same_messages() {
    let mut world = World::new()
        .network(
            |packet| if packet.from == Side::Client && packet.index > 0 { Fate::Drop } else { Fate::Deliver },
        )
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
    // A signature is made once and kept (a second one would be other bytes).
    assert!(signatures.len() >= 3 && signatures.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_server_repeats_its_flight_when_the_client_repeats_its_hello() {
    let mut world = World::new()
        .network(|packet| if packet.from == Side::Server { Fate::Drop } else { Fate::Deliver })
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
    // Younger than one timeout: forging a repeat gains nothing.
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
fn an_application_may_repeat_a_flight_at_once() {
    let mut world = World::new().network(|packet| if packet.index == 0 { Fate::Drop } else { Fate::Deliver });
    world = world.started();
    world.client.retransmit(world.now);
    world.collect();
    world.run_until(World::are_connected);
    assert_eq!(world.elapsed(), ms(40));
    assert_eq!(world.client.stats().flights_repeated, 1);
}

//= rfc9147-4.4-back-off
#[test]
fn datagrams_shrink_when_they_are_lost_again_and_again() {
    // This path passes nothing above 700 bytes, and says nothing about it.
    let mut world = World::with(client_config(), server_config())
        .network(|packet| if packet.bytes.len() > 700 { Fate::Drop } else { Fate::Deliver })
        .started();
    world.run_until(World::are_connected);
    world.pass(ms(5000));
    world.assert_works();
}

#[test]
fn datagrams_shrink_in_1_3_too() {
    // Both hellos are longer than this path bears, and what follows them in the same flight is not.
    let mut world = {
        let with = |config| Config { versions: Versions::Dtls13, ..config };
        World::with(with(client_config()), with(server_config()))
    }
    .network(|packet| if packet.bytes.len() > 700 { Fate::Drop } else { Fate::Deliver })
    .started();
    world.run_until(World::are_connected);
    let sizes: std::collections::BTreeSet<_> =
        world.sent.iter().map(|packet| packet.bytes.len()).filter(|len| *len > 650).collect();
    assert!(sizes.contains(&1200) && sizes.contains(&900), "down in steps: {sizes:?}");
    world.pass(ms(5000));
    world.assert_works();
}

#[test]
fn the_smallest_mtu_suffices_in_both_versions_with_the_longest_hellos() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        let with = |config| Config { versions, mtu: Config::MIN_MTU, ..config };
        let mut world = World::with(with(client_config()), with(server_config())).started();
        world.run_until(World::are_connected);
        world.settle();
        assert!(world.sent.iter().all(|packet| packet.bytes.len() <= 256), "{}", world.trace());
        assert_eq!(world.client.stats().flights_repeated + world.server.stats().flights_repeated, 0);
        world.assert_works();
    }
}

#[test]
fn a_handshake_without_loss_takes_four_datagrams_and_no_more_bytes_than_it_must() {
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
