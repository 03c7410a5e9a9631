//! Received datagrams and their metadata.
//!
//! Knows the path and the socket's metadata. Does not know protocols.

use std::time::Instant;

use ice_agent::Path;

/// Explicit congestion notification, the two low bits of the IP traffic class (RFC 3168 section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// `00`: not ECN-capable. Also the value for a socket that cannot read the field.
    #[default]
    NotEct,
    /// `01`: ECN-capable, used by L4S (RFC 9331).
    Ect1,
    /// `10`: ECN-capable.
    Ect0,
    /// `11`: congestion experienced.
    Ce,
}

impl Ecn {
    /// Reads the two low bits of the traffic class; the other six are ignored.
    #[must_use]
    pub const fn from_bits(traffic_class: u8) -> Self {
        match traffic_class & 0b11 {
            0b00 => Self::NotEct,
            0b01 => Self::Ect1,
            0b10 => Self::Ect0,
            _ => Self::Ce,
        }
    }

    /// The two bits, 0 to 3.
    #[must_use]
    pub const fn bits(self) -> u8 {
        match self {
            Self::NotEct => 0b00,
            Self::Ect1 => 0b01,
            Self::Ect0 => 0b10,
            Self::Ce => 0b11,
        }
    }
}

/// The metadata of a received datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meta {
    /// The local base and the remote address of the datagram.
    pub path: Path,
    /// The congestion mark set by the network.
    pub ecn: Ecn,
    /// When the kernel or the network card received it, if the socket provides that.
    ///
    /// Passed on to the media unchanged, for bandwidth estimation. No timer uses it.
    pub received_at: Option<Instant>,
}

impl Meta {
    /// Creates metadata with a path only.
    #[must_use]
    pub const fn new(path: Path) -> Self {
        Self { path, ecn: Ecn::NotEct, received_at: None }
    }
}

/// A received UDP datagram, or one segment of a batch that generic receive offload joined.
///
/// The payload is mutable because it is decrypted in place.
#[derive(Debug)]
pub struct Datagram<'d> {
    /// The path and the socket's metadata.
    pub meta: Meta,
    /// The UDP payload.
    pub payload: &'d mut [u8],
}

impl<'d> Datagram<'d> {
    /// Creates a datagram with a path only.
    #[must_use]
    pub const fn new(path: Path, payload: &'d mut [u8]) -> Self {
        Self { meta: Meta::new(path), payload }
    }
}

#[cfg(test)]
mod tests {
    use super::Ecn;

    #[test]
    fn ecn_bits_match_rfc_3168() {
        for bits in 0..=255 {
            assert_eq!(Ecn::from_bits(bits).bits(), bits & 3);
        }
        assert_eq!([Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce].map(Ecn::bits), [0, 1, 2, 3]);
    }
}
