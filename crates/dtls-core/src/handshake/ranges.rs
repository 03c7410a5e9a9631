//! Sets of byte ranges of a message: the received ones, or the acknowledged ones.
//!
//! Does not know the bytes.

use std::mem;
use std::ops::Range;

/// Sorted ranges that neither overlap nor touch. Most messages arrive in one fragment, which needs no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum RangeSet {
    #[default]
    None,
    One(Range<usize>),
    Several(Vec<Range<usize>>),
}

impl RangeSet {
    pub(super) const fn as_slice(&self) -> &[Range<usize>] {
        match self {
            Self::None => &[],
            Self::One(piece) => std::slice::from_ref(piece),
            Self::Several(pieces) => pieces.as_slice(),
        }
    }

    /// Adds a range. Returns whether it added a byte.
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

    /// Returns whether the ranges cover a body of this length.
    pub(super) fn is_complete(&self, len: usize) -> bool {
        matches!(self.as_slice(), [whole] if whole.len() == len)
    }

    /// Returns whether there is a range behind a gap.
    pub(super) const fn has_gap(&self) -> bool {
        !matches!(self.as_slice(), [] | [Range { start: 0, .. }])
    }

    /// Returns the gaps in a body of this length. An empty body is one empty gap until its range is added.
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

/// Returns whether two ranges overlap or touch.
pub(super) const fn touch(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

/// Returns the union of two ranges that touch.
fn union(a: &Range<usize>, b: &Range<usize>) -> Range<usize> {
    a.start.min(b.start)..a.end.max(b.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_leave_gaps() {
        let mut pieces = RangeSet::default();
        assert!(pieces.gaps(0).eq(std::iter::once(0..0)));
        assert!(pieces.add(30..40));
        assert!(pieces.add(10..20));
        assert!(!pieces.add(12..18));
        assert!(pieces.gaps(50).eq([0..10, 20..30, 40..50]));
        assert!(pieces.add(20..30));
        assert_eq!(pieces.as_slice(), [Range { start: 10, end: 40 }]);
        assert!(!pieces.is_complete(40));
        assert!(pieces.add(0..10));
        assert!(pieces.is_complete(40));
        assert_eq!(pieces.gaps(40).count(), 0);
    }

    #[test]
    fn bytes_are_covered_in_any_order_of_ranges() {
        let cut: Vec<_> = (0..7).map(|at| 5 * at..5 * at + 5 + at % 3).collect();
        for (step, start) in (1..7).flat_map(|step| (0..7).map(move |start| (step, start))) {
            let (mut pieces, mut there) = (RangeSet::default(), [false; 40]);
            for piece in (0..7).map(|index| cut[(start + index * step) % 7].clone()) {
                let is_news = there[piece.clone()].contains(&false);
                there[piece.clone()].fill(true);
                assert_eq!(pieces.add(piece), is_news);
                let missing: Vec<_> = pieces.gaps(40).flatten().collect();
                assert_eq!(missing, (0..40).filter(|at| !there[*at]).collect::<Vec<_>>());
            }
            assert!(pieces.is_complete(35), "{step} {start}");
        }
    }

    #[test]
    fn empty_body_is_complete_after_its_range() {
        let mut pieces = RangeSet::default();
        assert!(!pieces.is_complete(0));
        assert!(pieces.add(0..0));
        assert!(pieces.is_complete(0));
        assert_eq!(pieces.gaps(0).count(), 0);
    }
}
