//! The reasons for refusing a command. A refused command changes nothing.

use crate::crypto::group::NamedGroup;
use crate::crypto::suite::CipherSuite;

/// The reason for refusing a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wait for [`crate::Event::Connected`].
    #[error("the handshake is not complete: wait for Event::Connected")]
    NotConnected,
    /// [`crate::Connection::start`] works once.
    #[error("the handshake was started before")]
    AlreadyStarted,
    /// The data does not fit one record within the MTU.
    #[error("the data does not fit one record: at most {max} bytes, see Connection::max_data_len")]
    TooLarge {
        /// The maximum, in bytes.
        max: usize,
    },
    /// The outgoing queue is full: fetch datagrams with [`crate::Connection::poll_transmit`].
    #[error("the outgoing queue is full: fetch datagrams with poll_transmit first")]
    WouldBlock,
    /// The connection has failed or was closed by either side.
    #[error("the connection is closed")]
    Closed,
    /// There is no pending certificate and no requested pre-shared key.
    #[error("nothing to answer: no certificate is pending, and no pre-shared key was requested")]
    NotAsked,
    /// The keys have protected their maximum number of records: replace the connection.
    #[error("the keys are at their usage limit: replace the connection")]
    KeyExhausted,
    /// The protocol itself uses this exporter label (RFC 5705 section 4).
    #[error("the exporter label is reserved for the protocol itself")]
    ReservedLabel,
    /// The configuration can never connect.
    #[error("the configuration cannot connect: {0}")]
    Config(#[from] Misconfigured),
    /// DTLS 1.2 has no KeyUpdate.
    #[error("DTLS 1.2 has no KeyUpdate: replace the connection")]
    NoKeyUpdate,
    /// The operating system returned no random numbers.
    #[error("no random numbers from the operating system")]
    NoRandom,
}

/// The reason why a [`crate::Config`] can never connect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misconfigured {
    /// `Authentication::Certificates::own` is empty.
    #[error("no certificate of our own is given: see Certificate::generate")]
    NoCertificate,
    /// `PeerPolicy::Fingerprints` is empty.
    #[error("no fingerprint of the peer is given, so every certificate would be refused")]
    NoFingerprint,
    /// `PeerPolicy::Pki::roots` is empty, or contains an invalid certificate.
    #[error("the roots are not a list of certificates in DER")]
    UnreadableRoot,
    /// `PeerPolicy::Pki::name` is neither a DNS name nor an IP address.
    #[error("the expected name is neither a DNS name nor an IP address")]
    InvalidName,
    /// `Authentication::Psk::hint` is longer than 2^16-1 bytes.
    #[error("the identity hint is longer than 65535 bytes")]
    HintTooLong,
    /// [`Config::suites`](field@crate::Config::suites) contains no suite that fits the authentication and an allowed
    /// version.
    #[error("no cipher suite fits the authentication and an allowed version")]
    NoSuite,
    /// [`crate::Config::groups`] contains no group of an allowed version: DTLS 1.2 has no
    /// [`NamedGroup::X25519MLKEM768`].
    #[error("no key exchange group fits an allowed version")]
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
    /// [`crate::RetransmitConfig::initial_rto`] is zero: a flight would be retransmitted without end in the same instant.
    #[error("the first timeout of a flight is zero")]
    NoTimeout,
    /// [`crate::GateConfig::cookie_lifetime`] or [`crate::GateConfig::secret_period`] is less than a millisecond: each
    /// cookie would expire before it returns.
    #[error("the cookies of the gate have no lifetime")]
    NoCookieLifetime,
    /// [`crate::Config::mtu`] is below [`crate::Config::MIN_MTU`].
    #[error("the MTU is below {min} bytes")]
    MtuTooSmall {
        /// [`crate::Config::MIN_MTU`].
        min: usize,
    },
}
