//! Stories about endpoints: a handful of them on a network in memory.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "the tests' own functions")]

mod contract;
mod detached;
mod invariants;
mod many_peers;
mod network;
