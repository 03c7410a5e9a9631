//! The result of a handshake of either version.

use crate::dtls12::connected as dtls12;
use crate::dtls13::connected as dtls13;
use crate::message::Random;

/// The result of a handshake. Only the proofs of that handshake can build it.
pub(crate) enum Connected {
    Dtls12(Box<dtls12::Connected>),
    Dtls13(Box<dtls13::Connected>),
}

impl From<Box<dtls12::Connected>> for Connected {
    fn from(connected: Box<dtls12::Connected>) -> Self {
        Self::Dtls12(connected)
    }
}

impl From<Box<dtls13::Connected>> for Connected {
    fn from(connected: Box<dtls13::Connected>) -> Self {
        Self::Dtls13(connected)
    }
}

/// The randoms of both hellos, from the view of one side.
pub(crate) struct Randoms {
    pub(crate) local: Random,
    pub(crate) remote: Random,
}
