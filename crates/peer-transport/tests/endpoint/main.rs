//! Tests of endpoints on a virtual network.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test fixtures")]

mod contract;
mod detached;
mod invariants;
mod many_peers;
mod network;
mod node;
