//! The end of a connection, as a state requests it.
//!
//! The states return it; the connection sends the alert and changes its state.

use crate::event::ClosedBy;
use crate::failure::{Failure, Misbehaved};

/// The reason why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// An error, which the peer learns by a fatal alert where one is defined.
    Failed(Failure),
    /// An orderly close. A close_notify is sent, unless one was sent before.
    Closed(ClosedBy),
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Misbehaved> for End {
    fn from(fault: Misbehaved) -> Self {
        Self::Failed(fault.into())
    }
}
