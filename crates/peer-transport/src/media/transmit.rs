//! Datagrams to send, and the marks of their IP headers.
//!
//! Knows the path and the buffer. Does not know protocols.

use ice_agent::Path;

use super::Ecn;

/// A differentiated services code point, the six high bits of the IP traffic class (RFC 2474).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Dscp(u8);

impl Dscp {
    /// Default forwarding, 0.
    pub const DEFAULT: Self = Self(0);
    /// Assured forwarding 42, 36: interactive video (RFC 8837 section 5).
    pub const AF42: Self = Self(36);
    /// Expedited forwarding, 46: interactive audio (RFC 8837 section 5).
    pub const EF: Self = Self(46);

    /// A code point of six bits, 0 to 63; `None` above.
    #[must_use]
    pub const fn new(code_point: u8) -> Option<Self> {
        if code_point < 64 { Some(Self(code_point)) } else { None }
    }

    /// The code point, 0 to 63.
    #[must_use]
    pub const fn code_point(self) -> u8 {
        self.0
    }
}

/// A datagram to send. Its bytes are the last [`Transmit::len`] of the buffer that it was
/// appended to: [`Transmit::bytes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the appended bytes must be sent"]
#[non_exhaustive]
pub struct Transmit {
    /// The local base to send from, and the remote address to send to.
    pub path: Path,
    /// The congestion mark to set.
    pub ecn: Ecn,
    /// The code point to set.
    pub dscp: Dscp,
    /// How many bytes were appended to the buffer.
    pub len: usize,
    /// `Some(size)`: the bytes are several datagrams of `size` bytes, the last one possibly shorter, for
    /// generic segmentation offload. `None`: they are one datagram.
    pub segment_size: Option<usize>,
}

impl Transmit {
    /// Creates a transmit of one datagram of `len` bytes on `path`, without marks.
    pub const fn new(path: Path, len: usize) -> Self {
        Self { path, ecn: Ecn::NotEct, dscp: Dscp::DEFAULT, len, segment_size: None }
    }

    /// Returns the bytes to send: the last [`len`](Self::len) bytes of the buffer that they were appended to,
    /// or nothing if `buffer` is shorter than `len`.
    #[must_use]
    pub fn bytes<'b>(&self, buffer: &'b [u8]) -> &'b [u8] {
        buffer.len().checked_sub(self.len).and_then(|start| buffer.get(start..)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{Path, Transmit};

    #[test]
    fn transmit_bytes_are_end_of_buffer() {
        let path = Path::udp("192.0.2.1:1".parse().unwrap(), "192.0.2.2:2".parse().unwrap());
        let transmit = Transmit::new(path, 3);
        assert_eq!(transmit.bytes(b"before123"), b"123");
        assert_eq!(transmit.bytes(b"123"), b"123");
        assert_eq!(transmit.bytes(b"12"), b"");
    }
}
