//! The send queue of one socket.
//!
//! Datagrams for one destination that are queued during one batch of input are joined, so that one system call sends
//! them (generic segmentation offload). Datagrams for a blocked socket wait, up to a limit. The order is kept within a
//! destination. Does not know peers.

use std::collections::{HashMap, VecDeque};
use std::io;

use crate::socket::{Destination, Socket};
use crate::stats::DriverStats;

/// The queue of one socket.
#[derive(Debug)]
pub(crate) struct Egress {
    batches: VecDeque<Batch>,
    /// The number of the front batch. Batches are numbered in the order in which they were opened.
    front: u64,
    /// The batch of each destination that still accepts datagrams.
    open: HashMap<Destination, u64>,
    /// Emptied buffers for reuse.
    spare: Vec<Vec<u8>>,
    /// The number of queued bytes.
    waiting: usize,
    limit: usize,
}

/// The queue is full; the datagram was not queued.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Datagrams of `segment` bytes for one destination; the last one may be shorter.
#[derive(Debug)]
struct Batch {
    to: Destination,
    segment: usize,
    bytes: Vec<u8>,
    /// The number of bytes that were sent.
    sent: usize,
    mode: Mode,
}

/// The way of sending a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// The whole batch in one system call.
    Whole,
    /// The system refused the batch; each datagram is sent, and may fail, alone.
    OneByOne,
}

impl Egress {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            batches: VecDeque::new(),
            front: 0,
            open: HashMap::new(),
            spare: Vec::new(),
            waiting: 0,
            limit,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Queues one datagram, or several of `segment` bytes. `max_segments` is the limit of one system call.
    pub(crate) fn push(
        &mut self,
        to: Destination,
        bytes: &[u8],
        segment: Option<usize>,
        max_segments: usize,
    ) -> Result<(), Full> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.waiting.saturating_add(bytes.len()) > self.limit {
            return Err(Full);
        }
        self.waiting += bytes.len();
        match segment.filter(|segment| *segment > 0 && *segment < bytes.len()) {
            Some(segment) => {
                self.open_batch(to, segment, bytes);
                self.open.remove(&to);
            }
            None => self.push_one(to, bytes, max_segments),
        }
        Ok(())
    }

    /// Sends until the queue is empty or the socket blocks.
    pub(crate) fn flush(&mut self, socket: &Socket, stats: &mut DriverStats) {
        self.flush_with(stats, |to, bytes, segment| socket.send(to, bytes, segment));
    }

    fn push_one(&mut self, to: Destination, datagram: &[u8], max_segments: usize) {
        let open = self.open.get(&to).copied();
        let room = open.and_then(|number| self.batch_mut(number)).filter(|batch| {
            datagram.len() <= batch.segment
                && batch.mode == Mode::Whole
                && batch.bytes.len() / batch.segment < max_segments
                && batch.bytes.len() + datagram.len() <= MAX_BATCH
        });
        let Some(batch) = room else {
            self.open_batch(to, datagram.len(), datagram);
            return;
        };
        batch.bytes.extend_from_slice(datagram);
        if datagram.len() < batch.segment {
            // Only the last segment may be shorter than the others.
            self.open.remove(&to);
        }
    }

    fn open_batch(&mut self, to: Destination, segment: usize, bytes: &[u8]) {
        let mut buffer = self.spare.pop().unwrap_or_default();
        buffer.extend_from_slice(bytes);
        let number = self.front + u64::try_from(self.batches.len()).unwrap_or(u64::MAX);
        self.batches.push_back(Batch { to, segment, bytes: buffer, sent: 0, mode: Mode::Whole });
        self.open.insert(to, number);
    }

    fn batch_mut(&mut self, number: u64) -> Option<&mut Batch> {
        let index = usize::try_from(number.checked_sub(self.front)?).ok()?;
        self.batches.get_mut(index)
    }

    fn flush_with(
        &mut self,
        stats: &mut DriverStats,
        mut send: impl FnMut(&Destination, &[u8], Option<usize>) -> io::Result<()>,
    ) {
        while let Some(batch) = self.batches.front_mut() {
            let rest = batch.bytes.get(batch.sent..).unwrap_or_default();
            let (chunk, segment) = match batch.mode {
                Mode::Whole if rest.len() > batch.segment => (rest, Some(batch.segment)),
                _ => (rest.get(..batch.segment).unwrap_or(rest), None),
            };
            match send(&batch.to, chunk, segment) {
                Ok(()) => {
                    stats.sent.add(chunk.len().div_ceil(batch.segment), chunk.len());
                    stats.send_calls = stats.send_calls.saturating_add(1);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    stats.would_block = stats.would_block.saturating_add(1);
                    return;
                }
                Err(error) if segment.is_some() => {
                    // The interface has no offload, or one datagram is too large for it. Sending the datagrams one by
                    // one shows which one fails.
                    tracing::debug!(%error, "a batch was refused and is sent datagram by datagram");
                    batch.mode = Mode::OneByOne;
                    continue;
                }
                Err(error) => {
                    tracing::debug!(%error, remote = %batch.to.remote, len = chunk.len(), "not sent");
                    stats.count_send_error(&error);
                }
            }
            batch.sent += chunk.len();
            self.waiting = self.waiting.saturating_sub(chunk.len());
            if batch.sent >= batch.bytes.len() {
                self.pop_front();
            }
        }
    }

    fn pop_front(&mut self) {
        let Some(mut batch) = self.batches.pop_front() else { return };
        if self.open.get(&batch.to) == Some(&self.front) {
            self.open.remove(&batch.to);
        }
        self.front += 1;
        if self.spare.len() < MAX_SPARE {
            batch.bytes.clear();
            self.spare.push(batch.bytes);
        }
    }
}

/// The maximum size of one call on Linux: an IPv4 packet without its headers.
const MAX_BATCH: usize = 65_507;

/// A small fan-out uses about this many buffers at once. More would keep 64 kB each.
const MAX_SPARE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use peer_transport::Ecn;

    fn to(port: u16) -> Destination {
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        Destination { local: address(1), remote: address(port), ecn: Ecn::NotEct }
    }

    /// Flushes and returns the sent datagrams: port, length, segment size.
    fn flush(egress: &mut Egress) -> Vec<(u16, usize, Option<usize>)> {
        let mut sent = Vec::new();
        egress.flush_with(&mut DriverStats::default(), |to, bytes, segment| {
            sent.push((to.remote.port(), bytes.len(), segment));
            Ok(())
        });
        sent
    }

    #[test]
    fn equal_sizes_for_one_destination_are_sent_together() {
        let mut egress = Egress::new(1 << 20);
        for port in [5, 6, 5, 6, 5] {
            egress.push(to(port), &[0; 1200], None, 64).unwrap();
        }
        assert_eq!(flush(&mut egress), [(5, 3600, Some(1200)), (6, 2400, Some(1200))]);
        assert!(egress.is_empty());
    }

    #[test]
    fn shorter_datagram_ends_a_batch() {
        let mut egress = Egress::new(1 << 20);
        for len in [1000, 1000, 300, 1000, 1100] {
            egress.push(to(5), &vec![0; len], None, 64).unwrap();
        }
        assert_eq!(flush(&mut egress), [(5, 2300, Some(1000)), (5, 1000, None), (5, 1100, None)]);
    }

    #[test]
    fn batch_respects_the_limits_of_the_system() {
        let mut egress = Egress::new(1 << 20);
        for _ in 0..5 {
            egress.push(to(5), &[0; 100], None, 2).unwrap();
        }
        assert_eq!(flush(&mut egress), [(5, 200, Some(100)), (5, 200, Some(100)), (5, 100, None)]);
        for _ in 0..3 {
            egress.push(to(5), &vec![0; 30_000], None, 64).unwrap();
        }
        assert_eq!(flush(&mut egress), [(5, 60_000, Some(30_000)), (5, 30_000, None)]);
    }

    #[test]
    fn blocked_datagrams_wait_in_order_up_to_the_limit() {
        let mut egress = Egress::new(250);
        let mut stats = DriverStats::default();
        egress.push(to(5), &[1; 100], None, 64).unwrap();
        egress.flush_with(&mut stats, |_, _, _| Err(io::ErrorKind::WouldBlock.into()));
        egress.push(to(5), &[2; 100], None, 64).unwrap();
        assert_eq!(egress.push(to(5), &[3; 100], None, 64), Err(Full));
        let mut sent = Vec::new();
        egress.flush_with(&mut stats, |_, bytes, _| {
            sent.extend_from_slice(bytes);
            Ok(())
        });
        assert_eq!(sent, [[1; 100], [2; 100]].concat());
        assert_eq!((stats.would_block, stats.sent.datagrams), (1, 2));
        assert_eq!(egress.push(to(5), &[3; 100], None, 64), Ok(()), "there is room again");
    }

    #[test]
    fn refused_batch_is_sent_one_by_one() {
        let mut egress = Egress::new(1 << 20);
        let mut stats = DriverStats::default();
        for byte in 1..=3 {
            egress.push(to(5), &[byte; 100], None, 64).unwrap();
        }
        let mut arrived = Vec::new();
        egress.flush_with(&mut stats, |_, bytes, segment| match (segment, bytes[0]) {
            (Some(_), _) => Err(io::Error::other("no offload here")),
            (None, 2) => Err(io::ErrorKind::ConnectionRefused.into()),
            (None, byte) => {
                arrived.push(byte);
                Ok(())
            }
        });
        assert_eq!(arrived, [1, 3]);
        assert_eq!((stats.sent.datagrams, stats.unreachable), (2, 1));
        assert!(egress.is_empty());
    }

    #[test]
    fn block_during_one_by_one_loses_no_datagram() {
        let mut egress = Egress::new(1 << 20);
        let mut stats = DriverStats::default();
        for byte in 1..=3 {
            egress.push(to(5), &[byte; 100], None, 64).unwrap();
        }
        let mut arrived = Vec::new();
        let mut blocks = 1;
        let mut send = |_: &Destination, bytes: &[u8], segment: Option<usize>| match (segment, bytes[0]) {
            (Some(_), _) => Err(io::Error::other("no offload here")),
            (None, 2) if blocks > 0 => {
                blocks -= 1;
                Err(io::ErrorKind::WouldBlock.into())
            }
            (None, byte) => {
                arrived.push(byte);
                Ok(())
            }
        };
        egress.flush_with(&mut stats, &mut send);
        egress.push(to(5), &[4; 100], None, 64).unwrap();
        egress.flush_with(&mut stats, &mut send);
        assert_eq!(arrived, [1, 2, 3, 4]);
    }

    #[test]
    fn already_joined_batch_is_not_changed() {
        let mut egress = Egress::new(1 << 20);
        egress.push(to(5), &[0; 2500], Some(1000), 64).unwrap();
        egress.push(to(5), &[0; 900], None, 64).unwrap();
        assert_eq!(flush(&mut egress), [(5, 2500, Some(1000)), (5, 900, None)]);
    }
}
