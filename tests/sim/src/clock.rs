//! The only module that reads the machine's clock.
//!
//! `Instant` has no constructor, so a real instant is the zero of every virtual clock in this process; later instants
//! are that instant plus a virtual duration.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Time before the start of a world, so that a test can pass an instant of the past.
const ROOM_FOR_THE_PAST: Duration = Duration::from_secs(3600);

/// The instant at which every [`World`](crate::World) begins, the same throughout the process.
#[must_use]
pub fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(|| Instant::now() + ROOM_FOR_THE_PAST)
}
