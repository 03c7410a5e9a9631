//! Tests that need the private state of a connection: record keys, record numbers and the send queues.
//!
//! Tests of the public interface are in the folder `tests` of the crate.

mod authenticated_peer;
mod key_update;
mod misbehaving_handshake;
mod misbehaving_peer;
