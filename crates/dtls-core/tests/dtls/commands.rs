//! Commands in the wrong state return an error and change nothing.

use crate::world::{Side, World, client_config, config, identities, server_config};
use dtls_core::{
    CipherSuite, Config, Connection, Discard, Error, Misconfigured, NamedGroup, PeerPolicy, RetransmitConfig,
    UseSrtp, Versions,
};
use std::time::{Duration, Instant};

#[test]
fn send_before_the_connection_is_an_error() {
    let mut world = World::new();
    assert_eq!(world.client.send(world.now, b"early"), Err(Error::NotConnected));
    assert_eq!(world.server.send(world.now, b"early"), Err(Error::NotConnected));
    world = world.started();
    assert_eq!(world.client.send(world.now, b"early"), Err(Error::NotConnected));
    assert_eq!(world.client.export("EXPORTER-x", None, &mut [0; 8]), Err(Error::NotConnected));
    world.run_until(World::are_connected);
    world.settle();
    world.assert_works();
    assert_eq!(world.data(Side::Server), [b"ping"]);
}

#[test]
fn second_start_is_an_error() {
    let mut world = World::new().started();
    let before = world.client.poll_timeout();
    assert_eq!(world.client.start(world.now, None), Err(Error::AlreadyStarted));
    assert_eq!(world.client.poll_timeout(), before);
    world.run_until(World::are_connected);
    assert_eq!(world.server.start(world.now, None), Err(Error::AlreadyStarted));
    world.settle();
    world.assert_works();
}

#[test]
fn client_discards_input_before_its_start() {
    let mut world = World::new();
    world.inject(Side::Client, &[22; 60]);
    assert_eq!(world.client.stats().discarded(Discard::NotStarted), 1);
    assert_eq!(world.client.poll_timeout(), None);
    world = world.started();
    world.run_until(World::are_connected);
}

#[test]
fn reserved_labels_export_nothing() {
    let world = World::connected();
    for label in
        ["client finished", "server finished", "master secret", "extended master secret", "key expansion"]
    {
        assert_eq!(world.client.export(label, None, &mut [0; 8]), Err(Error::ReservedLabel));
    }
    let long = vec![0; 1 << 16];
    assert_eq!(
        world.client.export("EXPORTER-x", Some(&long), &mut [0; 8]),
        Err(Error::TooLarge { max: 65_535 })
    );
}

//= rfc9147-4.5.3-no-ccm8
#[test]
fn unusable_configuration_is_refused_with_its_reason() {
    let refused = |config: Config| match Connection::client(Instant::now(), config) {
        Err(Error::Config(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Config::default()), Misconfigured::NoCertificate);
    let nobody = config(&identities().client, PeerPolicy::Fingerprints(Vec::new()));
    assert_eq!(refused(nobody), Misconfigured::NoFingerprint);
    assert_eq!(refused(Config { suites: vec![], ..client_config() }), Misconfigured::NoSuite);
    let psk = vec![CipherSuite::PSK_AES128_CCM_8];
    assert_eq!(refused(Config { suites: psk, ..client_config() }), Misconfigured::NoSuite);
    assert_eq!(refused(Config { groups: vec![], ..client_config() }), Misconfigured::NoGroup);
    // DTLS 1.2, which is allowed too, could negotiate no group.
    let hybrid = vec![NamedGroup::X25519MLKEM768];
    let auto = Config { versions: Versions::Auto, groups: hybrid.clone(), ..client_config() };
    assert_eq!(refused(auto), Misconfigured::NoGroup);
    let dtls13 = Config { versions: Versions::Dtls13, groups: hybrid, ..client_config() };
    assert!(Connection::client(Instant::now(), dtls13).is_ok());
    let unknown = CipherSuite(0x1305);
    assert_eq!(
        refused(Config { suites: vec![unknown], ..client_config() }),
        Misconfigured::UnsupportedSuite(unknown)
    );
    let unknown = NamedGroup(25);
    assert_eq!(
        refused(Config { groups: vec![unknown], ..client_config() }),
        Misconfigured::UnsupportedGroup(unknown)
    );
    let mtu = Config { mtu: 255, ..client_config() };
    assert_eq!(refused(mtu), Misconfigured::MtuTooSmall { min: 256 });
    let retransmit = RetransmitConfig { initial_rto: Duration::ZERO, ..RetransmitConfig::default() };
    assert_eq!(refused(Config { retransmit, ..client_config() }), Misconfigured::NoTimeout);
    let srtp = Config { use_srtp: UseSrtp::Required(vec![]), ..client_config() };
    assert_eq!(refused(srtp), Misconfigured::NoSrtpProfile);
}

#[test]
fn older_time_is_treated_as_the_latest() {
    let mut world = World::new().started();
    let past = world.now.checked_sub(Duration::from_secs(1)).unwrap();
    world.now += Duration::from_millis(400);
    world.client.handle_timeout(world.now);
    let deadline = world.client.poll_timeout();
    world.client.handle_timeout(past);
    assert_eq!(world.client.poll_timeout(), deadline);
}

#[test]
fn huge_mtu_allocates_no_huge_buffer() {
    let boundless = |config: Config| Config { mtu: usize::MAX, ..config };
    let mut world = World::with(boundless(client_config()), boundless(server_config())).started();
    world.run_until(World::are_connected);
}
