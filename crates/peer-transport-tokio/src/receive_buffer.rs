//! The memory of received datagrams, from which they are processed one by one.
//!
//! One system call receives many datagrams (several messages, each with several segments joined by generic receive
//! offload). They stay here and are processed in place, without a copy.

use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::time::{Duration, Instant, SystemTime};

use peer_transport::{Meta, Path};
use quinn_udp::RecvMeta;

use crate::socket::{self, Socket};
use crate::stats::DriverStats;

/// The memory into which [`Driver::next`](crate::Driver::next) receives, and which media borrows.
///
/// Create one and keep it while the driver runs: datagrams that arrived together stay in it between two calls. 512 kB.
pub struct ReceiveBuffer {
    bytes: Box<[u8]>,
    arrived: [Arrived; SLOTS],
    /// The slots from here to `filled` hold unprocessed datagrams.
    current: usize,
    filled: usize,
    /// The number of bytes of the current slot that were processed.
    offset: usize,
}

/// One message of the kernel: datagrams of `stride` bytes; the last one may be shorter.
#[derive(Clone, Copy)]
struct Arrived {
    meta: Option<Meta>,
    len: usize,
    stride: usize,
}

impl ReceiveBuffer {
    /// Returns an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            bytes: vec![0; SLOTS * SLOT_LEN].into_boxed_slice(),
            arrived: [Arrived { meta: None, len: 0, stride: 0 }; SLOTS],
            current: 0,
            filled: 0,
            offset: 0,
        }
    }

    /// Returns whether every datagram was processed.
    pub(crate) fn is_empty(&self) -> bool {
        self.current >= self.filled
    }

    /// Receives what `socket` has, without waiting. The buffer must be empty.
    pub(crate) fn fill(&mut self, socket: &Socket, stats: &mut DriverStats) -> io::Result<()> {
        let mut metas = [RecvMeta::default(); SLOTS];
        let mut chunks = self.bytes.chunks_mut(SLOT_LEN);
        let mut slots: [IoSliceMut<'_>; SLOTS] =
            std::array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
        let filled = socket.receive(&mut slots, &mut metas)?;
        (self.current, self.filled, self.offset) = (0, filled.min(SLOTS), 0);
        stats.receive_calls = stats.receive_calls.saturating_add(1);
        let clock = ArrivalClock::now();
        for (arrived, meta) in self.arrived.iter_mut().zip(&metas).take(filled) {
            let path = Path::udp(socket.base(meta), meta.addr);
            let known = Meta {
                path,
                ecn: socket::ecn(meta.ecn),
                received_at: meta.timestamp.and_then(|timestamp| clock.instant(timestamp)),
            };
            *arrived = Arrived { meta: Some(known), len: meta.len, stride: meta.stride.max(1) };
            stats.received.add(meta.len.div_ceil(arrived.stride), meta.len);
        }
        Ok(())
    }

    /// Returns the next unprocessed datagram: its metadata and its position.
    pub(crate) fn pop(&mut self) -> Option<(Meta, Range<usize>)> {
        while self.current < self.filled {
            let arrived = self.arrived.get(self.current)?;
            let start = self.offset;
            let end = arrived.len.min(start.saturating_add(arrived.stride));
            if start < end
                && let Some(meta) = arrived.meta
            {
                self.offset = end;
                let slot = self.current * SLOT_LEN;
                return Some((meta, slot + start..slot + end));
            }
            self.current += 1;
            self.offset = 0;
        }
        None
    }

    pub(crate) fn bytes_mut(&mut self, range: Range<usize>) -> &mut [u8] {
        self.bytes.get_mut(range).unwrap_or_default()
    }
}

impl Default for ReceiveBuffer {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for ReceiveBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Shows no bytes, because they are decrypted media.
        f.debug_struct("ReceiveBuffer").field("empty", &self.is_empty()).finish_non_exhaustive()
    }
}

/// Converts the kernel's calendar timestamps to instants.
struct ArrivalClock {
    now: Instant,
    calendar: SystemTime,
}

impl ArrivalClock {
    fn now() -> Self {
        Self { now: Instant::now(), calendar: SystemTime::now() }
    }

    /// Returns `None` if the two clocks contradict each other, as after a change of the calendar time.
    fn instant(&self, since_epoch: Duration) -> Option<Instant> {
        let age = self.calendar.duration_since(SystemTime::UNIX_EPOCH + since_epoch).ok()?;
        (age < CREDIBLE_AGE).then(|| self.now.checked_sub(age)).flatten()
    }
}

/// The number of messages that one system call fills.
const SLOTS: usize = 8;

/// The maximum message: an IPv4 packet of joined segments.
const SLOT_LEN: usize = 65_536;

/// A timestamp older than this is not credible, because the sockets are read continuously.
const CREDIBLE_AGE: Duration = Duration::from_secs(10);
