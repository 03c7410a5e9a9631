//! The tokio driver of [`peer_transport`]: UDP sockets, clock and entropy around its
//! [`Endpoint`](peer_transport::Endpoint), in one task.
//!
//! [`Driver::next`] is the whole of it: it receives in batches, sends in batches, keeps the timers, and
//! returns the next decrypted packet or event of any peer. It spawns nothing and takes no protocol
//! decision. Media is borrowed from the [`ReceiveBuffer`] that the caller owns, so a packet is forwarded
//! from inside the loop that received it, without a copy:
//!
//! ```
//! use std::net::UdpSocket;
//! use peer_transport::{Event, Media, PeerId};
//! use peer_transport_tokio::{Driver, DriverConfig, Next, ReceiveBuffer};
//!
//! /// Forwards what one of two peers sends to the other, until both have hung up.
//! async fn forward(driver: &mut Driver, one: PeerId, other: PeerId) -> std::io::Result<()> {
//!     let mut buffer = ReceiveBuffer::new();
//!     while let Some(next) = driver.next(&mut buffer).await? {
//!         match next {
//!             Next::Media(from, Media::Rtp(packet)) => {
//!                 let to = if from == one { other } else { one };
//!                 // A peer that cannot take it now gets the next one.
//!                 let _ = driver.send_rtp(to, packet.header_bytes(), packet.payload());
//!             }
//!             Next::Event(peer, Event::Failed(failure)) => {
//!                 eprintln!("{peer:?}: {failure}");
//!                 driver.shutdown();
//!             }
//!             Next::Media(..) | Next::Event(..) => {}
//!         }
//!     }
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut driver = Driver::new(vec![UdpSocket::bind("127.0.0.1:0")?], DriverConfig::default())?;
//! let one = driver.add_peer(peer_transport::Config::default(), Vec::new())?;
//! let other = driver.add_peer(peer_transport::Config::default(), Vec::new())?;
//! // Signalling: candidates and parameters in both directions, through `driver.peer_mut(..)`.
//! # driver.shutdown();
//! forward(&mut driver, one, other).await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Sockets
//!
//! Any number of them, bound by the caller. A socket bound to one address is the base of candidates with
//! that address. A socket bound to a wildcard serves every address of the machine: the destination of each
//! datagram, which the kernel reports, is the base, and answers leave from it. With offload
//! (Linux: UDP GSO and GRO) one system call carries many datagrams in either direction; packets for one
//! destination that are sent while a batch of input is worked off leave together, and nothing ever waits
//! for more to come.
//!
//! ECN marks are carried both ways. DSCP is not: ECN is set packet by packet in the field that both share,
//! and the code point that a [`Transmit`](peer_transport::Transmit) asks for is left at zero.
//!
//! # What can go wrong
//!
//! A datagram that the system refuses (too large, no route, nobody there) is lost, as the network would
//! lose it, and counted in [`DriverStats`]. A socket that takes no more makes packets wait up to
//! [`DriverConfig::max_queued`], and then [`DriverSendError::Congested`] says so for media; STUN and DTLS repeat
//! themselves. [`Driver::next`] fails only when a socket itself does.

mod config;
mod driver;
mod egress;
mod receive_buffer;
mod socket;
mod stats;

pub use config::DriverConfig;
pub use driver::{Driver, DriverSendError, Next};
pub use receive_buffer::ReceiveBuffer;
pub use stats::{DatagramCount, DriverStats};
