//! The anti-replay window (RFC 6347 section 4.1.2.6).

use crate::discard::Discard;

/// How far back a late record is still accepted. RFC 6347 asks for 32 at least and prefers 64.
const WINDOW: u64 = 64;

/// Remembers which of the latest sequence numbers authenticated.
#[derive(Debug, Default)]
pub(crate) struct ReplayWindow {
    /// One above the highest number that authenticated.
    next: u64,
    /// Bit `n` stands for `next - 1 - n`.
    seen: u64,
}

impl ReplayWindow {
    /// One above the highest number that authenticated; nothing has at zero.
    pub(crate) const fn next(&self) -> u64 {
        self.next
    }

    /// To be asked before a record is opened, because it costs less.
    pub(crate) const fn check(&self, sequence: u64) -> Result<(), Discard> {
        let Some(age) = self.next.checked_sub(1) else { return Ok(()) };
        let Some(age) = age.checked_sub(sequence) else { return Ok(()) };
        if age >= WINDOW {
            return Err(Discard::TooOld);
        }
        if self.seen >> age & 1 == 1 { Err(Discard::Replayed) } else { Ok(()) }
    }

    /// To be told after a record was opened: nobody but the peer moves the window.
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
    fn a_record_is_accepted_once() {
        let mut window = ReplayWindow::default();
        for sequence in [0, 1, 5, 3, 2, 4, 68] {
            assert_eq!(window.check(sequence), Ok(()), "{sequence}");
            window.accept(sequence);
            assert_eq!(window.check(sequence), Err(Discard::Replayed), "{sequence}");
        }
    }

    //= rfc6347-4.1.2.6-window
    #[test]
    fn the_window_ends_after_sixty_four() {
        let mut window = ReplayWindow::default();
        window.accept(100);
        assert_eq!(window.check(100 - 63), Ok(()));
        assert_eq!(window.check(100 - 64), Err(Discard::TooOld));
    }

    #[test]
    fn a_far_jump_forgets_what_is_behind() {
        let mut window = ReplayWindow::default();
        window.accept(1);
        window.accept((1 << 48) - 1);
        assert_eq!(window.check(1), Err(Discard::TooOld));
        assert_eq!(window.check((1 << 48) - 2), Ok(()));
        assert_eq!(window.check((1 << 48) - 1), Err(Discard::Replayed));
    }
}
