//! Datagrams that wait for `poll_transmit`, in one buffer that is used again and again.

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
    finished: u64,
}

impl Outbox {
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
        }
    }

    /// Drops what was written since the last datagram was finished.
    pub(crate) fn abandon_datagram(&mut self) {
        self.bytes.truncate(self.open);
    }

    pub(crate) fn poll(&mut self, buf: &mut Vec<u8>) -> Option<Transmit> {
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
