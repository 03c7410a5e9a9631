//! What an application decides about its peers, once, and what it may decide anew at a restart.
//!
//! Knows defaults and their reasons. Knows nothing about a particular peer.

use std::sync::Arc;
use std::time::Duration;

use dtls_core::{Certificate, Schedule, Versions};
use ice_agent::IceRole;
use srtp_keys::Profile;

use crate::expiry;
use crate::wall_clock::WallClock;

/// How a [`PeerTransport`](crate::PeerTransport) behaves. Shared between peers: give it as an
/// `Arc<Config>` where there are many.
#[derive(Clone, Debug)]
pub struct Config {
    /// ICE: candidates, checks, consent, the binding hook.
    pub ice: Arc<ice_agent::Config>,
    /// Whether to nominate. `None` follows RFC 8445 section 6.1.1 from offer and answer: the offerer
    /// controls unless it is lite and the answerer is not.
    pub ice_role: Option<IceRole>,
    /// Which DTLS role to take. [`Role::Auto`] follows the peer (RFC 8842 section 5).
    pub dtls_role: Role,
    /// Which DTLS versions to negotiate.
    pub dtls_versions: Versions,
    /// SRTP protection profiles in order of preference. None at all: no media, only data.
    pub srtp_profiles: Vec<Profile>,
    /// How SRTP contexts behave: replay window, streams, rollover.
    pub srtp: srtp::Options,
    /// The largest datagram that a DTLS handshake or a data record may fill, in bytes of UDP
    /// payload. 1200 passes wherever QUIC does (RFC 9000 section 14).
    pub mtu: usize,
    /// When DTLS flights are repeated and when a handshake is given up.
    pub handshake: Schedule,
    /// What the calendar says. It dates a generated certificate and brings
    /// [`Event::CertificateExpiring`](crate::Event::CertificateExpiring); no layer reads a clock.
    pub wall_clock: Option<WallClock>,
    /// How long before the end of its validity an own certificate is spoken of. One day by default.
    pub expiry_notice: Duration,
    /// Emit [`Event::KeyLog`](crate::Event::KeyLog) lines for Wireshark. They are secrets.
    pub key_log: bool,
    /// How many bytes of received application data may wait for `poll_event`. What comes on top is
    /// dropped and counted, because a peer decides how much it sends. 1 MiB by default, which is
    /// the receive window that SCTP stacks announce.
    pub max_queued_data: usize,
    /// How a restart of the peer's is answered, and what a restart does that says nothing else.
    pub restart: RestartOptions,
    /// When a restart with an unchanged certificate is judged (see [`RetainedVerdict`]).
    pub retained_verdict: RetainedVerdict,
    /// For how long the keys of the generation before go on reading once traffic of the new one has
    /// arrived. Covers what the network reorders. 1 s by default.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ice: Arc::default(),
            ice_role: None,
            dtls_role: Role::Auto,
            dtls_versions: Versions::default(),
            // Tags of 32 bits are for those who ask for them (RFC 3711 section 7.5).
            srtp_profiles: vec![Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80],
            srtp: srtp::Options::default(),
            mtu: 1200,
            handshake: Schedule::default(),
            wall_clock: None,
            expiry_notice: expiry::NOTICE,
            key_log: false,
            max_queued_data: 1 << 20,
            restart: RestartOptions::default(),
            retained_verdict: RetainedVerdict::default(),
            drain: Duration::from_secs(1),
        }
    }
}

/// The DTLS role that an application asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// `actpass` in an offer; in an answer the role of the association before, else client
    /// (RFC 8842 section 5.3 recommends it, because it saves a round trip).
    #[default]
    Auto,
    /// Always `active`: we send the ClientHello.
    Client,
    /// Always `passive`: the peer sends the ClientHello.
    Server,
}

/// What a restart does beside minting new ICE credentials.
#[derive(Clone, Debug, Default)]
pub struct RestartOptions {
    /// The certificates of the new generation.
    pub certificates: RestartCertificates,
    /// The DTLS role to ask for, derived anew from this and from the peer's `setup`.
    pub role: Role,
    /// Whether a fresh DTLS handshake is attempted.
    pub dtls: DtlsRestart,
}

/// Whose certificates the new generation shows.
#[derive(Clone, Debug, Default)]
pub enum RestartCertificates {
    /// The identity stays.
    #[default]
    Keep,
    /// These from now on. An empty list is an error.
    Rotate(Vec<Certificate>),
}

/// When an ICE restart brings a DTLS handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DtlsRestart {
    /// At every ICE restart. A new tls-id says so to the peer.
    #[default]
    Always,
    /// Only where certificate, role or tls-id changed (RFC 8842 section 3.1).
    OnChange,
}

/// When silence is taken for an answer: a peer with an unchanged certificate that ignores a fresh
/// handshake has kept its association, as both large browsers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetainedVerdict {
    /// Transmissions of our ClientHello that stayed without any answer. 8 by default: at 30% loss
    /// fewer than one attempt in 500 loses that many round trips in a row.
    pub transmissions: u32,
    /// For how long nothing of the new association arrived. 4 s by default.
    pub silence: Duration,
}

impl Default for RetainedVerdict {
    fn default() -> Self {
        Self { transmissions: 8, silence: Duration::from_secs(4) }
    }
}
