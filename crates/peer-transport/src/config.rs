//! The configuration of a transport, and the options of a restart.
//!
//! Knows defaults and their reasons. Does not know a particular peer.

use std::sync::Arc;
use std::time::Duration;

use dtls_core::{Certificate, RetransmitConfig, Versions};
use ice_agent::IceRole;
use srtp_keys::Profile;

use crate::wall_clock::WallClock;

/// The configuration of a [`PeerTransport`](crate::PeerTransport). Many peers can share one `Arc<Config>`.
///
/// Construct it with `..Config::default()`, because later versions add fields.
#[derive(Clone, Debug)]
pub struct Config {
    /// The ICE configuration: candidates, checks, consent, the binding hook.
    pub ice: Arc<ice_agent::Config>,
    /// The ICE role. `None` follows RFC 8445 section 6.1.1 with offer and answer: the offerer controls unless
    /// it is lite and the answerer is not.
    pub ice_role: Option<IceRole>,
    /// The requested DTLS role. [`Role::Auto`] follows the peer (RFC 8842 section 5).
    pub dtls_role: Role,
    /// The DTLS versions to negotiate.
    pub dtls_versions: Versions,
    /// The SRTP protection profiles in order of preference. An empty list disables media; data still works.
    pub srtp_profiles: Vec<Profile>,
    /// The options of SRTP contexts: replay window, streams, rollover.
    pub srtp: srtp::Options,
    /// The largest datagram for DTLS handshakes and data records, in bytes of UDP payload. QUIC requires that
    /// 1200 bytes pass (RFC 9000 section 14).
    pub mtu: usize,
    /// When DTLS flights are retransmitted, and when a handshake times out.
    pub handshake: RetransmitConfig,
    /// The calendar date. It dates a generated certificate and enables
    /// [`Event::CertificateExpiring`](crate::Event::CertificateExpiring). No layer reads a clock.
    pub wall_clock: Option<WallClock>,
    /// How long before its expiry a local certificate is reported. One day by default.
    pub expiry_notice: Duration,
    /// Whether to emit [`Event::KeyLog`](crate::Event::KeyLog) lines for Wireshark. They contain secrets.
    pub key_log: bool,
    /// The limit of received application data that waits for `poll_event`, in bytes. Data beyond it is dropped
    /// and counted, because the peer decides how much it sends. 1 MiB by default, the receive window that SCTP
    /// stacks announce.
    pub max_queued_data: usize,
    /// The options for answering the peer's restarts.
    pub restart: RestartOptions,
    /// When a restart with an unchanged certificate is decided (see [`RetentionPolicy`]).
    pub retention_policy: RetentionPolicy,
    /// For how long the previous generation's keys still read after traffic of the new generation arrived, to
    /// allow for reordering. 1 s by default.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            ice: Arc::default(),
            ice_role: None,
            dtls_role: Role::Auto,
            dtls_versions: Versions::default(),
            // Tags of 32 bits must be requested explicitly (RFC 3711 section 7.5).
            srtp_profiles: vec![Profile::AeadAes128Gcm, Profile::AeadAes256Gcm, Profile::Aes128CmSha1_80],
            srtp: srtp::Options::default(),
            mtu: 1200,
            handshake: RetransmitConfig::default(),
            wall_clock: None,
            expiry_notice: Duration::from_secs(24 * 3600),
            key_log: false,
            max_queued_data: 1 << 20,
            restart: RestartOptions::default(),
            retention_policy: RetentionPolicy::default(),
            drain: Duration::from_secs(1),
        }
    }
}

/// The DTLS role that an application requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// `actpass` in an offer. In an answer the role of the previous association, otherwise client (RFC 8842
    /// section 5.3 recommends it, because it saves a round trip).
    #[default]
    Auto,
    /// Always `active`: the local side sends the ClientHello.
    Client,
    /// Always `passive`: the peer sends the ClientHello.
    Server,
}

/// The options of a restart, in addition to new ICE credentials. Construct them with `..RestartOptions::default()`.
#[derive(Clone, Debug, Default)]
pub struct RestartOptions {
    /// The certificates of the new generation.
    pub certificates: RestartCertificates,
    /// The DTLS role to request. The role is derived again from it and the peer's `setup`.
    pub role: Role,
    /// Whether a fresh DTLS handshake is attempted.
    pub dtls: DtlsRestart,
}

/// The choice of certificates for a new generation.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum RestartCertificates {
    /// Keeps the current certificates.
    #[default]
    Keep,
    /// Replaces them. An empty list is an error.
    Rotate(Vec<Certificate>),
}

/// The ICE restarts that include a DTLS handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DtlsRestart {
    /// Every ICE restart, announced to the peer by a new tls-id.
    #[default]
    Always,
    /// Only a restart that changes certificate, role or tls-id (RFC 8842 section 3.1).
    OnChange,
}

/// When the peer's silence decides a restart. A peer with an unchanged certificate that ignores a fresh
/// handshake has retained its association, as Chromium and Firefox do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetentionPolicy {
    /// The number of unanswered transmissions of the ClientHello. 8 by default: at 30% loss fewer than one
    /// attempt in 500 loses that many round trips in a row.
    pub transmissions: u32,
    /// The time without any byte of the new association. 4 s by default.
    pub silence: Duration,
}

impl Default for RetentionPolicy {
    fn default() -> Self {
        Self { transmissions: 8, silence: Duration::from_secs(4) }
    }
}
