//! A UDP relay between two peers that loses, duplicates and reorders datagrams, from a seed.
//!
//! Handles sockets and random numbers. It does not read the datagrams.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// The probability of each impairment of a datagram, in percent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Impairment {
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    /// Held back until the next one has passed, or for some milliseconds.
    pub(crate) late: u64,
}

/// A relay; dropping the value ends it.
pub(crate) struct Relay {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    impairment: Impairment,
    /// Set when the impairment has stopped.
    stop_impairment: AtomicBool,
    stopped: AtomicBool,
    /// The client's address, learnt from the first datagram.
    client: Mutex<Option<SocketAddr>>,
    target: SocketAddr,
    arrived: AtomicU64,
    lost: AtomicU64,
    repeated: AtomicU64,
    late: AtomicU64,
}

#[derive(Clone, Copy)]
enum Direction {
    ToTarget,
    ToDialler,
}

impl Relay {
    /// Relays between the client that sends to [`Relay::address`] and `target`.
    pub(crate) fn start(target: SocketAddr, impairment: Impairment, seed: u64) -> Result<Self, String> {
        let (front, back) = (bind()?, bind()?);
        let address = front.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            impairment,
            stop_impairment: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            client: Mutex::new(None),
            target,
            arrived: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            late: AtomicU64::new(0),
        });
        for (from, to, direction) in
            [(clone(&front)?, clone(&back)?, Direction::ToTarget), (back, front, Direction::ToDialler)]
        {
            let (shared, chance) =
                (Arc::clone(&shared), Chance(seed.wrapping_mul(2).wrapping_add(direction as u64)));
            thread::spawn(move || shared.carry(&from, &to, direction, chance));
        }
        Ok(Self { address, shared })
    }

    /// The address for the client.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops the impairment.
    pub(crate) fn stop_impairment(&self) {
        self.shared.stop_impairment.store(true, Ordering::Relaxed);
    }

    /// The counts so far, for the table.
    pub(crate) fn summary(&self) -> String {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { arrived, lost, repeated, late, .. } = &*self.shared;
        let (lost, repeated, late) = (count(lost), count(repeated), count(late));
        format!("of {} datagrams {lost} lost, {repeated} repeated, {late} late", count(arrived))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn carry(&self, from: &UdpSocket, to: &UdpSocket, direction: Direction, mut chance: Chance) {
        let mut buffer = [0; 2048];
        let mut held: Option<Vec<u8>> = None;
        while !self.stopped.load(Ordering::Relaxed) {
            let Ok((length, source)) = from.recv_from(&mut buffer) else {
                // Nothing arrived for a moment: the held datagram is late enough.
                if let Some(late) = held.take() {
                    self.send(to, direction, &late);
                }
                continue;
            };
            if matches!(direction, Direction::ToTarget) {
                *self.client.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
            }
            count(&self.arrived);
            let datagram = &buffer[..length];
            let stop_impairment = self.stop_impairment.load(Ordering::Relaxed);
            let mut happens = |percent| !stop_impairment && chance.percent() < percent;
            if happens(self.impairment.lost) {
                count(&self.lost);
                continue;
            }
            if held.is_none() && happens(self.impairment.late) {
                count(&self.late);
                held = Some(datagram.to_vec());
                continue;
            }
            self.send(to, direction, datagram);
            if happens(self.impairment.repeated) {
                count(&self.repeated);
                self.send(to, direction, datagram);
            }
            if let Some(late) = held.take() {
                self.send(to, direction, &late);
            }
        }
    }

    fn send(&self, to: &UdpSocket, direction: Direction, datagram: &[u8]) {
        let address = match direction {
            Direction::ToTarget => Some(self.target),
            Direction::ToDialler => *self.client.lock().unwrap_or_else(PoisonError::into_inner),
        };
        if let Some(address) = address {
            // A datagram that cannot be sent counts as lost in transit.
            let _ = to.send_to(datagram, address);
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// SplitMix64: uniform random numbers from a seed.
struct Chance(u64);

impl Chance {
    fn percent(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % 100
    }
}

/// A loopback socket whose reads time out after a moment, so that its thread can do other work.
pub(crate) fn bind() -> Result<UdpSocket, String> {
    let socket =
        UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| format!("no UDP socket: {error}"))?;
    socket.set_read_timeout(Some(Duration::from_millis(20))).map_err(|error| error.to_string())?;
    Ok(socket)
}

fn clone(socket: &UdpSocket) -> Result<UdpSocket, String> {
    socket.try_clone().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn send_hundred(impairment: Impairment) -> Vec<u8> {
        let (client, target) = (bind().unwrap(), bind().unwrap());
        let relay = Relay::start(target.local_addr().unwrap(), impairment, 7).unwrap();
        let mut received = Vec::new();
        let mut buffer = [0; 16];
        let mut take = |received: &mut Vec<u8>| {
            while let Ok(1) = target.recv(&mut buffer) {
                received.push(buffer[0]);
            }
        };
        for number in 0..100 {
            client.send_to(&[number], relay.address()).unwrap();
        }
        take(&mut received);
        take(&mut received);
        received
    }

    #[test]
    fn without_impairment_everything_passes_in_order() {
        let received = send_hundred(Impairment { lost: 0, repeated: 0, late: 0 });
        assert_eq!(received, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn impairment_loses_duplicates_and_reorders() {
        let lossy = send_hundred(Impairment { lost: 20, repeated: 0, late: 0 });
        assert!((60..95).contains(&lossy.len()), "{} of 100 arrived", lossy.len());
        let repeated = send_hundred(Impairment { lost: 0, repeated: 50, late: 0 });
        assert!(repeated.len() > 120, "{} of 100 arrived", repeated.len());
        let late = send_hundred(Impairment { lost: 0, repeated: 0, late: 30 });
        assert!(late.len() == 100 && !late.is_sorted(), "{late:?}");
    }
}
