//! The name of an application protocol (RFC 7301), as the application configures it.

use std::fmt;

/// An application protocol by its registered name (RFC 7301) of 1 to 255 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ApplicationProtocol(pub &'static str);

impl ApplicationProtocol {
    /// Media and data of WebRTC (RFC 8833).
    pub const WEBRTC: Self = Self("webrtc");
    /// The same, kept confidential from the application itself (RFC 8833).
    pub const CONFIDENTIAL_WEBRTC: Self = Self("c-webrtc");

    pub(crate) const fn is_writable(self) -> bool {
        !self.0.is_empty() && self.0.len() <= 255
    }
}

impl fmt::Debug for ApplicationProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApplicationProtocol({:?})", self.0)
    }
}
