//! The input of the agent: one datagram with its path.

use std::fmt;

use crate::path::Path;

/// One received datagram.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// The path: the address of the receiving socket, and the source address.
    pub path: Path,
    /// The payload.
    pub payload: &'a [u8],
}

impl fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datagram({}, {} bytes)", self.path, self.payload.len())
    }
}
