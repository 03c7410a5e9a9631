//! Stories about two connections and the network between them, in virtual time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod alerts;
mod algorithms;
mod application_protocol;
mod carrier;
mod close;
mod commands;
mod connect;
mod cookies;
mod data;
mod dtls13;
mod dtls13_ack;
mod dtls13_hello;
mod dtls13_hostile;
mod dtls13_wire;
mod false_flight;
mod final_flight;
mod flights;
mod forged;
mod hello;
mod hostile;
mod hybrid;
mod identity;
mod loss;
mod path;
mod pki;
mod psk;
mod versions;
mod wire;
mod world;
