//! The keys of one direction in one epoch of DTLS 1.3 (RFC 9147 sections 4.1 and 4.2.3).
//!
//! The key schedule makes them, the record layer uses them.

use crate::crypto::aead::RecordKey;
use crate::crypto::backend::aead;

/// The record protection of one direction in one epoch.
pub(crate) struct EpochKey {
    pub(crate) record: RecordKey,
    pub(crate) numbers: aead::quic::HeaderProtectionKey,
}
