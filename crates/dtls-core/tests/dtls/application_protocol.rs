//! ALPN (RFC 7301): ignored unless configured; then negotiated or refused.

use crate::world::{Side, World, client_config, server_config};
use dtls_core::{
    ApplicationProtocol, Config, Connection, Error, Failure, Incompatible, Misconfigured, Versions,
};
use std::time::Instant;

const WEBRTC: ApplicationProtocol = ApplicationProtocol::WEBRTC;
const CONFIDENTIAL: ApplicationProtocol = ApplicationProtocol::CONFIDENTIAL_WEBRTC;

fn world(versions: Versions, client: &[ApplicationProtocol], server: &[ApplicationProtocol]) -> World {
    let with = |config: Config, protocols: &[ApplicationProtocol]| Config {
        versions,
        application_protocols: protocols.to_vec(),
        ..config
    };
    World::with(with(client_config(), client), with(server_config(), server)).started()
}

#[test]
fn both_sides_get_the_servers_first_common_protocol() {
    for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
        for (client, server, expected) in [
            // The offer of Firefox, and a server that ignores it.
            (&[WEBRTC, CONFIDENTIAL][..], &[][..], None),
            (&[], &[WEBRTC], None),
            (&[], &[], None),
            (&[WEBRTC, CONFIDENTIAL], &[WEBRTC], Some(WEBRTC)),
            (&[WEBRTC, CONFIDENTIAL], &[CONFIDENTIAL, WEBRTC], Some(CONFIDENTIAL)),
            (&[CONFIDENTIAL], &[WEBRTC, CONFIDENTIAL], Some(CONFIDENTIAL)),
        ] {
            let mut world = world(versions, client, server);
            world.run_until(World::are_connected);
            for connection in [&world.client, &world.server] {
                assert_eq!(connection.negotiated().unwrap().application_protocol, expected, "{versions:?}");
            }
            world.settle();
            world.assert_works();
        }
    }
}

#[test]
fn client_with_other_protocols_gets_its_alert() {
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let mut world = world(versions, &[CONFIDENTIAL], &[WEBRTC]);
        world.run_until(|world| world.failure(Side::Client).is_some());
        let missing = Failure::NoOverlap(Incompatible::ApplicationProtocol);
        assert_eq!(world.failure(Side::Server), Some(missing), "{versions:?}");
        assert!(
            matches!(world.failure(Side::Client), Some(Failure::AlertReceived(alert)) if alert.0 == 120),
            "{}",
            world.trace()
        );
    }
}

#[test]
fn invalid_protocol_name_is_a_config_error() {
    let long = "x".repeat(256).leak();
    for (name, is_fine) in [("", false), (&*long, false), (&long[1..], true)] {
        let config = Config { application_protocols: vec![ApplicationProtocol(name)], ..client_config() };
        let refused = Connection::client(Instant::now(), config).err();
        let invalid = Error::Config(Misconfigured::InvalidApplicationProtocol);
        assert_eq!(refused, Some(invalid).filter(|_| !is_fine));
    }
}
