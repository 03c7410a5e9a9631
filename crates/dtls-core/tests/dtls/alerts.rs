//! Alerts: which ones are accepted.

use crate::world::{Action, Side, World, client_config, ms, plaintext_record, server_config, without_ml_kem};
use dtls_core::{AlertDescription, Config, Discard, Event, Failure, Versions};
use std::time::Duration;

fn forged(level: u8, description: u8) -> Vec<u8> {
    plaintext_record(21, 200, &[level, description])
}

#[test]
fn forged_alerts_do_not_stop_the_handshake() {
    for (level, description) in [(2, 40), (2, 42), (1, 0), (2, 0), (1, 90), (9, 9)] {
        let mut world = World::new().started();
        while !world.are_connected() {
            world.inject(Side::Client, &forged(level, description));
            world.inject(Side::Server, &forged(level, description));
            assert!(world.step());
        }
        world.settle();
        world.assert_works();
    }
}

#[test]
fn forged_alert_after_the_handshake_has_no_effect() {
    let mut world = World::connected();
    let deadline = world.client.poll_timeout();
    for side in [Side::Client, Side::Server] {
        world.inject(side, &forged(2, 40));
        assert_eq!(world.connection(side).stats().discarded(Discard::PlaintextAlert), 1);
    }
    assert_eq!(world.client.poll_timeout(), deadline);
    world.assert_works();
}

#[test]
fn pending_alert_is_accepted_after_three_timeouts() {
    let mut world = World::new().network(|_| Action::Drop).started();
    world.pass(ms(100));
    world.inject(Side::Client, &forged(2, 40));
    world.pass(ms(1199));
    assert_eq!(world.failure(Side::Client), None);
    // Another alert does not postpone it.
    world.inject(Side::Client, &forged(2, 80));
    world.pass(ms(1));
    assert_eq!(
        world.failure(Side::Client),
        Some(Failure::AlertReceived(AlertDescription::HANDSHAKE_FAILURE))
    );
}

#[test]
fn plaintext_alert_is_accepted_in_every_role_and_version() {
    for (rtt, rto) in [(None, ms(400)), (Some(ms(100)), ms(150))] {
        for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
            for side in [Side::Client, Side::Server] {
                let with = |config| Config { versions, ..without_ml_kem(config) };
                // Only the client's hello arrives.
                let mut world = World::with(with(client_config()), with(server_config()))
                    .network(|packet| if packet.index == 0 { Action::Deliver } else { Action::Drop })
                    .started_with(rtt);
                world.pass(ms(20));
                // A close_notify during the handshake is treated the same.
                let (forged, description) =
                    if side == Side::Client { (forged(2, 70), 70) } else { (forged(1, 0), 0) };
                world.inject(side, &forged);
                world.pass((3 * rto).saturating_sub(Duration::from_nanos(1)));
                assert_eq!(world.failure(side), None, "{versions:?} {side:?}\n{}", world.trace());
                world.pass(Duration::from_nanos(1));
                let believed = Failure::AlertReceived(AlertDescription(description));
                assert_eq!(world.failure(side), Some(believed), "{versions:?} {side:?}\n{}", world.trace());
            }
        }
    }
}

#[test]
fn pending_alert_is_dropped_on_progress() {
    let mut world =
        World::new().network(|packet| if packet.index < 4 { Action::Deliver } else { Action::Drop });
    world = world.started();
    world.inject(Side::Client, &forged(2, 40));
    world.run_until(World::are_connected);
    world.pass(ms(5000));
    assert_eq!(world.failure(Side::Client), None);
}

#[test]
fn alerts_are_never_answered() {
    let mut world = World::connected();
    let sent = world.sent.len();
    for description in 0..=255 {
        for level in [1, 2] {
            world.inject(Side::Client, &forged(level, description));
            world.inject(Side::Server, &forged(level, description));
        }
    }
    assert_eq!(world.sent.len(), sent);
    assert!(!world.client_events.iter().any(|event| matches!(event, Event::Failed(_) | Event::Closed(_))));
    world.assert_works();
}
