//! A virtual network and clock for Sans-IO nodes.
//!
//! Nodes have sockets in a [`World`]. Their datagrams cross a [`Link`] with seeded loss, delay, jitter, reordering and
//! duplication, perhaps through a [`Nat`](NatKind), and time jumps from one event to the next. Two runs with one seed
//! are equal.
//!
//! A failing test prints the seed and the packet trace, one line for each datagram with its description and its result.
//! [`contract`] contains the checks that every layer's state machine has to pass.
//!
//! ```
//! use sim::{Link, Path, World, pinger::Pinger};
//! use std::time::Duration;
//!
//! let mut world = World::new(7).with_link(Link::new().delay(Duration::from_millis(20)).loss(0.3));
//! let (here, there) = ("10.0.0.1:5000".parse()?, "10.0.0.2:5000".parse()?);
//! let alice = world.add("alice", here, Pinger::new());
//! let bob = world.add("bob", there, Pinger::new());
//! world.act(alice, |node, now| node.call(now, Path { local: here, remote: there })).expect("it was idle");
//! world.run_until("alice hears a pong", Duration::from_secs(10), |world| !world.outputs(alice).is_empty());
//! assert!(world.tally(alice).sent > 0 && world.tally(bob).delivered > 0);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! It does not depend on the crates under test: it knows no candidates and no handshakes. Only the trace reads the
//! bytes, to describe them.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test harness fails loudly, and its tables are its own"
)]

mod classify;
mod clock;
pub mod contract;
mod link;
mod nat;
mod network;
mod node;
pub mod pinger;
mod queue;
mod rng;
mod seeds;
mod shape;
mod trace;
mod world;

pub use classify::{Class, describe};
pub use clock::epoch;
pub use link::{Burst, Link};
pub use nat::NatKind;
pub use network::NatId;
pub use node::{Ecn, Node, Path, Sent};
pub use rng::Rng;
pub use seeds::for_each_seed;
pub use shape::shape;
pub use trace::{DatagramState, Loss, Trace, TraceEntry};
pub use world::{Flight, NodeId, Polling, Tally, Verdict, Violation, World};
