//! Two connections and the network between them, in virtual time.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::indexing_slicing, reason = "tests")]

mod alerts;
mod algorithms;
mod application_protocol;
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
mod final_flight;
mod flights;
mod forged;
mod hello;
mod hostile;
mod hybrid;
mod identity;
mod invalid_flight;
mod loss;
mod path;
mod piggyback;
mod pki;
mod psk;
mod versions;
mod wire;
mod world;
