//! The code that the peers of this folder share: one command line, one line protocol, certificates from PEM files.
//!
//! It knows no DTLS, and it uses none of this project's crates, so that the peers are independent of the code under
//! test.
//!
//! A peer prints one fact per line on standard output:
//!
//! ```text
//! fingerprint sha-256 AB:CD:..       its own certificate, if it has one
//! listening 127.0.0.1:4433           its socket
//! peer-fingerprint sha-256 AB:CD:..  the certificate that it received, if any
//! connected DTLS1.2 SUITE            the handshake is complete; the suite where the stack names it
//! srtp-profile 7                     or `srtp-profile none`
//! keying-material ABCD..             as RFC 5764 section 4.2 exports it for that profile
//! data TEXT                          application data arrived
//! closed Us | closed Peer            and it ends with status 0
//! failed REASON                      and it ends with status 1
//! ```
//!
//! It takes commands, one per line, on standard input: `send TEXT`, `update-keys`, `close`.

pub mod console;
pub mod identity;
pub mod options;

/// The label under which both sides export SRTP keys (RFC 5764 section 4.2).
pub const SRTP_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// Two master keys and two salts (RFC 5764 section 4.1.2, RFC 7714 section 12), in bytes.
#[must_use]
pub const fn keying_material_len(profile: u16) -> usize {
    match profile {
        7 => 2 * (16 + 12),
        8 => 2 * (32 + 12),
        _ => 2 * (16 + 14),
    }
}
