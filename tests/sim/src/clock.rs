//! The one place that asks the machine for the time.
//!
//! `Instant` has no constructor, so a real one serves as the zero of every virtual clock in this process;
//! all that happens afterwards is that instant plus a virtual duration.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Room before the beginning of a world, so that a test can hand a node an instant of the past.
const ROOM_FOR_THE_PAST: Duration = Duration::from_secs(3600);

/// The instant at which every [`World`](crate::World) begins, the same throughout the process.
#[must_use]
pub fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(|| Instant::now() + ROOM_FOR_THE_PAST)
}
