//! Consent freshness (RFC 7675): its duration, and the events that end it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod world;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ice_agent::{Config, Datagram, Discard, ErrorCode, Event, Failure, IceRole, Path, State};
use world::{LEFT, Packet, RIGHT, World, class, error_code, is_request, ms};

const APART: [IceRole; 2] = [IceRole::Controlling, IceRole::Controlled];

/// Collects everything that is sent from now on, and drops it.
fn intercept(world: &mut World) -> Arc<Mutex<Vec<(Duration, Packet)>>> {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&sent);
    world.network = Box::new(move |at, packet| {
        sink.lock().unwrap().push((at, packet));
        Vec::new()
    });
    sent
}

fn until(world: &World, who: usize) -> Instant {
    world.agents[who].permission(world.now).unwrap().until.unwrap()
}

/// Returns the response of the other side to a captured request of `LEFT`.
fn answer_to(world: &mut World, request: &Packet) -> Packet {
    world.deliver(request);
    let mut buf = Vec::new();
    while let Some(transmit) = world.agents[RIGHT].poll_transmit(&mut buf) {
        let bytes = transmit.bytes(&buf).to_vec();
        if !is_request(&bytes) {
            return Packet { from: RIGHT, path: transmit.path, bytes };
        }
    }
    panic!("no answer\n{}", world.trace);
}

#[test]
fn consent_ends_exactly_30_s_after_the_last_proof() {
    let mut world = World::connected(1);
    world.run_for(ms(20_000));
    let sent = intercept(&mut world);
    let end = until(&world, LEFT);
    world.run_for(end.duration_since(world.now + ms(1)));
    assert!(world.permitted(LEFT));
    assert!(world.failures(LEFT).is_empty());
    world.run_for(ms(1));
    assert!(!world.permitted(LEFT));
    assert!(
        matches!(world.failures(LEFT)[..], [Failure::ConsentExpired { age, .. }] if age == ms(30_000)),
        "{}",
        world.trace
    );
    assert_eq!(world.agents[LEFT].state(), State::Failed);
    assert_eq!(world.agents[LEFT].poll_timeout(), None);
    // From now on everything is lost, responses included.
    world.run_for(ms(31_000));
    let before = sent.lock().unwrap().len();
    let request = sent.lock().unwrap().iter().rev().find(|(_, p)| p.from == RIGHT).unwrap().1.clone();
    world.deliver(&request);
    world.run_for(ms(10_000));
    let left = |packet: &(Duration, Packet)| packet.1.from == LEFT;
    assert_eq!(sent.lock().unwrap()[before..].iter().filter(|packet| left(packet)).count(), 0);
    assert_eq!(world.agents[LEFT].stats().discarded(Discard::Revoked), 1);
}

#[test]
fn busy_socket_expires_consent_on_time() {
    let mut world = World::connected(2);
    intercept(&mut world);
    let end = until(&world, LEFT);
    let path = world.agents[LEFT].selected_pair().unwrap().path;
    // No call of handle_timeout.
    let mut now = world.now;
    while now < end {
        assert!(world.agents[LEFT].permission(now).is_some());
        assert!(world.agents[LEFT].state() == State::Connected);
        now += ms(1);
        world.agents[LEFT].handle_input(now, Datagram { path, payload: &[0x80; 40] });
    }
    assert_eq!(world.agents[LEFT].state(), State::Failed);
}

#[test]
fn response_renews_consent_until_the_last_millisecond() {
    for (early, alive) in [(ms(1), true), (ms(0), false)] {
        let mut world = World::connected(3);
        let sent = intercept(&mut world);
        let end = until(&world, LEFT);
        world.run_for(ms(20_000));
        let requests: Vec<_> = sent.lock().unwrap().clone();
        let (_, request) = requests.iter().rev().find(|(_, packet)| packet.from == LEFT).unwrap();
        let answer = answer_to(&mut world, request);
        world.now = end.checked_sub(early).unwrap();
        world.deliver(&answer);
        world.run_for(ms(1));
        assert_eq!(world.permitted(LEFT), alive, "{early:?} before the end");
        let late = world.agents[LEFT].stats().discarded(Discard::UnknownTransaction);
        assert_eq!(late, u64::from(!alive));
    }
}

#[test]
fn consent_checks_are_new_transactions_every_4_to_6_s() {
    let mut world = World::connected(4);
    let from = world.elapsed();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&sent);
    world.network = Box::new(move |at, packet| {
        if packet.from == LEFT && is_request(&packet.bytes) {
            sink.lock().unwrap().push((at, stun::Message::decode(&packet.bytes).unwrap().transaction_id()));
        }
        vec![(ms(10), packet)]
    });
    world.run_for(ms(600_000));
    let sent = sent.lock().unwrap().clone();
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].0.abs_diff(pair[0].0)).collect();
    assert!(gaps.len() > 100 && from < ms(1000));
    assert!(gaps.iter().all(|gap| (ms(4000)..=ms(6000)).contains(gap)), "{gaps:?}");
    let mut ids: Vec<_> = sent.iter().map(|(_, id)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), sent.len());
    assert!(world.permitted(LEFT));
}

#[test]
fn selection_does_not_renew_consent() {
    let mut world = World::signalled(5, APART, [Config::default(), Config::default()]);
    world.run_until(ms(1000), |world| world.permitted(LEFT) && world.permitted(RIGHT));
    let first = until(&world, RIGHT);
    world.run_until(ms(1000), World::both_selected);
    assert_eq!(until(&world, RIGHT), first);
}

#[test]
fn without_a_timeout_consent_never_expires() {
    let config = || Config { consent_timeout: None, ..Config::default() };
    let mut world = World::signalled(6, APART, [config(), config()]);
    world.run_until(ms(1000), World::both_selected);
    intercept(&mut world);
    world.run_for(ms(600_000));
    assert_eq!(world.agents[LEFT].permission(world.now).unwrap().until, None);
}

#[test]
fn only_an_authenticated_403_ends_sending() {
    let mut world = World::connected(7);
    let sent = intercept(&mut world);
    world.run_for(ms(6_000));
    let requests: Vec<_> = sent.lock().unwrap().clone();
    let (_, request) = requests.iter().find(|(_, p)| p.from == LEFT && is_request(&p.bytes)).unwrap();
    let id = stun::Message::decode(&request.bytes).unwrap().transaction_id();
    let password = world.agents[RIGHT].local_parameters().password.clone();
    let path = request.path;
    let elsewhere = Path::udp(path.local(), "198.51.100.66:6666".parse().unwrap());
    let forbidden = |id: [u8; 12], key: Option<&str>| {
        let mut bytes = Vec::new();
        let mut writer = stun::MessageWriter::new(&mut bytes, stun::MessageType::BINDING_ERROR, id.into());
        writer.error_code(ErrorCode::FORBIDDEN, "Forbidden").unwrap();
        writer.finish(key.map(stun::IntegrityKey::short_term).as_ref());
        bytes
    };
    let now = world.now;
    let agent = &mut world.agents[LEFT];
    let forged = [
        (path, forbidden(*id.as_bytes(), None), Discard::IntegrityMissing),
        (path, forbidden(*id.as_bytes(), Some("notthepasswordatallxxxx")), Discard::IntegrityMismatch),
        (path, forbidden([9; 12], Some(password.expose())), Discard::UnknownTransaction),
        (elsewhere, forbidden(*id.as_bytes(), Some(password.expose())), Discard::WrongAddress),
    ];
    for (path, bytes, reason) in &forged {
        agent.handle_input(now, Datagram { path: *path, payload: bytes });
        assert_eq!(agent.stats().discarded(*reason), 1, "{reason}");
        assert!(agent.permission(now).is_some(), "{reason}");
    }
    // The transaction is still pending for the authenticated response.
    let real = forbidden(*id.as_bytes(), Some(password.expose()));
    agent.handle_input(now, Datagram { path, payload: &real });
    assert_eq!(agent.permission(now), None);
    world.drain();
    assert_eq!(world.failures(LEFT), [Failure::ConsentRevoked { path }]);
    assert!(world.events[LEFT].iter().any(|event| matches!(event, Event::ConsentLost { .. })));
}

#[test]
fn peer_detects_revocation_at_its_next_check() {
    let mut world = World::connected(8);
    world.run_for(ms(10_000));
    world.agents[LEFT].revoke_consent(world.now);
    assert!(!world.permitted(LEFT));
    let path = world.agents[RIGHT].selected_pair().unwrap().path;
    assert!(!world.agents[LEFT].may_receive(Path::udp(path.remote(), path.local())));
    let codes = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&codes);
    world.network = Box::new(move |_, packet| {
        if packet.from == LEFT {
            sink.lock().unwrap().push((class(&packet.bytes), error_code(&packet.bytes)));
        }
        vec![(ms(10), packet)]
    });
    world.run_for(ms(6_100));
    assert_eq!(world.failures(RIGHT), [Failure::ConsentRevoked { path }], "{}", world.trace);
    assert_eq!(*codes.lock().unwrap(), [(Some(stun::Class::Error), Some(403))]);
    assert_eq!(world.agents[RIGHT].state(), State::Failed);
}

#[test]
fn authenticated_close_of_the_peer_ends_sending() {
    let mut world = World::connected(9);
    let path = world.agents[LEFT].selected_pair().unwrap().path;
    world.agents[LEFT].peer_ended(world.now, path);
    world.drain();
    assert_eq!(world.failures(LEFT), [Failure::ConsentRevoked { path }]);
    assert_eq!(world.agents[LEFT].poll_timeout(), None);
}

#[test]
fn unselected_pair_keeps_consent_and_takes_over() {
    let mut world = World::unconnected(10, APART, [Config::default(), Config::default()]);
    for (who, v4, v6) in
        [(LEFT, "192.0.2.1:1000", "[2001:db8::1]:1000"), (RIGHT, "192.0.2.2:1", "[2001:db8::2]:1")]
    {
        world.add(who, world::host(v4));
        world.add(who, world::host(v6));
    }
    world.exchange_parameters();
    world.exchange_candidates();
    world.run_for(ms(10_000));
    // Both pairs are usable; the selected one stops responding.
    let first = world.agents[LEFT].selected_pair().unwrap().path;
    world.network = Box::new(
        move |_, packet| {
            if packet.path.local().is_ipv6() { Vec::new() } else { vec![(ms(10), packet)] }
        },
    );
    world.run_for(ms(40_000));
    assert!(first.local().is_ipv6());
    for who in [LEFT, RIGHT] {
        assert!(world.failures(who).is_empty(), "{}", world.trace);
        assert!(world.agents[who].permission(world.now).unwrap().path.local().is_ipv4(), "{who}");
    }
    let lost = |event: &&Event| matches!(event, Event::ConsentLost { path, .. } if *path == first);
    assert_eq!(world.events[LEFT].iter().filter(lost).count(), 1);
}

#[test]
fn success_without_mapped_address_proves_nothing() {
    let mut world = World::connected(11);
    let sent = intercept(&mut world);
    world.run_for(ms(6_000));
    let requests: Vec<_> = sent.lock().unwrap().clone();
    let (_, request) = requests.iter().find(|(_, p)| p.from == LEFT && is_request(&p.bytes)).unwrap();
    let id = stun::Message::decode(&request.bytes).unwrap().transaction_id();
    let password = world.agents[RIGHT].local_parameters().password.clone();
    let mut bytes = Vec::new();
    stun::MessageWriter::new(&mut bytes, stun::MessageType::BINDING_SUCCESS, id)
        .finish(Some(&stun::IntegrityKey::short_term(password.expose())));
    let before = until(&world, LEFT);
    let path = request.path;
    world.agents[LEFT].handle_input(world.now, Datagram { path, payload: &bytes });
    assert_eq!(until(&world, LEFT), before);
    assert_eq!(world.agents[LEFT].stats().discarded(Discard::NoMappedAddress), 1);
}
