//! What the application decides: identity, policy, algorithms, timing and bounds.
//!
//! Plain values, shared by `Arc`. Knows nothing about any connection's state.

use crate::authentication::pki;
use crate::carried::ApplicationProtocol;
use crate::certificate::Certificate;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite::{CipherSuite, KeyExchange, SuiteParameters};
use crate::error::Misconfigured;
use crate::extension::use_srtp::srtp_profile;
use crate::fingerprint::Fingerprint;
use crate::message::version::ProtocolVersion;
use std::time::{Duration, SystemTime};

/// The configuration of a [`crate::Connection`], given as `impl Into<Arc<Config>>` and shared between many.
///
/// [`Config::default`] holds no certificate and no fingerprint: [`Config::authentication`] is the one field
/// that everybody sets.
#[derive(Clone, Debug)]
pub struct Config {
    /// The protocol versions to negotiate.
    pub versions: Versions,
    /// Who we are and whom we accept.
    pub authentication: Authentication,
    /// Cipher suites in preference order. A client offers those that suit the authentication, a server picks its
    /// first one in common.
    pub suites: Vec<CipherSuite>,
    /// Key exchange groups in preference order. A client offers them, a server picks its first one in common, except
    /// that in DTLS 1.3 one that the client has sent a share of goes before one that costs another round trip.
    ///
    /// A client of DTLS 1.3 sends a share of the first one. Where that is [`NamedGroup::X25519MLKEM768`] it sends one
    /// of [`NamedGroup::X25519`], too, if that is in the list: it costs nothing and spares servers without ML-KEM the
    /// round trip. The hybrid share makes a ClientHello of two datagrams at the usual [`Config::mtu`], some 1.4 kB
    /// in all; lists that begin with another group keep it in one. DTLS 1.2 knows nothing of the hybrid group.
    pub groups: Vec<NamedGroup>,
    /// SRTP protection profiles (RFC 5764).
    pub use_srtp: UseSrtp,
    /// Application protocols (RFC 7301) in preference order, [`ApplicationProtocol::WEBRTC`] for example. A client
    /// offers them; a server selects its first one in common, and refuses a client that names only others. Empty by
    /// default: nothing is offered, and what a client offers is ignored.
    pub application_protocols: Vec<ApplicationProtocol>,
    /// The largest datagram that leaves, in bytes of UDP payload, from 256 up. 1200 by default, which every
    /// path that carries WebRTC passes.
    pub mtu: usize,
    /// How a server knows that its client receives what is sent to its address.
    pub path: PathValidation,
    /// When lost flights are sent again, and when the handshake is given up.
    pub schedule: Schedule,
    /// Bounds on everything that the peer can make grow.
    pub limits: Limits,
    /// Emit [`crate::Event::KeyLog`] lines. They let anybody who reads them decrypt the connection.
    pub key_log: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            versions: Versions::default(),
            authentication: Authentication::Certificates {
                own: Vec::new(),
                peer: PeerPolicy::Fingerprints(Vec::new()),
                require_peer: true,
            },
            suites: CipherSuite::SUPPORTED.to_vec(),
            groups: NamedGroup::SUPPORTED.to_vec(),
            use_srtp: UseSrtp::Offered(vec![
                srtp_profile::AEAD_AES_128_GCM,
                srtp_profile::AEAD_AES_256_GCM,
                srtp_profile::AES128_CM_SHA1_80,
                srtp_profile::AES128_CM_SHA1_32,
            ]),
            application_protocols: Vec::new(),
            mtu: 1200,
            path: PathValidation::default(),
            schedule: Schedule::default(),
            limits: Limits::default(),
            key_log: false,
        }
    }
}

/// Which protocol versions a connection negotiates. Another version is refused with `protocol_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// DTLS 1.2 alone (RFC 6347).
    Dtls12,
    /// DTLS 1.3 alone (RFC 9147).
    Dtls13,
    /// Both: a client offers both in one ClientHello, a server takes the newer one that the client has.
    /// With a pre-shared key this is DTLS 1.2.
    #[default]
    Auto,
}

impl Versions {
    /// What a ClientHello lists, the newest first.
    pub(crate) const fn offered(self) -> &'static [ProtocolVersion] {
        match self {
            Self::Dtls12 => &[ProtocolVersion::DTLS12],
            Self::Dtls13 => &[ProtocolVersion::DTLS13],
            Self::Auto => &[ProtocolVersion::DTLS13, ProtocolVersion::DTLS12],
        }
    }
}

/// How a server knows that its client receives what is sent to its address, so that nobody can have us send to others
/// what they never asked for (RFC 9147 section 5.1). A client that a [`crate::CookieGate`] has admitted has shown it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathValidation {
    /// ICE, or whoever stands for it, has validated the path before the first datagram comes here.
    #[default]
    ByIce,
    /// By the handshake: the first record under its keys shows it, or [`crate::Connection::note_path_validated`] tells.
    /// Until then at most three times as many bytes leave as have arrived, repetitions included. A flight that is
    /// longer waits as a whole, and leaves when enough has arrived, for a client that hears nothing repeats itself. A
    /// short ClientHello costs that timeout, a cookie only a round trip.
    ByHandshake,
}

/// Who we are and whom we accept.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Certificates on both sides.
    Certificates {
        /// Our identities. The first one whose key suits the negotiated algorithms is presented.
        own: Vec<Certificate>,
        /// How the peer's certificate is judged.
        peer: PeerPolicy,
        /// Whether a server refuses a client that presents no certificate. Under
        /// [`PeerPolicy::Fingerprints`] such a client is refused in any case.
        require_peer: bool,
    },
    /// A pre-shared key on both sides, and no certificates (RFC 4279). The key is asked for by
    /// [`crate::Event::PskRequested`].
    Psk {
        /// What a server tells its clients, so that they know which key to use. Sent in plaintext.
        hint: Option<Vec<u8>>,
    },
}

/// How the peer's certificate is judged.
#[derive(Clone, Debug)]
pub enum PeerPolicy {
    /// The certificate's hash must be one of these, which came through signalling (RFC 8122 section 5): the
    /// strongest hash algorithm among them decides. Nothing but the public key is read out of the certificate;
    /// its dates, names and extensions are not judged.
    Fingerprints(Vec<Fingerprint>),
    /// A public key infrastructure vouches for the certificate (RFC 5280, by webpki). Self-signed certificates
    /// of version 1 and revocation are beyond it.
    Pki {
        /// Trust anchors as DER certificates.
        roots: Vec<Vec<u8>>,
        /// The DNS name or IP address that the certificate must bear; a server that judges clients has none.
        name: Option<String>,
        /// The calendar time to judge the dates by.
        now: SystemTime,
    },
    /// The application judges: [`crate::Event::CertificateReceived`] carries the chain, and the handshake
    /// waits for [`crate::Connection::judge_certificate`]. No key exists before the verdict.
    Application,
}

/// `use_srtp` (RFC 5764): profile ids as registered by IANA, see [`srtp_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseSrtp {
    /// The extension is neither offered nor answered.
    Unused,
    /// These profiles in preference order; a peer without any of them connects without SRTP.
    Offered(Vec<u16>),
    /// These profiles in preference order; a peer without any of them is refused.
    Required(Vec<u16>),
}

impl UseSrtp {
    pub(crate) fn profiles(&self) -> &[u16] {
        match self {
            Self::Unused => &[],
            Self::Offered(profiles) | Self::Required(profiles) => profiles,
        }
    }
}

/// When a flight is sent again (RFC 6347 section 4.2.4), exactly and without jitter.
///
/// The first timeout is `max(1.5 x RTT, 50 ms)` where [`crate::Connection::start`] was given an RTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The first timeout without an RTT hint, above zero. 400 ms by default (RFC 9147 section 5.8.2).
    pub initial: Duration,
    /// How many transmissions of a flight keep the first timeout before it doubles each time. 8 by default: at
    /// 30% loss, doubling from the start makes one handshake in seven stall for more than a second.
    pub unchanged: u32,
    /// The largest timeout, unless the first one is larger already. 3 s by default.
    pub cap: Duration,
    /// The handshake is given up this long after its start, however often was sent. 30 s by default.
    pub deadline: Duration,
    /// How long a part of a flight of DTLS 1.3 waits for the rest before it is acknowledged, where no gap tells earlier
    /// that something is lost. `None` by default: a quarter of the first timeout (RFC 9147 section 7.1).
    pub ack_delay: Option<Duration>,
    /// How long the last flight of a DTLS 1.2 handshake is kept for a peer that repeats its own, where nothing
    /// released it earlier; and how long a server of DTLS 1.3 acknowledges a repeated last flight of its client. 240 s
    /// by default (RFC 6347 section 4.2.4, RFC 9147 section 5.8.1: twice the maximum segment lifetime).
    pub keep_final_flight: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(400),
            unchanged: 8,
            cap: Duration::from_secs(3),
            deadline: Duration::from_secs(30),
            ack_delay: None,
            keep_final_flight: Duration::from_secs(240),
        }
    }
}

/// Bounds on everything that the peer can make grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest handshake message accepted, in bytes. 16 kB by default: a chain of a few RSA certificates.
    pub handshake_message: usize,
    /// Bytes of incomplete or early handshake messages kept. 32 kB by default: two of the largest messages.
    pub reassembly: usize,
    /// Bytes of protected records kept that arrived before their keys. 4800 by default: four full datagrams.
    pub early_records: usize,
    /// Bytes of received application data kept until [`crate::Connection::poll_event`] fetches it; what comes
    /// beyond is dropped and counted. 1 MB by default: 100 ms at 80 Mbit/s.
    pub received_data: usize,
    /// Bytes of datagrams kept until [`crate::Connection::poll_transmit`] fetches them;
    /// [`crate::Connection::send`] answers `WouldBlock` beyond. 256 kB by default.
    pub outgoing: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_message: 16 * 1024,
            reassembly: 32 * 1024,
            early_records: 4800,
            received_data: 1024 * 1024,
            outgoing: 256 * 1024,
        }
    }
}

/// Who sends the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// Sends the ClientHello (`a=setup:active`).
    Client,
    /// Answers it (`a=setup:passive`).
    Server,
}

impl Config {
    /// The smallest [`Config::mtu`]: a record and a piece of a handshake message of useful size.
    pub const MIN_MTU: usize = 256;

    pub(crate) const fn allows_dtls12(&self) -> bool {
        matches!(self.versions, Versions::Dtls12 | Versions::Auto)
    }

    /// With a pre-shared key only DTLS 1.2 is spoken.
    pub(crate) const fn allows_dtls13(&self) -> bool {
        matches!(self.versions, Versions::Dtls13 | Versions::Auto)
            && matches!(self.authentication, Authentication::Certificates { .. })
    }

    /// Whether signatures within a chain are judged, and not the peer's key alone.
    pub(crate) const fn judges_chains(&self) -> bool {
        match &self.authentication {
            Authentication::Certificates { peer, .. } => !matches!(peer, PeerPolicy::Fingerprints(_)),
            Authentication::Psk { .. } => false,
        }
    }

    /// The suites of DTLS 1.2 that suit the authentication, in preference order.
    pub(crate) fn suites(&self) -> impl Iterator<Item = &'static SuiteParameters> {
        let with_psk = matches!(self.authentication, Authentication::Psk { .. });
        let suites = self.suites.iter().filter_map(|suite| suite.parameters());
        suites.filter(move |suite| (suite.key_exchange == KeyExchange::Psk) == with_psk)
    }

    /// The groups that DTLS 1.2 can negotiate, in preference order.
    pub(crate) fn groups_of_dtls12(&self) -> impl Iterator<Item = NamedGroup> {
        self.groups.iter().copied().filter(|group| group.is_of_dtls12())
    }

    /// Refuses what could never connect, before anything was sent.
    pub(crate) fn check(&self) -> Result<(), Misconfigured> {
        match &self.authentication {
            Authentication::Certificates { own, peer, .. } => check_certificates(own, peer)?,
            Authentication::Psk { hint } => {
                if hint.as_ref().is_some_and(|hint| hint.len() > usize::from(u16::MAX)) {
                    return Err(Misconfigured::HintTooLong);
                }
            }
        }
        if let Some(&suite) = self.suites.iter().find(|suite| !CipherSuite::SUPPORTED.contains(suite)) {
            return Err(Misconfigured::UnsupportedSuite(suite));
        }
        if let Some(&group) = self.groups.iter().find(|group| !NamedGroup::SUPPORTED.contains(group)) {
            return Err(Misconfigured::UnsupportedGroup(group));
        }
        if (self.allows_dtls12() && self.suites().next().is_none())
            || (self.allows_dtls13() && self.suites.iter().all(|suite| suite.dtls13().is_none()))
            || !(self.allows_dtls12() || self.allows_dtls13())
        {
            return Err(Misconfigured::NoSuite);
        }
        // A pre-shared key is exchanged over no group.
        let with_certificates = matches!(self.authentication, Authentication::Certificates { .. });
        if self.groups.is_empty()
            || (self.allows_dtls12() && with_certificates && self.groups_of_dtls12().next().is_none())
        {
            return Err(Misconfigured::NoGroup);
        }
        if matches!(&self.use_srtp, UseSrtp::Required(profiles) if profiles.is_empty()) {
            return Err(Misconfigured::NoSrtpProfile);
        }
        if !self.application_protocols.iter().all(|protocol| protocol.is_writable()) {
            return Err(Misconfigured::InvalidApplicationProtocol);
        }
        if self.mtu < Self::MIN_MTU {
            return Err(Misconfigured::MtuTooSmall { min: Self::MIN_MTU });
        }
        if self.schedule.initial.is_zero() {
            return Err(Misconfigured::NoTimeout);
        }
        Ok(())
    }
}

fn check_certificates(own: &[Certificate], peer: &PeerPolicy) -> Result<(), Misconfigured> {
    if own.is_empty() {
        return Err(Misconfigured::NoCertificate);
    }
    match peer {
        PeerPolicy::Fingerprints(fingerprints) if fingerprints.is_empty() => {
            Err(Misconfigured::NoFingerprint)
        }
        PeerPolicy::Pki { roots, .. } if roots.is_empty() || !roots.iter().all(|root| pki::is_root(root)) => {
            Err(Misconfigured::UnreadableRoot)
        }
        PeerPolicy::Pki { name: Some(name), .. } if !pki::is_name(name) => Err(Misconfigured::InvalidName),
        PeerPolicy::Fingerprints(_) | PeerPolicy::Pki { .. } | PeerPolicy::Application => Ok(()),
    }
}
