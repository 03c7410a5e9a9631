//! The replay window: the packets behind the newest one that were seen (RFC 3711 section 3.3.2).
//!
//! One window serves received and sent packets, with the 48-bit index of RTP and the 31-bit index of SRTCP.

/// The highest index of a stream, and one bit for each of the last `window` indexes.
pub(crate) struct ReplayWindow {
    newest: u64,
    /// The bit of an index is at the index modulo the window, which is a power of two.
    seen: Box<[u64]>,
    mask: u16,
}

/// The reason why an index is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stale {
    Seen,
    TooOld,
}

impl ReplayWindow {
    /// Returns a window of `window` packets, a power of two from 64, in which the first one is seen.
    pub(crate) fn starting_at(first: u64, window: u16) -> Self {
        let words = usize::from(window / 64).max(1);
        let mut new =
            Self { newest: first, seen: vec![0; words].into_boxed_slice(), mask: window.saturating_sub(1) };
        new.mark(first);
        new
    }

    #[inline]
    pub(crate) fn newest(&self) -> u64 {
        self.newest
    }

    /// Returns whether this index may be accepted.
    #[inline]
    pub(crate) fn check(&self, index: u64) -> Result<(), Stale> {
        let Some(age) = self.newest.checked_sub(index) else { return Ok(()) };
        if age > u64::from(self.mask) {
            return Err(Stale::TooOld);
        }
        let (word, bit) = self.place(index);
        match self.seen.get(word) {
            Some(seen) if seen & bit == 0 => Ok(()),
            _ => Err(Stale::Seen),
        }
    }

    /// Accepts an index that [`Self::check`] allowed.
    #[inline]
    pub(crate) fn accept(&mut self, index: u64) {
        if let Some(ahead) = index.checked_sub(self.newest) {
            if ahead > u64::from(self.mask) {
                self.seen.fill(0);
            } else {
                // The bits in between belong to indexes that left the window.
                for skipped in self.newest.saturating_add(1)..index {
                    self.unmark(skipped);
                }
            }
            self.newest = index;
        }
        self.mark(index);
    }

    #[inline]
    fn mark(&mut self, index: u64) {
        let (word, bit) = self.place(index);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen |= bit;
        }
    }

    #[inline]
    fn unmark(&mut self, index: u64) {
        let (word, bit) = self.place(index);
        if let Some(seen) = self.seen.get_mut(word) {
            *seen &= !bit;
        }
    }

    #[inline]
    fn place(&self, index: u64) -> (usize, u64) {
        let [low, high, ..] = index.to_le_bytes();
        let place = u16::from_le_bytes([low, high]) & self.mask;
        (usize::from(place / 64), 1 << (place % 64))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn accepted_index_is_seen_and_its_neighbours_are_not() {
        let mut window = ReplayWindow::starting_at(1_000, 64);
        window.accept(1_002);
        assert_eq!(window.check(1_000), Err(Stale::Seen));
        assert_eq!(window.check(1_001), Ok(()));
        assert_eq!(window.check(1_002), Err(Stale::Seen));
        assert_eq!(window.check(1_003), Ok(()));
    }

    #[test]
    fn index_before_the_oldest_of_the_window_is_too_old() {
        let window = ReplayWindow::starting_at(1_000, 64);
        assert_eq!(window.check(1_000 - 63), Ok(()));
        assert_eq!(window.check(1_000 - 64), Err(Stale::TooOld));
    }

    proptest! {
        // The model stores every index, so it is correct by construction.
        #[test]
        fn window_agrees_with_a_complete_model(
            window in prop_oneof![Just(64_u16), Just(128), Just(1_024), Just(16_384)],
            start in 0_u64..1 << 40,
            steps in prop::collection::vec((-20_000_i64..20_000, any::<bool>()), 1..400),
        ) {
            let mut tested = ReplayWindow::starting_at(start, window);
            let mut model = BTreeSet::from([start]);
            for (step, near) in steps {
                let newest = *model.last().unwrap();
                let step = if near { step / 200 } else { step };
                let index = newest.saturating_add_signed(step);
                let expected = if newest.saturating_sub(index) >= u64::from(window) {
                    Err(Stale::TooOld)
                } else if model.contains(&index) {
                    Err(Stale::Seen)
                } else {
                    Ok(())
                };
                prop_assert_eq!(tested.check(index), expected);
                if expected.is_ok() {
                    tested.accept(index);
                    model.insert(index);
                }
                prop_assert_eq!(tested.newest(), *model.last().unwrap());
            }
        }
    }
}
