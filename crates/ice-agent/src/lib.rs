//! A Sans-IO ICE agent (RFC 8445, 8838, 8839) with consent freshness (RFC 7675).
//!
//! One [`Agent`] connects one component (rtcp-mux) with one peer. It owns no socket, clock or entropy source: datagrams
//! and instants go in, messages and [`Event`]s come out, and all randomness derives from a [`Seed`].
//!
//! - Full and lite, controlling and controlled, IPv4 and IPv6, trickle, peer-reflexive candidates on both sides.
//! - A candidate has an announced `address` and the `base` of its socket, so 1:1 NAT and containers work.
//! - Consent has its own state machine: it ends exactly 30 s after the last proof, or with an authenticated 403.
//! - A restart opens a new generation beside the current one, which keeps sending until the new one has selected a
//!   pair.
//! - A [`BindingPolicy`] may refuse authenticated requests with any error code.
//!
//! It does not gather candidates, speak TURN, resolve names or open TCP connections.
//!
//! # Embedding
//!
//! The loop is the same for every layer of this workspace: pass in inputs and time, then poll all results. The order of
//! polls does not matter, and polling changes no state.
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
//! # States
//!
//! | of | state | meaning |
//! | --- | --- | --- |
//! | pair, [`PairState`] | Frozen, Waiting, InProgress, Succeeded, Failed | the states of RFC 8445 section 6.1.2.6 |
//! | | Ended | consent was lost; not used again with these credentials |
//! | generation | awaiting the peer | no remote parameters yet; no deadline runs |
//! | | checking | no pair is usable yet; fails after [`Config::patience`] |
//! | | usable | at least one pair has consent |
//! | | revoked | we revoked consent; requests get a 403 |
//! | | ended | nothing is sent or answered |
//! | agent, [`State`] | New, Checking, Connected, Failed, Closed | the sum over its generations |
//!
//! A generation is *current* while data is sent under it, *next* while a restart checks it, and *draining* after its
//! replacement, when it only responds. Then it has ended: [`Event::GenerationEnded`].
//!
//! # Who sends where
//!
//! [`Agent::permission`] returns whether and on which path data may be sent: that of the selected pair, or before a
//! selection that of the best usable pair. Begin DTLS at [`Event::PairUsable`], move the traffic at
//! [`Event::PairSelected`], and stop sending on a path at [`Event::ConsentLost`]. [`Agent::may_receive`] returns
//! whether authenticated STUN has bound a path to the peer.
//!
//! # Many agents on one socket
//!
//! [`peek`] reads the routing key of a datagram: the local ufrag of a request, the transaction id of a response. Route
//! other datagrams by the paths of [`Event::PathBound`] and [`Event::PathReleased`].

mod agent;
mod candidate;
mod check;
mod config;
mod credentials;
mod discard;
mod error;
mod event;
mod pair;
mod path;
mod peek;
mod seed;
mod stats;

pub use agent::Agent;
pub use agent::datagram::Datagram;
pub use agent::generation_id::GenerationId;
pub use agent::restart::Applied;
pub use agent::transmit::Transmit;
pub use candidate::line::{BadCandidateLine, CandidateLine, Extensions, TcpCandidate, TcpType, Unresolved};
pub use candidate::{Candidate, CandidateKind, Foundation, InvalidCandidate};
pub use check::binding_policy::{BindingDecision, BindingPolicy, BindingRequest, Refusal};
pub use check::role::IceRole;
pub use config::Config;
pub use credentials::{BadCredentials, Parameters, Password, Ufrag};
pub use discard::Discard;
pub use error::Error;
pub use event::{Event, Failure, SelectionReason, Side, State};
pub use pair::{CandidatePair, PairState, Permission};
pub use path::{Path, Protocol};
pub use peek::{Peek, peek};
pub use seed::Seed;
pub use stats::Stats;
pub use stun::{AttributeType, ErrorCode, ExtraAttribute};
