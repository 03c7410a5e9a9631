//! The stage of the DTLS targets: two connections of ours, what they are configured for, and what they promise always.
//!
//! Two bytes of the input are a [`Stage`]: versions, authentication and what else changes the messages on the wire.

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

/// What the two sides are configured for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stage {
    versions: [Versions; 2],
    pub(crate) who: Who,
    shape: u8,
}

/// How the sides prove who they are, and whether they are who they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Fingerprints,
    Pki,
    Application,
    Psk,
    /// This side was told the fingerprint of another certificate.
    Mistaken(usize),
    /// The application of this side refuses the certificate.
    Refused(usize),
    /// The sides have different keys, or the server has none.
    OtherPsk,
}

impl Stage {
    /// Two bytes of the input.
    pub(crate) fn read(input: &mut Input<'_>) -> Self {
        const VERSIONS: [Versions; 3] = [Versions::Dtls12, Versions::Dtls13, Versions::Auto];
        const WHO: [Who; 9] = [
            Who::Fingerprints,
            Who::Pki,
            Who::Application,
            Who::Psk,
            Who::Mistaken(CLIENT),
            Who::Mistaken(SERVER),
            Who::Refused(CLIENT),
            Who::Refused(SERVER),
            Who::OtherPsk,
        ];
        let number = usize::from(input.byte());
        let who = WHO[number / 9 % WHO.len()];
        let versions = match who {
            Who::Psk | Who::OtherPsk => [Versions::Dtls12; 2],
            _ => [VERSIONS[number % 3], VERSIONS[number / 3 % 3]],
        };
        Self { versions, who, shape: input.byte() }
    }

    /// Both sides as one would want them, for the same versions.
    pub(crate) const fn of(versions: Versions, who: Who) -> Self {
        Self { versions: [versions, versions], who, shape: 0 }
    }

    /// This stage under AES-128-GCM and with a key log.
    pub(crate) const fn with_key_log(self, small_mtu: bool) -> Self {
        Self { shape: if small_mtu { 0x91 } else { 0x90 }, ..self }
    }

    /// Both sides with the versions of this stage, and nobody mistaken or refused.
    pub(crate) fn of_friends(self) -> Self {
        let who = match self.who {
            Who::Mistaken(_) => Who::Fingerprints,
            Who::Refused(_) => Who::Application,
            Who::OtherPsk => Who::Psk,
            who => who,
        };
        let versions = match self.versions {
            [client, server] if client == server => [client, server],
            [Versions::Auto, other] | [other, Versions::Auto] => [Versions::Auto, other],
            _ => [Versions::Auto, Versions::Dtls13],
        };
        Self { versions, who, ..self }
    }

    /// Whether the bounds are small.
    pub(crate) const fn is_narrow(self) -> bool {
        self.shape & 4 != 0
    }

    /// Whether the application thinks about what it is asked.
    pub(crate) const fn answers_late(self) -> bool {
        self.shape & 8 != 0
    }

    /// A round trip that somebody has measured.
    pub(crate) fn round_trip(self) -> Option<Duration> {
        self.has_hint().then_some(Duration::from_millis(20))
    }

    pub(crate) const fn has_hint(self) -> bool {
        self.shape & 64 != 0
    }

    /// Whether this side may not connect, whatever happens.
    pub(crate) fn forbids(self, side: usize) -> bool {
        match self.who {
            Who::Fingerprints | Who::Pki | Who::Application | Who::Psk => {
                matches!(
                    self.versions,
                    [Versions::Dtls12, Versions::Dtls13] | [Versions::Dtls13, Versions::Dtls12]
                )
            }
            Who::Mistaken(mistaken) => side == mistaken,
            Who::Refused(refuses) => side == refuses,
            Who::OtherPsk => true,
        }
    }

    /// The configuration of one side. Bits of the shape: 0 the smallest MTU, 1 a retry for another group, 2 small
    /// bounds, 3 questions answered late, 4 and 5 the suite, 6 a hint of the round trip, and a path
    /// that the handshake validates, 7 a key log.
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
        if !matches!(self.who, Who::Psk | Who::OtherPsk) {
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
        let cast = Cast::get();
        let fingerprint = |certificate: &Certificate| {
            PeerPolicy::Fingerprints(vec![certificate.fingerprint(HashAlgorithm::Sha256)])
        };
        let (own, peer) = match self.who {
            Who::Psk | Who::OtherPsk => return Authentication::Psk { hint: Some(b"which".to_vec()) },
            Who::Mistaken(mistaken) if mistaken == side => (&cast.own[side], fingerprint(&cast.stranger)),
            Who::Application => (&cast.own[side], PeerPolicy::Application),
            Who::Refused(refuses) if refuses == side => (&cast.own[side], PeerPolicy::Application),
            Who::Fingerprints | Who::Mistaken(_) | Who::Refused(_) => {
                (&cast.own[side], fingerprint(&cast.own[1 - side]))
            }
            Who::Pki => {
                let name = (side == CLIENT).then(|| "sfu.example".to_owned());
                (
                    &cast.issued[side],
                    PeerPolicy::Pki { roots: vec![cast.root.clone()], name, now: cast.today },
                )
            }
        };
        Authentication::Certificates { own: vec![own.clone()], peer, require_peer: true }
    }
}

/// The certificates of a process: made once, because that costs more than a handshake.
struct Cast {
    today: SystemTime,
    own: [Certificate; 2],
    stranger: Certificate,
    root: Vec<u8>,
    issued: [Certificate; 2],
}

impl Cast {
    fn get() -> &'static Self {
        static CAST: OnceLock<Cast> = OnceLock::new();
        CAST.get_or_init(Self::new)
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
