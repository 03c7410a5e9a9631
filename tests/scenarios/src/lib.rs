//! Scenarios on the virtual network: the layers as nodes, and two peers with signalling.
//!
//! The adapters here also run the property tests of the contract (`tests/contract_*.rs`). A scenario is a function of a
//! seed: a test runs a few seeds and `cargo xtask scenarios` runs thousands.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a scenario without its set-up cannot run"
)]

pub mod call;
pub mod dtls_node;
pub mod ice_node;
pub mod identity;
pub mod peer_node;

pub mod scenarios;
pub mod table;
