//! The setup of the DTLS targets: two connections, their configuration, and the properties that always hold.
//!
//! Two bytes of the input are a [`Setup`]: versions, authentication and other options that change the messages on the
//! wire.

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use dtls_core::{
    Authentication, Certificate, CipherSuite, Config, HashAlgorithm, Limits, NamedGroup, PathValidation,
    PeerPolicy, Versions,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};

use crate::input::Input;

pub(crate) const CLIENT: usize = 0;
pub(crate) const SERVER: usize = 1;

/// The configuration of the two sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    versions: [Versions; 2],
    pub(crate) credentials: Credentials,
    shape: u8,
}

/// How the sides authenticate, and which of them must fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    Fingerprints,
    Pki,
    Application,
    Psk,
    /// This side was told the fingerprint of another certificate.
    WrongFingerprint(usize),
    /// The application of this side refuses the certificate.
    CertificateRefused(usize),
    /// The sides have different keys, or the server has none.
    DifferentPsk,
}

impl Setup {
    /// Two bytes of the input.
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        const VERSIONS: [Versions; 3] = [Versions::Dtls12, Versions::Dtls13, Versions::Auto];
        const WHO: [Credentials; 9] = [
            Credentials::Fingerprints,
            Credentials::Pki,
            Credentials::Application,
            Credentials::Psk,
            Credentials::WrongFingerprint(CLIENT),
            Credentials::WrongFingerprint(SERVER),
            Credentials::CertificateRefused(CLIENT),
            Credentials::CertificateRefused(SERVER),
            Credentials::DifferentPsk,
        ];
        let number = usize::from(input.byte());
        let credentials = WHO[number / 9 % WHO.len()];
        let versions = match credentials {
            Credentials::Psk | Credentials::DifferentPsk => [Versions::Dtls12; 2],
            _ => [VERSIONS[number % 3], VERSIONS[number / 3 % 3]],
        };
        Self { versions, credentials, shape: input.byte() }
    }

    /// Both sides with matching credentials, for the same versions.
    pub(crate) const fn of(versions: Versions, credentials: Credentials) -> Self {
        Self { versions: [versions, versions], credentials, shape: 0 }
    }

    /// This setup under AES-128-GCM and with a key log.
    pub(crate) const fn with_key_log(self, small_mtu: bool) -> Self {
        Self { shape: if small_mtu { 0x91 } else { 0x90 }, ..self }
    }

    /// Both sides with the versions of this setup, and with credentials that match.
    pub(crate) fn with_matching_credentials(self) -> Self {
        let credentials = match self.credentials {
            Credentials::WrongFingerprint(_) => Credentials::Fingerprints,
            Credentials::CertificateRefused(_) => Credentials::Application,
            Credentials::DifferentPsk => Credentials::Psk,
            credentials => credentials,
        };
        let versions = match self.versions {
            [client, server] if client == server => [client, server],
            [Versions::Auto, other] | [other, Versions::Auto] => [Versions::Auto, other],
            _ => [Versions::Auto, Versions::Dtls13],
        };
        Self { versions, credentials, ..self }
    }

    /// Whether the limits are small.
    pub(crate) const fn is_narrow(self) -> bool {
        self.shape & 4 != 0
    }

    /// Whether the application answers requests late.
    pub(crate) const fn answers_late(self) -> bool {
        self.shape & 8 != 0
    }

    /// The round-trip time hint, if there is one.
    pub(crate) fn round_trip(self) -> Option<Duration> {
        self.has_hint().then_some(Duration::from_millis(20))
    }

    pub(crate) const fn has_hint(self) -> bool {
        self.shape & 64 != 0
    }

    /// Whether this side must not connect.
    pub(crate) fn forbids(self, side: usize) -> bool {
        match self.credentials {
            Credentials::Fingerprints | Credentials::Pki | Credentials::Application | Credentials::Psk => {
                matches!(
                    self.versions,
                    [Versions::Dtls12, Versions::Dtls13] | [Versions::Dtls13, Versions::Dtls12]
                )
            }
            Credentials::WrongFingerprint(mistaken) => side == mistaken,
            Credentials::CertificateRefused(refuses) => side == refuses,
            Credentials::DifferentPsk => true,
        }
    }

    /// The configuration of one side. Bits of the shape: 0 the smallest MTU, 1 a HelloRetryRequest for another group, 2
    /// small limits, 3 late answers, 4 and 5 the suite, 6 a hint of the round-trip time and a path that the handshake
    /// validates, 7 a key log.
    pub(crate) fn config(self, side: usize) -> Arc<Config> {
        let mut config =
            Config { versions: self.versions[side], key_log: self.shape & 128 != 0, ..Config::default() };
        config.authentication = self.authentication(side);
        if self.has_hint() {
            config.path = PathValidation::ByHandshake;
        }
        if self.shape & 1 != 0 {
            config.mtu = Config::MIN_MTU;
        }
        if self.shape & 2 != 0 {
            config.groups = match side {
                CLIENT => vec![NamedGroup::SECP384R1, NamedGroup::SECP256R1],
                _ => vec![NamedGroup::SECP256R1],
            };
        }
        if self.is_narrow() {
            config.limits = Limits {
                handshake_message: 4096,
                reassembly: 4096,
                early_records: 600,
                received_data: 400,
                outgoing: 2400,
            };
        }
        if !matches!(self.credentials, Credentials::Psk | Credentials::DifferentPsk) {
            let kinds: &[&[CipherSuite]] = &[
                &[],
                &[CipherSuite::AES_128_GCM_SHA256, CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256],
                &[CipherSuite::AES_256_GCM_SHA384, CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384],
                &[CipherSuite::CHACHA20_POLY1305_SHA256, CipherSuite::ECDHE_ECDSA_CHACHA20_POLY1305_SHA256],
            ];
            let kind = kinds[usize::from(self.shape >> 4 & 3)];
            if !kind.is_empty() {
                config.suites = kind.to_vec();
            }
        }
        Arc::new(config)
    }

    fn authentication(self, side: usize) -> Authentication {
        let certificates = Certificates::get();
        let fingerprint = |certificate: &Certificate| {
            PeerPolicy::Fingerprints(vec![certificate.fingerprint(HashAlgorithm::Sha256)])
        };
        let (own, peer) = match self.credentials {
            Credentials::Psk | Credentials::DifferentPsk => {
                return Authentication::Psk { hint: Some(b"which".to_vec()) };
            }
            Credentials::WrongFingerprint(mistaken) if mistaken == side => {
                (&certificates.own[side], fingerprint(&certificates.stranger))
            }
            Credentials::Application => (&certificates.own[side], PeerPolicy::Application),
            Credentials::CertificateRefused(refuses) if refuses == side => {
                (&certificates.own[side], PeerPolicy::Application)
            }
            Credentials::Fingerprints
            | Credentials::WrongFingerprint(_)
            | Credentials::CertificateRefused(_) => {
                (&certificates.own[side], fingerprint(&certificates.own[1 - side]))
            }
            Credentials::Pki => {
                let name = (side == CLIENT).then(|| "sfu.example".to_owned());
                (
                    &certificates.issued[side],
                    PeerPolicy::Pki { roots: vec![certificates.root.clone()], name, now: certificates.today },
                )
            }
        };
        Authentication::Certificates { own: vec![own.clone()], peer, require_peer: true }
    }
}

/// The certificates of a process, made once because that costs more than a handshake.
struct Certificates {
    today: SystemTime,
    own: [Certificate; 2],
    stranger: Certificate,
    root: Vec<u8>,
    issued: [Certificate; 2],
}

impl Certificates {
    fn get() -> &'static Self {
        static CERTIFICATES: OnceLock<Certificates> = OnceLock::new();
        CERTIFICATES.get_or_init(Self::new)
    }

    fn new() -> Self {
        let today = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let own = || Certificate::generate(today, Duration::from_secs(86_400)).expect("a certificate");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = KeyPair::generate().expect("a key");
        let authority = CertifiedIssuer::self_signed(params, authority).expect("an authority");
        let root = authority.der().to_vec();
        let issue = |name: &str, usage| {
            let key = KeyPair::generate().expect("a key");
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.extended_key_usages = vec![usage];
            let leaf = params.signed_by(&key, &authority).expect("a certificate").der().to_vec();
            Certificate::from_der(vec![leaf, root.clone()], &key.serialize_der()).expect("its own key")
        };
        let issued = [
            issue("peer.example", ExtendedKeyUsagePurpose::ClientAuth),
            issue("sfu.example", ExtendedKeyUsagePurpose::ServerAuth),
        ];
        Self { today, own: [own(), own()], stranger: own(), issued, root }
    }
}
