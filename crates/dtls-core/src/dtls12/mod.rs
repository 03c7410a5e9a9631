//! DTLS 1.2 (RFC 6347): the handshake of both roles, and what remains of it afterwards.
//!
//! The states know messages. They know nothing about datagrams, timers or retransmission: a state leaves the
//! flight that it wants to be sent in the context, and the connection does the rest.

pub(crate) mod client;
pub(crate) mod connected;
pub(crate) mod identity;
pub(crate) mod key_schedule;
pub(crate) mod server;

use crate::carried::Carried;
use crate::crypto::suite::SuiteParameters;
use crate::message::Random;

/// What both hellos have settled.
#[derive(Clone, Copy)]
pub(crate) struct Selected {
    pub(crate) client_random: Random,
    pub(crate) server_random: Random,
    pub(crate) suite: &'static SuiteParameters,
    pub(crate) carried: Carried,
}
