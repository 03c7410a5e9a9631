//! Every suite, group and kind of certificate, and failures without common parameters.

use crate::world::{
    Side, World, client_config, config, fingerprint, identities, server_config, without_ml_kem,
};
use dtls_core::{
    Authentication, Certificate, CipherSuite, Config, Failure, HashAlgorithm, Incompatible, NamedGroup,
    PeerPolicy, UseSrtp, Versions,
};

fn with_server_certificate(server: &Certificate) -> (Config, Config) {
    let client = &identities().client;
    (
        config(client, PeerPolicy::Fingerprints(vec![fingerprint(server)])),
        config(server, PeerPolicy::Fingerprints(vec![fingerprint(client)])),
    )
}

fn generated(algorithm: &'static rcgen::SignatureAlgorithm) -> Certificate {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    let certificate = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&key).unwrap();
    Certificate::from_der(vec![certificate.der().to_vec()], &key.serialize_der()).unwrap()
}

fn rsa() -> Certificate {
    Certificate::from_pem(include_str!("rsa.pem")).unwrap()
}

#[test]
fn every_suite_connects_with_a_fitting_certificate() {
    let with_certificate =
        |suite: &CipherSuite| suite.0 >> 8 != 0x13 && *suite != CipherSuite::PSK_AES128_CCM_8;
    for suite in CipherSuite::SUPPORTED.into_iter().filter(with_certificate) {
        let server = if format!("{suite:?}").contains("RSA_") && !format!("{suite:?}").contains("ECDSA") {
            rsa()
        } else {
            identities().server.clone()
        };
        let (client, server) = with_server_certificate(&server);
        let mut world = World::connected_with(Config { suites: vec![suite], ..client }, server);
        assert_eq!(world.client.negotiated().unwrap().suite, suite);
        world.assert_works();
    }
}

#[test]
fn every_group_connects() {
    for group in without_ml_kem(client_config()).groups {
        let client = Config { groups: vec![group], ..client_config() };
        let mut world = World::connected_with(client, server_config());
        assert_eq!(world.server.negotiated().unwrap().group, Some(group));
        world.assert_works();
    }
}

/// A pair with this certificate on one side.
fn connected_by(certificate: &Certificate, owner: Side, versions: Versions) -> World {
    let with = |config: Config| Config { versions, ..without_ml_kem(config) };
    let (client, server) = match owner {
        Side::Server => with_server_certificate(certificate),
        Side::Client => (
            config(certificate, PeerPolicy::Fingerprints(vec![fingerprint(&identities().server)])),
            config(&identities().server, PeerPolicy::Fingerprints(vec![fingerprint(certificate)])),
        ),
    };
    World::connected_with(with(client), with(server))
}

#[test]
fn every_kind_of_certificate_works_on_either_side() {
    let kinds = [generated(&rcgen::PKCS_ECDSA_P384_SHA384), generated(&rcgen::PKCS_ED25519), rsa()];
    for certificate in &kinds {
        for versions in [Versions::Dtls12, Versions::Dtls13, Versions::Auto] {
            for owner in [Side::Client, Side::Server] {
                let mut world = connected_by(certificate, owner, versions);
                world.assert_works();
                let leaf = certificate.chain().next();
                assert_eq!(world.connection(owner.other()).remote_certificate(), leaf);
            }
        }
    }
}

#[test]
fn fingerprint_ignores_version_and_dates() {
    // A version 1 certificate whose validity ended before it began: by `openssl x509 -req -days -1`.
    let certificate = Certificate::from_pem(include_str!("version_1.pem")).unwrap();
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for owner in [Side::Client, Side::Server] {
            connected_by(&certificate, owner, versions).assert_works();
        }
    }
}

#[test]
fn first_fitting_certificate_is_sent() {
    let (rsa, ecdsa) = (rsa(), identities().server.clone());
    let announced = [&rsa, &ecdsa].map(fingerprint).to_vec();
    let client = || config(&identities().client, PeerPolicy::Fingerprints(announced.clone()));
    let only = |suite, config: Config| Config { suites: vec![suite], ..config };
    for (client, shown) in [
        (only(CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256, client()), &ecdsa),
        (only(CipherSuite::ECDHE_RSA_AES128_GCM_SHA256, client()), &rsa),
        (Config { versions: Versions::Dtls13, ..client() }, &rsa),
    ] {
        let mut server = server_config();
        server.versions = Versions::Auto;
        if let Authentication::Certificates { own, .. } = &mut server.authentication {
            *own = vec![rsa.clone(), ecdsa.clone()];
        }
        let world = World::connected_with(without_ml_kem(client), without_ml_kem(server));
        assert_eq!(world.client.remote_certificate(), shown.chain().next());
    }
}

#[test]
fn every_hash_and_any_fingerprint_matches() {
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha384, HashAlgorithm::Sha512] {
        let announced = [&identities().client, &identities().server].map(|each| each.fingerprint(algorithm));
        let client = config(&identities().client, PeerPolicy::Fingerprints(announced.to_vec()));
        World::connected_with(client, server_config()).assert_works();
    }
}

#[test]
fn both_sides_report_the_missing_common_parameter() {
    let gcm = vec![CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256];
    let chacha = vec![CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256];
    for (client, server, missing) in [
        (
            Config { suites: gcm, ..client_config() },
            Config { suites: chacha, ..server_config() },
            Incompatible::Suite,
        ),
        (
            Config { groups: vec![NamedGroup::X25519], ..client_config() },
            Config { groups: vec![NamedGroup::SECP256R1], ..server_config() },
            Incompatible::Group,
        ),
        (
            Config { use_srtp: UseSrtp::Offered(vec![1]), ..client_config() },
            Config { use_srtp: UseSrtp::Required(vec![7]), ..server_config() },
            Incompatible::SrtpProfile,
        ),
        (
            Config { suites: vec![CipherSuite::ECDHE_RSA_AES128_GCM_SHA256], ..client_config() },
            server_config(),
            Incompatible::SignatureScheme,
        ),
    ] {
        let mut world = World::with(client, server).started();
        world.run_until(|world| {
            world.failure(Side::Client).is_some() && world.failure(Side::Server).is_some()
        });
        assert_eq!(world.failure(Side::Server), Some(Failure::NoOverlap(missing)), "{}", world.trace());
        // The client gets an unauthenticated alert.
        let alert = Failure::AlertReceived(dtls_core::AlertDescription::HANDSHAKE_FAILURE);
        assert_eq!(world.failure(Side::Client), Some(alert), "{}", world.trace());
    }
}

#[test]
fn required_srtp_refuses_a_peer_without_common_profile() {
    let required = || UseSrtp::Required(vec![7]);
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        for (by, ours, theirs) in [
            (Side::Client, required(), UseSrtp::Unused),
            (Side::Client, required(), UseSrtp::Offered(vec![8])),
            (Side::Server, required(), UseSrtp::Unused),
            (Side::Server, required(), UseSrtp::Offered(vec![8])),
            // The server detects it first.
            (Side::Server, required(), UseSrtp::Required(vec![8])),
        ] {
            let with = |config: Config, use_srtp| Config { versions, use_srtp, ..config };
            let (client, server) = if by == Side::Client { (ours, theirs) } else { (theirs, ours) };
            let (client, server) = (with(client_config(), client), with(server_config(), server));
            let mut world = World::with(without_ml_kem(client), without_ml_kem(server)).started();
            world.run_until(|world| world.failure(by.other()).is_some());
            let missing = Failure::NoOverlap(Incompatible::SrtpProfile);
            assert_eq!(world.failure(by), Some(missing), "{}", world.trace());
            let told = Failure::AlertReceived(dtls_core::AlertDescription::HANDSHAKE_FAILURE);
            assert_eq!(world.failure(by.other()), Some(told), "{}", world.trace());
        }
    }
}
