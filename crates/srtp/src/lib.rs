//! Protects and unprotects RTP and RTCP in place (RFC 3711, RFC 7714).
//!
//! A context is one direction of one association: [`Outbound`] protects sent packets, [`Inbound`] unprotects received
//! ones. Both are plain values. They do not know the origin of keys, time or addresses. A packet of a known SSRC does
//! not allocate.
//!
//! ```
//! use srtp::{Inbound, Options, Outbound, RtpHeader};
//! use srtp_keys::{DtlsRole, KeyingMaterial, Profile};
//!
//! let profile = Profile::AeadAes128Gcm;
//! let exported = vec![7; profile.keying_material_len()]; // from the DTLS exporter
//! let keys = KeyingMaterial::new(profile, &exported)?;
//! let mut alice = Outbound::new(&keys.clone().split(DtlsRole::Client).outbound, &Options::default());
//! let mut bob = Inbound::new(&keys.split(DtlsRole::Server).inbound, &Options::default());
//!
//! // Version 2, payload type 96, sequence number 1, timestamp 2, SSRC 3.
//! let header = [0x80, 96, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
//! let mut datagram = Vec::new();
//! alice.protect_rtp(&header, b"media", &mut datagram)?;
//! assert_eq!(datagram.len(), header.len() + b"media".len() + profile.rtp_tag_len());
//!
//! let header = RtpHeader::parse(&datagram)?;
//! let payload = bob.unprotect_rtp(&header, &mut datagram)?;
//! assert_eq!(&datagram[payload], b"media");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Decisions of this crate
//! - **An index is used once.** SSRC and index (rollover counter and sequence number) identify a packet. Two different
//!   packets with the same identity would share a keystream, and with GCM would reveal the authentication key. The
//!   second one is therefore refused with [`Error::IndexReused`], even if it is identical. Answer a NACK with the
//!   packet that was protected the first time, or with RTX (RFC 4588), which has its own SSRC and sequence numbers.
//! - **Any order within the window.** A forwarder may protect and unprotect packets in any order, as long as they are
//!   within [`Options::replay_window`] of the newest one.
//! - **A fan-out is a loop.** Receivers share a payload but no key, so there is no common work. Write each header to
//!   the end of one buffer and call [`Outbound::protect_rtp_payload`], which copies the payload once.
//! - **Only authenticated packets change state.** A forged packet changes nothing.
//! - **Received RTCP must be encrypted** (RFC 8827 section 6.5). Sent RTCP always has the E bit, and a packet without
//!   it is [`Discard::NotEncrypted`].
//!
//! Encrypted header extensions (RFC 6904) and cryptex (RFC 9335) are not supported: header extensions are authenticated
//! but not encrypted. There is no master key identifier and no rekeying within a context.

mod cipher;
mod error;
mod inbound;
mod index;
mod key_use;
mod options;
mod outbound;
mod replay;
mod rtcp;
mod rtp;
mod streams;

pub use error::{Discard, Error};
pub use inbound::Inbound;
pub use options::Options;
pub use outbound::Outbound;
pub use rtcp::{RtcpHeader, is_rtcp};
pub use rtp::{HeaderExtension, RtpHeader};

const _: () = {
    const fn assert_send_and_sync<T: Send + Sync>() {}
    assert_send_and_sync::<Outbound>();
    assert_send_and_sync::<Inbound>();
    assert_send_and_sync::<RtpHeader>();
};

/// The maximum length of a protected packet in bytes, which is that of a UDP datagram. It also keeps AES-CM within the
/// 2^16 blocks of one packet's keystream (RFC 3711 section 4.1.1).
pub const MAX_PACKET_LEN: usize = 65_535;
