//! Pre-shared keys instead of certificates.

use crate::world::{Action, Side, World, client_config, message_types, ms, server_config};
use dtls_core::{
    AlertDescription, Authentication, CipherSuite, Config, Error, Event, Failure, Incompatible, Psk,
    PskRequest, Refusal, Timer,
};
use std::time::Duration;

fn config(hint: Option<&str>) -> Config {
    let hint = hint.map(|hint| hint.as_bytes().to_vec());
    Config { authentication: Authentication::Psk { hint }, ..Config::default() }
}

fn psk(key: &[u8]) -> Psk {
    Psk::new(b"sensor-7", key).unwrap()
}

fn asked(world: &World, side: Side) -> Option<PskRequest> {
    world.events(side).iter().find_map(|event| match event {
        Event::PskRequested(request) => Some(request.clone()),
        _ => None,
    })
}

/// Runs until the server requests the key of the client's identity.
fn until_server_asks(hint: Option<&str>, client_key: &[u8]) -> World {
    let mut world = World::with(config(None), config(hint)).started();
    world.run_until(|world| asked(world, Side::Client).is_some());
    let expected = PskRequest::ForHint(hint.map(|hint| hint.to_owned().into()));
    assert_eq!(asked(&world, Side::Client), Some(expected));
    world.client.provide_psk(world.now, Some(psk(client_key))).unwrap();
    world.collect();
    world.run_until(|world| asked(world, Side::Server).is_some());
    assert_eq!(asked(&world, Side::Server), Some(PskRequest::ForIdentity("sensor-7".into())));
    world
}

#[test]
fn equal_keys_connect_with_and_without_hint() {
    for hint in [None, Some("factory"), Some("")] {
        let mut world = until_server_asks(hint, b"key");
        world.server.provide_psk(world.now, Some(psk(b"key"))).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        assert_eq!(world.elapsed(), ms(40), "{}", world.trace());
        world.settle();
        let negotiated = world.client.negotiated().unwrap();
        assert_eq!((negotiated.suite, negotiated.group), (CipherSuite::PSK_AES128_CCM_8, None));
        assert_eq!(world.client.remote_certificate(), None);
        assert_eq!(world.client.record_overhead(), 13 + 8 + 8);
        world.assert_works();
    }
}

#[test]
fn key_may_be_provided_late() {
    let mut world = World::with(config(None), config(None)).started();
    for side in [Side::Client, Side::Server] {
        world.run_until(|world| asked(world, side).is_some());
        world.pass(Duration::from_secs(3));
        assert!(!world.are_connected());
        let now = world.now;
        world.connection(side).provide_psk(now, Some(psk(b"key"))).unwrap();
        world.collect();
        assert_eq!(world.connection(side).provide_psk(now, Some(psk(b"key"))), Err(Error::NotAsked));
    }
    world.run_until(World::are_connected);
    world.pass(ms(1000));
    world.assert_works();
}

#[test]
fn unknown_identity_looks_like_a_wrong_key() {
    let mut sent = Vec::new();
    for answer in [None, Some(psk(b"another key"))] {
        let mut world = until_server_asks(None, b"key");
        world.server.provide_psk(world.now, answer).unwrap();
        world.collect();
        world.run_until(|world| {
            world.failure(Side::Client).is_some() && world.failure(Side::Server).is_some()
        });
        for side in [Side::Client, Side::Server] {
            assert_eq!(world.failure(side), Some(Failure::Timeout(Timer::Handshake)), "{}", world.trace());
        }
        assert!(world.server.stats().authentication_failures > 0);
        assert!(
            !world.server_events.iter().any(|event| matches!(event, Event::Connected(_) | Event::KeyLog(_)))
        );
        let from_server = world.sent.iter().filter(|packet| packet.from == Side::Server);
        sent.push(from_server.map(|packet| packet.bytes.len()).collect::<Vec<_>>());
    }
    assert_eq!(sent[0], sent[1], "the client's observations");
}

#[test]
fn restarted_client_connects_after_a_wrong_key() {
    for answer in [None, Some(psk(b"another key"))] {
        let mut world = until_server_asks(None, b"key");
        world.server.provide_psk(world.now, answer).unwrap();
        world.collect();
        world.pass(ms(100));
        world.client = dtls_core::Connection::client(world.now, config(None)).unwrap();
        (world.client_events, world.server_events) = (Vec::new(), Vec::new());
        world.client.start(world.now, None).unwrap();
        world.collect();
        for side in [Side::Client, Side::Server] {
            world.run_until(|world| asked(world, side).is_some());
            let now = world.now;
            world.connection(side).provide_psk(now, Some(psk(b"key"))).unwrap();
            world.collect();
        }
        world.run_until(World::are_connected);
        assert_eq!(world.elapsed(), ms(30 + 100 + 40), "{}", world.trace());
        world.settle();
        world.assert_works();
    }
}

#[test]
fn client_without_key_fails_at_once() {
    let mut world = World::with(config(None), config(None)).started();
    world.run_until(|world| asked(world, Side::Client).is_some());
    world.client.provide_psk(world.now, None).unwrap();
    world.collect();
    assert_eq!(world.failure(Side::Client), Some(Failure::Refused(Refusal::UnknownPsk)));
    world.run_until(|world| world.failure(Side::Server).is_some());
    let heard = Failure::AlertReceived(AlertDescription::HANDSHAKE_FAILURE);
    assert_eq!(world.failure(Side::Server), Some(heard));
}

#[test]
fn psk_and_certificate_have_no_common_suite() {
    for (client, server) in [(config(None), server_config()), (client_config(), config(None))] {
        let mut world = World::with(client, server).started();
        world.run_until(|world| world.failure(Side::Server).is_some());
        assert_eq!(world.failure(Side::Server), Some(Failure::NoOverlap(Incompatible::Suite)));
    }
}

#[test]
fn unrequested_key_is_an_error() {
    let mut world = World::new().started();
    assert_eq!(world.client.provide_psk(world.now, Some(psk(b"key"))), Err(Error::NotAsked));
    world.run_until(World::are_connected);
    assert_eq!(world.server.provide_psk(world.now, Some(psk(b"key"))), Err(Error::NotAsked));
}

#[test]
fn lost_psk_flights_are_retransmitted() {
    for lost in 0..4 {
        let mut world = World::with(config(None), config(Some("hint")))
            .network(move |packet| if packet.index == lost { Action::Drop } else { Action::Deliver })
            .started();
        world.run_until(|world| asked(world, Side::Client).is_some());
        world.client.provide_psk(world.now, Some(psk(b"key"))).unwrap();
        world.collect();
        world.run_until(|world| asked(world, Side::Server).is_some());
        world.server.provide_psk(world.now, Some(psk(b"key"))).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        assert!(world.elapsed() <= ms(440), "{lost}\n{}", world.trace());
        assert!(
            world.sent.iter().all(|packet| !message_types(&packet.bytes).contains(&11)),
            "no certificates"
        );
        world.pass(ms(1000));
        world.assert_works();
    }
}
