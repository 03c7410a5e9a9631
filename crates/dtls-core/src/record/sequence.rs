//! Sequence numbers of the records that we send: 48 bits, never used twice in an epoch.

/// RFC 6347 section 4.1: the number must not wrap.
const LAST: u64 = (1 << 48) - 1;
/// Where we ask for new keys: a million records before the end.
const WORN: u64 = LAST - (1 << 20);

/// An epoch's numbers are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyExhausted;

/// Hands out sequence numbers.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    next: u64,
}

impl Sequence {
    /// Begins with this number.
    pub(crate) const fn from(next: u64) -> Self {
        Self { next }
    }

    pub(crate) const fn next(&mut self) -> Result<u64, KeyExhausted> {
        if self.next > LAST {
            return Err(KeyExhausted);
        }
        let number = self.next;
        self.next += 1;
        Ok(number)
    }

    /// How many numbers were handed out.
    pub(crate) const fn used(&self) -> u64 {
        self.next
    }

    /// Whether it is time for new keys.
    pub(crate) const fn is_worn(&self) -> bool {
        self.next >= WORN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6347-4.1-sequence-end
    #[test]
    fn the_last_number_is_used_and_none_after_it() {
        let mut sequence = Sequence { next: LAST };
        assert_eq!(sequence.next(), Ok(LAST));
        assert_eq!(sequence.next(), Err(KeyExhausted));
        assert_eq!(sequence.next(), Err(KeyExhausted));
    }

    #[test]
    fn wear_is_announced_a_million_records_early() {
        let mut sequence = Sequence { next: WORN - 1 };
        assert!(!sequence.is_worn());
        sequence.next().unwrap();
        assert!(sequence.is_worn());
    }
}
