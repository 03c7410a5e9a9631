//! The configuration: identity, policy, algorithms, timing and limits.
//!
//! Plain values, shared by `Arc`. Does not know the state of a connection.

use crate::application_protocol::ApplicationProtocol;
use crate::authentication::pki_parameters;
use crate::certificate::Certificate;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite::{CipherSuite, KeyExchange, SuiteParameters};
use crate::error::Misconfigured;
use crate::extension::use_srtp::srtp_profile;
use crate::fingerprint::Fingerprint;
use crate::message::version::ProtocolVersion;
use std::time::{Duration, SystemTime};

/// The configuration of a [`crate::Connection`], passed as `impl Into<Arc<Config>>` and shared by many.
///
/// [`Config::default`] has no certificate and no fingerprint: every application sets [`Config::authentication`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The protocol versions to negotiate.
    pub versions: Versions,
    /// Our identity, and the policy for the peer.
    pub authentication: Authentication,
    /// Cipher suites in order of preference. A client offers those that fit the authentication; a server selects its
    /// first common one.
    pub suites: Vec<CipherSuite>,
    /// Key exchange groups in order of preference. A client offers them; a server selects its first common one, except
    /// that in DTLS 1.3 a group with a share of the client precedes a group that costs another round trip.
    ///
    /// A client of DTLS 1.3 sends a share of the first group. If that is [`NamedGroup::X25519MLKEM768`], it also sends
    /// one of [`NamedGroup::X25519`], if that is in the list: it is free, and saves servers without ML-KEM the round
    /// trip. With the hybrid share a ClientHello has about 1.4 kB, two datagrams at the default [`Config::mtu`]; a list
    /// that begins with another group keeps it in one. DTLS 1.2 cannot use the hybrid group.
    pub groups: Vec<NamedGroup>,
    /// SRTP protection profiles (RFC 5764).
    pub use_srtp: UseSrtp,
    /// Application protocols (RFC 7301) in order of preference, such as [`ApplicationProtocol::WEBRTC`]. A client
    /// offers them; a server selects its first common one, and refuses a client that only offers others. Empty by
    /// default: nothing is offered, and the client's offer is ignored.
    pub application_protocols: Vec<ApplicationProtocol>,
    /// The maximum size of a sent datagram, in bytes of UDP payload, from 256 up. 1200 by default, which every path for
    /// WebRTC supports.
    pub mtu: usize,
    /// How a server validates that its client receives datagrams at its address.
    pub path: PathValidation,
    /// The retransmission of lost flights, and the timeout of the handshake.
    pub retransmit: RetransmitConfig,
    /// The limits on everything that the peer can grow.
    pub limits: Limits,
    /// Emits [`crate::Event::KeyLog`] lines. With them a reader can decrypt the connection.
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
            retransmit: RetransmitConfig::default(),
            limits: Limits::default(),
            key_log: false,
        }
    }
}

/// The protocol versions that a connection negotiates. Another version is refused with `protocol_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// Only DTLS 1.2 (RFC 6347).
    Dtls12,
    /// Only DTLS 1.3 (RFC 9147).
    Dtls13,
    /// Both: a client offers both in one ClientHello, a server selects the newer one that the client has. With a
    /// pre-shared key this is DTLS 1.2.
    #[default]
    Auto,
}

impl Versions {
    /// Returns the versions of a ClientHello, the newest first.
    pub(crate) const fn offered(self) -> &'static [ProtocolVersion] {
        match self {
            Self::Dtls12 => &[ProtocolVersion::DTLS12],
            Self::Dtls13 => &[ProtocolVersion::DTLS13],
            Self::Auto => &[ProtocolVersion::DTLS13, ProtocolVersion::DTLS12],
        }
    }
}

/// How a server validates that its client receives datagrams at its address, so that an attacker cannot use it to send
/// traffic to a spoofed address (RFC 9147 section 5.1). A client that a [`crate::CookieGate`] has admitted is
/// validated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathValidation {
    /// ICE, or an equivalent, has validated the path before the first datagram.
    #[default]
    ByIce,
    /// The first record with the keys of the handshake validates the address, or
    /// [`crate::Connection::set_path_validated`]. Until then the anti-amplification limit applies: at most three times
    /// as many bytes are sent as were received, retransmissions included. A longer flight is blocked as a whole until
    /// enough bytes have arrived, because a client without a response retransmits. With a short ClientHello this costs
    /// a retransmission timeout; a cookie only costs a round trip.
    ByHandshake,
}

/// Our identity, and the policy for the peer.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Certificates on both sides.
    Certificates {
        /// Our certificates. The first one whose key fits the negotiated algorithms is used.
        own: Vec<Certificate>,
        /// How the peer's certificate is verified.
        peer: PeerPolicy,
        /// Whether a server refuses a client without a certificate. With [`PeerPolicy::Fingerprints`] such a client is
        /// always refused.
        require_peer: bool,
    },
    /// A pre-shared key on both sides, without certificates (RFC 4279). [`crate::Event::PskRequested`] asks for the
    /// key.
    Psk {
        /// The server's hint, by which clients select the key. It is sent in plaintext.
        hint: Option<Vec<u8>>,
    },
}

/// How the peer's certificate is verified.
#[derive(Clone, Debug)]
pub enum PeerPolicy {
    /// The certificate must match one of these fingerprints from signalling (RFC 8122 section 5); only those with the
    /// strongest hash count. Only the public key of the certificate is used; its dates, names and extensions are not
    /// checked.
    Fingerprints(Vec<Fingerprint>),
    /// The certificate must be valid in a public key infrastructure (RFC 5280, by webpki). Self-signed certificates of
    /// version 1 and revocation are not supported.
    Pki {
        /// Trust anchors as DER certificates.
        roots: Vec<Vec<u8>>,
        /// The DNS name or IP address that the certificate must have; `None` on a server that verifies clients.
        name: Option<String>,
        /// The calendar time for checking the dates.
        now: SystemTime,
    },
    /// The application decides: [`crate::Event::CertificateReceived`] contains the chain, and the handshake waits for
    /// [`crate::Connection::provide_certificate_verdict`]. No key is derived before the verdict.
    Application,
}

/// `use_srtp` (RFC 5764): profile ids in IANA's registry, see [`srtp_profile`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseSrtp {
    /// The extension is neither sent nor answered.
    Unused,
    /// These profiles in order of preference; a peer without them connects without SRTP.
    Offered(Vec<u16>),
    /// These profiles in order of preference; a peer without them is refused.
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

/// The retransmission schedule of flights (RFC 6347 section 4.2.4), exact and without jitter.
///
/// The first timeout is `max(1.5 x RTT, 50 ms)` if [`crate::Connection::start`] got an RTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmitConfig {
    /// The first timeout without an RTT, greater than zero. 400 ms by default (RFC 9147 section 5.8.2).
    pub initial_rto: Duration,
    /// The number of transmissions of a flight with the first timeout; then the timeout doubles each time. 8 by
    /// default: at 30% loss, doubling from the start makes one handshake in seven stall for more than a second.
    pub constant_retransmissions: u32,
    /// The maximum timeout, unless the first one is longer. 3 s by default.
    pub max_rto: Duration,
    /// The handshake fails this long after its start, whatever was sent. 30 s by default.
    pub handshake_timeout: Duration,
    /// The delay of an ACK for a part of a flight of DTLS 1.3, if no gap shows earlier that a record is lost. `None` by
    /// default: a quarter of the first timeout (RFC 9147 section 7.1).
    pub ack_delay: Option<Duration>,
    /// How long the final flight of a DTLS 1.2 handshake is kept for retransmissions of the peer, if it is not released
    /// earlier; and how long a server of DTLS 1.3 acknowledges a retransmitted final flight of its client. 240 s by
    /// default (RFC 6347 section 4.2.4, RFC 9147 section 5.8.1: twice the maximum segment lifetime).
    pub final_flight_lifetime: Duration,
}

impl Default for RetransmitConfig {
    fn default() -> Self {
        Self {
            initial_rto: Duration::from_millis(400),
            constant_retransmissions: 8,
            max_rto: Duration::from_secs(3),
            handshake_timeout: Duration::from_secs(30),
            ack_delay: None,
            final_flight_lifetime: Duration::from_secs(240),
        }
    }
}

/// The limits on everything that the peer can grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The maximum handshake message, in bytes. 16 kB by default: a chain of a few RSA certificates.
    pub handshake_message: usize,
    /// The maximum number of bytes of incomplete or early handshake messages. 32 kB by default: two messages of maximum
    /// size.
    pub reassembly: usize,
    /// The maximum number of bytes of protected records that arrive before their keys. 4800 by default: four full
    /// datagrams.
    pub early_records: usize,
    /// The maximum number of bytes of received application data that wait for [`crate::Connection::poll_event`];
    /// further data is discarded and counted. 1 MB by default: 100 ms at 80 Mbit/s.
    pub received_data: usize,
    /// The maximum number of bytes of datagrams that wait for [`crate::Connection::poll_transmit`]; then
    /// [`crate::Connection::send`] returns `WouldBlock`. 256 kB by default.
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

/// The role in the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DtlsRole {
    /// Sends the ClientHello (`a=setup:active`).
    Client,
    /// Responds to it (`a=setup:passive`).
    Server,
}

impl Config {
    /// The minimum of [`Config::mtu`]: a record with a handshake fragment of useful size.
    pub const MIN_MTU: usize = 256;

    pub(crate) const fn allows_dtls12(&self) -> bool {
        matches!(self.versions, Versions::Dtls12 | Versions::Auto)
    }

    /// With a pre-shared key only DTLS 1.2 is available.
    pub(crate) const fn allows_dtls13(&self) -> bool {
        matches!(self.versions, Versions::Dtls13 | Versions::Auto)
            && matches!(self.authentication, Authentication::Certificates { .. })
    }

    /// Returns whether signatures within a chain are verified, in addition to the peer's own.
    pub(crate) const fn verifies_chains(&self) -> bool {
        match &self.authentication {
            Authentication::Certificates { peer, .. } => !matches!(peer, PeerPolicy::Fingerprints(_)),
            Authentication::Psk { .. } => false,
        }
    }

    /// Returns the DTLS 1.2 suites that fit the authentication, in order of preference.
    pub(crate) fn suites(&self) -> impl Iterator<Item = &'static SuiteParameters> {
        let with_psk = matches!(self.authentication, Authentication::Psk { .. });
        let suites = self.suites.iter().filter_map(|suite| suite.parameters());
        suites.filter(move |suite| (suite.key_exchange == KeyExchange::Psk) == with_psk)
    }

    /// Returns the groups that DTLS 1.2 can negotiate, in order of preference.
    pub(crate) fn groups_of_dtls12(&self) -> impl Iterator<Item = NamedGroup> {
        self.groups.iter().copied().filter(|group| group.is_of_dtls12())
    }

    /// Returns an error if the configuration can never connect.
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
        // A pre-shared key needs no group.
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
        if self.retransmit.initial_rto.is_zero() {
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
        PeerPolicy::Pki { roots, .. }
            if roots.is_empty() || !roots.iter().all(|root| pki_parameters::is_root(root)) =>
        {
            Err(Misconfigured::UnreadableRoot)
        }
        PeerPolicy::Pki { name: Some(name), .. } if !pki_parameters::is_name(name) => {
            Err(Misconfigured::InvalidName)
        }
        PeerPolicy::Fingerprints(_) | PeerPolicy::Pki { .. } | PeerPolicy::Application => Ok(()),
    }
}
