//! Evidence from outside (RFC 5769, `stun-rs`) and from hostile bytes.
#![expect(clippy::unwrap_used, reason = "tests")]

mod differential;
mod hostile;
mod rfc5769;
mod rules;
mod vectors;
