//! Which pieces of a message are there: on the way in, those that arrived, on the way out, those that the peer has.
//!
//! Knows ranges of bytes, and nothing of what is in them.

use std::mem;
use std::ops::Range;

/// Pieces in order that neither overlap nor touch. Most messages come whole, which takes no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Pieces {
    #[default]
    None,
    One(Range<usize>),
    Several(Vec<Range<usize>>),
}

impl Pieces {
    pub(super) const fn as_slice(&self) -> &[Range<usize>] {
        match self {
            Self::None => &[],
            Self::One(piece) => std::slice::from_ref(piece),
            Self::Several(pieces) => pieces.as_slice(),
        }
    }

    /// Adds one. Whether it brought something.
    pub(super) fn add(&mut self, piece: Range<usize>) -> bool {
        if self.cover(&piece) {
            return false;
        }
        *self = match mem::take(self) {
            Self::None => Self::One(piece),
            Self::One(known) if touch(&known, &piece) => Self::One(union(&known, &piece)),
            Self::One(known) if known.start < piece.start => Self::Several(vec![known, piece]),
            Self::One(known) => Self::Several(vec![piece, known]),
            Self::Several(pieces) => Self::Several(merged(pieces, piece)),
        };
        true
    }

    pub(super) fn cover(&self, piece: &Range<usize>) -> bool {
        self.as_slice().iter().any(|known| known.start <= piece.start && piece.end <= known.end)
    }

    /// Whether they are all of a body of this length.
    pub(super) fn are_whole(&self, len: usize) -> bool {
        matches!(self.as_slice(), [whole] if whole.len() == len)
    }

    /// Whether one of them stands behind what is missing.
    pub(super) const fn have_gap(&self) -> bool {
        !matches!(self.as_slice(), [] | [Range { start: 0, .. }])
    }

    /// What they leave of a body of this length. A body without bytes is one empty gap until it is there.
    pub(super) fn gaps(&self, len: usize) -> impl Iterator<Item = Range<usize>> {
        let pieces = self.as_slice();
        let starts = std::iter::once(0).chain(pieces.iter().map(|piece| piece.end));
        let ends = pieces.iter().map(|piece| piece.start).chain(std::iter::once(len));
        let is_gap = |gap: &Range<usize>| !gap.is_empty() || pieces.is_empty();
        starts.zip(ends).map(|(start, end)| start..end).filter(is_gap)
    }
}

fn merged(mut pieces: Vec<Range<usize>>, piece: Range<usize>) -> Vec<Range<usize>> {
    let mut merged = piece;
    pieces.retain(|known| {
        let touches = touch(known, &merged);
        if touches {
            merged = union(known, &merged);
        }
        !touches
    });
    pieces.push(merged);
    pieces.sort_unstable_by_key(|known| known.start);
    pieces
}

/// Whether two ranges overlap or meet.
pub(super) const fn touch(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Of two that touch.
fn union(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_merge_and_leave_gaps() {
        let mut pieces = Pieces::default();
        assert!(pieces.gaps(0).eq(std::iter::once(0..0)));
        assert!(pieces.add(30..40));
        assert!(pieces.add(10..20));
        assert!(!pieces.add(12..18));
        assert!(pieces.gaps(50).eq([0..10, 20..30, 40..50]));
        assert!(pieces.add(20..30));
        assert_eq!(pieces.as_slice(), [Range { start: 10, end: 40 }]);
        assert!(!pieces.are_whole(40));
        assert!(pieces.add(0..10));
        assert!(pieces.are_whole(40));
        assert_eq!(pieces.gaps(40).count(), 0);
    }

    #[test]
    fn whatever_the_order_is_a_byte_is_there_when_its_piece_was_added() {
        let cut: Vec<_> = (0..7).map(|at| 5 * at..5 * at + 5 + at % 3).collect();
        for (step, start) in (1..7).flat_map(|step| (0..7).map(move |start| (step, start))) {
            let (mut pieces, mut there) = (Pieces::default(), [false; 40]);
            for piece in (0..7).map(|index| cut[(start + index * step) % 7].clone()) {
                let is_news = there[piece.clone()].contains(&false);
                there[piece.clone()].fill(true);
                assert_eq!(pieces.add(piece), is_news);
                let missing: Vec<_> = pieces.gaps(40).flatten().collect();
                assert_eq!(missing, (0..40).filter(|at| !there[*at]).collect::<Vec<_>>());
            }
            assert!(pieces.are_whole(35), "{step} {start}");
        }
    }

    #[test]
    fn a_body_without_bytes_is_whole_when_its_piece_is_there() {
        let mut pieces = Pieces::default();
        assert!(!pieces.are_whole(0));
        assert!(pieces.add(0..0));
        assert!(pieces.are_whole(0));
        assert_eq!(pieces.gaps(0).count(), 0);
    }
}
