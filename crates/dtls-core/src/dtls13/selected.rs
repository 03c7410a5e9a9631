//! The parameters that the hellos of a DTLS 1.3 handshake have selected.

use crate::crypto::group::NamedGroup;
use crate::crypto::suite13::Suite13;
use crate::message::Random;

/// The parameters that the hellos have selected.
#[derive(Clone, Copy)]
pub(crate) struct Selected {
    pub(crate) client_random: Random,
    pub(crate) server_random: Random,
    pub(crate) suite: &'static Suite13,
    pub(crate) group: NamedGroup,
}
