//! The packet index: rollover counter and sequence number (RFC 3711 section 3.3.1 and appendix A).
//!
//! Pure functions of a sequence number and the highest index of its SSRC.

/// The 48-bit index of an RTP packet of one SSRC: rollover counter, then sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Index(u64);

/// The estimated index of a sequence number, relative to the highest index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Estimate {
    /// At this index.
    At(Index),
    /// The rollover counter would be negative.
    BeforeFirst,
    /// Beyond the last index of a key.
    PastLast,
}

impl Index {
    /// Returns the index of the first packet of an SSRC: the rollover counter starts at 0.
    #[inline]
    pub(crate) fn first(sequence_number: u16) -> Self {
        Self(u64::from(sequence_number))
    }

    /// Converts a number; bits above the 48 are ignored.
    #[inline]
    pub(crate) fn from_number(number: u64) -> Self {
        Self(number & LAST)
    }

    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    /// Returns the rollover counter as the bytes that AES-CM authenticates behind the packet.
    #[inline]
    pub(crate) fn rollover_counter(self) -> [u8; 4] {
        let [_, _, counter @ .., _, _] = self.0.to_be_bytes();
        counter
    }

    #[inline]
    fn sequence_number(self) -> u16 {
        let [.., high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// Returns the index with this sequence number that is nearest to `self`, the highest index so far.
    ///
    /// At a distance of exactly half the range both directions are equally near. The RFC's pseudo-code then keeps the
    /// rollover counter, and sender and receiver must agree.
    #[inline]
    pub(crate) fn nearest(self, sequence_number: u16) -> Estimate {
        let newest = self.sequence_number();
        let ahead = sequence_number.wrapping_sub(newest);
        let forward = ahead < HALF || (ahead == HALF && newest < HALF);
        if forward {
            let index = self.0 + u64::from(ahead);
            if index > LAST { Estimate::PastLast } else { Estimate::At(Self(index)) }
        } else {
            let behind = RANGE - u64::from(ahead);
            self.0.checked_sub(behind).map_or(Estimate::BeforeFirst, |index| Estimate::At(Self(index)))
        }
    }
}

const HALF: u16 = 0x8000;
const RANGE: u64 = 0x1_0000;
const LAST: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    /// Appendix A of the RFC, line by line, in signed arithmetic; `None` if its rollover counter wraps.
    fn appendix_a(newest: u64, seq: u16) -> Option<u64> {
        let s_l = i64::try_from(newest & 0xffff).unwrap();
        let roc = i64::try_from(newest >> 16).unwrap();
        let seq = i64::from(seq);
        let v = if s_l < 32_768 {
            if seq - s_l > 32_768 { roc - 1 } else { roc }
        } else if s_l - 32_768 > seq {
            roc + 1
        } else {
            roc
        };
        ((0..1 << 32).contains(&v)).then(|| u64::try_from(seq + v * 65_536).unwrap())
    }

    #[test]
    fn estimates_match_rfc_3711_appendix_a() {
        let edges = [0, 1, 2, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfffe, 0xffff, 0x1234, 0xabcd];
        for roc in [0, 1, 2, 0xffff_fffe, 0xffff_ffff_u64] {
            for s_l in edges {
                for seq in 0..=u16::MAX {
                    let newest = roc << 16 | s_l;
                    let expected = appendix_a(newest, seq);
                    match Index(newest).nearest(seq) {
                        Estimate::At(index) => assert_eq!(Some(index.0), expected, "{newest:#x} {seq:#x}"),
                        Estimate::BeforeFirst => assert!(expected.is_none() && roc == 0),
                        Estimate::PastLast => assert!(expected.is_none() && roc == 0xffff_ffff),
                    }
                }
            }
        }
    }

    #[test]
    fn rollover_counter_is_the_upper_four_bytes() {
        assert_eq!(Index(0x0102_0304_0506).rollover_counter(), [1, 2, 3, 4]);
    }
}
