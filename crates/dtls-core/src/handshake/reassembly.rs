//! Reassembly of handshake messages from fragments, in order and within limits (RFC 6347 section 4.2.3).
//!
//! Plaintext fragments may be forged. Of two contradicting fragments the later one therefore wins, so that a forged
//! fragment delays a message until it is retransmitted and never blocks it. If space runs out, the nearer message
//! displaces the farther one.
//!
//! Protected fragments may have been acknowledged (RFC 9147 section 7), so no fragment displaces them; they leave room
//! for the nearer message instead.

use crate::config::Limits;
use crate::discard::Discard;
use crate::handshake::ranges::{RangeSet, touch};
use crate::handshake::{Fragment, HandshakeType, Message};
use std::collections::BTreeMap;

/// The number of messages that are kept from the next one on. No flight of DTLS 1.2 or 1.3 has more messages.
const WINDOW: u16 = 8;
/// The maximum number of ranges of an incomplete message: a legitimate peer sends fragments in order.
const MAX_RANGES: usize = 64;

/// An incomplete or early message.
struct Partial {
    kind: HandshakeType,
    protected: bool,
    body: Vec<u8>,
    /// The received ranges.
    pieces: RangeSet,
}

/// A reassembled message.
pub(crate) struct Assembled {
    kind: HandshakeType,
    sequence: u16,
    protected: bool,
    body: Vec<u8>,
}

impl Assembled {
    pub(crate) fn message(&self) -> Message<'_> {
        let Self { kind, sequence, protected, .. } = *self;
        Message { kind, sequence, body: &self.body, protected }
    }

    pub(crate) fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// The fragments of incomplete messages.
#[derive(Default)]
pub(crate) struct Reassembly {
    next: u16,
    partials: BTreeMap<u16, Partial>,
}

impl Reassembly {
    /// For a handshake whose messages before this sequence number the gate has handled.
    pub(crate) fn continued(next: u16) -> Self {
        Self { next, ..Self::default() }
    }

    /// Returns the sequence number of the next message.
    pub(crate) const fn next(&self) -> u16 {
        self.next
    }

    /// Advances after the next message was handled.
    pub(crate) fn advance(&mut self) {
        self.partials.remove(&self.next);
        self.next = self.next.saturating_add(1);
    }

    /// Drops plaintext fragments, because from now on all messages are protected.
    pub(crate) fn forget_plaintext(&mut self) {
        self.partials.retain(|_, partial| partial.protected);
    }

    /// Returns whether a fragment of a later message has arrived before the next message, or a fragment of the next
    /// message behind a gap (RFC 9147 section 7.1).
    pub(crate) fn is_disrupted(&self) -> bool {
        let has_later = self.partials.last_key_value().is_some_and(|(sequence, _)| *sequence > self.next);
        has_later || self.partials.get(&self.next).is_some_and(|partial| partial.pieces.has_gap())
    }

    /// Keeps a fragment that is not below [`Self::next`].
    pub(crate) fn insert(
        &mut self,
        fragment: &Fragment<'_>,
        protected: bool,
        limits: &Limits,
    ) -> Result<(), Discard> {
        let sequence = fragment.sequence;
        if sequence >= self.next.saturating_add(WINDOW) {
            return Err(Discard::UnexpectedMessage);
        }
        if fragment.length > limits.handshake_message {
            return Err(Discard::ReassemblyFull);
        }
        let known = self.partials.get_mut(&sequence);
        match known.map(|partial| partial.add(fragment, protected)) {
            Some(true) => return Ok(()),
            Some(false) => {
                self.partials.remove(&sequence);
                self.make_room(fragment, limits)?;
                self.partials.insert(sequence, Partial::new(fragment, protected));
                return Err(Discard::ContradictingFragment);
            }
            None => {}
        }
        if protected
            && sequence > self.next
            && self.held() + fragment.length + limits.handshake_message > limits.reassembly
        {
            return Err(Discard::ReassemblyFull);
        }
        self.make_room(fragment, limits)?;
        self.partials.insert(sequence, Partial::new(fragment, protected));
        Ok(())
    }

    /// Takes the next message, if it is complete. The caller calls [`Self::advance`] if it was accepted.
    pub(crate) fn take_complete(&mut self) -> Option<Assembled> {
        let sequence = self.next;
        self.partials.get(&sequence).filter(|partial| partial.is_complete())?;
        let Partial { kind, protected, body, .. } = self.partials.remove(&sequence)?;
        Some(Assembled { kind, sequence, protected, body })
    }

    fn make_room(&mut self, fragment: &Fragment<'_>, limits: &Limits) -> Result<(), Discard> {
        while self.held() + fragment.length > limits.reassembly {
            let is_farther =
                |(sequence, partial): &(&u16, &Partial)| **sequence > fragment.sequence && !partial.protected;
            let farthest = self.partials.iter().rev().find(is_farther).map(|(sequence, _)| *sequence);
            self.partials.remove(&farthest.ok_or(Discard::ReassemblyFull)?);
        }
        Ok(())
    }

    /// Returns whether there is an authenticated fragment of a later message.
    pub(crate) fn holds_protected(&self) -> bool {
        self.partials.values().any(|partial| partial.protected)
    }

    fn held(&self) -> usize {
        self.partials.values().map(|partial| partial.body.len()).sum()
    }
}

impl Partial {
    fn new(fragment: &Fragment<'_>, protected: bool) -> Self {
        let body = vec![0; fragment.length];
        let mut partial = Self { kind: fragment.kind, protected, body, pieces: RangeSet::None };
        partial.add(fragment, protected);
        partial
    }

    /// Returns `false` if the fragment contradicts earlier fragments of the message.
    fn add(&mut self, fragment: &Fragment<'_>, protected: bool) -> bool {
        let range = fragment.offset..fragment.offset + fragment.body.len();
        if fragment.kind != self.kind || fragment.length != self.body.len() || protected != self.protected {
            return false;
        }
        let pieces = self.pieces.as_slice();
        let agrees = pieces.iter().all(|piece| {
            let overlap = piece.start.max(range.start)..piece.end.min(range.end);
            let ours = self.body.get(overlap.clone()).unwrap_or_default();
            let shifted = overlap.start.saturating_sub(range.start)..overlap.end.saturating_sub(range.start);
            overlap.is_empty() || fragment.body.get(shifted) == Some(ours)
        });
        if !agrees || (pieces.len() >= MAX_RANGES && !pieces.iter().any(|piece| touch(piece, &range))) {
            return false;
        }
        if let Some(slot) = self.body.get_mut(range.clone()) {
            slot.copy_from_slice(fragment.body);
        }
        self.pieces.add(range);
        true
    }

    fn is_complete(&self) -> bool {
        self.pieces.is_complete(self.body.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { handshake_message: 100, reassembly: 150, early_records: 0, received_data: 0, outgoing: 0 };

    fn fragment(sequence: u16, length: usize, offset: usize, body: &[u8]) -> Fragment<'_> {
        Fragment { kind: HandshakeType::CERTIFICATE, length, sequence, offset, body }
    }

    fn taken(reassembly: &mut Reassembly) -> Option<Vec<u8>> {
        reassembly.take_complete().map(|assembled| assembled.message().body.to_vec())
    }

    //= rfc9147-5.5-processed
    //= rfc9147-5.5-overlap-handled
    //= rfc6347-4.2.3-overlaps
    //= rfc6347-4.2.3-buffered
    #[test]
    fn every_order_of_overlapping_fragments_gives_the_message() {
        let message = b"abcdefghij";
        let cuts = [0..4, 2..7, 6..10, 5..5];
        for first in 0..4 {
            for step in [1, 3] {
                let mut reassembly = Reassembly::default();
                for index in 0..4 {
                    let range = cuts[(first + index * step) % 4].clone();
                    let piece = fragment(0, 10, range.start, &message[range]);
                    assert_eq!(reassembly.insert(&piece, false, &LIMITS), Ok(()));
                }
                assert_eq!(taken(&mut reassembly), Some(message.to_vec()), "{first} {step}");
            }
        }
    }

    #[test]
    fn messages_are_delivered_in_order() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(&fragment(1, 1, 0, b"b"), false, &LIMITS).unwrap();
        assert_eq!(taken(&mut reassembly), None);
        reassembly.insert(&fragment(0, 1, 0, b"a"), false, &LIMITS).unwrap();
        assert_eq!(taken(&mut reassembly), Some(b"a".to_vec()));
        reassembly.advance();
        assert_eq!(taken(&mut reassembly), Some(b"b".to_vec()));
    }

    //= rfc9147-7.1-gap
    #[test]
    fn gap_between_or_within_messages_is_detected() {
        let whole = b"abcdef";
        let disrupted = |cuts: &[(u16, std::ops::Range<usize>)]| {
            let mut reassembly = Reassembly::default();
            for (sequence, cut) in cuts {
                let piece = fragment(*sequence, 6, cut.start, &whole[cut.clone()]);
                reassembly.insert(&piece, true, &LIMITS).unwrap();
            }
            reassembly.is_disrupted()
        };
        assert!(!disrupted(&[]) && !disrupted(&[(0, 0..2)]) && !disrupted(&[(0, 0..2), (0, 2..4)]));
        assert!(disrupted(&[(1, 0..6)]) && disrupted(&[(0, 0..2), (1, 0..2)]));
        assert!(disrupted(&[(0, 2..4)]) && disrupted(&[(0, 0..2), (0, 4..6)]));
        assert!(!disrupted(&[(0, 0..2), (0, 4..6), (0, 2..4)]), "the gap is closed");
    }

    #[test]
    fn empty_message_is_complete_at_once() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(&fragment(0, 0, 0, b""), false, &LIMITS).unwrap();
        assert_eq!(taken(&mut reassembly), Some(Vec::new()));
    }

    #[test]
    fn later_of_two_contradicting_fragments_wins() {
        let contradicting = Err(Discard::ContradictingFragment);
        let mut reassembly = Reassembly::default();
        // A forged length first, then forged bytes; the legitimate message is retransmitted and completes.
        reassembly.insert(&fragment(0, 9, 0, b"xx"), false, &LIMITS).unwrap();
        assert_eq!(reassembly.insert(&fragment(0, 4, 0, b"ab"), false, &LIMITS), contradicting);
        assert_eq!(reassembly.insert(&fragment(0, 4, 1, b"xx"), false, &LIMITS), contradicting);
        assert_eq!(reassembly.insert(&fragment(0, 4, 0, b"ab"), false, &LIMITS), contradicting);
        assert_eq!(reassembly.insert(&fragment(0, 4, 2, b"cd"), false, &LIMITS), Ok(()));
        assert_eq!(taken(&mut reassembly), Some(b"abcd".to_vec()));
    }

    #[test]
    fn plaintext_and_protected_fragments_never_mix() {
        let mut reassembly = Reassembly::default();
        reassembly.insert(&fragment(0, 2, 0, b"a"), false, &LIMITS).unwrap();
        let second = fragment(0, 2, 1, b"b");
        assert_eq!(reassembly.insert(&second, true, &LIMITS), Err(Discard::ContradictingFragment));
        assert_eq!(taken(&mut reassembly), None);
    }

    #[test]
    fn nearer_message_displaces_the_farther_one() {
        let full = Err(Discard::ReassemblyFull);
        let mut reassembly = Reassembly::default();
        assert_eq!(reassembly.insert(&fragment(0, 101, 0, b"a"), false, &LIMITS), full);
        reassembly.insert(&fragment(3, 100, 0, b"d"), false, &LIMITS).unwrap();
        assert_eq!(reassembly.insert(&fragment(4, 100, 0, b"e"), false, &LIMITS), full);
        reassembly.insert(&fragment(0, 100, 0, b"a"), false, &LIMITS).unwrap();
        assert!(reassembly.held() <= LIMITS.reassembly);
        assert_eq!(
            reassembly.insert(&fragment(8, 1, 0, b"z"), false, &LIMITS),
            Err(Discard::UnexpectedMessage)
        );
    }

    #[test]
    fn number_of_ranges_is_bounded() {
        let limits = Limits { handshake_message: 1000, reassembly: 1000, ..LIMITS };
        let mut reassembly = Reassembly::default();
        for index in 0..500 {
            let _ = reassembly.insert(&fragment(0, 1000, index * 2, b"x"), false, &limits);
            assert!(reassembly.partials[&0].pieces.as_slice().len() <= MAX_RANGES);
        }
    }
}
