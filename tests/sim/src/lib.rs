//! A virtual network and clock for Sans-IO nodes.
//!
//! Nodes live on addresses of a [`World`]. Whatever they transmit crosses a [`Link`] with seeded loss, delay,
//! jitter, reordering and duplication, perhaps through a [`Nat`](NatKind), and time moves from one event to
//! the next without anybody waiting. One seed is one story: every run with it is the same run.
//!
//! A failing test prints the seed and the packet trace, each datagram on one line with what it was and what
//! became of it. [`contract`] holds the checks that every layer's state machine has to pass.
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
//! It knows nothing of the crates under test: not what a candidate is, not what a handshake wants. Only the
//! trace reads bytes, to name them.

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
pub use trace::{Fate, Loss, Trace, TraceEntry};
pub use world::{Flight, NodeId, Polling, Tally, Verdict, Violation, World};
