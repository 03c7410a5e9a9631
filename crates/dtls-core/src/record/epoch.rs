//! The numbers of epochs (RFC 6347 section 4.1, RFC 9147 section 6.1).

/// RFC 9147 section 6.1.
pub(crate) const HANDSHAKE_EPOCH: u16 = 2;
/// RFC 9147 section 6.1; each KeyUpdate adds one.
pub(crate) const FIRST_APPLICATION_EPOCH: u16 = 3;

//= rfc6347-4.1-epoch-reuse
/// The epochs of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// Epoch 0.
    Plaintext,
    /// Epoch 1 of DTLS 1.2.
    Protected,
    /// Epoch 2 of DTLS 1.3.
    Handshake,
    /// Epoch 3 and above of DTLS 1.3.
    Application(u16),
}

impl Epoch {
    /// Returns the epoch of a record with the header of DTLS 1.2.
    pub(crate) const fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Plaintext),
            1 => Some(Self::Protected),
            _ => None,
        }
    }

    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Plaintext => 0,
            Self::Protected => 1,
            Self::Handshake => HANDSHAKE_EPOCH,
            Self::Application(number) => number,
        }
    }
}
