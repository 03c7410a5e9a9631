//! What the gate hands over: a ClientHello whose sender receives what is sent to its address, and all that the handshake
//! needs of what the gate did not keep.

use crate::config::Config;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite13::Suite13;
use crate::message::Random;
use crate::record::RecordNumber;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A ClientHello with a good cookie: [`crate::Connection::accept`] makes a connection of it. Only
/// [`crate::CookieGate`] can make one.
pub struct Admission {
    pub(crate) config: Arc<Config>,
    /// The record that brought the ClientHello, or the last piece of it. Ours go on from its number.
    pub(crate) record: RecordNumber,
    /// The message sequence of the ClientHello, and of our answer to it.
    pub(crate) sequence: u16,
    pub(crate) hello: Vec<u8>,
    /// From our request to this ClientHello.
    pub(crate) round_trip: Duration,
    pub(crate) retried: Option<Retried>,
}

/// The HelloRetryRequest of DTLS 1.3, which belongs to the transcript. What DTLS 1.2 asks does not.
pub(crate) struct Retried {
    pub(crate) suite: &'static Suite13,
    pub(crate) group: NamedGroup,
    pub(crate) client_random: Random,
    /// The hash of the first ClientHello.
    pub(crate) hello_hash: Vec<u8>,
    /// The body of the HelloRetryRequest.
    pub(crate) request: Vec<u8>,
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission").field("round_trip", &self.round_trip).finish_non_exhaustive()
    }
}
