//! Authentication by a public key infrastructure.

use crate::world::{Side, World, client_config, config, identities, without_ml_kem};
use dtls_core::{
    AlertDescription, Certificate, Config, Connection, Error, Failure, Misconfigured, PeerPolicy, Refusal,
    Untrusted, Versions,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
};
use std::time::{Duration, Instant, SystemTime};

/// rcgen's certificates are valid from 1975 to 4096 by default.
const NOW: Duration = Duration::from_secs(1_790_000_000);

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn root(&self) -> Vec<u8> {
        self.0.der().to_vec()
    }

    fn issue(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> Certificate {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Certificate::from_der(vec![certificate.der().to_vec(), self.root()], &key.serialize_der()).unwrap()
    }
}

fn policy(roots: Vec<Vec<u8>>, name: Option<&str>, now: Duration) -> PeerPolicy {
    PeerPolicy::Pki { roots, name: name.map(str::to_owned), now: SystemTime::UNIX_EPOCH + now }
}

#[test]
fn both_sides_are_trusted_through_their_authority() {
    let authority = Authority::new("ours");
    let server = authority.issue("sfu.example", ExtendedKeyUsagePurpose::ServerAuth);
    let client = authority.issue("peer.example", ExtendedKeyUsagePurpose::ClientAuth);
    let roots = vec![authority.root()];
    for versions in [Versions::Dtls12, Versions::Dtls13] {
        let with = |config: Config| Config { versions, ..without_ml_kem(config) };
        let mut world = World::connected_with(
            with(config(&client, policy(roots.clone(), Some("sfu.example"), NOW))),
            with(config(&server, policy(roots.clone(), None, NOW))),
        );
        world.assert_works();
    }
}

#[test]
fn untrusted_server_gets_the_matching_alert() {
    let authority = Authority::new("ours");
    let root = authority.root();
    let server = authority.issue("sfu.example", ExtendedKeyUsagePurpose::ServerAuth);
    let not_a_server = authority.issue("sfu.example", ExtendedKeyUsagePurpose::ClientAuth);
    let year_5000 = Duration::from_secs(95_617_584_000);
    let name = Some("sfu.example");
    for (server, policy, why, alert) in [
        (
            &server,
            policy(vec![Authority::new("other").root()], name, NOW),
            Untrusted::UnknownIssuer,
            AlertDescription::UNKNOWN_CA,
        ),
        (
            &server,
            policy(vec![root.clone()], Some("other.example"), NOW),
            Untrusted::NotValidForName,
            AlertDescription::BAD_CERTIFICATE,
        ),
        (
            &server,
            policy(vec![root.clone()], name, year_5000),
            Untrusted::Expired,
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            &server,
            policy(vec![root.clone()], name, Duration::ZERO),
            Untrusted::NotYetValid,
            AlertDescription::CERTIFICATE_EXPIRED,
        ),
        (
            &not_a_server,
            policy(vec![root.clone()], name, NOW),
            Untrusted::Unacceptable,
            AlertDescription::BAD_CERTIFICATE,
        ),
        (
            &identities().server,
            policy(vec![root.clone()], name, NOW),
            Untrusted::UnknownIssuer,
            AlertDescription::UNKNOWN_CA,
        ),
    ] {
        for versions in [Versions::Dtls12, Versions::Dtls13] {
            let with = |config: Config| Config { versions, ..without_ml_kem(config) };
            let client = with(config(&identities().client, policy.clone()));
            let server = with(config(server, PeerPolicy::Application));
            let mut world = World::with(client, server).started();
            world.run_until(|world| world.failure(Side::Server).is_some());
            let refused = Failure::Refused(Refusal::Pki(why));
            assert_eq!(world.failure(Side::Client), Some(refused), "{}", world.trace());
            assert_eq!(world.failure(Side::Server), Some(Failure::AlertReceived(alert)), "{}", world.trace());
        }
    }
}

#[test]
fn unreadable_roots_and_names_are_refused() {
    let refused = |policy| {
        let config = Config { ..config(&identities().client, policy) };
        Connection::client(Instant::now(), config).err()
    };
    let root = Authority::new("ours").root();
    for roots in [vec![], vec![vec![1, 2, 3]]] {
        assert_eq!(refused(policy(roots, None, NOW)), Some(Error::Config(Misconfigured::UnreadableRoot)));
    }
    let no_name = policy(vec![root], Some("not a name"), NOW);
    assert_eq!(refused(no_name), Some(Error::Config(Misconfigured::InvalidName)));
    assert!(Connection::client(Instant::now(), client_config()).is_ok());
}
