//! A snapshot that the transport shares with a detached half of its media: the newest state under a lock, and
//! an epoch that tells whether it changed.
//!
//! Does not know the state's type.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// For one writer and one reader. The reader pays one atomic load per packet.
#[derive(Default)]
pub(crate) struct SharedSnapshot<T> {
    epoch: AtomicU64,
    snapshot: Mutex<T>,
}

/// The epoch up to which the reader has read.
#[derive(Default)]
pub(crate) struct ReadEpoch(u64);

impl<T> SharedSnapshot<T> {
    /// Changes the snapshot.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut T)) {
        let mut snapshot = self.lock();
        change(&mut snapshot);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// Returns the snapshot if it may have changed since the last call.
    pub(crate) fn changed(&self, read_epoch: &mut ReadEpoch) -> Option<MutexGuard<'_, T>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if epoch == read_epoch.0 {
            return None;
        }
        // A change between the load and the lock is read now and once more.
        read_epoch.0 = epoch;
        Some(self.lock())
    }

    /// A panic of the other side leaves a consistent snapshot, because each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.snapshot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{ReadEpoch, SharedSnapshot};

    #[test]
    fn snapshot_is_read_once_after_changes() {
        let shared = SharedSnapshot::<u32>::default();
        let mut read_epoch = ReadEpoch::default();
        assert!(shared.changed(&mut read_epoch).is_none());
        shared.publish(|snapshot| *snapshot = 1);
        shared.publish(|snapshot| *snapshot = 2);
        assert_eq!(shared.changed(&mut read_epoch).as_deref(), Some(&2));
        assert!(shared.changed(&mut read_epoch).is_none());
    }

    #[test]
    fn reader_thread_sees_latest_snapshot() {
        let shared = std::sync::Arc::new(SharedSnapshot::<u32>::default());
        let writer = std::sync::Arc::clone(&shared);
        let writing =
            std::thread::spawn(move || (1..=10_000).for_each(|n| writer.publish(|snapshot| *snapshot = n)));
        let (mut read_epoch, mut latest) = (ReadEpoch::default(), 0);
        while latest < 10_000 {
            if let Some(snapshot) = shared.changed(&mut read_epoch) {
                assert!(*snapshot >= latest, "{} after {latest}", *snapshot);
                latest = *snapshot;
            }
        }
        writing.join().unwrap();
    }
}
