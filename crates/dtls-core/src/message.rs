//! Handshake messages on the wire, one per file (RFC 5246 section 7.4, RFC 6347 section 4.3.2, RFC 8422).
//!
//! The decoders return meaning, not permission: the handshake states decide whether a value is acceptable.

pub(crate) mod certificate;
pub(crate) mod certificate13;
pub(crate) mod certificate_request;
pub(crate) mod certificate_request13;
pub(crate) mod certificate_verify;
pub(crate) mod client_hello;
pub(crate) mod client_key_exchange;
pub(crate) mod encrypted_extensions;
pub(crate) mod hello_retry_request;
pub(crate) mod hello_verify_request;
pub(crate) mod key_update;
pub(crate) mod psk_key_exchange;
pub(crate) mod server_hello;
pub(crate) mod server_key_exchange;
pub(crate) mod version;

/// The random of a hello, which identifies its handshake.
pub(crate) type Random = [u8; 32];
