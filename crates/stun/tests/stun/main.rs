//! Tests against foreign data (RFC 5769, `stun-rs`) and malformed messages.
#![expect(clippy::unwrap_used, reason = "tests")]

mod differential;
mod hostile;
mod rfc5769;
mod rules;
mod vectors;
