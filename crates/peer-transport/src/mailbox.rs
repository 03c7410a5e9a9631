//! How a transport tells a detached half of its media what has changed: the newest facts under a
//! lock, and an epoch that says whether the lock is worth taking.
//!
//! Knows nothing about the facts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One writer, one reader. The reader pays one atomic load for each packet.
#[derive(Default)]
pub(crate) struct Mailbox<T> {
    epoch: AtomicU64,
    facts: Mutex<T>,
}

/// Up to where the reader has read.
#[derive(Default)]
pub(crate) struct Seen(u64);

impl<T> Mailbox<T> {
    /// Changes the facts.
    pub(crate) fn post(&self, change: impl FnOnce(&mut T)) {
        let mut facts = self.lock();
        change(&mut facts);
        self.epoch.fetch_add(1, Ordering::Release);
    }

    /// The facts, if they may have changed since the last time.
    pub(crate) fn changed(&self, seen: &mut Seen) -> Option<MutexGuard<'_, T>> {
        let epoch = self.epoch.load(Ordering::Acquire);
        if epoch == seen.0 {
            return None;
        }
        // What is posted between the load and the lock is read now and once more.
        seen.0 = epoch;
        Some(self.lock())
    }

    /// A panic of the other side leaves facts that are true, because each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mailbox, Seen};

    #[test]
    fn facts_are_read_once_after_each_change() {
        let mailbox = Mailbox::<u32>::default();
        let mut seen = Seen::default();
        assert!(mailbox.changed(&mut seen).is_none());
        mailbox.post(|facts| *facts = 1);
        mailbox.post(|facts| *facts = 2);
        assert_eq!(mailbox.changed(&mut seen).as_deref(), Some(&2));
        assert!(mailbox.changed(&mut seen).is_none());
    }

    #[test]
    fn a_reader_on_another_thread_ends_with_the_last_facts() {
        let mailbox = std::sync::Arc::new(Mailbox::<u32>::default());
        let writer = std::sync::Arc::clone(&mailbox);
        let writing = std::thread::spawn(move || (1..=10_000).for_each(|n| writer.post(|facts| *facts = n)));
        let (mut seen, mut latest) = (Seen::default(), 0);
        while latest < 10_000 {
            if let Some(facts) = mailbox.changed(&mut seen) {
                assert!(*facts >= latest, "{} after {latest}", *facts);
                latest = *facts;
            }
        }
        writing.join().unwrap();
    }
}
