//! Sequence numbers of sent records: 48 bits, each used once per epoch.

/// RFC 6347 section 4.1: the number must not wrap.
const LAST: u64 = (1 << 48) - 1;
/// Near the limit: a million records before the end.
const NEAR_LIMIT: u64 = LAST - (1 << 20);

/// The sequence numbers of an epoch are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyExhausted;

/// Returns sequence numbers in order.
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

    /// Returns how many numbers were used.
    pub(crate) const fn used(&self) -> u64 {
        self.next
    }

    /// Returns whether new keys are needed soon.
    pub(crate) const fn is_near_limit(&self) -> bool {
        self.next >= NEAR_LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc6347-4.1-sequence-end
    #[test]
    fn last_number_is_used_and_no_further_one() {
        let mut sequence = Sequence { next: LAST };
        assert_eq!(sequence.next(), Ok(LAST));
        assert_eq!(sequence.next(), Err(KeyExhausted));
        assert_eq!(sequence.next(), Err(KeyExhausted));
    }

    #[test]
    fn limit_is_reported_a_million_records_early() {
        let mut sequence = Sequence { next: NEAR_LIMIT - 1 };
        assert!(!sequence.is_near_limit());
        sequence.next().unwrap();
        assert!(sequence.is_near_limit());
    }
}
