//! Whether a transport is open, closed or failed.

use crate::error::Failure;

/// Whether the transport is usable. Finer states are derived from its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Open,
    Closed,
    Failed(Failure),
}
