//! Protects and unprotects RTP and RTCP in place (RFC 3711, RFC 7714).
//!
//! One direction of one association is one context: [`Outbound`] seals what we send, [`Inbound`] opens what we
//! receive. Both are plain values that are given packets; nothing here knows where keys come from, what time
//! it is, or which address a packet came from. No packet allocates once its SSRC is known.
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
//! # What is decided here
//! - **An index is sealed once.** A packet is named by its SSRC and its index (rollover counter and sequence
//!   number). Two different packets under one name would share a keystream, and under GCM would give away the
//!   key that authenticates, so the second one is refused with [`Error::IndexReused`], also when it happens to
//!   be identical. Answer a NACK with the bytes that were sealed the first time, or with RTX (RFC 4588), which
//!   has an SSRC and sequence numbers of its own.
//! - **Order is free within the window.** Packets may be sealed and opened in any order as long as they lie
//!   within [`Options::replay_window`] of the newest one, as a forwarder needs it.
//! - **A fan-out is a loop.** Receivers share a payload but no key, so nothing of the work is common; write each
//!   header to the end of one buffer and call [`Outbound::protect_rtp_payload`], which copies the payload once.
//! - **Only authenticated packets leave state behind.** A forged packet changes nothing, whatever it claims.
//! - **Received RTCP must be encrypted** (RFC 8827 section 6.5 asks for it), so the E bit of what we send is
//!   always set and a packet without it is [`Discard::NotEncrypted`].
//!
//! Encrypted header extensions (RFC 6904) and cryptex (RFC 9335) are not supported: header extensions are
//! authenticated and travel in the clear. There is no master key identifier and no rekeying within a context.

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

/// The longest protected packet, in bytes: what the length of a UDP datagram can say. It also keeps AES-CM
/// within the 2^16 blocks of one packet's keystream (RFC 3711 section 4.1.1).
pub const MAX_PACKET_LEN: usize = 65_535;
