//! Classifies datagrams by protocol (RFC 7983 section 7, RFC 5761 section 4).
//!
//! Knows the first two bytes of a datagram. Does not know addresses or keys, or whether the other bytes are
//! well formed.

/// The protocol of a datagram, by its first two bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Class {
    /// First byte 0..=3: a STUN message (RFC 8489).
    Stun,
    /// First byte 20..=63: DTLS records (RFC 6347, RFC 9147).
    Dtls,
    /// First byte 128..=191: an SRTP packet (RFC 3711).
    Rtp,
    /// First byte 128..=191 and second byte 192..=223: an SRTCP packet (RFC 5761 section 4).
    Rtcp,
    /// Any other first byte. It includes ZRTP, TURN channels and QUIC, which are not supported.
    Unknown,
    /// No bytes.
    Empty,
}

/// Classifies a datagram by its first byte and, for RTP and RTCP, by its second.
#[must_use]
pub fn classify(payload: &[u8]) -> Class {
    let Some(&first) = payload.first() else {
        return Class::Empty;
    };
    match first {
        0..=3 => Class::Stun,
        20..=63 => Class::Dtls,
        128..=191 => match payload.get(1) {
            Some(192..=223) => Class::Rtcp,
            _ => Class::Rtp,
        },
        _ => Class::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, classify};

    /// The ranges of RFC 7983 section 7, figure 3.
    const FIRST_BYTES: [(std::ops::RangeInclusive<u8>, Class); 8] = [
        (0..=3, Class::Stun),
        (4..=15, Class::Unknown),
        (16..=19, Class::Unknown), // ZRTP
        (20..=63, Class::Dtls),
        (64..=79, Class::Unknown), // TURN channels
        (80..=127, Class::Unknown),
        (128..=191, Class::Rtp),
        (192..=255, Class::Unknown),
    ];

    #[test]
    fn first_byte_classes_match_rfc_7983() {
        let mut seen = 0;
        for (range, class) in FIRST_BYTES {
            for first in range {
                assert_eq!(classify(&[first, 0]), class, "first byte {first}");
                assert_eq!(classify(&[first]), class, "first byte {first}, alone");
                seen += 1;
            }
        }
        assert_eq!(seen, 256);
    }

    #[test]
    fn second_byte_192_to_223_is_rtcp() {
        for second in 0..=255 {
            let expected = if (192..224).contains(&second) { Class::Rtcp } else { Class::Rtp };
            for first in [128, 160, 191] {
                assert_eq!(classify(&[first, second]), expected, "{first} {second}");
            }
        }
    }

    #[test]
    fn second_byte_matters_only_for_rtp() {
        for second in 0..=255 {
            assert_eq!(classify(&[0, second]), Class::Stun);
            assert_eq!(classify(&[22, second]), Class::Dtls);
            assert_eq!(classify(&[64, second]), Class::Unknown);
        }
    }

    #[test]
    fn datagram_without_bytes_is_empty() {
        assert_eq!(classify(&[]), Class::Empty);
    }
}
