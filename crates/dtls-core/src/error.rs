//! Why a command was refused. A refused command leaves no trace.

use crate::crypto::group::NamedGroup;
use crate::crypto::suite::CipherSuite;

/// Why a command was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wait for [`crate::Event::Connected`].
    #[error("the handshake is not complete: wait for Event::Connected")]
    NotConnected,
    /// [`crate::Connection::start`] works once.
    #[error("the handshake was started before")]
    AlreadyStarted,
    /// More than fits one record within the MTU.
    #[error("the data does not fit one record: at most {max} bytes, see Connection::max_data_len")]
    TooLarge {
        /// The most that fits, in bytes.
        max: usize,
    },
    /// The outgoing queue is full: fetch it with [`crate::Connection::poll_transmit`].
    #[error("the outgoing queue is full: fetch datagrams with poll_transmit first")]
    WouldBlock,
    /// The connection has failed or was closed by either side.
    #[error("the connection is closed")]
    Closed,
    /// No certificate waits for a verdict, or no pre-shared key was requested.
    #[error("nothing was asked: no certificate waits for a verdict, no pre-shared key was requested")]
    NotAsked,
    /// The keys have protected as many records as they may: make a new connection.
    #[error("the keys are worn out: make a new connection")]
    KeyExhausted,
    /// The protocol itself uses this exporter label (RFC 5705 section 4).
    #[error("the exporter label is reserved for the protocol itself")]
    ReservedLabel,
    /// The configuration could never connect.
    #[error("the configuration cannot connect: {0}")]
    Config(#[from] Misconfigured),
    /// DTLS 1.2 has no KeyUpdate.
    #[error("DTLS 1.2 has no KeyUpdate: make a new connection")]
    NoKeyUpdate,
    /// The operating system gave no random numbers.
    #[error("no random numbers from the operating system")]
    NoRandom,
}

/// Why a [`crate::Config`] could never connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// `Authentication::Certificates::own` is empty.
    #[error("no certificate of our own is given: see Certificate::generate")]
    NoCertificate,
    /// `PeerPolicy::Fingerprints` is empty.
    #[error("no fingerprint of the peer is given, so every certificate would be refused")]
    NoFingerprint,
    /// `PeerPolicy::Pki::roots` is empty, or one of them is no certificate.
    #[error("the roots are not a list of certificates in DER")]
    UnreadableRoot,
    /// `PeerPolicy::Pki::name` is neither a DNS name nor an IP address.
    #[error("the expected name is neither a DNS name nor an IP address")]
    InvalidName,
    /// `Authentication::Psk::hint` is longer than 2^16-1 bytes.
    #[error("the identity hint is longer than 65535 bytes")]
    HintTooLong,
    /// [`Config::suites`](field@crate::Config::suites) holds none that suits the authentication, for a version
    /// that is allowed.
    #[error("no cipher suite is given that suits the authentication and an allowed version")]
    NoSuite,
    /// [`crate::Config::groups`] holds none for a version that is allowed: DTLS 1.2 does not know
    /// [`NamedGroup::X25519MLKEM768`].
    #[error("no key exchange group is given for an allowed version")]
    NoGroup,
    /// `UseSrtp::Required` is empty.
    #[error("SRTP is required but no profile is given")]
    NoSrtpProfile,
    /// One of [`crate::Config::application_protocols`] is empty or longer than 255 bytes.
    #[error("the name of an application protocol is empty or longer than 255 bytes")]
    InvalidApplicationProtocol,
    /// Not in [`CipherSuite::SUPPORTED`].
    #[error("{0:?} is not implemented")]
    UnsupportedSuite(CipherSuite),
    /// Not in [`NamedGroup::SUPPORTED`].
    #[error("{0:?} is not implemented")]
    UnsupportedGroup(NamedGroup),
    /// [`crate::Schedule::initial`] is zero: a flight would be repeated without end in the same instant.
    #[error("the first timeout of a flight is zero")]
    NoTimeout,
    /// [`crate::GateConfig::cookie_lifetime`] or [`crate::GateConfig::secret_period`] is less than a millisecond: no
    /// cookie would be good when it comes back.
    #[error("the cookies of the gate have no lifetime")]
    NoCookieLifetime,
    /// [`crate::Config::mtu`] is below [`crate::Config::MIN_MTU`].
    #[error("the MTU is below {min} bytes")]
    MtuTooSmall {
        /// [`crate::Config::MIN_MTU`].
        min: usize,
    },
}
