//! The events of a connection, and the values that its methods return.

use crate::application_protocol::ApplicationProtocol;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite::CipherSuite;
use crate::discard::Discard;
use crate::failure::Failure;
use crate::key_log::KeyLogLine;
use crate::message::version::ProtocolVersion;
use bytes::Bytes;

/// An event, returned by [`crate::Connection::poll_event`] in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer's certificate, signature and Finished were verified. Application data can be sent, and
    /// [`crate::Connection::export`] works.
    Connected(Negotiated),
    /// With [`crate::PeerPolicy::Application`]: answer with [`crate::Connection::provide_certificate_verdict`].
    CertificateReceived {
        /// The certificates as DER, the end-entity certificate first. Never empty.
        chain: Vec<Bytes>,
    },
    /// With [`crate::Authentication::Psk`]: answer with [`crate::Connection::provide_psk`].
    PskRequested(PskRequest),
    /// Authenticated application data.
    Data(Bytes),
    /// The final flight of the handshake is no longer kept. In DTLS 1.2 it is the server's: the peer proved that it is
    /// connected, or the time was up. In DTLS 1.3 it is the client's: the server has acknowledged it and is connected.
    FinalFlightReleased,
    /// The keys are near their usage limit: replace the connection soon.
    RekeyNeeded,
    /// A ClientHello of another handshake arrived on an established connection, so the peer may have restarted. It is
    /// not authenticated. At most one event per second. A server on bare UDP passes the datagram to its
    /// [`crate::CookieGate`], which validates the address before the new client replaces this connection.
    FreshClientHello,
    /// A line of the key log for Wireshark, if [`crate::Config::key_log`] is set.
    KeyLog(KeyLogLine),
    /// The peer sends no more data (RFC 8446 section 6.1); earlier data may still arrive late. In DTLS 1.3 our
    /// direction stays open, and the connection does not end automatically: send the remaining data, then call
    /// [`crate::Connection::close`]. In DTLS 1.2 both directions close at once, with [`Event::Closed`].
    PeerClosing,
    /// The connection was closed. Nothing is received any more.
    Closed(ClosedBy),
    /// The connection failed. Nothing is sent or received any more, except one alert.
    Failed(Failure),
}

/// The parameters that the handshake negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The key exchange group; `None` with a pre-shared key without a key exchange.
    pub group: Option<NamedGroup>,
    /// The SRTP protection profile (RFC 5764), see [`crate::srtp_profile`].
    pub srtp_profile: Option<u16>,
    /// The application protocol (RFC 7301), if both sides configure one.
    pub application_protocol: Option<ApplicationProtocol>,
}

/// The side that closed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// This side called [`crate::Connection::close`] or [`crate::Connection::close_sending`], or the last key was used
    /// up.
    Us,
    /// A close_notify of the peer arrived first.
    Peer,
}

/// The pre-shared key that is requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PskRequest {
    /// On a client: the key for the server's hint, if there is one.
    ForHint(Option<Bytes>),
    /// On a server: the key of this identity.
    ForIdentity(Bytes),
}

/// The application's answer to [`Event::CertificateReceived`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateVerdict {
    /// Accept the certificate.
    Accept,
    /// Fail with [`crate::Refusal::ByApplication`].
    Refuse,
}

/// The outcome of a datagram: the best outcome of its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A record authenticated with the keys of this connection.
    Authenticated,
    /// It was used, but is not authenticated: an early part of a handshake.
    Unauthenticated,
    /// Nothing in it was used; the first reason.
    Discarded(Discard),
}
