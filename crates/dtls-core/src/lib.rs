//! A Sans-IO DTLS engine for WebRTC: DTLS 1.2 (RFC 6347) and 1.3 (RFC 9147) with mutual certificate
//! authentication by fingerprint (RFC 8122), `use_srtp` (RFC 5764) and the exporter (RFC 5705).
//!
//! A [`Connection`] owns no socket, no clock and no thread. Datagrams and time go in through
//! [`Connection::handle_input`] and [`Connection::handle_timeout`]; datagrams, events and the next deadline come out of
//! [`Connection::poll_transmit`], [`Connection::poll_event`] and [`Connection::poll_timeout`]. Inputs change the state
//! and polls only return results: any order and number of polls gives the same result.
//!
//! ```
//! use dtls_core::{Authentication, Certificate, Config, Connection, Event, HashAlgorithm, PeerPolicy};
//! use std::time::{Duration, Instant, SystemTime};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let ours = Certificate::generate(SystemTime::now(), Certificate::DEFAULT_LIFETIME)?;
//! let theirs = Certificate::generate(SystemTime::now(), Certificate::DEFAULT_LIFETIME)?;
//! // Each side learns the other's fingerprint through signalling (`a=fingerprint`).
//! let config = |own: &Certificate, peer: &Certificate| Config {
//!     authentication: Authentication::Certificates {
//!         own: vec![own.clone()],
//!         peer: PeerPolicy::Fingerprints(vec![peer.fingerprint(HashAlgorithm::Sha256)]),
//!         require_peer: true,
//!     },
//!     ..Config::default()
//! };
//! let now = Instant::now();
//! let mut client = Connection::client(now, config(&ours, &theirs))?;
//! let mut server = Connection::server(now, config(&theirs, &ours))?;
//! client.start(now, None)?;
//! server.start(now, None)?;
//!
//! let mut datagram = Vec::new();
//! while !(client.is_connected() && server.is_connected()) {
//!     while client.poll_transmit(&mut datagram).is_some() {
//!         server.handle_input(now, &mut datagram);
//!         datagram.clear();
//!     }
//!     while server.poll_transmit(&mut datagram).is_some() {
//!         client.handle_input(now, &mut datagram);
//!         datagram.clear();
//!     }
//! }
//!
//! client.send(now, b"hello")?;
//! client.poll_transmit(&mut datagram);
//! server.handle_input(now, &mut datagram);
//! assert!(std::iter::from_fn(|| server.poll_event()).any(|event| event == Event::Data("hello".into())));
//! # Ok(())
//! # }
//! ```
//!
//! # Embedding
//! The caller owns the loop. After every input, command and timeout it polls events, datagrams and the next deadline.
//!
//! ```no_run
//! use dtls_core::{Connection, Event, srtp_profile};
//! use std::io::{self, ErrorKind};
//! use std::net::{SocketAddr, UdpSocket};
//! use std::time::{Duration, Instant};
//!
//! fn run(connection: &mut Connection, socket: &UdpSocket, peer: SocketAddr) -> io::Result<()> {
//!     let (mut outgoing, mut incoming) = (Vec::new(), [0; 2048]);
//!     loop {
//!         let mut end = None;
//!         while let Some(event) = connection.poll_event() {
//!             match event {
//!                 Event::Connected(negotiated) => {
//!                     // RFC 5764 section 4.2: both write keys of 16 bytes, then both salts of 12 bytes.
//!                     if negotiated.srtp_profile == Some(srtp_profile::AEAD_AES_128_GCM) {
//!                         let mut keying_material = [0; 2 * (16 + 12)];
//!                         let label = "EXTRACTOR-dtls_srtp";
//!                         connection.export(label, None, &mut keying_material).map_err(io::Error::other)?;
//!                     }
//!                     connection.send(Instant::now(), b"hello").map_err(io::Error::other)?;
//!                 }
//!                 Event::Data(bytes) => println!("{} bytes", bytes.len()),
//!                 // Send the remaining data before this call.
//!                 Event::PeerClosing => connection.close(Instant::now()),
//!                 Event::Closed(_) => end = Some(Ok(())),
//!                 Event::Failed(failure) => end = Some(Err(io::Error::other(failure))),
//!                 _ => {}
//!             }
//!         }
//!         while connection.poll_transmit(&mut outgoing).is_some() {
//!             socket.send_to(&outgoing, peer)?;
//!             outgoing.clear();
//!         }
//!         // The alert for the peer, if there is one, was sent above.
//!         if let Some(end) = end {
//!             return end;
//!         }
//!         let wait = connection.poll_timeout().map(|at| at.saturating_duration_since(Instant::now()));
//!         // The socket knows no timeout of zero.
//!         socket.set_read_timeout(wait.map(|wait| wait.max(Duration::from_millis(1))))?;
//!         match socket.recv_from(&mut incoming) {
//!             Ok((len, from)) if from == peer => {
//!                 connection.handle_input(Instant::now(), &mut incoming[..len]);
//!             }
//!             Ok(_) => {}
//!             Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
//!                 connection.handle_timeout(Instant::now());
//!             }
//!             Err(error) => return Err(error),
//!         }
//!     }
//! }
//! ```
//!
//! The example `udp_peer` is such a program, with both roles and every option.
//!
//! # Authentication of the peer
//! [`PeerPolicy`] selects how its certificate is verified: by announced fingerprints, by a public key infrastructure,
//! or by the application, after [`Event::CertificateReceived`]. Devices without certificates share a key instead:
//!
//! ```
//! use dtls_core::{Authentication, Config, Connection, Event, Psk};
//! use std::time::Instant;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config { authentication: Authentication::Psk { hint: None }, ..Config::default() };
//! let now = Instant::now();
//! let mut sensor = Connection::client(now, config.clone())?;
//! let mut gateway = Connection::server(now, config)?;
//! sensor.start(now, None)?;
//! gateway.start(now, None)?;
//!
//! let mut datagram = Vec::new();
//! while !(sensor.is_connected() && gateway.is_connected()) {
//!     for [from, to] in [[0, 1], [1, 0]] {
//!         let mut ends = [&mut sensor, &mut gateway];
//!         while ends[from].poll_transmit(&mut datagram).is_some() {
//!             ends[to].handle_input(now, &mut datagram);
//!             datagram.clear();
//!         }
//!         while let Some(event) = ends[to].poll_event() {
//!             // The client is asked for a hint's key, the server for an identity's: here there is one key.
//!             if let Event::PskRequested(_) = event {
//!                 ends[to].provide_psk(now, Some(Psk::new(b"sensor-7", b"a key of good length")?))?;
//!             }
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Servers on bare UDP
//! ICE proves that a peer receives datagrams at its address. Without ICE an attacker can forge the source address of a
//! ClientHello, which makes the server reply to a spoofed address and keep state for it. A [`CookieGate`] protects such
//! a server: it responds to each ClientHello with a cookie (a HelloVerifyRequest in DTLS 1.2, a HelloRetryRequest in
//! DTLS 1.3), keeps no state, and admits clients that return the cookie.
//!
//! ```
//! use dtls_core::{Admitted, Connection, CookieGate, Discard, GateConfig, GateVerdict};
//! # use dtls_core::{Authentication, Certificate, Config, PeerPolicy, Versions};
//! use std::collections::BTreeMap;
//! use std::net::SocketAddr;
//! use std::time::Instant;
//!
//! /// Handles a datagram from `from`. A response to send at once is appended to `answer`.
//! fn on_datagram(
//!     gate: &mut CookieGate,
//!     peers: &mut BTreeMap<SocketAddr, Connection>,
//!     (now, from): (Instant, SocketAddr),
//!     datagram: &mut [u8],
//!     answer: &mut Vec<u8>,
//! ) -> Result<(), dtls_core::Error> {
//!     let untouched = datagram.to_vec();
//!     if let Some(peer) = peers.get_mut(&from) {
//!         // A client that has lost its state restarts from the same address. The old connection stays until a
//!         // cookie proves that the client receives datagrams there (RFC 6347 section 4.2.8).
//!         if peer.handle_input(now, datagram) != Admitted::Discarded(Discard::FreshClientHello) {
//!             return Ok(());
//!         }
//!     }
//!     match gate.handle_input(now, from.to_string().as_bytes(), &untouched, answer) {
//!         GateVerdict::Accept(admission) => {
//!             peers.insert(from, Connection::accept(now, admission)?);
//!         }
//!         GateVerdict::Respond(_) | GateVerdict::Wait | GateVerdict::Discard(_) => {}
//!     }
//!     Ok(())
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let today = std::time::SystemTime::now();
//! # let own = vec![Certificate::generate(today, Certificate::DEFAULT_LIFETIME)?];
//! # let authentication =
//! #     Authentication::Certificates { own, peer: PeerPolicy::Application, require_peer: false };
//! # let config = Config { authentication, versions: Versions::Auto, ..Config::default() };
//! # let (now, from) = (Instant::now(), SocketAddr::from(([192, 0, 2, 1], 5000)));
//! let mut gate = CookieGate::new(now, config.clone(), GateConfig::default())?;
//! let mut peers = BTreeMap::new();
//! # let mut client = Connection::client(now, config)?;
//! # client.start(now, None)?;
//! # for _ in 0..2 {
//! #     let (mut datagram, mut answer) = (Vec::new(), Vec::new());
//! #     while client.poll_transmit(&mut datagram).is_some() {
//! #         on_datagram(&mut gate, &mut peers, (now, from), &mut datagram, &mut answer)?;
//! #         datagram.clear();
//! #     }
//! #     client.handle_input(now, &mut answer);
//! # }
//! # assert_eq!(peers.len(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! Without a gate, [`PathValidation::ByHandshake`] applies the anti-amplification limit: until a protected record of
//! the client has arrived, a server sends at most three times the bytes that it received. A connection from the gate
//! has no such limit.
//!
//! # Post-quantum key exchange
//! DTLS 1.3 prefers [`NamedGroup::X25519MLKEM768`], as browsers do. Its shares make the ClientHello and the server's
//! first flight two datagrams each; [`Config::groups`] explains the cost, and how to do without it.
//!
//! # Cryptography
//! Signatures, key exchange, hashes and AEAD come from ring. With the feature `aws-lc-rs` they come from aws-lc-rs,
//! which is faster and takes minutes to build.
//!
//! # Not supported
//! DTLS 1.0, CBC and DHE suites, session resumption, renegotiation, compression and connection ids. A peer without the
//! extended master secret (RFC 7627) is refused.
//!
//! # Invalid input
//! Unusable bytes are discarded for a named [`Discard`] reason and counted in [`Stats`]; they never end a connection. A
//! connection ends with one [`Event::Failed`] or one [`Event::Closed`], never with an `Err`: only commands return
//! [`Error`], and a refused command changes nothing.
//!
//! # Closing
//! [`Connection::close`] ends both directions at once, [`Connection::close_sending`] only ours, so that data of the
//! peer in flight is not lost. [`Event::PeerClosing`] reports that a peer of DTLS 1.3 has closed its direction; the
//! connection then stays until this side closes it too. A close_notify is not retransmitted, so a peer may end without
//! one: ICE consent, or a timeout of the application, detects that.

mod alert;
mod application_protocol;
mod authentication;
mod certificate;
mod codec;
mod config;
mod connected;
mod connection;
mod cookie_gate;
mod crypto;
mod discard;
mod dtls12;
mod dtls13;
mod end;
mod error;
mod established;
mod event;
mod events;
mod extension;
mod failure;
mod fingerprint;
mod handshake;
mod key_log;
mod link;
mod message;
mod negotiated_extensions;
mod outbox;
mod peek;
mod psk;
mod record;
mod stats;
mod timer;
mod transmit;

pub use alert::AlertDescription;
pub use application_protocol::ApplicationProtocol;
pub use certificate::{Certificate, InvalidCertificate};
pub use config::{
    Authentication, Config, DtlsRole, Limits, PathValidation, PeerPolicy, RetransmitConfig, UseSrtp, Versions,
};
pub use connection::Connection;
pub use cookie_gate::{Admission, CookieGate, GateConfig, GateStats, GateVerdict};
pub use crypto::group::NamedGroup;
pub use crypto::sign::SignatureScheme;
pub use crypto::suite::CipherSuite;
pub use discard::Discard;
pub use error::{Error, Misconfigured};
pub use event::{Admitted, CertificateVerdict, ClosedBy, Event, Negotiated, PskRequest};
pub use extension::use_srtp::srtp_profile;
pub use failure::{Failure, Incompatible, Misbehaved, Operation, Refusal, Untrusted};
pub use fingerprint::{Fingerprint, HashAlgorithm, InvalidFingerprint};
pub use key_log::KeyLogLine;
pub use message::version::ProtocolVersion;
pub use peek::{Hello, Peek, peek};
pub use psk::{InvalidPsk, Psk};
pub use stats::Stats;
pub use timer::Timer;
pub use transmit::Transmit;
