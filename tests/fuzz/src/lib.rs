//! Fuzz targets as plain functions, with a corpus that replays in `cargo test`.
//!
//! A target is a function of bytes. It returns when all checks pass and panics when one fails: on a crash, and also
//! when a decoded value does not encode to the same bytes, when a forged packet opens, when a handshake never ends.
//! Each target has its own file, whose header says how it reads its bytes and what it checks.
//!
//! ```text
//! tests/fuzz/src/<target>.rs        the function
//! tests/fuzz/corpus/<target>/*      inputs that replay, and that exploring starts from
//! tests/fuzz/explore/               a workspace of its own for cargo-fuzz: nightly, libFuzzer
//! ```
//!
//! - `cargo test -p fuzz` replays every input of every corpus, and some mutations of each under a printed seed
//!   (`FUZZ_SEED=7` chooses another).
//! - `cargo xtask fuzz TARGET --minutes N` explores with libFuzzer. It runs `cargo run --release --manifest-path
//!   tests/fuzz/explore/Cargo.toml -- TARGET --minutes N`, which needs a nightly toolchain and cargo-fuzz and says so
//!   where they are missing. It adds failing inputs to the corpus; commit them with the fix.
//!
//! A new target is a function and its line in [`TARGETS`], a folder in `corpus`, and a binary of two lines in
//! `explore`; a test fails until all three are there.

mod candidate_line;
mod dtls_connection;
mod dtls_cookie_gate;
mod dtls_endpoint;
mod dtls_established;
mod dtls_forgery;
mod dtls_gate;
mod dtls_keys;
mod dtls_messages;
mod dtls_misbehaving_peer;
mod dtls_records;
mod dtls_setup;
mod endpoint;
mod ice_agent;
mod input;
pub mod mutation;
mod network;
mod peer_transport;
mod sdp_attributes;
mod srtp_unprotect;
mod stun_message;

pub use candidate_line::candidate_line;
pub use dtls_connection::dtls_connection;
pub use dtls_cookie_gate::dtls_cookie_gate;
pub use dtls_established::dtls_established;
pub use dtls_gate::dtls_gate;
pub use dtls_messages::dtls_messages;
pub use dtls_misbehaving_peer::dtls_misbehaving_peer;
pub use dtls_records::dtls_records;
pub use endpoint::endpoint;
pub use ice_agent::ice_agent;
pub use peer_transport::peer_transport;
pub use sdp_attributes::sdp_attributes;
pub use srtp_unprotect::srtp_unprotect;
pub use stun_message::stun_message;

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of the function, of the corpus folder and of the binary in `explore`.
    pub name: &'static str,
    /// Returns, or panics when a check fails.
    pub run: fn(&[u8]),
    /// How many mutations of each corpus input `cargo test` tries: fewer for a target whose run includes a handshake.
    pub mutations: u32,
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "candidate_line", run: candidate_line, mutations: 1000 },
    Target { name: "dtls_connection", run: dtls_connection, mutations: 4 },
    Target { name: "dtls_cookie_gate", run: dtls_cookie_gate, mutations: 4 },
    Target { name: "dtls_established", run: dtls_established, mutations: 4 },
    Target { name: "dtls_gate", run: dtls_gate, mutations: 10 },
    Target { name: "dtls_misbehaving_peer", run: dtls_misbehaving_peer, mutations: 4 },
    Target { name: "dtls_messages", run: dtls_messages, mutations: 4 },
    Target { name: "dtls_records", run: dtls_records, mutations: 100 },
    Target { name: "endpoint", run: endpoint, mutations: 3 },
    Target { name: "ice_agent", run: ice_agent, mutations: 8 },
    Target { name: "peer_transport", run: peer_transport, mutations: 4 },
    Target { name: "sdp_attributes", run: sdp_attributes, mutations: 1000 },
    Target { name: "srtp_unprotect", run: srtp_unprotect, mutations: 300 },
    Target { name: "stun_message", run: stun_message, mutations: 300 },
];
