//! The tokio driver of `peer-transport`: UDP sockets, clock and entropy for its `Endpoint`, in one task.
//!
//! [`Driver::next`] does all the work: it receives and sends in batches, runs the timers, and returns the next
//! decrypted packet or event of any peer. It spawns no task and makes no protocol decision. Media borrows the
//! [`ReceiveBuffer`] of the caller, so a packet is forwarded inside the loop that received it, without a copy:
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
//!             _ => {}
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
//! `cargo run -p peer-transport-tokio --example echo` connects two peers over real sockets, with signalling as text.
//!
//! # Sockets
//!
//! The caller binds any number of sockets. A socket bound to one address is the base of candidates with that address. A
//! socket bound to a wildcard address serves every address of the machine: the base is the destination of each
//! datagram, as the kernel reports it, and responses leave from it. With offload (Linux: UDP GSO and GRO) one system
//! call carries many datagrams in either direction. Packets for one destination that are sent during one batch of input
//! leave together; no packet waits for later ones.
//!
//! ECN marks are carried in both directions. DSCP is not: ECN is set per packet in the same field, and the code point
//! of a [`Transmit`](peer_transport::Transmit) is sent as zero.
//!
//! # Errors and losses
//!
//! A datagram that the system refuses (too large, no route, port unreachable) is lost, like a loss on the network, and
//! counted in [`DriverStats`]. Packets for a blocked socket wait up to [`DriverConfig::max_queued`]; then media gets
//! [`DriverSendError::Congested`], and STUN and DTLS retransmit. [`Driver::next`] fails only if a socket itself fails.

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
