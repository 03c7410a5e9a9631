//! One fragmented ClientHello. It allocates for received bytes only, not for announced ones.

use crate::discard::Discard;
use crate::handshake::Fragment;

/// A legitimate client sends fewer fragments, even with datagrams of 256 bytes.
const MAX_RANGES: usize = 32;
/// The cost of a fragment in addition to its bytes.
const PIECE_COST: usize = 48;

/// The offset of a fragment, and its bytes.
type Piece = (usize, Vec<u8>);

/// The fragments of one message.
#[derive(Debug)]
pub(super) struct Assembly {
    sequence: u16,
    length: usize,
    /// The fragments never contradict each other; they may overlap.
    pieces: Vec<Piece>,
}

impl Assembly {
    pub(super) fn new(fragment: &Fragment<'_>) -> Self {
        let pieces = vec![(fragment.offset, fragment.body.to_vec())];
        Self { sequence: fragment.sequence, length: fragment.length, pieces }
    }

    /// Returns whether both have the message sequence number and length of the same message.
    pub(super) const fn is_like(&self, other: &Self) -> bool {
        self.sequence == other.sequence && self.length == other.length
    }

    pub(super) const fn sequence(&self) -> u16 {
        self.sequence
    }

    /// Adds a fragment of the same message.
    pub(super) fn add(&mut self, fragment: &Fragment<'_>) -> Result<(), Discard> {
        if (fragment.sequence, fragment.length) != (self.sequence, self.length) {
            return Err(Discard::UnexpectedMessage);
        }
        self.insert(fragment.offset, fragment.body)
    }

    /// Adds the fragments of another assembly, or nothing if they contradict.
    pub(super) fn join(&mut self, other: &Self) -> Result<(), Discard> {
        if !other.pieces.iter().all(|(offset, bytes)| self.agrees(*offset, bytes)) {
            return Err(Discard::ContradictingFragment);
        }
        other.pieces.iter().try_for_each(|(offset, bytes)| self.insert(*offset, bytes))
    }

    fn agrees(&self, offset: usize, bytes: &[u8]) -> bool {
        self.pieces.iter().all(|piece| agree(piece, offset, bytes))
    }

    fn insert(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Discard> {
        if !self.agrees(offset, bytes) {
            return Err(Discard::ContradictingFragment);
        }
        let end = offset + bytes.len();
        if self.pieces.iter().any(|(start, known)| *start <= offset && end <= start + known.len()) {
            return Ok(());
        }
        if self.pieces.len() >= MAX_RANGES {
            return Err(Discard::ReassemblyFull);
        }
        self.pieces.push((offset, bytes.to_vec()));
        Ok(())
    }

    /// Returns the bytes from the start without a gap.
    pub(super) fn beginning(&self) -> Vec<u8> {
        let mut beginning = Vec::new();
        while let Some(more) = self.pieces.iter().find_map(|(start, bytes)| {
            let known = beginning.len().checked_sub(*start)?;
            bytes.get(known..).filter(|more| !more.is_empty())
        }) {
            beginning.extend_from_slice(more);
        }
        beginning
    }

    /// Returns whether these bytes are the whole message.
    pub(super) fn is_whole(&self, beginning: &[u8]) -> bool {
        beginning.len() == self.length
    }

    /// Returns the approximate number of bytes in use.
    pub(super) fn cost(&self) -> usize {
        self.pieces.iter().map(|(_, bytes)| bytes.len() + PIECE_COST).sum()
    }
}

/// Returns whether a fragment equals these bytes where the two overlap.
fn agree((start, known): &Piece, offset: usize, bytes: &[u8]) -> bool {
    let from = offset.max(*start);
    let to = (offset + bytes.len()).min(start + known.len());
    from >= to || known.get(from - start..to - start) == bytes.get(from - offset..to - offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::HandshakeType;

    const MESSAGE: &[u8] = b"abcdefghij";

    fn fragment(range: std::ops::Range<usize>) -> Fragment<'static> {
        let kind = HandshakeType::CLIENT_HELLO;
        Fragment { kind, length: MESSAGE.len(), sequence: 1, offset: range.start, body: &MESSAGE[range] }
    }

    #[test]
    fn overlapping_fragments_give_the_message_in_any_order() {
        let cuts = [0..4, 2..7, 6..10, 5..5];
        for first in 0..4 {
            for step in [1, 3] {
                let mut order = (0..4).map(|index| fragment(cuts[(first + index * step) % 4].clone()));
                let mut assembly = Assembly::new(&order.next().unwrap());
                order.for_each(|fragment| assembly.add(&fragment).unwrap());
                let beginning = assembly.beginning();
                assert!(assembly.is_whole(&beginning), "{first} {step}");
                assert_eq!(beginning, MESSAGE);
            }
        }
    }

    #[test]
    fn gap_ends_the_known_start() {
        let mut assembly = Assembly::new(&fragment(6..10));
        assert_eq!(assembly.beginning(), b"");
        assembly.add(&fragment(0..3)).unwrap();
        assert_eq!(assembly.beginning(), b"abc");
        assert!(!assembly.is_whole(b"abc"));
    }

    #[test]
    fn contradiction_is_reported_and_duplicate_is_free() {
        let mut assembly = Assembly::new(&fragment(0..6));
        let before = assembly.cost();
        assert_eq!(assembly.add(&fragment(2..5)), Ok(()));
        assert_eq!(assembly.cost(), before);
        let forged = Fragment { body: b"zz", ..fragment(5..7) };
        assert_eq!(assembly.add(&forged), Err(Discard::ContradictingFragment));
        let longer = Fragment { length: 11, ..fragment(6..8) };
        assert_eq!(assembly.add(&longer), Err(Discard::UnexpectedMessage));
        assert_eq!(assembly.cost(), before);
    }

    #[test]
    fn announced_length_costs_nothing_and_fragments_count() {
        let tiny = |offset| Fragment { length: 8000, offset, body: b"x", ..fragment(0..0) };
        let mut assembly = Assembly::new(&tiny(7999));
        assert!(assembly.cost() < 100);
        let refused = (0..100).filter(|index| assembly.add(&tiny(index * 2)).is_err()).count();
        assert_eq!(refused, 100 - (MAX_RANGES - 1));
    }
}
