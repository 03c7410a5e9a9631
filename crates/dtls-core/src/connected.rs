//! An association of either version after its handshake.

use crate::config::DtlsRole;
use crate::event::Negotiated;
use crate::message::Random;
use crate::record::dtls12::Epoch;
use crate::{dtls12, dtls13};

/// The result of a handshake. Only the proofs of the handshake can build it.
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

/// The randoms of both hellos, from the point of view of one side.
pub(crate) struct Randoms {
    pub(crate) local: Random,
    pub(crate) remote: Random,
}

impl Connected {
    pub(crate) fn negotiated(&self) -> Negotiated {
        match self {
            Self::Dtls12(connected) => connected.negotiated(),
            Self::Dtls13(connected) => connected.negotiated(),
        }
    }

    pub(crate) fn remote_certificate(&self) -> Option<&[u8]> {
        match self {
            Self::Dtls12(connected) => connected.remote_certificate(),
            Self::Dtls13(connected) => connected.remote_certificate(),
        }
    }

    /// Returns `None` if the version cannot export this many bytes, or with this long a context.
    pub(crate) fn export(&self, label: &str, context: Option<&[u8]>, out: &mut [u8]) -> Option<()> {
        match self {
            Self::Dtls12(connected) => connected.master().export(label, context, out),
            Self::Dtls13(connected) => connected.exporter().export(label, context, out),
        }
    }

    pub(crate) fn randoms(&self, role: DtlsRole) -> Randoms {
        let (client, server) = match self {
            Self::Dtls12(connected) => {
                let selected = connected.master().selected();
                (selected.client_random, selected.server_random)
            }
            Self::Dtls13(connected) => {
                let selected = connected.selected();
                (selected.client_random, selected.server_random)
            }
        };
        match role {
            DtlsRole::Client => Randoms { local: client, remote: server },
            DtlsRole::Server => Randoms { local: server, remote: client },
        }
    }

    /// Returns the epoch for sending.
    pub(crate) fn epoch(&self) -> Epoch {
        match self {
            Self::Dtls12(_) => Epoch::Protected,
            Self::Dtls13(connected) => Epoch::Application(connected.writing()),
        }
    }
}
