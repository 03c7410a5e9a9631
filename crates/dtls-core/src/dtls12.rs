//! DTLS 1.2 (RFC 6347): the handshake of both roles, and its result.
//!
//! The states know messages. They do not know datagrams, timers or retransmission: a state leaves its flight in the
//! context, and the connection sends it.

pub(crate) mod client;
pub(crate) mod connected;
pub(crate) mod established;
pub(crate) mod identity;
pub(crate) mod key_schedule;
pub(crate) mod server;

use crate::crypto::suite::SuiteParameters;
use crate::message::Random;
use crate::negotiated_extensions::NegotiatedExtensions;

/// The parameters that both hellos have selected.
#[derive(Clone, Copy)]
pub(crate) struct Selected {
    pub(crate) client_random: Random,
    pub(crate) server_random: Random,
    pub(crate) suite: &'static SuiteParameters,
    pub(crate) carried: NegotiatedExtensions,
}
