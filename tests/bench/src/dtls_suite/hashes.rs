//! The hashing that the RFCs require of both sides of a handshake beside "bare": SHA-256 with the primitives of our
//! backend. It is measured beside the handshakes and has no goal. It explains how much a processor without SHA
//! instructions adds to "bare" for any engine.

use std::hint::black_box;
use std::time::Instant;

use ring::digest::{Context, SHA256, digest};
use ring::hmac::{HMAC_SHA256, Key, sign};

use super::HANDSHAKES;
use super::fixture::Version;
use crate::measure::Subject;

pub(super) const NAME: &str = "hashes";

/// The bytes that one side hashes over X25519 with P-256 certificates.
struct Hashes {
    /// The transcript, up to each point where its hash is needed.
    transcript: &'static [usize],
    /// The peer's certificate, for its fingerprint; and the part of the signed message that exceeds that of "bare".
    others: &'static [usize],
    /// Secrets that become the key of an HMAC.
    keys: usize,
    /// The lengths of the HMAC inputs. A comment names the source of each.
    macs: &'static [usize],
}

const DTLS12: Hashes = Hashes {
    // The session hash, and both Finished.
    transcript: &[1_039, 1_126, 1_150],
    // The client's signature covers the messages, not their hash (RFC 5246 section 7.4.8).
    others: &[290, 880],
    // Premaster and master secret.
    keys: 2,
    macs: &[
        54, 86, 32, 86, // The master secret (RFC 7627 section 4).
        77, 109, 32, 109, // The key block.
        47, 79, 47, 79, // Both Finished.
        83, 115, 32, 115, // The exporter.
    ],
};

const DTLS13: Hashes = Hashes {
    // The ServerHello, then Certificate, CertificateVerify and Finished of both sides, but for the last.
    transcript: &[234, 576, 655, 691, 995, 1_074],
    others: &[290],
    // Handshake secret, the salt of the master secret, master secret; four traffic secrets, two Finished keys, two
    // exporter secrets.
    keys: 3 + 4 + 2 + 2,
    macs: &[
        32, 55, 55, 50, // The handshake secret, and what is derived from it.
        32, 55, 55, 53, // The master secret.
        14, 13, 13, 14, 13, 13, 14, 13, 13, 14, 13,
        13, // Key, IV and record number key of each traffic secret.
        19, 32, 19, 32, // Both Finished.
        62, 51, 83, // The exporter.
    ],
};

impl Hashes {
    fn make(&self, bytes: &[u8]) {
        let mut transcript = Context::new(&SHA256);
        let mut done = 0;
        for &end in self.transcript {
            transcript.update(&bytes[done..end]);
            done = end;
            black_box(transcript.clone().finish());
        }
        for &len in self.others {
            black_box(digest(&SHA256, &bytes[..len]));
        }
        let key = Key::new(HMAC_SHA256, &bytes[..32]);
        for _ in 1..self.keys {
            black_box(Key::new(HMAC_SHA256, black_box(&bytes[..32])));
        }
        for &len in self.macs {
            black_box(sign(&key, &bytes[..len]));
        }
    }
}

/// Of both sides.
pub(super) fn subject(version: Version) -> Subject<'static> {
    let hashes = match version {
        Version::Dtls12 => &DTLS12,
        Version::Dtls13 => &DTLS13,
    };
    let bytes = vec![0x5a; 1_500];
    let work = move || {
        let start = Instant::now();
        for _side in 0..2 * HANDSHAKES {
            hashes.make(black_box(&bytes));
        }
        start.elapsed()
    };
    Subject { name: NAME, operations: HANDSHAKES, work: Box::new(work) }
}
