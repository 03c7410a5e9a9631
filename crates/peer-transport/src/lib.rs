//! One WebRTC peer from UDP datagrams to decrypted media: ICE, DTLS and SRTP combined, with restart.
//!
//! [`PeerTransport`] is one remote peer. [`Endpoint`] holds many peers on shared sockets. Neither owns a
//! socket, a clock, a thread or a random number generator. The caller passes in datagrams and the time, and
//! takes out datagrams, events and the next deadline. `handle_input` returns received media itself, decrypted
//! in place; the media borrows only the datagram.
//!
//! ```
//! use std::time::{Duration, Instant, SystemTime};
//! use peer_transport::{
//!     Candidate, Config, Datagram, DescriptionKind, Media, Path, PeerTransport, Seed, State, WallClock,
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut now = Instant::now();
//! let wall_clock = Some(WallClock::new(now, SystemTime::now()));
//! let config = || Config { wall_clock, ..Config::default() };
//! // Outside of examples and simulations a seed is 32 bytes from a cryptographic generator.
//! let mut alice = PeerTransport::new(now, config(), Vec::new(), Seed::new([1; 32]))?;
//! let mut bob = PeerTransport::new(now, config(), Vec::new(), Seed::new([2; 32]))?;
//! let (at_alice, at_bob) = ("192.0.2.1:5000".parse()?, "192.0.2.2:6000".parse()?);
//! alice.add_local_candidate(now, Candidate::host(at_alice)?)?;
//! bob.add_local_candidate(now, Candidate::host(at_bob)?)?;
//!
//! // Signalling: parameters and candidates travel by any means, for instance as the attribute lines of SDP.
//! bob.set_remote_parameters(now, DescriptionKind::Offer, alice.local_parameters())?;
//! alice.set_remote_parameters(now, DescriptionKind::Answer, bob.local_parameters())?;
//! bob.add_remote_candidate(now, Candidate::host(at_alice)?, None)?;
//! alice.add_remote_candidate(now, Candidate::host(at_bob)?, None)?;
//!
//! // The application's loop: carry datagrams, pass time.
//! let mut buffer = Vec::new();
//! while alice.state() != State::Connected || bob.state() != State::Connected {
//!     while let Some(transmit) = alice.poll_transmit(&mut buffer) {
//!         let path = Path::udp(transmit.path.remote(), transmit.path.local());
//!         bob.handle_input(now, Datagram::new(path, &mut buffer));
//!         buffer.clear();
//!     }
//!     while let Some(transmit) = bob.poll_transmit(&mut buffer) {
//!         let path = Path::udp(transmit.path.remote(), transmit.path.local());
//!         alice.handle_input(now, Datagram::new(path, &mut buffer));
//!         buffer.clear();
//!     }
//!     now += Duration::from_millis(5);
//!     alice.handle_timeout(now);
//!     bob.handle_timeout(now);
//! }
//!
//! // Version 2, payload type 96, sequence number 1, timestamp 2, SSRC 3.
//! let header = [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
//! let sent = alice.send_rtp(now, &header, b"media", &mut buffer)?;
//! let path = Path::udp(sent.path.remote(), sent.path.local());
//! let Some(Media::Rtp(packet)) = bob.handle_input(now, Datagram::new(path, &mut buffer)) else {
//!     return Err("no media".into());
//! };
//! assert_eq!(packet.payload(), b"media");
//! # Ok(())
//! # }
//! ```
//!
//! # Restart
//! [`PeerTransport::restart`] creates new ICE credentials and starts a fresh DTLS handshake under them. It
//! works in every state except new. The previous association carries media until the handshake completes. A
//! peer that ignores the handshake, as browsers do while the certificate is unchanged, has kept the previous
//! association; [`Event::RestartCompleted`] then reports that it was retained.
//!
//! # States
//! An association, a restart or a transport *ends*; closed and failed say how. [`State`] is the state of the
//! transport:
//!
//! | state | sending | `restart` | `rollback_restart` | ends with |
//! | --- | --- | --- | --- | --- |
//! | `New` | `NotConnected` | `NotStarted` | `NoRestart` | the first remote parameters; `close` |
//! | `Connecting` at first | `NotConnected` | yes | `NoRestart` | consent and a verified handshake; a failure; a close |
//! | `Connecting` in a restart | yes | yes | yes | an outcome; a rollback; a failure or close of both associations |
//! | `Connected` | yes | yes | `NoRestart` | a restart; the end of consent; a close or failure of the association |
//! | `Closed` | `NotConnected` | yes | `NoRestart` | a restart by either side |
//! | `Failed` by ICE | `NotPermitted` | yes | `NoRestart` | a restart by either side; `close` |
//! | `Failed` by DTLS | `NotConnected` | yes | `NoRestart` | a restart by either side; `close` |
//!
//! During a restart the previous association sends. If it ends first, sending is refused until the outcome.
//! [`PeerTransport::close`] works in every state; a transport that is closed before the first remote parameters
//! cannot be restarted.
//!
//! # Cryptography
//! DTLS and SRTP use ring, or aws-lc-rs with the feature `aws-lc-rs`.
//!
//! # Invalid input
//! Unusable input is dropped with a [`Discard`] reason and counted in [`PeerTransport::stats`]. Only commands
//! return errors, and a refused command changes nothing. Unauthenticated input never ends a connected
//! transport.

mod association_id;
mod config;
mod demux;
mod endpoint;
mod error;
mod event;
mod media;
mod parameters;
mod stats;
mod transport;
mod wall_clock;

pub use association_id::AssociationId;
pub use config::{Config, DtlsRestart, RestartCertificates, RestartOptions, RetentionPolicy, Role};
pub use demux::{Class, classify};
pub use endpoint::{Endpoint, EndpointConfig, ForwardTag, PeerId, PeerMut, Route};
pub use error::{Error, Failure, SendError};
pub use event::{Event, RestartOutcome, Side, State};
pub use media::{
    Datagram, Dscp, Ecn, Evidence, Media, MediaMeta, MediaReceiver, MediaSender, Meta, RtcpPacket, RtpPacket,
    Transmit,
};
pub use parameters::{
    Attribute, AttributeName, Description, DescriptionKind, Fragment, IceOptions, Parameters, ParseError,
    Problem, Setup, TlsId,
};
pub use stats::{Count, Discard, Stats};
pub use transport::PeerTransport;
pub use wall_clock::WallClock;

// Types that appear in the signatures above, so that applications need only this dependency.
pub use dtls_core::{
    Certificate, CipherSuite, Fingerprint, HashAlgorithm, KeyLogLine, NamedGroup, Negotiated,
    ProtocolVersion, RetransmitConfig, Versions,
};
pub use ice_agent::{
    Applied, AttributeType, BindingDecision, BindingPolicy, BindingRequest, Candidate, CandidateLine,
    CandidatePair, ErrorCode, ExtraAttribute, GenerationId, IceRole, Path, Permission, Protocol, Refusal,
    Seed, SelectionReason, Ufrag,
};
pub use ice_agent::{Config as IceConfig, Failure as IceFailure, State as IceState};
pub use srtp::RtpHeader;
pub use srtp_keys::Profile;

const _: () = {
    const fn assert_send<T: Send>() {}
    assert_send::<PeerTransport>();
    assert_send::<Endpoint>();
    assert_send::<MediaSender>();
    assert_send::<MediaReceiver>();
    assert_send::<Media<'_>>();
    assert_send::<Event>();
};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct ReadmeDoctests;
