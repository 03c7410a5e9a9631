//! A Sans-IO ICE agent (RFC 8445, 8838, 8839) with consent freshness (RFC 7675).
//!
//! One [`Agent`] connects one component (rtcp-mux) with one peer. It owns no socket, clock or entropy: datagrams and
//! instants go in, messages and [`Event`]s come out, and everything random follows from a [`Seed`].
//!
//! - Full and lite, controlling and controlled, IPv4 and IPv6, trickle, peer-reflexive candidates on both sides.
//! - A candidate has an announced `address` and a `base` that its socket sees, so 1:1 NAT and containers work.
//! - Consent is a machine of its own: it ends exactly 30 s after the last proof, or with an authenticated 403.
//! - A restart opens a new generation beside the one that works, which goes on until the new one has selected a pair.
//! - A [`BindingPolicy`] may refuse authenticated requests with any error code.
//!
//! It refuses to gather candidates, to speak TURN, to resolve names and to open TCP connections.
//!
//! # Embedding
//!
//! The loop is the same for every layer of this workspace: give inputs and time, then take everything out. The order
//! of polls does not matter, and polling changes nothing.
//!
//! ```
//! use std::time::{Duration, Instant};
//! use ice_agent::{Agent, Candidate, CandidateLine, Config, Datagram, Event, IceRole, Path, Seed};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut now = Instant::now();
//!     let addresses = ["192.0.2.1:5000".parse()?, "192.0.2.2:5000".parse()?];
//!     // An application draws seeds from the operating system.
//!     let mut agents = [
//!         Agent::new(now, Config::default(), IceRole::Controlling, Seed::new([1; 32])),
//!         Agent::new(now, Config::default(), IceRole::Controlled, Seed::new([2; 32])),
//!     ];
//!     for (agent, address) in agents.iter_mut().zip(addresses) {
//!         agent.add_local_candidate(now, Candidate::host(address)?)?;
//!     }
//!
//!     // Signalling carries parameters and candidate lines, in any order.
//!     let [left, right] = &mut agents;
//!     for (from, to) in [(&mut *left, &mut *right)] {
//!         to.set_remote_parameters(now, from.local_parameters().clone())?;
//!         from.set_remote_parameters(now, to.local_parameters().clone())?;
//!         for candidate in from.local_candidates() {
//!             let line = CandidateLine::of(*candidate, None).to_string();
//!             if let CandidateLine::Candidate { candidate, .. } = line.parse()? {
//!                 to.add_remote_candidate(now, candidate, None)?;
//!             }
//!         }
//!     }
//!
//!     // The loop around the agents; the wire is instantaneous here.
//!     let mut selected = 0;
//!     let mut buf = Vec::new();
//!     while selected < 2 {
//!         for from in [0, 1] {
//!             while let Some(transmit) = { buf.clear(); agents[from].poll_transmit(&mut buf) } {
//!                 let path = Path::udp(transmit.path.remote(), transmit.path.local());
//!                 agents[1 - from].handle_input(now, Datagram { path, payload: transmit.bytes(&buf) });
//!             }
//!             while let Some(event) = agents[from].poll_event() {
//!                 if let Event::PairSelected { pair, .. } = event {
//!                     println!("agent {from} sends on {}", pair.path);
//!                     selected += 1;
//!                 }
//!             }
//!         }
//!         let next = agents.iter().filter_map(Agent::poll_timeout).min();
//!         now = next.unwrap_or(now + Duration::from_millis(1));
//!         agents.iter_mut().for_each(|agent| agent.handle_timeout(now));
//!     }
//!     assert!(agents[0].permission(now).is_some());
//!     Ok(())
//! }
//! ```
//!
//! # Who sends where
//!
//! [`Agent::permission`] answers whether data may be sent, and on which path: the selected pair's, before a selection
//! the best usable pair's. [`Event::PairUsable`] is the moment to begin DTLS, [`Event::PairSelected`] the moment to
//! move what is already flowing, [`Event::ConsentLost`] the moment to stop on a path. [`Agent::may_receive`] answers
//! whether a path is bound to the peer by authenticated STUN.
//!
//! # Many agents on one socket
//!
//! [`peek`] reads from a datagram what routes it: the local ufrag of a request, the transaction id of a response. Other
//! datagrams are routed by the paths that [`Event::PathBound`] and [`Event::PathReleased`] tell.

mod agent;
mod candidate;
mod candidate_attr;
mod candidate_pair;
mod check;
mod checklist;
mod config;
mod consent;
mod context;
mod credentials;
mod discard;
mod dispatch;
mod error;
mod event;
mod generation;
mod hook;
mod nomination;
mod pair;
mod path;
mod peek;
mod priority;
mod repeat;
mod requester;
mod responder;
mod restart;
mod role;
mod run;
mod seed;
mod session;
mod stats;
mod timer;
mod transmit;

pub use agent::{Agent, Applied, Datagram};
pub use candidate::{Candidate, CandidateKind, Foundation, InvalidCandidate};
pub use candidate_attr::{BadCandidateLine, CandidateLine, Extensions, TcpCandidate, TcpType, Unresolved};
pub use config::Config;
pub use credentials::{BadCredentials, Parameters, Password, Ufrag};
pub use discard::Discard;
pub use error::Error;
pub use event::{Event, Failure, SelectionReason, Side, State};
pub use generation::Generation;
pub use hook::{BindingDecision, BindingPolicy, BindingRequest, Refusal};
pub use pair::{Pair, PairState, Permission};
pub use path::{Path, Protocol};
pub use peek::{Peek, peek};
pub use role::IceRole;
pub use seed::Seed;
pub use stats::Stats;
pub use stun::rich::ExtraAttribute;
pub use stun::{AttributeType, ErrorCode};
pub use transmit::Transmit;
