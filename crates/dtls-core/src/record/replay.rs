//! The anti-replay window (RFC 6347 section 4.1.2.6).

use crate::discard::Discard;

/// The number of sequence numbers that the window covers. RFC 6347 requires 32 and prefers 64.
const WINDOW: u64 = 64;

/// The latest authenticated sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct ReplayWindow {
    /// One above the highest authenticated number.
    next: u64,
    /// Bit `n` stands for `next - 1 - n`.
    seen: u64,
}

impl ReplayWindow {
    /// Returns one above the highest authenticated number; zero if there is none.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// Returns whether the record number is acceptable. Call it before decryption.
    pub(crate) const fn check(&self, sequence: u64) -> Result<(), Discard> {
        let Some(age) = self.next.checked_sub(1) else { return Ok(()) };
        let Some(age) = age.checked_sub(sequence) else { return Ok(()) };
        if age >= WINDOW {
            return Err(Discard::TooOld);
        }
        if self.seen >> age & 1 == 1 { Err(Discard::Replayed) } else { Ok(()) }
    }

    /// Records an authenticated number. Call it after decryption, so that only the peer moves the window.
    pub(crate) const fn accept(&mut self, sequence: u64) {
        if let Some(ahead) = (sequence + 1).checked_sub(self.next)
            && ahead > 0
        {
            self.seen = if ahead >= WINDOW { 0 } else { self.seen << ahead };
            self.next = sequence + 1;
        }
        let age = self.next - 1 - sequence;
        if age < WINDOW {
            self.seen |= 1 << age;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6347-4.1.2.6-counter-start
    //= rfc6347-4.1.2.6-no-duplicate
    #[test]
    fn record_is_accepted_once() {
        let mut window = ReplayWindow::default();
        for sequence in [0, 1, 5, 3, 2, 4, 68] {
            assert_eq!(window.check(sequence), Ok(()), "{sequence}");
            window.accept(sequence);
            assert_eq!(window.check(sequence), Err(Discard::Replayed), "{sequence}");
        }
    }

    //= rfc6347-4.1.2.6-window
    #[test]
    fn window_covers_sixty_four_numbers() {
        let mut window = ReplayWindow::default();
        window.accept(100);
        assert_eq!(window.check(100 - 63), Ok(()));
        assert_eq!(window.check(100 - 64), Err(Discard::TooOld));
    }

    #[test]
    fn large_jump_clears_the_window() {
        let mut window = ReplayWindow::default();
        window.accept(1);
        window.accept((1 << 48) - 1);
        assert_eq!(window.check(1), Err(Discard::TooOld));
        assert_eq!(window.check((1 << 48) - 2), Ok(()));
        assert_eq!(window.check((1 << 48) - 1), Err(Discard::Replayed));
    }
}
