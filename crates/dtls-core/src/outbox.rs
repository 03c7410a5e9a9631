//! Datagrams that wait for `poll_transmit`, in one buffer that is used again and again.
//!
//! As long as nobody knows that the peer receives what is sent to its address, at most three times as many bytes leave
//! as have arrived (RFC 9147 section 5.1). The rest waits for more to arrive.

use crate::transmit::Transmit;
use std::collections::VecDeque;

//= rfc9147-4-no-mix
/// A queue of finished datagrams, and one that is being written.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Where the first waiting datagram begins.
    head: usize,
    /// Where the datagram being written begins.
    open: usize,
    lengths: VecDeque<usize>,
    /// How many of them may leave, the oldest first.
    ready: usize,
    allowance: Allowance,
    finished: u64,
}

/// How much may leave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Allowance {
    #[default]
    Everything,
    /// So many bytes more.
    Bytes(usize),
}

/// A record that acknowledges two others.
const ROOM_FOR_ACK: usize = 64;
/// RFC 9147 section 5.1.
const AMPLIFICATION: usize = 3;

impl Outbox {
    /// Room for a datagram, taken at once.
    pub(crate) fn with_room(len: usize) -> Self {
        Self { bytes: Vec::with_capacity(len), ..Self::default() }
    }

    /// Gives back what the flights of a handshake needed, but for room for an acknowledgement.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to(ROOM_FOR_ACK);
    }

    /// Nothing leaves before something has arrived.
    pub(crate) const fn limit(&mut self) {
        self.allowance = Allowance::Bytes(0);
    }

    /// So many bytes have arrived.
    pub(crate) const fn credit(&mut self, received: usize) {
        if let Allowance::Bytes(left) = &mut self.allowance {
            *left = left.saturating_add(received.saturating_mul(AMPLIFICATION));
        }
    }

    /// Everything may leave. Whether something waited for that.
    pub(crate) fn lift(&mut self) -> bool {
        self.allowance = Allowance::Everything;
        self.release()
    }

    /// Whether something waits for more to arrive.
    pub(crate) fn is_withholding(&self) -> bool {
        self.ready < self.lengths.len()
    }

    /// Forgets what waits for more to arrive.
    pub(crate) fn forget_withheld(&mut self) {
        let kept = self.lengths.iter().take(self.ready).sum::<usize>() + self.head;
        self.bytes.drain(kept..self.open);
        self.open = kept;
        self.lengths.truncate(self.ready);
    }

    /// Lets go what waits if all of it may leave. Whether there was something.
    ///
    /// A peer that has nothing of a flight repeats its own and so makes room; one that has the first half waits for the
    /// second (RFC 9147 section 7.1), and both sides would wait for ever.
    pub(crate) fn release(&mut self) -> bool {
        if !self.is_withholding() {
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

    /// The datagram being written; only to be appended to.
    pub(crate) const fn datagram(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes in the datagram being written.
    pub(crate) const fn open_len(&self) -> usize {
        self.bytes.len().saturating_sub(self.open)
    }

    /// Queues the datagram being written, where there is one.
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

    /// Drops what was written since the last datagram was finished.
    pub(crate) fn abandon_datagram(&mut self) {
        self.bytes.truncate(self.open);
    }

    pub(crate) fn poll(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
        self.ready = self.ready.checked_sub(1)?;
        let len = self.lengths.pop_front()?;
        buf.extend_from_slice(self.bytes.get(self.head..)?.get(..len)?);
        self.head += len;
        // Moving at most as much as was fetched keeps the cost per datagram constant.
        if self.head >= self.bytes.len() / 2 {
            self.bytes.drain(..self.head);
            self.open -= self.head;
            self.head = 0;
        }
        Some(Transmit { len })
    }

    /// Bytes that wait to be fetched.
    pub(crate) const fn held(&self) -> usize {
        self.bytes.len().saturating_sub(self.head)
    }

    /// Datagrams finished so far.
    pub(crate) const fn finished(&self) -> u64 {
        self.finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_is_never_empty_does_not_grow() {
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
    fn three_times_what_arrived_leaves_and_not_a_byte_more() {
        let mut outbox = Outbox::default();
        outbox.limit();
        write(&mut outbox, 1);
        assert_eq!((outbox.release(), lengths(&mut outbox)), (false, vec![]));
        outbox.credit(33);
        write(&mut outbox, 98);
        assert_eq!((outbox.release(), lengths(&mut outbox)), (true, vec![1, 98]));
        outbox.credit(1);
        write(&mut outbox, 1);
        write(&mut outbox, 3);
        // All or nothing.
        assert_eq!((outbox.release(), lengths(&mut outbox)), (false, vec![]));
        assert!(outbox.is_withholding());
        outbox.credit(1);
        assert_eq!((outbox.release(), lengths(&mut outbox)), (true, vec![1, 3]));
        write(&mut outbox, 5000);
        outbox.lift();
        write(&mut outbox, 5000);
        assert_eq!(lengths(&mut outbox), [5000, 5000]);
        assert_eq!((outbox.is_withholding(), outbox.release()), (false, false));
    }

    #[test]
    fn what_waits_can_be_forgotten_and_the_rest_comes_out_unharmed() {
        let mut outbox = Outbox::default();
        outbox.limit();
        outbox.credit(4);
        for (byte, len) in [(1, 5), (2, 5), (3, 90), (4, 7)] {
            outbox.datagram().extend(vec![byte; len]);
            outbox.finish_datagram();
            assert_eq!(outbox.release(), byte < 3);
        }
        outbox.datagram().extend([5; 3]);
        outbox.forget_withheld();
        outbox.finish_datagram();
        let mut buf = Vec::new();
        while outbox.poll(&mut buf).is_some() {}
        assert_eq!(buf, [[1; 5], [2; 5]].concat());
        outbox.lift();
        while outbox.poll(&mut buf).is_some() {}
        assert_eq!(buf, [&[1; 5][..], &[2; 5], &[5; 3]].concat());
    }

    #[test]
    fn datagrams_come_out_one_by_one_behind_what_the_caller_has() {
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
