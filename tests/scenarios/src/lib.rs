//! Stories over the virtual network: the layers as nodes, two peers and their signalling, and what must come of it.
//!
//! The adapters here also carry the contract's property tests (`tests/contract_*.rs`). The stories are functions of
//! a seed, so that a test tells a few of them and `cargo xtask scenarios` thousands.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a story that cannot be set up has nothing to tell"
)]

pub mod call;
pub mod dtls_node;
pub mod ice_node;
pub mod identity;
pub mod peer_node;

pub mod stories;
pub mod table;
