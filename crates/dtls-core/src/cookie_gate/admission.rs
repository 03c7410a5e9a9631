//! The gate's result: a ClientHello whose sender receives datagrams at its address, with the data of the handshake so
//! far.

use crate::config::Config;
use crate::crypto::group::NamedGroup;
use crate::crypto::suite13::Suite13;
use crate::message::Random;
use crate::record::RecordNumber;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A ClientHello with a valid cookie, for [`crate::Connection::accept`]. Only [`crate::CookieGate`] builds it.
pub struct Admission {
    pub(crate) config: Arc<Config>,
    /// The record of the ClientHello, or of its last fragment. Our record numbers continue from it.
    pub(crate) record: RecordNumber,
    /// The message sequence number of the ClientHello and of the response.
    pub(crate) sequence: u16,
    pub(crate) hello: Vec<u8>,
    /// The time from our request to this ClientHello.
    pub(crate) round_trip: Duration,
    pub(crate) retried: Option<Retried>,
}

/// The HelloRetryRequest of DTLS 1.3, which is part of the transcript. The HelloVerifyRequest of DTLS 1.2 is not.
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
