//! Interop with real peers.
