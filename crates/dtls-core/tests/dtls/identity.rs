//! Authentication of the peer by fingerprint or by the application.

use crate::world::{
    Side, World, certificate, client_config, config, fingerprint, identities, records, server_config,
    without_ml_kem,
};
use dtls_core::{
    AlertDescription, Authentication, Certificate, CertificateVerdict, Config, Error, Event, Failure,
    PeerPolicy, Refusal, Versions,
};

fn expecting_somebody_else(own: &Certificate) -> Config {
    config(own, PeerPolicy::Fingerprints(vec![fingerprint(&certificate())]))
}

fn judging(own: &Certificate, require_peer: bool) -> Config {
    let peer = PeerPolicy::Application;
    let authentication = Authentication::Certificates { own: vec![own.clone()], peer, require_peer };
    Config { authentication, versions: Versions::Dtls12, ..Config::default() }
}

fn assert_refused(mut world: World, by: Side, refusal: Refusal) {
    world.run_until(|world| world.failure(Side::Client).is_some() && world.failure(Side::Server).is_some());
    assert_eq!(world.failure(by), Some(Failure::Refused(refusal)), "{}", world.trace());
    let heard = Failure::AlertReceived(AlertDescription::BAD_CERTIFICATE);
    assert_eq!(world.failure(by.other()), Some(heard), "{}", world.trace());

    // One alert was sent, and no side exported a key.
    let alerts = world.sent.iter().filter(|packet| packet.from == by && packet.bytes[0] == 21);
    let alerts: Vec<_> = alerts.flat_map(|packet| records(&packet.bytes)).map(|record| record.3).collect();
    assert_eq!(alerts, [[2, 42]], "{}", world.trace());
    for side in [Side::Client, Side::Server] {
        assert!(
            !world.events(side).iter().any(|event| matches!(event, Event::Connected(_) | Event::KeyLog(_)))
        );
        let export = world.connection(side).export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]);
        assert_eq!(export, Err(Error::NotConnected));
    }
}

#[test]
fn client_refuses_a_server_with_wrong_fingerprint() {
    let client = expecting_somebody_else(&identities().client);
    assert_refused(
        World::with(client, server_config()).started(),
        Side::Client,
        Refusal::FingerprintMismatch,
    );
}

#[test]
fn server_refuses_a_client_with_wrong_fingerprint() {
    let server = expecting_somebody_else(&identities().server);
    assert_refused(
        World::with(client_config(), server).started(),
        Side::Server,
        Refusal::FingerprintMismatch,
    );
}

#[test]
fn no_key_exists_before_the_verdict() {
    let client = Config { key_log: true, ..judging(&identities().client, true) };
    let server = Config { key_log: true, ..judging(&identities().server, true) };
    let mut world = World::with(client, server).started();
    for (side, peer) in [(Side::Client, &identities().server), (Side::Server, &identities().client)] {
        let chain = peer.chain().map(|each| each.to_vec().into()).collect();
        let asked = Event::CertificateReceived { chain };
        world.run_until(|world| world.events(side).contains(&asked));
        world.pass(std::time::Duration::from_secs(2));
        let before = world.events(side).len();
        assert!(
            !world.events(side).iter().any(|event| matches!(event, Event::KeyLog(_) | Event::Connected(_)))
        );
        let now = world.now;
        world.connection(side).provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
        world.collect();
        assert_eq!(
            world.connection(side).provide_certificate_verdict(now, CertificateVerdict::Accept),
            Err(Error::NotAsked)
        );
        assert!(
            world.events(side).len() > before,
            "the handshake continues after the verdict\n{}",
            world.trace()
        );
    }
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
}

#[test]
fn dtls13_sends_and_exports_nothing_before_the_verdict() {
    for side in [Side::Client, Side::Server] {
        let (mut client, mut server) = (client_config(), server_config());
        match side {
            Side::Client => client = judging(&identities().client, true),
            Side::Server => server = judging(&identities().server, true),
        }
        let with =
            |config: Config| Config { versions: Versions::Dtls13, key_log: true, ..without_ml_kem(config) };
        let mut world = World::with(with(client), with(server)).started();
        let is_exporter =
            |event: &Event| matches!(event, Event::KeyLog(line) if line.to_string().starts_with("EXPORTER"));
        let asked = |event: &Event| matches!(event, Event::CertificateReceived { chain } if chain.len() == 1);
        world.run_until(|world| world.events(side).iter().any(asked));
        world.pass(std::time::Duration::from_secs(2));
        let before = world.events(side).iter().filter(|event| !matches!(event, Event::KeyLog(_)));
        assert_eq!(before.count(), 1, "only the request for a verdict\n{}", world.trace());
        assert!(!world.events(side).iter().any(is_exporter), "{}", world.trace());
        let now = world.now;
        let connection = world.connection(side);
        assert_eq!(connection.export("EXTRACTOR-dtls_srtp", None, &mut [0; 60]), Err(Error::NotConnected));
        assert_eq!(connection.send(now, b"early"), Err(Error::NotConnected));
        assert_eq!((connection.negotiated(), connection.remote_certificate()), (None, None));
        // A client without a verdict about its server has not sent its own certificate.
        assert!(side == Side::Server || !world.server.is_connected());
        world.connection(side).provide_certificate_verdict(now, CertificateVerdict::Accept).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        world.pass(std::time::Duration::from_secs(2));
        world.assert_works();
        assert_eq!(world.events(side).iter().filter(|event| is_exporter(event)).count(), 1);
    }
}

#[test]
fn application_refuses_the_certificate() {
    let mut world = World::with(judging(&identities().client, true), server_config()).started();
    world.run_until(|world| !world.client_events.is_empty());
    world.client.provide_certificate_verdict(world.now, CertificateVerdict::Refuse).unwrap();
    world.collect();
    assert_refused(world, Side::Client, Refusal::ByApplication);
}

#[test]
fn verdict_applies_to_its_certificate_only() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let with = |config: Config| Config { versions, ..config };
        let judge = with(judging(&identities().server, true));
        let mut world = World::with(with(client_config()), judge).started();
        let asked = |world: &World| {
            world.server_events.iter().any(|event| matches!(event, Event::CertificateReceived { .. }))
        };
        world.run_until(asked);
        let attempt = world.server.local_random();
        // The hello of another client would begin another attempt, with another certificate.
        let other = World::with(with(client_config()), with(server_config())).started();
        world.inject(Side::Server, &other.sent[0].bytes);
        assert_eq!(world.server.local_random(), attempt, "{versions:?}");
        world.server.provide_certificate_verdict(world.now, CertificateVerdict::Accept).unwrap();
        world.collect();
        world.run_until(World::are_connected);
        world.settle();
        world.assert_works();
    }
}

#[test]
fn unrequested_verdict_is_an_error() {
    let mut world = World::new().started();
    assert_eq!(
        world.client.provide_certificate_verdict(world.now, CertificateVerdict::Refuse),
        Err(Error::NotAsked)
    );
    world.run_until(World::are_connected);
    assert_eq!(
        world.server.provide_certificate_verdict(world.now, CertificateVerdict::Refuse),
        Err(Error::NotAsked)
    );
    world.settle();
    world.assert_works();
}
