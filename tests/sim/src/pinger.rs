//! A small protocol for examples and for this crate's own tests.
//!
//! A caller sends ping 1 until it receives pong 1, then a second later ping 2, and so on; after thirty seconds without
//! a pong it stops. It keeps the workspace's contract exactly, so that a flawed copy of it tests
//! [`contract`](crate::contract).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::node::{Ecn, Node, Path, Sent};

/// The time between a pong and the next ping.
const PAUSE: Duration = Duration::from_secs(1);
/// The retransmission interval of a ping.
const RETRANSMIT: Duration = Duration::from_millis(300);
/// The caller stops after this time without a pong.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An output of a pinger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PingOutput {
    /// The peer sent this ping.
    Ping(u8),
    /// The peer answered our ping.
    Pong(u8),
    /// No answer for thirty seconds.
    Silence,
}

/// [`Pinger::call`] failed because the pinger is calling already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// One end of the protocol: it answers always, and calls on command.
#[derive(Clone, Debug, Default)]
pub struct Pinger {
    call: Call,
    latest: Option<Instant>,
    transmits: VecDeque<(Path, [u8; 2])>,
    outputs: VecDeque<PingOutput>,
    discarded: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Call {
    #[default]
    Idle,
    Calling {
        path: Path,
        number: u8,
        awaits_pong: bool,
        next_ping: Instant,
        last_pong: Instant,
    },
}

impl Pinger {
    /// A pinger that answers and does not call.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to ping along `path`.
    ///
    /// # Errors
    ///
    ///
    /// [`Busy`] where it calls already.
    pub fn call(&mut self, now: Instant, path: Path) -> Result<(), Busy> {
        if let Call::Calling { .. } = self.call {
            return Err(Busy);
        }
        let now = self.monotonic(now);
        self.call = Call::Calling { path, number: 1, awaits_pong: false, next_ping: now, last_pong: now };
        Ok(())
    }

    /// How many datagrams were neither a ping nor the awaited pong.
    #[must_use]
    pub const fn discarded(&self) -> u64 {
        self.discarded
    }

    fn monotonic(&mut self, now: Instant) -> Instant {
        let latest = self.latest.map_or(now, |latest| latest.max(now));
        self.latest = Some(latest);
        latest
    }
}

impl Node for Pinger {
    type Output = PingOutput;

    fn handle_input(&mut self, now: Instant, path: Path, _ecn: Ecn, payload: &mut [u8]) {
        self.handle_timeout(now);
        let now = self.monotonic(now);
        match (&mut self.call, &*payload) {
            (_, [b'?', number]) => {
                self.outputs.push_back(PingOutput::Ping(*number));
                self.transmits.push_back((path, [b'!', *number]));
            }
            (
                Call::Calling { number, awaits_pong: awaits_pong @ true, next_ping, last_pong, .. },
                [b'!', answered],
            ) if answered == number => {
                self.outputs.push_back(PingOutput::Pong(*number));
                *number = number.wrapping_add(1);
                *awaits_pong = false;
                *next_ping = now + PAUSE;
                *last_pong = now;
            }
            _ => self.discarded += 1,
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        let now = self.monotonic(now);
        let Call::Calling { path, number, awaits_pong, next_ping, last_pong } = &mut self.call else {
            return;
        };
        if now >= *last_pong + TIMEOUT {
            self.outputs.push_back(PingOutput::Silence);
            self.call = Call::Idle;
        } else if now >= *next_ping {
            self.transmits.push_back((*path, [b'?', *number]));
            *awaits_pong = true;
            *next_ping = now + RETRANSMIT;
        }
    }

    fn poll_transmit(&mut self, buffer: &mut Vec<u8>) -> Option<Sent> {
        let (path, bytes) = self.transmits.pop_front()?;
        buffer.extend_from_slice(&bytes);
        Some(Sent { path, len: bytes.len(), ecn: Ecn::NotEct })
    }

    fn poll_output(&mut self) -> Option<PingOutput> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        match self.call {
            Call::Calling { next_ping, last_pong, .. } => Some(next_ping.min(last_pong + TIMEOUT)),
            Call::Idle => None,
        }
    }
}
