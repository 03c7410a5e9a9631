//! The queue of events for `poll_event`. Received data is bounded; other events are few by nature.

use crate::config::Config;
use crate::event::Event;
use crate::key_log::KeyLogLine;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// The cost of an event in addition to its data, so that empty data is bounded too.
const EVENT_COST: usize = 64;
/// The size of the buffer for received data that is allocated at once.
const ARENA: usize = 4096;

/// A queue in order.
#[derive(Default)]
pub(crate) struct Events {
    queue: VecDeque<Event>,
    /// The cost of the data in the queue.
    data: usize,
    /// A buffer that is reused after the application has dropped its content.
    arena: BytesMut,
}

impl Events {
    pub(crate) fn push(&mut self, event: Event) {
        self.queue.push_back(event);
    }

    /// Adds an event that any sender can cause: it is in the queue at most once.
    pub(crate) fn push_once(&mut self, event: Event) {
        if !self.queue.contains(&event) {
            self.push(event);
        }
    }

    /// Returns `false` if the limit forbids it.
    pub(crate) fn push_data(&mut self, data: &[u8], limit: usize) -> bool {
        let cost = self.data.saturating_add(data.len() + EVENT_COST);
        if cost > limit {
            return false;
        }
        self.data = cost;
        let bytes = self.store(data);
        self.queue.push_back(Event::Data(bytes));
        true
    }

    /// The secret is copied only if the configuration asks for it.
    pub(crate) fn push_key_log(&mut self, config: &Config, line: impl FnOnce() -> KeyLogLine) {
        if config.key_log {
            self.push(Event::KeyLog(line()));
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Event> {
        let event = self.queue.pop_front()?;
        if let Event::Data(data) = &event {
            self.data = self.data.saturating_sub(data.len() + EVENT_COST);
        }
        Some(event)
    }

    fn store(&mut self, data: &[u8]) -> Bytes {
        if self.arena.capacity() < data.len() {
            self.arena.reserve(data.len().max(ARENA));
        }
        self.arena.extend_from_slice(data);
        self.arena.split().freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_above_the_limit_is_refused() {
        let mut events = Events::default();
        let limit = 2 * EVENT_COST + 4;
        assert!(events.push_data(b"abc", limit));
        assert!(!events.push_data(b"de", limit));
        assert!(events.push_data(b"d", limit));
        assert!(!events.push_data(b"", limit));
        assert_eq!(events.poll(), Some(Event::Data("abc".into())));
        assert!(events.push_data(b"xyz", limit));
        assert_eq!(events.poll(), Some(Event::Data("d".into())));
        assert_eq!(events.poll(), Some(Event::Data("xyz".into())));
        assert_eq!(events.poll(), None);
    }
}
