//! The result of a handshake of either version.

use crate::message::Random;
use crate::{dtls12, dtls13};

/// The result of a handshake. Only the proofs of that handshake can build it.
pub(crate) enum Connected {
    Dtls12(Box<dtls12::connected::Connected>),
    Dtls13(Box<dtls13::connected::Connected>),
}

impl From<Box<dtls12::connected::Connected>> for Connected {
    fn from(connected: Box<dtls12::connected::Connected>) -> Self {
        Self::Dtls12(connected)
    }
}

impl From<Box<dtls13::connected::Connected>> for Connected {
    fn from(connected: Box<dtls13::connected::Connected>) -> Self {
        Self::Dtls13(connected)
    }
}

/// The randoms of both hellos, from the view of one side.
pub(crate) struct Randoms {
    pub(crate) local: Random,
    pub(crate) remote: Random,
}
