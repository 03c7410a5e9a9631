//! What a connection tells the layer above, and the small words that its methods answer with.

use crate::carried::ApplicationProtocol;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite::CipherSuite;
use crate::discard::Discard;
use crate::failure::Failure;
use crate::key_log::KeyLogLine;
use crate::message::version::ProtocolVersion;
use bytes::Bytes;

/// Something that happened, fetched by [`crate::Connection::poll_event`] in the order in which it happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer's certificate, its signature and its Finished were verified. Data may be sent, and
    /// [`crate::Connection::export`] works.
    Connected(Negotiated),
    /// Under [`crate::PeerPolicy::Application`]: answer with [`crate::Connection::judge_certificate`].
    CertificateReceived {
        /// The certificates as DER, the peer's own first. Never empty.
        chain: Vec<Bytes>,
    },
    /// Under [`crate::Authentication::Psk`]: answer with [`crate::Connection::provide_psk`].
    PskRequested(PskRequest),
    /// Application data that authenticated.
    Data(Bytes),
    /// The last flight of the handshake is no longer kept. In DTLS 1.2 the server's: the peer proved that it is
    /// connected, or was given time enough. In DTLS 1.3 the client's: the server has acknowledged it and is connected.
    FinalFlightReleased,
    /// The keys come close to what they may protect: make a new connection soon.
    RekeyNeeded,
    /// A connected peer seems to begin anew: somebody sent a ClientHello of another handshake. Nobody
    /// authenticated it. At most once per second. A server on bare UDP gives the datagram to its
    /// [`crate::CookieGate`], which proves the address before this connection makes way.
    FreshClientHello,
    /// A line for Wireshark, where [`crate::Config::key_log`] asks for it.
    KeyLog(KeyLogLine),
    /// The peer sends no more data (RFC 8446 section 6.1); what it sent before may still arrive late. In DTLS 1.3 our
    /// direction stays open, and nothing ends by itself: say what is to be said, and then [`crate::Connection::close`].
    /// In DTLS 1.2 both directions close at once, by [`Event::Closed`].
    PeerClosing,
    /// The connection ended in order. Nothing is received any more.
    Closed(ClosedBy),
    /// The connection died. Nothing is sent or received any more, save one alert.
    Failed(Failure),
}

/// What the handshake agreed upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// The protocol version.
    pub version: ProtocolVersion,
    /// The cipher suite.
    pub suite: CipherSuite,
    /// The key exchange group; `None` where a pre-shared key made one unnecessary.
    pub group: Option<NamedGroup>,
    /// The SRTP protection profile (RFC 5764), see [`crate::srtp_profile`].
    pub srtp_profile: Option<u16>,
    /// The application protocol (RFC 7301), where both sides name some.
    pub application_protocol: Option<ApplicationProtocol>,
}

/// Who closed the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedBy {
    /// [`crate::Connection::close`] or [`crate::Connection::close_sending`] was called, or the last key was used up.
    Us,
    /// A close_notify arrived before that.
    Peer,
}

/// Which pre-shared key is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PskRequest {
    /// The client's: the one that suits the server's hint, where there is one.
    ForHint(Option<Bytes>),
    /// The server's: the one of this identity.
    ForIdentity(Bytes),
}

/// The application's answer to [`Event::CertificateReceived`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateVerdict {
    /// Go on.
    Accept,
    /// Fail with [`crate::Refusal::ByApplication`].
    Refuse,
}

/// What became of a datagram. Where it holds several records, the best that happened to one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// A record authenticated under this connection's keys.
    Authenticated,
    /// It was of use, but anybody could have sent it: an early part of a handshake.
    Unauthenticated,
    /// Nothing in it was of use; the first reason.
    Discarded(Discard),
}
