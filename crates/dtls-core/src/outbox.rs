//! Datagrams for `poll_transmit`, in one reused buffer.
//!
//! Applies the anti-amplification limit: until the peer's address is validated, at most three times as many bytes are
//! sent as were received (RFC 9147 section 5.1). Further datagrams are blocked until more bytes arrive.

use crate::transmit::Transmit;
use std::collections::VecDeque;

//= rfc9147-4-no-mix
/// A queue of finished datagrams, and one that is being written.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// The offset of the first queued datagram.
    head: usize,
    /// The offset of the datagram that is being written.
    open: usize,
    lengths: VecDeque<usize>,
    /// The number of datagrams that may be sent, the oldest first.
    ready: usize,
    allowance: Allowance,
    finished: u64,
}

/// The number of bytes that may be sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Allowance {
    #[default]
    Everything,
    /// This many more bytes.
    Bytes(usize),
}

/// The size of an ACK record for two records.
const ROOM_FOR_ACK: usize = 64;
/// The factor of the anti-amplification limit (RFC 9147 section 5.1).
const AMPLIFICATION: usize = 3;

impl Outbox {
    /// Returns a queue with room for a datagram, in one allocation.
    pub(crate) fn with_room(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len), ..Self::default() }
    }

    /// Frees the room that a handshake needed, except for an ACK.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to(ROOM_FOR_ACK);
    }

    /// Starts the anti-amplification limit: nothing is sent before a byte arrives.
    pub(crate) const fn start_limit(&mut self) {
        self.allowance = Allowance::Bytes(0);
    }

    /// Raises the limit by the bytes that arrived.
    pub(crate) const fn on_bytes_received(&mut self, received: usize) {
        if let Allowance::Bytes(left) = &mut self.allowance {
            *left = left.saturating_add(received.saturating_mul(AMPLIFICATION));
        }
    }

    /// Ends the limit. Returns whether datagrams were blocked.
    pub(crate) fn set_address_validated(&mut self) -> bool {
        self.allowance = Allowance::Everything;
        self.unblock()
    }

    /// Returns whether datagrams are blocked.
    pub(crate) fn is_blocked(&self) -> bool {
        self.ready < self.lengths.len()
    }

    /// Drops the blocked datagrams.
    pub(crate) fn drop_blocked(&mut self) {
        let kept = self.lengths.iter().take(self.ready).sum::<usize>() + self.head;
        self.bytes.drain(kept..self.open);
        self.open = kept;
        self.lengths.truncate(self.ready);
    }

    /// Unblocks the blocked datagrams if the limit allows all of them. Returns whether there were any.
    ///
    /// All or none: a peer without any part of a flight retransmits its own, which raises the limit. A peer with the
    /// first half waits for the second (RFC 9147 section 7.1), and both sides would wait without end.
    pub(crate) fn unblock(&mut self) -> bool {
        if !self.is_blocked() {
            return false;
        }
        if let Allowance::Bytes(left) = &mut self.allowance {
            let waiting = self.lengths.iter().skip(self.ready).sum();
            let Some(rest) = left.checked_sub(waiting) else { return false };
            *left = rest;
        }
        self.ready = self.lengths.len();
        true
    }

    /// Returns the datagram that is being written; only append to it.
    pub(crate) const fn datagram(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Returns the length of the datagram that is being written.
    pub(crate) const fn open_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.open)
    }

    /// Queues the datagram that is being written, if there is one.
    pub(crate) fn finish_datagram(&mut self) {
        if self.open_len() > 0 {
            self.lengths.push_back(self.open_len());
            self.open = self.bytes.len();
            self.finished += 1;
            if self.allowance == Allowance::Everything {
                self.ready = self.lengths.len();
            }
        }
    }

    /// Drops everything after the last finished datagram.
    pub(crate) fn abandon_datagram(&mut self) {
        self.bytes.truncate(self.open);
    }

    pub(crate) fn poll(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.ready = self.ready.checked_sub(1)?;
        let len = self.lengths.pop_front()?;
        buf.extend_from_slice(self.bytes.get(self.head..)?.get(..len)?);
        self.head += len;
        // Each move is at most as long as the fetched data, which keeps the cost per datagram constant.
        if self.head >= self.bytes.len() / 2 {
            self.bytes.drain(..self.head);
            self.open -= self.head;
            self.head = 0;
        }
        Some(Transmit { len })
    }

    /// Returns the number of queued bytes.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.len().saturating_sub(self.head)
    }

    /// Returns the number of datagrams finished so far.
    pub(crate) const fn finished(&self) -> u64 {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_queue_does_not_grow() {
        let mut outbox = Outbox::default();
        let mut buf = Vec::new();
        for round in 0..1000_u16 {
            outbox.datagram().extend_from_slice(&[round.to_be_bytes(); 50].concat());
            outbox.finish_datagram();
            if round > 0 {
                buf.clear();
                assert_eq!(outbox.poll(&mut buf).map(|transmit| transmit.len), Some(100));
                assert_eq!(buf, [(round - 1).to_be_bytes(); 50].concat());
            }
            assert!(outbox.bytes.len() <= 400 && outbox.held() <= 200);
        }
    }

    fn lengths(outbox: &mut Outbox) -> Vec<usize> {
        let mut buf = Vec::new();
        std::iter::from_fn(|| outbox.poll(&mut buf).map(|transmit| transmit.len)).collect()
    }

    fn write(outbox: &mut Outbox, len: usize) {
        outbox.datagram().extend(vec![7; len]);
        outbox.finish_datagram();
    }

    #[test]
    fn anti_amplification_limit_is_exact() {
        let mut outbox = Outbox::default();
        outbox.start_limit();
        write(&mut outbox, 1);
        assert_eq!((outbox.unblock(), lengths(&mut outbox)), (false, vec![]));
        outbox.on_bytes_received(33);
        write(&mut outbox, 98);
        assert_eq!((outbox.unblock(), lengths(&mut outbox)), (true, vec![1, 98]));
        outbox.on_bytes_received(1);
        write(&mut outbox, 1);
        write(&mut outbox, 3);
        // All or none.
        assert_eq!((outbox.unblock(), lengths(&mut outbox)), (false, vec![]));
        assert!(outbox.is_blocked());
        outbox.on_bytes_received(1);
        assert_eq!((outbox.unblock(), lengths(&mut outbox)), (true, vec![1, 3]));
        write(&mut outbox, 5000);
        outbox.set_address_validated();
        write(&mut outbox, 5000);
        assert_eq!(lengths(&mut outbox), [5000, 5000]);
        assert_eq!((outbox.is_blocked(), outbox.unblock()), (false, false));
    }

    #[test]
    fn blocked_datagrams_can_be_dropped() {
        let mut outbox = Outbox::default();
        outbox.start_limit();
        outbox.on_bytes_received(4);
        for (byte, len) in [(1, 5), (2, 5), (3, 90), (4, 7)] {
            outbox.datagram().extend(vec![byte; len]);
            outbox.finish_datagram();
            assert_eq!(outbox.unblock(), byte < 3);
        }
        outbox.datagram().extend([5; 3]);
        outbox.drop_blocked();
        outbox.finish_datagram();
        let mut buf = Vec::new();
        while outbox.poll(&mut buf).is_some() {}
        assert_eq!(buf, [[1; 5], [2; 5]].concat());
        outbox.set_address_validated();
        while outbox.poll(&mut buf).is_some() {}
        assert_eq!(buf, [&[1; 5][..], &[2; 5], &[5; 3]].concat());
    }

    #[test]
    fn datagrams_are_appended_one_by_one() {
        let mut outbox = Outbox::default();
        outbox.finish_datagram();
        for text in [&b"one"[..], b"three"] {
            outbox.datagram().extend_from_slice(text);
            outbox.finish_datagram();
        }
        outbox.datagram().extend_from_slice(b"half");
        outbox.abandon_datagram();
        let mut buf = b"0".to_vec();
        assert_eq!(outbox.poll(&mut buf).map(|transmit| transmit.len), Some(3));
        assert_eq!(outbox.poll(&mut buf).map(|transmit| transmit.len), Some(5));
        assert_eq!(outbox.poll(&mut buf), None);
        assert_eq!(buf, b"0onethree");
        assert_eq!((outbox.held(), outbox.finished()), (0, 2));
    }
}
